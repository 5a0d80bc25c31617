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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
)

// server is a separate server with an empty data folder.
type server struct {
	*workload.Server
	dir string
}

func start(o options) (*server, error) {
	dir, err := os.MkdirTemp("", "recollect-bench-")
	if err != nil {
		return nil, err
	}
	s, err := workload.StartServer(o.program, o.library, filepath.Join(dir, "data"), nil)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &server{s, dir}, nil
}

func (s *server) stop() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }

// measured is the result of a run over all pictures.
type measured struct {
	took  time.Duration
	faces int
}

// sendAll indexes pictures into a new collection by requests that are prepared before the
// measurement.
func (s *server) sendAll(collection string, paths []string, clients int) (measured, error) {
	requests := make([][]byte, len(paths)+1)
	var err error
	if requests[0], err = workload.Sign(s.Address, s.Key, "CreateCollection",
		fmt.Sprintf(`{"CollectionId":%q}`, collection)); err != nil {
		return measured{}, err
	}
	for i, path := range paths {
		picture, err := os.ReadFile(path)
		if err != nil {
			return measured{}, err
		}
		body := fmt.Sprintf(`{"CollectionId":%q,"ExternalImageId":%q,"Image":{"Bytes":%q}}`,
			collection, filepath.Base(path), base64.StdEncoding.EncodeToString(picture))
		if requests[i+1], err = workload.Sign(s.Address, s.Key, "IndexFaces", body); err != nil {
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

// send sends requests over a number of connections and counts the faces in the responses.
func (s *server) send(requests [][]byte, clients int) (int, error) {
	var next, faces atomic.Int64
	faults := make([]error, clients)
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			conn, err := net.Dial("tcp", s.Address)
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

// importRun is an import's own summary, and its duration.
type importRun struct {
	Indexed, Skipped, Faces int
	took, cpu               time.Duration
}

// importAll imports the folder of pictures into a new collection, as a user does.
func (s *server) importAll(ctx context.Context, o options) (r importRun, err error) {
	cmd := exec.CommandContext(ctx, o.program, "import", o.pictures, "--collection", "imported",
		"--create", "--output", "json",
		"--parallel", fmt.Sprint(o.parallel), "--report", filepath.Join(s.dir, "report.csv"),
		"--endpoint", "http://"+s.Address)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+s.Key.ID, "AWS_SECRET_ACCESS_KEY="+
		s.Key.Secret, "AWS_REGION=us-east-1")
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
