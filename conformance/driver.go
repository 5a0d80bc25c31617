package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// driver is a running client program. It answers each request, one JSON object a line, with one
// line, in order. A driver that does not keep to that, or not within its time, is ended: what it
// would say afterwards belongs to nothing.
type driver struct {
	process *exec.Cmd
	stdin   io.WriteCloser
	lines   chan line
	stop    context.CancelFunc
	ended   chan struct{} // closed once the process has ended and status is set
	status  error
	stderr  *tail
	last    int // id of the last request
	broken  error
}

type line struct {
	text []byte
	err  error
}

// request is what a driver is asked. Its members are those of the protocol; exactly one of Call,
// Paginate, Configure and Describe is set.
type request struct {
	ID         int            `json:"id"`
	Call       string         `json:"call,omitempty"`
	Paginate   string         `json:"paginate,omitempty"`
	Configure  map[string]any `json:"configure,omitzero"`
	Describe   bool           `json:"describe,omitempty"`
	Concurrent int            `json:"concurrent,omitempty"`
	PageSize   int            `json:"pageSize,omitempty"`
	Input      any            `json:"input,omitzero"`
}

// answer is what a driver says. Which members are set depends on the request and on how it went.
type answer struct {
	ID        *int             `json:"id"`
	Output    map[string]any   `json:"output"`
	Status    int              `json:"status"`
	RequestID string           `json:"requestId"`
	Error     *serviceError    `json:"error"`
	Refused   *string          `json:"refused"` // by the client, before anything was sent
	Failed    *string          `json:"failed"`
	Pages     []map[string]any `json:"pages"`
	Answers   []answer         `json:"answers"`
	OK        bool             `json:"ok"`
	Client    string           `json:"client"`
	Version   string           `json:"version"`
	Runtime   string           `json:"runtime"`
}

// serviceError is an error that the service answered with, as the client shows it. What a client
// does not show is zero.
type serviceError struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Status    int    `json:"status"`
	RequestID string `json:"requestId"`
	Modelled  *bool  `json:"modelled"` // the client raised an exception of the error's own type
}

// startDriver starts a driver with the given environment and nothing else.
func startDriver(command, environment []string) (*driver, error) {
	ctx, stop := context.WithCancel(context.Background())
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	process.Env = environment
	process.WaitDelay = 5 * time.Second
	d := &driver{process: process, stop: stop, lines: make(chan line), ended: make(chan struct{}),
		stderr: &tail{limit: 4000}}
	process.Stderr = d.stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		stop()
		return nil, err
	}
	d.stdin = stdin
	stdout, err := process.StdoutPipe()
	if err != nil {
		stop()
		return nil, err
	}
	if err := process.Start(); err != nil {
		stop()
		return nil, fmt.Errorf("start the driver: %w", err)
	}
	go d.read(ctx, stdout)
	return d, nil
}

// read passes lines on until the driver ends or is stopped.
func (d *driver) read(ctx context.Context, stdout io.Reader) {
	r := bufio.NewReaderSize(stdout, 1<<16)
	for {
		text, err := r.ReadBytes('\n')
		select {
		case d.lines <- line{text, err}:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			break
		}
	}
	d.status = d.process.Wait()
	close(d.ended)
}

// ask sends a request and waits for its answer. An error means that the driver is of no more use.
func (d *driver) ask(ctx context.Context, req request, timeout time.Duration) (answer, error) {
	if d.broken != nil {
		return answer{}, d.broken
	}
	a, err := d.exchange(ctx, req, timeout)
	if err != nil {
		d.stop()
		<-d.ended
		d.broken = fmt.Errorf("the driver %w%s", err, d.stderr.since())
	}
	return a, d.broken
}

func (d *driver) exchange(ctx context.Context, req request, timeout time.Duration) (answer, error) {
	d.last++
	req.ID = d.last
	text, err := json.Marshal(req)
	if err != nil {
		return answer{}, fmt.Errorf("cannot be asked: %w", err)
	}
	// A driver that does not read must not hold the harness up: the write is given up with the
	// answer.
	written := make(chan error, 1)
	go func() {
		_, err := d.stdin.Write(append(text, '\n'))
		written <- err
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case l := <-d.lines:
		if l.err != nil {
			return answer{}, d.early(l)
		}
		// The answer may come before the write has returned, but not before it is done.
		select {
		case <-written:
		case <-timer.C:
			return answer{}, errors.New("answered before it had read the request")
		}
		return parseAnswer(l.text, req.ID)
	case <-timer.C:
		return answer{}, fmt.Errorf("did not answer within %v", timeout)
	case <-ctx.Done():
		return answer{}, fmt.Errorf("was interrupted: %w", ctx.Err())
	}
}

// early tells how a driver ended while an answer was owed.
func (d *driver) early(l line) error {
	if !errors.Is(l.err, io.EOF) {
		return fmt.Errorf("could not be read: %w", l.err)
	}
	select {
	case <-d.ended:
	case <-time.After(10 * time.Second):
		return errors.New("closed its standard output without an answer")
	}
	if d.status == nil {
		return errors.New("ended without an answer")
	}
	return fmt.Errorf("ended without an answer: %w", d.status)
}

// parseAnswer reads a line that has to be the answer to a request.
func parseAnswer(text []byte, id int) (answer, error) {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return answer{},
			fmt.Errorf("answered what is no answer (%w): %s", err,
				shortened(string(bytes.TrimSpace(text))))
	}
	if a.ID == nil || *a.ID != id {
		return answer{},
			fmt.Errorf("answered another request than number %d: %s", id,
				shortened(string(bytes.TrimSpace(text))))
	}
	return a, nil
}

// outcome is how a call went: one of its members is set, and the others are not.
func (a answer) check() error {
	kinds := 0
	for _, set := range []bool{a.Output != nil, a.Pages != nil, a.Error != nil, a.Refused != nil,
		a.Failed != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return fmt.Errorf("the driver's answer has %d outcomes instead of one", kinds)
	}
	return nil
}

// close ends the driver as its protocol says, by the end of its input, and reports whether it ended
// well.
func (d *driver) close() error {
	if d.broken != nil {
		return nil // which was reported
	}
	defer d.stop()
	d.broken = errors.New("the driver is closed")
	d.stdin.Close()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	for {
		select {
		case l := <-d.lines:
			if l.err == nil {
				return fmt.Errorf("the driver said more than it was asked for: %s",
					shortened(string(bytes.TrimSpace(l.text))))
			}
		case <-d.ended:
			if d.status != nil {
				return fmt.Errorf("the driver did not end well: %w%s", d.status, d.stderr.since())
			}
			return nil
		case <-timer.C:
			return errors.New("the driver did not end with its input")
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu    sync.Mutex
	limit int
	text  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > t.limit {
		t.text = t.text[len(t.text)-t.limit:]
	}
	return len(p), nil
}

// since is what was written, set off from what stands before it.
func (t *tail) since() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(bytes.TrimSpace(t.text)) == 0 {
		return ""
	}
	return "\n" + string(bytes.TrimSpace(t.text))
}

// clientEnvironment is what a user would set, and nothing of AWS that the machine has set.
func clientEnvironment(s *server) []string {
	return append(withoutAWS(os.Environ()),
		"AWS_ENDPOINT_URL_REKOGNITION="+s.endpoint(),
		"AWS_REGION="+s.regions[0],
		"AWS_DEFAULT_REGION="+s.regions[0],
		"AWS_ACCESS_KEY_ID="+rootAccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+rootSecretAccessKey,
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	)
}
