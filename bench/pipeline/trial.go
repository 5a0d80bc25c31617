package main

import (
	"context"
	"fmt"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// trial is the result for one kind of request.
type trial struct {
	took []time.Duration // of each request
	time time.Duration   // of all
	cpu  time.Duration   // that the process used in that time

	stages stopwatch // of networks
}

// run makes requests from a number of clients for a time.
func (t *trial) run(clients int, duration time.Duration, request func(client int) error) error {
	start, used := time.Now(), workload.CPUTime()
	took, err := load(clients, duration, request)
	t.took = append(t.took, took...)
	t.time += time.Since(start)
	t.cpu += workload.CPUTime() - used
	return err
}

// rate returns the requests a second.
func (t *trial) rate() float64 { return float64(len(t.took)) / t.time.Seconds() }

// cost returns a request's processor time in milliseconds.
func (t *trial) cost() float64 {
	return float64(t.cpu.Nanoseconds()) / 1e6 / float64(max(len(t.took), 1))
}

// networks returns a function that runs the networks of a face without other processing.
func (t *trial) networks(ctx context.Context, engine *vision.Engine) func(client int) error {
	return func(int) error {
		took, err := engine.RunNetworks(ctx)
		for stage, d := range took {
			t.stages.add(string(stage), d)
		}
		return err
	}
}

// look detects and embeds the face of a picture.
func look(ctx context.Context, engine *vision.Engine, picture []byte) error {
	photo, err := engine.Detect(ctx, picture, 0)
	if err != nil {
		return err
	}
	if n := len(photo.Faces()); n != 1 {
		return fmt.Errorf("the picture has %d faces and should have one", n)
	}
	_, err = photo.Embed(ctx, 0)
	return err
}
