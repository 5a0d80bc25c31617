package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	rootAccessKeyID     = "AKIACONFORMANCETESTS"
	rootSecretAccessKey = "conformance/tests+only/not-a-secret-0123"
	rootAccount         = "123456789012"

	readyWithin   = 60 * time.Second
	stoppedWithin = 30 * time.Second // as the server promises
)

// needs is what a server has to have for a scenario. Scenarios with equal needs share a server.
type needs struct {
	Regions []string        `yaml:"regions" json:",omitempty"` // absent: us-east-1
	Limits  map[string]any  `yaml:"limits" json:",omitempty"`  // content of the file of limits
	Users   map[string]user `yaml:"users" json:",omitempty"`
	// by bucket and key, with a slash between
	Objects map[string]any `yaml:"objects" json:",omitempty"`
	Flags   map[string]any `yaml:"flags" json:",omitempty"` // further ones of recollect serve
}

// user has a key of its own beside the root key. Scenarios know it as ${keys.NAME.id} and
// ${keys.NAME.secret}.
type user struct {
	Account string `yaml:"account" json:",omitempty"` // absent: that of the root key
	// name of a policy that comes with the server, or a policy; absent: none
	Policy any `yaml:"policy" json:",omitempty"`
}

// key tells needs that are not equal apart.
func (n needs) key() string {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // it was made from YAML
	}
	return string(text)
}

// key is an access key.
type accessKey struct{ id, secret string }

// server is the program, running on a data folder of its own, or several that share a database,
// behind a load balancer.
type server struct {
	root    string // of the repository
	folder  string // of all that the server has
	address string
	regions []string
	keys    map[string]accessKey // by user
	process *exec.Cmd            // nil if there are several
	ended   chan struct{}
	status  error

	shared   []string  // flags of the database that servers share; nil: the folder has the data
	nodes    []*server // those behind the balancer
	balancer *balancer // nil: there is one server
}

// startServer starts bin/recollect of the repository root as the needs say, and returns once it is
// ready. With stores it starts several that share one of them.
func startServer(ctx context.Context, root string, n needs, values *values, stores *stores) (
	s *server, err error) {
	folder, err := os.MkdirTemp("", "recollect-conformance-")
	if err != nil {
		return nil, err
	}
	s = newServer(root, folder, n)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start a server: %w%s", err, s.logTail()), s.close())
		}
	}()
	if stores == nil {
		if err := s.start(n, values); err != nil {
			return s, err
		}
	} else if err := s.startNodes(n, values, stores); err != nil {
		return s, err
	}
	if err := s.waitUntilReady(ctx); err != nil {
		return s, err
	}
	for _, name := range slices.Sorted(maps.Keys(n.Users)) {
		if s.keys[name], err = s.createKey(ctx, name, n.Users[name]); err != nil {
			return s, err
		}
	}
	return s, nil
}

func newServer(root, folder string, n needs) *server {
	s := &server{root: root, folder: folder, regions: n.Regions, keys: map[string]accessKey{},
		ended: make(chan struct{})}
	if len(s.regions) == 0 {
		s.regions = []string{"us-east-1"}
	}
	return s
}

// arguments writes the files that the server is to read, and says how it is started.
func (s *server) arguments(n needs, values *values) ([]string, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s.address = address
	buckets := filepath.Join(s.folder, "buckets")
	if err := os.Mkdir(buckets, 0o700); err != nil {
		return nil, err
	}
	for name, value := range n.Objects {
		file := filepath.Join(buckets, filepath.FromSlash(name))
		if err := writeObject(file, value, values); err != nil {
			return nil, fmt.Errorf("object %s: %w", name, err)
		}
	}
	args := append([]string{"serve", "--listen", s.address, "--data", s.data(), "--region",
		strings.Join(s.regions, ","), "--account", rootAccount, "--s3-root", buckets}, s.shared...)
	for _, name := range slices.Sorted(maps.Keys(n.Flags)) {
		args = append(args, fmt.Sprintf("--%s=%v", name, n.Flags[name]))
	}
	if n.Limits != nil {
		text, err := json.Marshal(n.Limits)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(s.folder, "limits.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return nil, err
		}
		args = append(args, "--limits", file)
	}
	return args, nil
}

