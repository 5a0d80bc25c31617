package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/iam"
)

// server is a server of its own, with an empty data folder.
type server struct {
	process *exec.Cmd
	address string
	dir     string
	key     iam.AccessKey
}

func start(o options) (*server, error) {
	dir, err := os.MkdirTemp("", "recollect-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, key: iam.AccessKey{ID: "AKIDBENCH0000000", Secret: "a secret for the benchmark"}}
	s.process = exec.Command(o.program, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--library", o.library)
	s.process.Env = append(os.Environ(), "RECOLLECT_ROOT_ACCESS_KEY_ID="+s.key.ID, "RECOLLECT_ROOT_SECRET_ACCESS_KEY="+s.key.Secret)
	out, err := s.process.StdoutPipe()
	if err == nil {
		err = s.process.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	greeting := bufio.NewReader(out)
	line, err := greeting.ReadString('\n')
	found := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(line)
	if found == nil {
		return nil, errors.Join(fmt.Errorf("the server does not start: %q", line), err, s.stop())
	}
	go io.Copy(io.Discard, greeting)
	s.address = found[1]
	return s, nil
}

func (s *server) stop() error {
	s.process.Process.Signal(syscall.SIGTERM)
	return errors.Join(s.process.Wait(), os.RemoveAll(s.dir))
}

// measured is what a run over all pictures took.
type measured struct {
	took  time.Duration
	faces int
}

// sendAll indexes pictures into a new collection by requests that are ready before time counts.
func (s *server) sendAll(collection string, paths []string, clients int) (measured, error) {
	requests := make([][]byte, len(paths)+1)
	var err error
	if requests[0], err = workload.Sign(s.address, s.key, "CreateCollection", fmt.Sprintf(`{"CollectionId":%q}`, collection)); err != nil {
		return measured{}, err
	}
	for i, path := range paths {
		picture, err := os.ReadFile(path)
		if err != nil {
			return measured{}, err
		}
		body := fmt.Sprintf(`{"CollectionId":%q,"ExternalImageId":%q,"Image":{"Bytes":%q}}`, collection, filepath.Base(path), base64.StdEncoding.EncodeToString(picture))
		if requests[i+1], err = workload.Sign(s.address, s.key, "IndexFaces", body); err != nil {
			return measured{}, err
		}
	}
	if _, err := s.send(requests[:1], 1); err != nil {
		return measured{}, err
	}
	began := time.Now()
	faces, err := s.send(requests[1:], clients)
	return measured{time.Since(began), faces}, err
}

// send sends requests over a number of connections and counts the faces that the answers have.
func (s *server) send(requests [][]byte, clients int) (int, error) {
	var next, faces atomic.Int64
	faults := make([]error, clients)
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				faults[c] = err
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			for i := next.Add(1) - 1; int(i) < len(requests); i = next.Add(1) - 1 {
				n, err := exchange(conn, in, requests[i])
				if err != nil {
					faults[c] = err
					return
				}
				faces.Add(int64(n))
			}
		})
	}
	group.Wait()
	return int(faces.Load()), errors.Join(faults...)
}

func exchange(conn io.Writer, in *bufio.Reader, request []byte) (faces int, err error) {
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 0, errors.Join(fmt.Errorf("status %d: %s", resp.StatusCode, body), err)
	}
	return bytes.Count(body, []byte(`"FaceId"`)), nil
}

// importRun is what an import says of itself, and took.
type importRun struct {
	Indexed, Skipped, Faces int
	took, cpu               time.Duration
}

// importAll imports the folder of pictures into a new collection, as a user does.
func (s *server) importAll(ctx context.Context, o options) (r importRun, err error) {
	cmd := exec.CommandContext(ctx, o.program, "import", o.pictures, "--collection", "imported", "--create", "--output", "json",
		"--parallel", fmt.Sprint(o.parallel), "--report", filepath.Join(s.dir, "report.csv"), "--endpoint", "http://"+s.address)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+s.key.ID, "AWS_SECRET_ACCESS_KEY="+s.key.Secret, "AWS_REGION=us-east-1")
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("import: %w: %s", err, log.String())
	}
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		return r, err
	}
	r.took, r.cpu = time.Since(began), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	return r, nil
}
