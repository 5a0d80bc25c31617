// Package recollecttest starts a Recollect server for a test: on a free port of this machine, with
// a fresh data folder, and ends it with the test. Any AWS SDK can be its client.
//
//	func TestSearch(t *testing.T) {
//		server := recollecttest.Start(t)
//		server.Setenv(t) // the AWS SDK's own settings lead to the server
//		...
//	}
//
// The program is the one that [Program] or RECOLLECT_PROGRAM names, else the recollect of PATH,
// else one that is built from this module's source, which needs cgo, and the networks in
// RECOLLECT_LIBRARY or in lib/recollect of the module.
package recollecttest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Region is the region of the server.
const Region = "us-east-1"

// The times after which a test fails.
const (
	readyWithin = time.Minute
	endWithin   = time.Minute // longer than requests in flight may take
)

// Server is a running server.
type Server struct {
	URL             string // for example http://127.0.0.1:41373
	AccessKeyID     string // of the root key, which may do everything
	SecretAccessKey string
	Region          string
	Data            string // folder of its data, which is deleted with the test

	stop func() error
}

// options are what a test asks for.
type options struct {
	program string
	library string
	flags   []string
}

// Option is an option of [Start].
type Option func(*options)

// Program names the program to start.
func Program(path string) Option { return func(o *options) { o.program = path } }

// Library names the folder of ONNX Runtime and the model packs.
func Library(path string) Option { return func(o *options) { o.library = path } }

// Flags are further flags of `recollect serve`, for example --thumbnails.
func Flags(flags ...string) Option {
	return func(o *options) { o.flags = append(o.flags, flags...) }
}

// Seed makes the ids of faces those of every other server with this seed to which the same requests
// are sent, one after the other.
func Seed(n uint64) Option { return Flags("--seed", strconv.FormatUint(n, 10)) }

// Start starts a server and waits until it is ready. It ends with the test. Networks are loaded
// meanwhile, and the first request with a picture waits for them. The test fails if the server does
// not start, with what it wrote.
func Start(t testing.TB, with ...Option) *Server {
	t.Helper()
	s, err := start(t.Context(), t.TempDir(), with)
	if err != nil {
		t.Fatalf("start Recollect: %v", err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("end Recollect: %v", err)
		}
	})
	return s
}

// Setenv sets the environment variables of the AWS SDKs for the test, so that their clients use the
// server with its root key. The test must not be parallel.
func (s *Server) Setenv(t testing.TB) {
	t.Helper()
	for name, value := range s.Env() {
		t.Setenv(name, value)
	}
}

// Env has the environment variables of the AWS SDKs that lead to the server.
func (s *Server) Env() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_REKOGNITION": s.URL,
		"AWS_ACCESS_KEY_ID":            s.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":        s.SecretAccessKey,
		"AWS_SESSION_TOKEN":            "",
		"AWS_REGION":                   s.Region,
		"AWS_DEFAULT_REGION":           s.Region,
		"AWS_PROFILE":                  "",
	}
}

func start(ctx context.Context, folder string, with []Option) (*Server, error) {
	o := options{program: os.Getenv("RECOLLECT_PROGRAM"), library: os.Getenv("RECOLLECT_LIBRARY")}
	for _, set := range with {
		set(&o)
	}
	program, library, err := find(ctx, o)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "data")
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--region", Region,
		"--lazy-models"}
	if library != "" {
		args = append(args, "--library", library)
	}
	// The server outlives the context of the test, which ends before the test's cleanups run.
	//nolint:gosec // G204: the test chooses the program
	cmd := exec.Command(program, append(args, o.flags...)...)
	cmd.Env = withoutSettings(os.Environ())
	s := &Server{Region: Region, Data: data}
	if s.URL, s.stop, err = run(cmd); err != nil {
		return nil, err
	}
	s.AccessKeyID, s.SecretAccessKey, err = readKey(filepath.Join(data, "credentials"))
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// withoutSettings leaves out the settings of a server of the developer's own.
func withoutSettings(env []string) (left []string) {
	for _, e := range env {
		if !strings.HasPrefix(e, "RECOLLECT_") {
			left = append(left, e)
		}
	}
	return left
}

// log keeps the end of what a server writes.
type log struct {
	mu   sync.Mutex
	text []byte
}

func (l *log) Write(p []byte) (int, error) {
	const most = 16 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-most):]
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.text))
}

var ready = regexp.MustCompile(`is ready on (https?://\S+)`)

// run starts a server and waits until it says its address.
func run(cmd *exec.Cmd) (url string, stop func() error, err error) {
	said := new(log)
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	address := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := ready.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // until the server ends
		ended <- cmd.Wait()
	}()
	end := func(signal os.Signal, within time.Duration) error {
		_ = cmd.Process.Signal(signal) // it may have ended
		select {
		case err := <-ended:
			return err
		case <-time.After(within):
			_ = cmd.Process.Kill()
			return errors.Join(fmt.Errorf("it did not end within %v:\n%s", within, said), <-ended)
		}
	}
	select {
	case url := <-address:
		return url, func() error { return end(os.Interrupt, endWithin) }, nil
	case err := <-ended:
		return "", nil, fmt.Errorf("%s ended: %w\n%s", cmd.Path, err, said)
	case <-time.After(readyWithin):
		return "", nil, errors.Join(fmt.Errorf("%s is not ready within %v:\n%s", cmd.Path,
			readyWithin, said), end(os.Kill, endWithin))
	}
}

// readKey reads a shared credentials file.
func readKey(path string) (id, secret string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", fmt.Errorf("read the root key: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			id = strings.TrimSpace(value)
		case "aws_secret_access_key":
			secret = strings.TrimSpace(value)
		}
	}
	if id == "" || secret == "" {
		return "", "", fmt.Errorf("%s has no key", path)
	}
	return id, secret, nil
}
