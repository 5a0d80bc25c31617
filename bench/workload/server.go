package workload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"

	"github.com/recollect-dev/recollect/internal/iam"
)

// Server is the real program, running on a data folder.
type Server struct {
	Process *exec.Cmd
	Address string // host:port
	Key     iam.AccessKey
}

// StartServer starts the program and returns once it is ready. Its log is written to log; nil: it
// is discarded.
func StartServer(program, library, data string, log io.Writer) (*Server, error) {
	s := &Server{Key: iam.AccessKey{ID: "AKIDBENCH0000000", Secret: "a secret for the benchmark"}}
	s.Process = exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", data,
		"--library", library)
	s.Process.Env = append(os.Environ(), "RECOLLECT_ROOT_ACCESS_KEY_ID="+s.Key.ID,
		"RECOLLECT_ROOT_SECRET_ACCESS_KEY="+s.Key.Secret)
	s.Process.Stderr = log
	out, err := s.Process.StdoutPipe()
	if err == nil {
		err = s.Process.Start()
	}
	if err != nil {
		return nil, err
	}
	greeting := bufio.NewReader(out)
	line, err := greeting.ReadString('\n')
	found := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(line)
	if found == nil {
		return nil, errors.Join(fmt.Errorf("the server does not start: %q", line), err, s.Stop())
	}
	go io.Copy(io.Discard, greeting)
	s.Address = found[1]
	return s, nil
}

// Stop ends the program, and waits for it.
func (s *Server) Stop() error {
	return errors.Join(s.Process.Process.Signal(syscall.SIGTERM), s.Process.Wait())
}
