package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/video/videotest"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// cost is what something takes.
type cost struct {
	wall, cpu   time.Duration // cpu: with that of child processes
	childCPU    time.Duration
	memory      int64 // bytes, of this process, at most
	childMemory int64 // bytes, of any child process so far, at most
}

func measure(run func() error) (cost, error) {
	workload.ForgetPeak()
	began, before := time.Now(), workload.CPUTime()
	children, err := childUsage()
	if err != nil {
		return cost{}, err
	}
	if err := run(); err != nil {
		return cost{}, err
	}
	c := cost{wall: time.Since(began), cpu: workload.CPUTime() - before}
	after, err := childUsage()
	if err != nil {
		return cost{}, err
	}
	c.childCPU = timeOf(after) - timeOf(children)
	c.cpu += c.childCPU
	c.childMemory = after.Maxrss << 10
	c.memory, err = workload.PeakMemory(os.Getpid())
	return c, err
}

func childUsage() (unix.Rusage, error) {
	var usage unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_CHILDREN, &usage)
	return usage, err
}

func timeOf(u unix.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// decode decodes all frames of a video, and does nothing with them.
func decode(ctx context.Context, ffmpeg, file string) error {
	cmd := exec.CommandContext(ctx, ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error",
		"-threads", strconv.Itoa(runtime.NumCPU()), "-i", file, "-map", "0:V:0", "-f", "null", "-")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("decoding: %w\n%s", err, out)
	}
	return nil
}

// threshold is the least similarity of a name.
const threshold = 90

// named are the names that tracks get in a collection.
type named struct {
	gallery int
	of      map[int64]int // by track: the index of the person; strangers are -1
}

// name searches the tracks' vectors in a collection of one other picture of each person, and of
// strangers.
func name(ctx context.Context, o options, engine *vision.Engine, crowd *videotest.Crowd,
	tracks []videoface.Track) (*named, error) {
	var gallery [][]float32
	enrol := func(path string) (bool, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		photo, err := engine.Detect(ctx, data, 0)
		if err != nil || len(photo.Faces()) == 0 {
			return false, err
		}
		vectors, err := photo.Embed(ctx, 0)
		if err == nil {
			gallery = append(gallery, vectors[0])
		}
		return err == nil, err
	}
	members := map[string]bool{}
	for i, path := range crowd.Other {
		members[crowd.Actors[i].Name] = true
		if ok, err := enrol(path); err != nil || !ok {
			return nil, fmt.Errorf("%s has no face: %w", path, err)
		}
	}
	people, err := videotest.People(o.pictures, 1)
	if err != nil {
		return nil, err
	}
	step := max(1, len(people)/max(o.strangers, 1))
	for i := 0; i < len(people) && len(gallery) < len(crowd.Other)+o.strangers; i += step {
		if !members[filepath.Base(people[i].Name)] {
			if _, err := enrol(people[i].Pictures[0]); err != nil {
				return nil, err
			}
		}
	}
	n := &named{gallery: len(gallery), of: map[int64]int{}}
	for _, track := range tracks {
		best, highest := -1, engine.Cosine(threshold)
		for i, v := range gallery {
			if track.Vector == nil {
				continue
			}
			var cosine float32
			for k, x := range v {
				cosine += x * track.Vector[k]
			}
			if cosine >= highest {
				best, highest = i, cosine
			}
		}
		switch {
		case best >= len(crowd.Other):
			n.of[track.Index] = -1
		case best >= 0:
			n.of[track.Index] = best
		}
	}
	return n, nil
}

// right is the number of people that at least one of their tracks is named by.
func (n *named) right(s *videotest.Score) int {
	people := map[int]bool{}
	for track, person := range n.of {
		if of, ok := s.Of[track]; ok && of == person {
			people[person] = true
		}
	}
	return len(people)
}

// wrong is the number of tracks that have the name of somebody else.
func (n *named) wrong(s *videotest.Score) (wrong int) {
	for track, person := range n.of {
		if of, ok := s.Of[track]; !ok || of != person {
			wrong++
		}
	}
	return wrong
}