// writeObject writes the file of an object: the bytes that a value stands for, or, for
// {$sparse: n}, n zeros that take no space.
func writeObject(file string, value any, values *values) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if name, argument, ok := directive(value); ok && name == "$sparse" {
		size, err := values.number(argument)
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, int64(size)))
	}
	content, err := values.bytes(value)
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

func (s *server) start(n needs, values *values) error {
	args, err := s.arguments(n, values)
	if err != nil {
		return err
	}
	program := s.program()
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("run make build first: %w", err)
	}
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.Command(program, args...)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.Env = append(withoutAWS(os.Environ()), "RECOLLECT_ROOT_ACCESS_KEY_ID="+
		rootAccessKeyID, "RECOLLECT_ROOT_SECRET_ACCESS_KEY="+rootSecretAccessKey)
	if err := s.process.Start(); err != nil {
		s.process = nil
		return err
	}
	go func() {
		s.status = s.process.Wait()
		close(s.ended)
	}()
	return nil
}

func (s *server) waitUntilReady(ctx context.Context) error {
	for _, n := range s.nodes {
		if err := n.waitUntilReady(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if s.ready(ctx) {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended: %w", s.status)
		case <-ctx.Done():
			return fmt.Errorf("it was not ready within %v", readyWithin)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *server) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint()+"/health/ready", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// createKey makes a user and its key as an operator does, beside the running server.
func (s *server) createKey(ctx context.Context, name string, u user) (accessKey, error) {
	args := append([]string{"keys", "create", name, "--data", s.data()}, s.shared...)
	if u.Account != "" {
		args = append(args, "--account", u.Account)
	}
	switch policy := u.Policy.(type) {
	case nil:
	case string:
		args = append(args, "--policy", policy)
	default:
		text, err := json.Marshal(policy)
		if err != nil {
			return accessKey{}, err
		}
		file := filepath.Join(s.folder, name+".json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return accessKey{}, err
		}
		args = append(args, "--policy", file)
	}
	out, err := exec.CommandContext(ctx, s.program(), args...).Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return accessKey{}, fmt.Errorf("create the key of %s: %w", name, err)
	}
	var key accessKey
	for line := range strings.Lines(string(out)) {
		if name, value, ok := strings.Cut(line, " = "); ok {
			switch name {
			case "aws_access_key_id":
				key.id = strings.TrimSpace(value)
			case "aws_secret_access_key":
				key.secret = strings.TrimSpace(value)
			}
		}
	}
	if key.id == "" || key.secret == "" {
		return accessKey{}, fmt.Errorf("create the key of %s: none was printed", name)
	}
	return key, nil
}

// close stops the server as an operator does, and sees to it that it ends well. Its folder is gone
// afterwards.
func (s *server) close() error {
	err := s.stop()
	return errors.Join(err, os.RemoveAll(s.folder))
}

func (s *server) stop() error {
	var faults []error
	if s.balancer != nil {
		faults = append(faults, s.balancer.close())
	}
	for _, n := range s.nodes {
		faults = append(faults, n.stop())
	}
	if s.process == nil {
		return errors.Join(faults...)
	}
	select {
	case <-s.ended:
		return fmt.Errorf("the server ended before its time: %w%s", s.status, s.logTail())
	default:
	}
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	select {
	case <-s.ended:
		if s.status != nil {
			return fmt.Errorf("the server did not end well: %w%s", s.status, s.logTail())
		}
		return nil
	case <-time.After(stoppedWithin):
		s.process.Process.Kill()
		<-s.ended
		return fmt.Errorf("the server did not stop within %v%s", stoppedWithin, s.logTail())
	}
}

func (s *server) program() string  { return filepath.Join(s.root, "bin", "recollect") }
func (s *server) endpoint() string { return "http://" + s.address }
func (s *server) data() string     { return filepath.Join(s.folder, "data") }
func (s *server) log() string      { return filepath.Join(s.folder, "log") }

// logTail is the end of the server's log, set off from what stands before it.
func (s *server) logTail() (tails string) {
	for _, n := range s.nodes {
		tails += n.logTail()
	}
	if len(s.nodes) > 0 {
		return tails
	}
	text, err := os.ReadFile(s.log())
	if err != nil || len(text) == 0 {
		return ""
	}
	return "\n" + string(text[max(0, len(text)-4000):])
}

// freeAddress is an address on loopback that nobody listened on a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// withoutAWS is an environment without the settings of AWS clients.
func withoutAWS(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment),
		func(setting string) bool { return strings.HasPrefix(setting, "AWS_") })
}
