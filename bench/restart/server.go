package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
)

// server is a server on a data folder.
type server struct {
	*workload.Server
	began time.Time // just before the program was started
	ready time.Duration
}

// start starts the server and returns once it is ready.
func start(o options, data string) (*server, error) {
	path := data + ".log"
	log, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	began := time.Now()
	s, err := workload.StartServer(o.program, o.library, data, log)
	if err != nil {
		return nil, fmt.Errorf("%w, see %s", err, path)
	}
	return &server{s, began, time.Since(began)}, nil
}

// client is one connection.
type client struct {
	server *server
	conn   net.Conn
	in     *bufio.Reader
}

func (s *server) dial() (*client, error) {
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		return nil, err
	}
	return &client{s, conn, bufio.NewReader(conn)}, nil
}

// searchFaces searches the ten nearest of a face, and returns the number in the answer.
func (c *client) searchFaces(collection, f string) (int, error) {
	request, err := workload.Sign(c.server.Address, c.server.Key, "SearchFaces",
		fmt.Sprintf(`{"CollectionId":%q,"FaceId":%q,"MaxFaces":10,"FaceMatchThreshold":0}`,
			collection, f))
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

// memory returns the server's anonymous memory, in bytes.
func (s *server) memory() (int64, error) { return workload.AnonymousMemory(s.Process.Process.Pid) }

// openFiles counts the server's open files.
func (s *server) openFiles() (int, error) {
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(s.Process.Process.Pid), "fd"))
	return len(entries), err
}
