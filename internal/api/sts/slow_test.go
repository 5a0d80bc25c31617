package sts

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener for connections within the process.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error { return nil }

func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// A body has to arrive within bodyTime, whether its sender is known or not.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := make(pipes)
		s := New(Config{Log: slog.New(slog.DiscardHandler)})
		closed := make(chan struct{})
		server := &http.Server{Handler: s, ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(closed)
			}
		}}
		go server.Serve(listener)
		client, conn := net.Pipe()
		listener <- conn
		start := time.Now()
		fmt.Fprint(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"+
			"Content-Type: application/x-www-form-urlencoded\r\n\r\nAction=")
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout || !resp.Close ||
			!strings.Contains(string(body), "<Code>RequestTimeout</Code>") ||
			time.Since(start) != bodyTime {
			t.Errorf("%d %s after %v, %v", resp.StatusCode, body, time.Since(start), err)
		}
		client.Close()
		<-closed
		close(listener)
		server.Close()
		if len(s.networks.bodies) != 0 || !s.requests.TryAcquire(maxRequests) {
			t.Error("a request is still counted")
		}
	})
}
