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
	out    *os.File      // its standard output
	times  *os.File      // its descriptor 3
	log    *journal      // its standard error
	most   time.Duration // time of the processor that it may take
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
		ended: make(chan struct{}), most: time.Duration(c.CPU) * time.Second}
	cmd := exec.CommandContext(ctx, path) //nolint:gosec // G204: the path is this program's own
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
	e := exited{err: p.err, text: p.log.last()}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		e.late = exit.UserTime()+exit.SystemTime() >= p.most
	}
	return e
}

// exited is the error of a process that ended with one.
type exited struct {
	err  error
	text string // what it wrote last
	late bool   // it took all the time of the processor that it had
}

func (e exited) Error() string {
	if e.text == "" {
		return "FFmpeg: " + e.err.Error()
	}
	return fmt.Sprintf("FFmpeg: %v: %s", e.err, e.text)
}

func (e exited) Unwrap() error { return e.err }

// byItself tells whether FFmpeg ended on its own, by what it found in the video.
func (e exited) byItself() bool {
	exit, ok := errors.AsType[*exec.ExitError](e.err)
	return ok && exit.Exited() && !strings.Contains(e.text, sandboxFault)
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
