package video

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// shape is the size of the frames that are wanted, in pixels. Both sides are even.
type shape struct{ width, height int }

// maxFrame is the number of pixels of a frame from which on it is reduced: the detector's least
// face is a share of larger pictures, so that it finds no more in them.
const maxFrame = 1920 * 1080

// shapeOf returns the shape for an upright frame of a size whose pixels have an aspect ratio.
func shapeOf(width, height int, aspect float64) shape {
	w, h := float64(width), float64(height)
	if aspect > 1 { // squares are made by adding pixels, not by losing some
		w *= aspect
	} else {
		h /= aspect
	}
	scale := min(1, math.Sqrt(maxFrame/(w*h)))
	even := func(side float64) int { return max(2, 2*int(math.Round(side*scale/2))) }
	return shape{even(w), even(h)}
}

// bytes is the length of a frame: luma, and chroma of half its size in both directions.
func (s shape) bytes() int { return s.width * s.height * 3 / 2 }

// frame is a decoded moment of a video.
type frame struct {
	time  time.Duration // from the first frame
	cut   bool          // it begins a scene
	image *image.YCbCr  // full range, ITU-R BT.601, as in JPEG
}

// scene is the score of FFmpeg's filter select from which on a frame begins a scene: 0 to 1, by how
// much the difference from the frame before is larger than those before that.
const scene = 0.25

// closest is the time, as a share of that between samples, after which a cut is sampled: a video
// of cuts alone is not seen in all its frames.
const closest = 0.25

// filters returns the filters that choose the frames of a rate a second, and of cuts, and make them
// pictures of a shape. The time and the score of each chosen frame go to descriptor 3.
//
// Of the frames of each interval 1/rate the first is chosen, on a grid that does not depend on how
// long frames last. The times of the frames are whole microseconds.
func filters(s shape, rate float64) string {
	cell := func(t string) string { return fmt.Sprintf("floor(%s*%g+0.001)", t, rate) }
	// Before the first chosen frame prev_selected_t is not a number.
	chosen := fmt.Sprintf("not(eq(%s,%s))+gt(scene,%g)*gt(t-prev_selected_t,%g)", cell("t"),
		cell("prev_selected_t"), scene, closest/rate)
	return fmt.Sprintf("select='%s',settb=1/1000000,"+
		"metadata=mode=print:key=%s:file='pipe\\:3':direct=1,"+
		"scale=%d:%d:out_range=full:out_color_matrix=bt601,format=yuv420p", chosen, scoreKey,
		s.width, s.height)
}

// newFrame returns a frame of a shape, without pixels.
func newFrame(s shape) *frame {
	luma, chroma := s.width*s.height, s.width*s.height/4
	pixels := make([]uint8, s.bytes())
	return &frame{image: &image.YCbCr{
		Y:       pixels[:luma],
		Cb:      pixels[luma : luma+chroma : luma+chroma],
		Cr:      pixels[luma+chroma:],
		YStride: s.width, CStride: s.width / 2, SubsampleRatio: image.YCbCrSubsampleRatio420,
		Rect: image.Rect(0, 0, s.width, s.height),
	}}
}

// frames are the chosen frames of a video, in ascending order of time, while they are decoded. Next
// and free are for one goroutine.
type frames struct {
	frame *frame // the current one, until it is freed
	err   error  // why there are no more: nil at the end of the video

	process *process
	shape   shape
	origin  *origin // nil: the input is none

	ready   chan *frame // closed after the last one
	spare   chan *frame
	fault   error         // set before ready is closed
	stopped chan struct{} // closed by close
	work    sync.WaitGroup
	taken   atomic.Int64 // frames that were read from FFmpeg
	idle    atomic.Bool  // FFmpeg is waited for
	stalled atomic.Bool
}

// ahead is the number of frames that are read while one is looked at.
const ahead = 2

// errStalled says that FFmpeg neither read nor wrote for long.
var errStalled = errors.New("decoding stands still")

// decode begins to decode what the input's arguments name.
func (f *FFmpeg) decode(ctx context.Context, c confinement, input []string, s shape, rate float64,
	o *origin) (*frames, error) {
	args := append(append([]string{}, quiet...), "-loglevel", "level+error")
	args = append(append(args, input...), video...)
	args = append(args, "-vf", filters(s, rate), "-filter_threads", "1", "-fps_mode",
		"passthrough", "-f", "rawvideo", "pipe:1")
	p, err := start(ctx, c, args)
	if err != nil {
		return nil, err
	}
	fs := &frames{process: p, shape: s, origin: o, ready: make(chan *frame, ahead),
		spare: make(chan *frame, ahead+1), stopped: make(chan struct{})}
	for range cap(fs.spare) {
		fs.spare <- newFrame(s)
	}
	marks := make(chan mark, marksAhead)
	fs.work.Go(func() { fs.readMarks(marks) })
	fs.work.Go(func() { fs.readFrames(marks) })
	fs.work.Go(func() { fs.watch(f.limits.stall) })
	return fs, nil
}

