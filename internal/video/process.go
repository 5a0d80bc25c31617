package video

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running FFmpeg.
type process struct {
	out    *os.File // its standard output
	times  *os.File // its descriptor 3
	log    *journal // its standard error
	cancel context.CancelFunc
	ended  chan struct{} // closed once err is set
	err    error         // of the exit
}

// start runs FFmpeg in its sandbox until it ends, close is called, or the context ends.
func start(ctx context.Context, c confinement, args []string) (*process, error) {
	path, argv, err := sandboxed(c, args)
	if err != nil {
		return nil, err
	}
	out, outEnd, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	times, timesEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe: %w", err), out.Close(), outEnd.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &process{out: out, times: times, log: new(journal), cancel: cancel,
		ended: make(chan struct{})}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args, cmd.Env, cmd.Dir = argv, []string{}, "/"
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = outEnd, p.log, []*os.File{timesEnd}
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second

	begun := make(chan error)
	go func() {
		// The kernel ends the child when the thread that made it ends, not only the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		begun <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	err = <-begun
	// Only the child has the ends that are written to, so that reading ends with it.
	closed := errors.Join(outEnd.Close(), timesEnd.Close())
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("starting FFmpeg: %w", err), closed, out.Close(),
			times.Close())
	}
	return p, nil
}

// wait waits until the process has ended by itself.
func (p *process) wait() error {
	<-p.ended
	if p.err == nil {
		return nil
	}
	return exited{p.err, p.log.last()}
}

// exited is the error of a process that ended with one.
type exited struct {
	err  error
	text string // what it wrote last
}

func (e exited) Error() string {
	if e.text == "" {
		return "FFmpeg: " + e.err.Error()
	}
	return fmt.Sprintf("FFmpeg: %v: %s", e.err, e.text)
}

func (e exited) Unwrap() error { return e.err }

// status returns how the process ended.
func (e exited) status() (s syscall.WaitStatus, ok bool) {
	if exit, ok := errors.AsType[*exec.ExitError](e.err); ok {
		s, ok = exit.Sys().(syscall.WaitStatus)
		return s, ok
	}
	return s, false
}

// byItself tells whether FFmpeg ended on its own, by what it found in the video.
func (e exited) byItself() bool {
	s, ok := e.status()
	return ok && s.Exited() && !strings.Contains(e.text, sandboxFault)
}

// outOfTime tells whether it took more time of the processor than it may.
func (e exited) outOfTime() bool {
	s, ok := e.status()
	return ok && s.Signaled() && s.Signal() == syscall.SIGXCPU
}

// maxOutput limits what is read as text, in bytes.
const maxOutput = 1 << 20

// output reads what the process writes as text.
func (p *process) output() (string, error) {
	text, err := io.ReadAll(io.LimitReader(p.out, maxOutput))
	if err != nil {
		return "", fmt.Errorf("reading from FFmpeg: %w", err)
	}
	return string(text), nil
}

// close ends the process if it still runs, and frees its pipes.
func (p *process) close() error {
	p.cancel()
	<-p.ended
	return errors.Join(p.out.Close(), p.times.Close())
}

// journal keeps the beginning and the end of what a process writes. It is safe for concurrent use.
type journal struct {
	mu   sync.Mutex
	head []byte
	tail []byte
}

const (
	maxHead = 64 << 10 // bytes
	maxTail = 4 << 10
)

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.head = append(j.head, p[:min(len(p), maxHead-len(j.head))]...)
	j.tail = append(j.tail, p[max(0, len(p)-maxTail):]...)
	j.tail = j.tail[max(0, len(j.tail)-maxTail):]
	return len(p), nil
}

// beginning returns what was written first.
func (j *journal) beginning() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.head)
}

// last returns the last lines that tell of errors, one at least.
func (j *journal) last() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := strings.Split(string(bytes.TrimSpace(j.tail)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
