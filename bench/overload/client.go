package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
)

// The behaviour of SDKs in their standard mode.
const (
	attempts    = 3
	maxBackoff  = 20 * time.Second
	readTimeout = 60 * time.Second
)

// client sends one request after the other on a persistent connection.
type client struct {
	address string
	conn    net.Conn
	r       *bufio.Reader
}

// send makes one attempt. Like most clients, it reads the response once it has sent the request
// completely or cannot send more.
func (c *client) send(request []byte) (status int, answer string, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			c.conn = nil
			return 0, "", err
		}
		c.r = bufio.NewReader(c.conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(readTimeout)); err != nil {
		return 0, "", err
	}
	_, sendErr := c.conn.Write(request)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.close()
		return 0, "", errors.Join(sendErr, err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.Close || err != nil || sendErr != nil {
		c.close()
	}
	return resp.StatusCode, string(body), err
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// tally is the results of a number of clients.
type tally struct {
	mu      sync.Mutex
	served  []time.Duration // durations of served attempts
	calls   []time.Duration // including earlier attempts and the waits between
	refused int             // attempts
	broken  int             // attempts without a complete response
	failed  int             // calls, after all attempts

	listed []time.Duration // of the other caller
	took   time.Duration
	cpu    time.Duration // of the process, clients included
	heap   uint64        // the largest in use, in bytes
}

// load makes a number of clients call without a pause until the time is over. Calls in progress at
// that time count as well.
func (b *bench) load(t *tally, clients int, duration time.Duration, request []byte) error {
	var (
		group sync.WaitGroup
		fatal error
	)
	start, before := time.Now(), workload.CPUTime()
	end := start.Add(duration)
	for range clients {
		group.Go(func() {
			c := &client{address: b.address}
			defer c.close()
			for time.Now().Before(end) {
				if err := t.call(c, request, end); err != nil {
					t.mu.Lock()
					fatal = err
					t.mu.Unlock()
					return
				}
			}
		})
	}
	group.Wait()
	t.took += time.Since(start)
	t.cpu += workload.CPUTime() - before
	return fatal
}

// call makes attempts until one is served, and none after the time is over.
func (t *tally) call(c *client, request []byte, end time.Time) error {
	start := time.Now()
	for attempt := range attempts {
		begun := time.Now()
		status, answer, err := c.send(request)
		took := time.Since(begun)
		t.mu.Lock()
		switch {
		case err != nil:
			t.broken++
		case status == http.StatusOK:
			t.served = append(t.served, took)
			t.calls = append(t.calls, time.Since(start))
		case strings.Contains(answer, "ThrottlingException"):
			t.refused++
		default:
			err = fmt.Errorf("status %d: %s", status, answer)
			t.mu.Unlock()
			return err
		}
		t.mu.Unlock()
		if status == http.StatusOK {
			return nil
		}
		wait := min(maxBackoff, time.Duration(rand.Float64()*float64(time.Second<<attempt)))
		if time.Now().Add(wait).After(end) {
			time.Sleep(time.Until(end))
			return nil
		}
		if attempt < attempts-1 {
			time.Sleep(wait)
		}
	}
	t.mu.Lock()
	t.failed++
	t.mu.Unlock()
	return nil
}

// percentile of durations, in milliseconds.
func percentile(took []time.Duration, p float64) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	i := min(len(took)-1, int(p*float64(len(took))))
	return float64(took[i].Microseconds()) / 1e3
}
