package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/iam"
)

// client sends signed requests: each is signed once, and its bytes are sent repeatedly.
type client struct {
	address string
	key     iam.AccessKey
}

// call makes one request.
func (c *client) call(operation, body string) error {
	calls, err := c.prepare(1, operation, body)
	if err != nil {
		return err
	}
	defer calls.close()
	return calls.do(0)
}

// calls is one request on a number of connections.
type calls struct {
	request     []byte
	connections []net.Conn
	readers     []*bufio.Reader
}

func (c *client) prepare(clients int, operation, body string) (*calls, error) {
	request, err := workload.Sign(c.address, c.key, operation, body)
	if err != nil {
		return nil, err
	}
	cs := &calls{request: request}
	for range clients {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return nil, errors.Join(err, cs.close())
		}
		cs.connections = append(cs.connections, conn)
		cs.readers = append(cs.readers, bufio.NewReader(conn))
	}
	return cs, nil
}

// do sends the request on connection i and reads the response.
func (cs *calls) do(i int) error {
	if _, err := cs.connections[i].Write(cs.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(cs.readers[i], nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(resp.Body)
		return errors.Join(fmt.Errorf("status %d: %s", resp.StatusCode, answer), err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (cs *calls) close() error {
	var faults []error
	for _, c := range cs.connections {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}
