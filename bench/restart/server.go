package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/iam"
)

// server is a server on a data folder.
type server struct {
	process *exec.Cmd
	address string
	key     iam.AccessKey
	began   time.Time // just before the program was started
	ready   time.Duration
}

// start returns once the server says that it is ready.
func start(o options, data string) (*server, error) {
	s := &server{key: iam.AccessKey{ID: "AKIDBENCH0000000", Secret: "a secret for the benchmark"}}
	s.process = exec.Command(o.program, "serve", "--listen", "127.0.0.1:0", "--data", data, "--library", o.library)
	s.process.Env = append(os.Environ(), "RECOLLECT_ROOT_ACCESS_KEY_ID="+s.key.ID, "RECOLLECT_ROOT_SECRET_ACCESS_KEY="+s.key.Secret)
	path := data + ".log"
	log, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.process.Stderr = log
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.began = time.Now()
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	greeting := bufio.NewReader(out)
	line, err := greeting.ReadString('\n')
	s.ready = time.Since(s.began)
	found := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(line)
	if found == nil {
		return nil, errors.Join(fmt.Errorf("the server does not start: %q, see %s", line, path), err, s.stop())
	}
	go io.Copy(io.Discard, greeting)
	s.address = found[1]
	return s, nil
}

func (s *server) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.process.Wait()
}

// client is one connection.
type client struct {
	server *server
	conn   net.Conn
	in     *bufio.Reader
}

func (s *server) dial() (*client, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	return &client{s, conn, bufio.NewReader(conn)}, nil
}

// searchFaces asks for the ten nearest of a face, and returns how many the answer has.
func (c *client) searchFaces(collection, face string) (int, error) {
	request, err := workload.Sign(c.server.address, c.server.key, "SearchFaces",
		fmt.Sprintf(`{"CollectionId":%q,"FaceId":%q,"MaxFaces":10,"FaceMatchThreshold":0}`, collection, face))
	if err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return 0, errors.Join(fmt.Errorf("status %d: %s", answer.StatusCode, body), err)
	}
	return strings.Count(string(body), `"FaceId"`), nil
}

// memory is what of the server no file backs, in bytes.
func (s *server) memory() (int64, error) {
	status, err := os.ReadFile(s.proc("status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "RssAnon:" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes * 1024, err
		}
	}
	return 0, errors.New("this system does not tell")
}

// openFiles counts the server's open files.
func (s *server) openFiles() (int, error) {
	entries, err := os.ReadDir(s.proc("fd"))
	return len(entries), err
}

func (s *server) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid), name)
}
