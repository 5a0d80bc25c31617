package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

//go:embed judge.py
var judgeProgram string

// judge is Pillow in a Python process, which is started again after a picture that took too long.
type judge struct {
	python  string
	version string // of Pillow and its libraries
	stop    context.CancelFunc
	in      io.Writer
	out     *bufio.Reader
	wait    func() error
}

// verdict is what Pillow makes of a picture.
type verdict struct {
	Mode          string
	Width, Height int
	Bytes         int
	Error         string // empty: it reads the picture
	pixels        []byte // red, green and blue, upright
}

// start starts the process.
func (j *judge) start(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, j.python, "-c", judgeProgram)
	in, err := cmd.StdinPipe()
	if err != nil {
		stop()
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		stop()
		return err
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		stop()
		return fmt.Errorf("start Python with Pillow: %w", err)
	}
	j.stop, j.in, j.out = stop, in, bufio.NewReaderSize(out, 1<<20)
	j.wait = func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%w: %s", err, said.String())
		}
		return nil
	}
	version, err := j.out.ReadString('\n')
	if err != nil {
		j.close()
		return fmt.Errorf("start Python with Pillow: %w: %s", err, said.String())
	}
	j.version = strings.TrimSpace(version)
	return nil
}

// close ends the process, if one runs.
func (j *judge) close() {
	if j.stop != nil {
		j.stop()
		j.wait() // its error is that the process was stopped
		j.stop = nil
	}
}

// judge returns Pillow's verdict on a picture. If ctx ends first, the process is stopped, and the
// verdict is that the picture takes too long.
func (j *judge) judge(ctx context.Context, path string) (v verdict, err error) {
	if strings.ContainsAny(path, "\r\n") {
		return verdict{}, errors.New("the path has a line break")
	}
	if j.stop == nil {
		if err := j.start(context.WithoutCancel(ctx)); err != nil {
			return verdict{}, err
		}
	}
	answered := make(chan error, 1)
	go func() { answered <- j.ask(path, &v) }()
	select {
	case err := <-answered:
		if err != nil {
			j.stop()
			err = errors.Join(err, j.wait())
			j.stop = nil
			return verdict{}, fmt.Errorf("judge %s: %w", path, err)
		}
		return v, nil
	case <-ctx.Done():
		j.stop()
		<-answered
		j.close()
		return verdict{Error: "it takes too long"}, nil
	}
}

func (j *judge) ask(path string, v *verdict) error {
	if _, err := fmt.Fprintln(j.in, path); err != nil {
		return err
	}
	line, err := j.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return err
	}
	v.pixels = make([]byte, v.Bytes)
	_, err = io.ReadFull(j.out, v.pixels)
	return err
}