// next waits for the next frame. It returns false if there is none, and sets err.
func (fs *frames) next() bool {
	f, ok := <-fs.ready
	if !ok {
		fs.err = fs.fault
		return false
	}
	fs.frame = f
	return true
}

// free gives the current frame back, whose pixels are then those of another.
func (fs *frames) free() {
	fs.spare <- fs.frame
	fs.frame = nil
}

// close ends FFmpeg and everything that reads from it.
func (fs *frames) close() error {
	close(fs.stopped)
	err := fs.process.close()
	fs.work.Wait()
	return err
}

// readFrames reads frames until there are no more.
func (fs *frames) readFrames(marks <-chan mark) {
	defer close(fs.ready)
	var clock clock
	for {
		var f *frame
		select {
		case f = <-fs.spare:
		case <-fs.stopped:
			fs.fault = context.Canceled
			return
		}
		fs.idle.Store(true)
		m, marked := <-marks
		err := fs.fill(f.image)
		fs.idle.Store(false)
		if err != nil || !marked {
			fs.fault = fs.end(err, marked)
			return
		}
		fs.taken.Add(1)
		f.time, f.cut = clock.time(m.pts), m.score > scene
		select {
		case fs.ready <- f:
		case <-fs.stopped:
			fs.fault = context.Canceled
			return
		}
	}
}

// fill reads a frame. The planes follow each other in memory.
func (fs *frames) fill(to *image.YCbCr) error {
	_, err := io.ReadFull(fs.process.out, to.Y[:fs.shape.bytes():fs.shape.bytes()])
	return err
}

// end tells why there are no more frames. FFmpeg reports what is damaged, and goes on behind it.
func (fs *frames) end(err error, marked bool) error {
	switch {
	case fs.stalled.Load():
		return errStalled
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fs.process.wait()
	case err == nil && !marked:
		return errors.New("FFmpeg gave a frame without its time")
	}
	return fmt.Errorf("reading a frame: %w", err)
}

// watch ends FFmpeg if nothing happens for so long.
func (fs *frames) watch(stall time.Duration) {
	ticker := time.NewTicker(stall / 8)
	defer ticker.Stop()
	var before int64
	since := time.Now()
	for {
		select {
		case <-fs.stopped:
			return
		case <-fs.process.ended:
			return
		case <-ticker.C:
		}
		progress := fs.taken.Load()
		if fs.origin != nil {
			progress += fs.origin.source.given.Load()
		}
		if progress != before || !fs.idle.Load() {
			before, since = progress, time.Now()
		} else if time.Since(since) > stall {
			fs.stalled.Store(true)
			fs.process.cancel()
			return
		}
	}
}

// mark is what FFmpeg tells of a chosen frame.
type mark struct {
	pts   int64 // microseconds
	score float64
}

const (
	scoreKey = "lavfi.scene_score"

	// marksAhead is far more than the frames that FFmpeg keeps between its filters and its output.
	marksAhead = 1024
)

// readMarks reads marks: a line with the time, and one with the score.
func (fs *frames) readMarks(marks chan<- mark) {
	defer close(marks)
	lines := bufio.NewScanner(fs.process.times)
	for lines.Scan() {
		pts, ok := ptsOf(lines.Text())
		if !ok || !lines.Scan() {
			return
		}
		score, err := strconv.ParseFloat(strings.TrimPrefix(lines.Text(), scoreKey+"="), 64)
		if err != nil {
			return
		}
		select {
		case marks <- mark{pts, score}:
		case <-fs.stopped:
			return
		}
	}
}

// ptsOf reads the time of a line such as "frame:3    pts:600000  pts_time:0.6".
func ptsOf(line string) (pts int64, ok bool) {
	for _, field := range strings.Fields(line) {
		if text, ok := strings.CutPrefix(field, "pts:"); ok {
			pts, err := strconv.ParseInt(text, 10, 64)
			return pts, err == nil
		}
	}
	return 0, false
}

// clock makes times from the first frame that rise, whatever the stream states: where it steps
// back, as in joined recordings, time goes on.
type clock struct {
	begun  bool
	origin int64
	last   int64
}

func (c *clock) time(pts int64) time.Duration {
	if !c.begun {
		c.begun, c.origin = true, pts
	} else if pts-c.origin <= c.last {
		c.origin = pts - c.last - leastStep
	}
	c.last = pts - c.origin
	return time.Duration(c.last) * time.Microsecond
}

// leastStep is the time between two frames where the stream does not tell, in microseconds.
const leastStep = 1000
