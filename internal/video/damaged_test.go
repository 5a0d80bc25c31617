package video

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// held is what a process holds that an analysis may not leave behind.
type held struct {
	children, descriptors, temporary int
}

func holding(t *testing.T) held {
	t.Helper()
	var h held
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		list, err := os.ReadFile(task)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
		h.children += len(strings.Fields(string(list)))
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	h.descriptors = len(descriptors)
	files, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h.temporary = len(files)
	return h
}

// leavesNothing runs a function, and fails if it leaves a child process, a descriptor, a temporary
// file or a goroutine behind. The temporary folder is one of the test's own.
func leavesNothing(t *testing.T, run func()) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	before, goroutines := holding(t), runtime.NumGoroutine()
	run()
	if after := holding(t); after != before {
		t.Errorf("before %+v, afterwards %+v", before, after)
	}
	// Connections of the loopback server end on their own.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if runtime.NumGoroutine() <= goroutines {
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), goroutines,
				stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func h264(t *testing.T, args ...string) bytesInput {
	t.Helper()
	args = append([]string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "15"}, args...)
	return readInput(t, blobVideo(t, "a.mp4", 320, 240, 25, 4,
		[]blob{{person: 0, x: "20+40*t", y: "40"}}, args...))
}

// Every input gives a result or an error that says what is wrong with it.
func TestOddVideos(t *testing.T) {
	f := openFFmpeg(t)
	plain, fast := h264(t), h264(t, "-movflags", "+faststart")
	noise := make(bytesInput, 100_000)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	damagedMiddle := append(bytesInput(nil), fast...)
	copy(damagedMiddle[len(fast)/2:], noise[:len(fast)/8])

	for name, c := range map[string]struct {
		in      func() bytesInput
		message string // of the error; empty: none
		frames  int    // at least
	}{
		"plain":           {func() bytesInput { return plain }, "", 20},
		"index first":     {func() bytesInput { return fast }, "", 20},
		"empty":           {func() bytesInput { return nil }, unreadable, 0},
		"noise":           {func() bytesInput { return noise }, unreadable, 0},
		"text":            {func() bytesInput { return bytesInput("not a video") }, unreadable, 0},
		"without its end": {func() bytesInput { return plain[:len(plain)/2] }, unreadable, 0},
		"half":            {func() bytesInput { return fast[:len(fast)/2] }, "", 5},
		"damaged":         {func() bytesInput { return damagedMiddle }, "", 5},
		"audio": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.m4a", "-f", "lavfi", "-i", "sine=duration=1"))
		}, "The file has no video.", 0},
		"audio with a cover": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.m4a", "-f", "lavfi", "-i", "sine=duration=1", "-f",
				"lavfi", "-i", "color=red:size=200x200", "-map", "0:a", "-map", "1:v", "-frames:v",
				"1", "-c:v", "mjpeg", "-disposition:v", "attached_pic"))
		}, "The file has no video.", 0},
		"one frame": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.mp4", "-f", "lavfi", "-i",
				"color=gray:size=320x240", "-frames:v", "1", "-pix_fmt", "yuv420p"))
		}, "", 1},
		"tiny": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.mkv", "-f", "lavfi", "-i",
				"color=gray:size=2x2:duration=1", "-c:v", "ffv1"))
		}, "", 5},
		"long and thin": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.mkv", "-f", "lavfi", "-i",
				"color=gray:size=4000x8:duration=0.4", "-c:v", "ffv1"))
		}, "", 2},
		"240 a second": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.mp4", "-f", "lavfi", "-i",
				"color=gray:size=320x240:rate=240:duration=1", "-pix_fmt", "yuv420p"))
		}, "", 5},
		"gif": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.gif", "-f", "lavfi", "-i",
				"testsrc=size=320x240:duration=1"))
		}, "", 5},
		"transport stream": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.ts", "-f", "lavfi", "-i",
				"testsrc=size=320x240:duration=1", "-c:v", "mpeg2video"))
		}, "", 5},
		"bare stream": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.h264", "-f", "lavfi", "-i",
				"testsrc=size=320x240:duration=1", "-pix_fmt", "yuv420p"))
		}, "", 5},
		"10 bits": {func() bytesInput {
			return readInput(t, makeVideo(t, "a.mp4", "-f", "lavfi", "-i",
				"testsrc=size=320x240:duration=1", "-pix_fmt", "yuv420p10le"))
		}, "", 5},
	} {
		t.Run(name, func(t *testing.T) {
			in := c.in()
			leavesNothing(t, func() {
				var r results
				_, err := NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(),
					in, videoface.Options{Embed: "blobs"}, &r)
				if c.message == "" && (err != nil || len(r.frames) < c.frames) {
					t.Errorf("%d frames, %v", len(r.frames), err)
				}
				if c.message == "" {
					return
				}
				e, ok := errors.AsType[*recollect.Error](err)
				if !ok || e.Code != recollect.CodeInvalidVideo || e.Message != c.message {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A small file with a huge frame is refused before it is decoded, whether its container states the
// size or only the stream in it.
func TestHugeFrame(t *testing.T) {
	f := openFFmpeg(t)
	for name, args := range map[string][]string{
		"a.mkv":  {"color=gray:size=8000x6000:duration=0.04", "-c:v", "mjpeg"},
		"a.h264": {"color=gray:size=8400x4400:duration=0.04", "-preset", "ultrafast"},
	} {
		in := readInput(t, makeVideo(t, name, append([]string{"-f", "lavfi", "-i"}, args...)...))
		e := newBlobEngine()
		leavesNothing(t, func() {
			_, err := NewAnalyzer(f, []Engine{e}, Options{}).Analyze(t.Context(), in,
				videoface.Options{}, new(results))
			if x, ok := errors.AsType[*recollect.Error](err); !ok ||
				x.Message != "The frames of the video are too large." {
				t.Errorf("%s of %d bytes: got %v", name, len(in), err)
			}
		})
		if e.looks != 0 {
			t.Errorf("%d frames were looked at", e.looks)
		}
	}
}

// 8K is decoded, and looked at in a size that is enough.
func TestLargeFrame(t *testing.T) {
	f := openFFmpeg(t)
	in := readInput(t, makeVideo(t, "a.mp4", "-f", "lavfi", "-i",
		"color=gray:size=7680x4320:rate=25:duration=0.2", "-c:v", "libx264", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p"))
	r, _ := analyze(t, f, in)
	if r.metadata.FrameWidth != 7680 || r.metadata.FrameHeight != 4320 || len(r.frames) != 1 {
		t.Errorf("%+v, %d frames", r.metadata, len(r.frames))
	}
}

func TestShape(t *testing.T) {
	for _, c := range []struct {
		width, height int
		aspect        float64
		want          shape
	}{
		{1920, 1080, 1, shape{1920, 1080}}, {3840, 2160, 1, shape{1920, 1080}},
		{2160, 3840, 1, shape{1080, 1920}}, {7680, 4320, 1, shape{1920, 1080}},
		{720, 576, 16.0 / 15, shape{768, 576}}, {1440, 1080, 4.0 / 3, shape{1920, 1080}},
		{720, 480, 8.0 / 9, shape{720, 540}}, {1, 1, 1, shape{2, 2}}, {641, 359, 1, shape{642, 360}},
		{35_000, 1000, 1, shape{8520, 244}},
	} {
		if got := shapeOf(c.width, c.height, c.aspect); got != c.want {
			t.Errorf("%d x %d by %g becomes %v, want %v", c.width, c.height, c.aspect, got, c.want)
		}
	}
}

// A rotation that the file states is made, and the boxes are those of the upright frame.
func TestRotated(t *testing.T) {
	f := openFFmpeg(t)
	lying := blobVideo(t, "lying.mp4", 320, 240, 25, 1, []blob{{person: 0, x: "10", y: "20"}})
	for degrees, want := range map[int][2]float64{90: {20, 250}, 180: {250, 136}, 270: {136, 10}} {
		in := readInput(t, makeVideo(t, "turned.mp4", "-display_rotation", strconv.Itoa(degrees),
			"-i", lying, "-c", "copy"))
		r, _ := analyze(t, f, in)
		width, height := 240.0, 320.0
		if degrees == 180 {
			width, height = height, width
		}
		if r.metadata.FrameWidth != int64(width) || r.metadata.FrameHeight != int64(height) {
			t.Errorf("%d: %+v", degrees, r.metadata)
		}
		if len(r.frames) != 5 || len(r.frames[0].Faces) != 1 {
			t.Fatalf("%d: %d frames", degrees, len(r.frames))
		}
		box := r.frames[0].Faces[0].Face.BoundingBox
		if !close2(float64(box.Left)*width, want[0]) || !close2(float64(box.Top)*height, want[1]) {
			t.Errorf("%d: the blob is at %g, %g, want %v", degrees, float64(box.Left)*width,
				float64(box.Top)*height, want)
		}
	}
}

// Times are those of the frames, also where they are not regular: here 10 a second, then 4.
func TestVariableRate(t *testing.T) {
	f := openFFmpeg(t)
	in := readInput(t, makeVideo(t, "a.mkv", "-f", "lavfi", "-i",
		"testsrc=size=320x240:rate=20:duration=2", "-vf",
		"select='if(lt(t,1),not(mod(n,2)),not(mod(n,5)))'", "-fps_mode", "vfr", "-c:v", "libx264"))
	r, _ := analyze(t, f, in)
	want := []int64{0, 200, 400, 600, 800, 1000, 1250, 1500, 1750}
	if fmt.Sprint(r.times()) != fmt.Sprint(want) {
		t.Errorf("frames at %v, want %v", r.times(), want)
	}
}

// What an edit list leaves out is not seen, and time begins with what is.
func TestEditList(t *testing.T) {
	f := openFFmpeg(t)
	whole := blobVideo(t, "whole.mp4", 320, 240, 25, 4,
		[]blob{{person: 0, x: "20", y: "40", on: "lt(t,2)"}, {person: 1, x: "20", y: "140"}})
	in := readInput(t, makeVideo(t, "cut.mp4", "-ss", "2.2", "-i", whole, "-c", "copy"))
	r, tracks := analyze(t, f, in)
	if len(tracks) != 1 || len(r.frames) == 0 || r.frames[0].Millis != 0 || len(r.frames) > 10 {
		t.Errorf("%d tracks, frames at %v", len(tracks), r.times())
	}
}

func TestTooLong(t *testing.T) {
	f := openFFmpeg(t)
	var r results
	_, err := NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(), h264(t),
		videoface.Options{MaxDuration: 3 * time.Second}, &r)
	if recollect.CodeOf(err) != recollect.CodeVideoTooLarge || r.begun != 0 {
		t.Errorf("got %v", err)
	}
	// Where the container does not say how long the video is, it is seen in time.
	stream := readInput(t, makeVideo(t, "a.h264", "-f", "lavfi", "-i",
		"testsrc=size=320x240:duration=4", "-pix_fmt", "yuv420p"))
	_, err = NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(), stream,
		videoface.Options{MaxDuration: 3 * time.Second}, &r)
	if recollect.CodeOf(err) != recollect.CodeVideoTooLarge || r.begun != 1 {
		t.Errorf("got %v", err)
	}
}

// Whoever goes away in the middle gets the context's error, and nothing is left.
func TestCancel(t *testing.T) {
	f := openFFmpeg(t)
	in := h264(t)
	leavesNothing(t, func() {
		ctx, cancel := context.WithCancel(t.Context())
		e := newBlobEngine()
		e.onFrame = func() {
			if e.looks == 3 {
				cancel()
			}
		}
		_, err := NewAnalyzer(f, []Engine{e}, Options{}).Analyze(ctx, in, videoface.Options{},
			new(results))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// A sink's error ends the analysis.
func TestFullSink(t *testing.T) {
	f := openFFmpeg(t)
	in := h264(t)
	full := errors.New("no space left")
	leavesNothing(t, func() {
		_, err := NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(), in,
			videoface.Options{}, &results{onFrame: func(videoface.Frame) error { return full }})
		if !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
}

// An FFmpeg that is killed is an error of the server, not of the video.
func TestKilled(t *testing.T) {
	f := openFFmpeg(t)
	in := h264(t)
	leavesNothing(t, func() {
		e := newBlobEngine()
		e.onFrame = func() {
			if e.looks == 1 {
				for _, pid := range children(t) {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Error(err)
					}
				}
			}
		}
		// So that it is not over before.
		long := append(bytesInput(nil), in...)
		_, err := NewAnalyzer(f, []Engine{e}, Options{Rate: 25}).Analyze(t.Context(), long,
			videoface.Options{}, new(results))
		if err == nil || recollect.CodeOf(err) != recollect.CodeInternal ||
			!strings.Contains(err.Error(), "killed") {
			t.Errorf("got %v", err)
		}
	})
}

func children(t *testing.T) (pids []int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		list, _ := os.ReadFile(task) // of a thread that ended
		for _, field := range bytes.Fields(list) {
			pid, err := strconv.Atoi(string(field))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// brokenInput fails from a place on.
type brokenInput struct {
	bytesInput
	from  int64
	fault error
}

func (b brokenInput) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, b.fault
	}
	return b.bytesInput.ReadAt(ctx, p, off)
}

// A source that fails is what is reported, whatever FFmpeg makes of it.
func TestBrokenSource(t *testing.T) {
	f := openFFmpeg(t)
	// Several blocks, of which the index at the end can be read.
	large := readInput(t, makeVideo(t, "a.mkv", "-f", "lavfi", "-i",
		"testsrc2=size=640x360:duration=4", "-vf", "noise=alls=60:allf=t", "-c:v", "mjpeg", "-q:v",
		"2"))
	if len(large) < 3*blockSize {
		t.Fatalf("the video has %d bytes", len(large))
	}
	fault := recollect.Errorf(recollect.CodeInvalidS3Object, "gone")
	for name, from := range map[string]int64{"at once": 0, "in the middle": 2 * blockSize} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t, func() {
				_, err := NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(),
					brokenInput{large, from, fault}, videoface.Options{}, new(results))
				if !errors.Is(err, fault) ||
					recollect.CodeOf(err) != recollect.CodeInvalidS3Object {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// hangingInput does not answer from a place on, until its context ends.
type hangingInput struct {
	bytesInput
	from int64
	hung *atomic.Bool
}

func (h hangingInput) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off+int64(len(p)) > h.from {
		h.hung.Store(true)
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return h.bytesInput.ReadAt(ctx, p, off)
}

// A source that neither answers nor fails ends the analysis after a while.
func TestHangingSource(t *testing.T) {
	f := openFFmpeg(t)
	f.limits.stall = 500 * time.Millisecond
	large := readInput(t, makeVideo(t, "a.mkv", "-f", "lavfi", "-i",
		"testsrc2=size=640x360:duration=4", "-vf", "noise=alls=60:allf=t", "-c:v", "mjpeg", "-q:v",
		"2"))
	leavesNothing(t, func() {
		var hung atomic.Bool
		_, err := NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(),
			hangingInput{large, 2 * blockSize, &hung}, videoface.Options{}, new(results))
		if !errors.Is(err, errStalled) || !hung.Load() {
			t.Errorf("got %v", err)
		}
	})
}
