package video

import (
	"fmt"
	"image/color"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/videoface"
)

// blob is a rectangle of 60 x 84 pixels with a person's colour, on expressions of t in seconds.
type blob struct {
	person     int    // -1: white, nobody
	x, y       string // of its left upper corner
	on         string // whether it is there; empty: always
	wide, tall int    // other sides
}

// blobVideo makes a video of blobs on grey.
func blobVideo(t testing.TB, name string, width, height, rate int, seconds float64, blobs []blob,
	args ...string) string {
	t.Helper()
	graph := []string{fmt.Sprintf("color=gray:size=%dx%d:rate=%d:duration=%g[v0]", width, height,
		rate, seconds)}
	for i, b := range blobs {
		c := color.RGBA{255, 255, 255, 255}
		if b.person >= 0 {
			c = people[b.person]
		}
		wide, tall, on := 60, 84, "1"
		if b.wide > 0 {
			wide, tall = b.wide, b.tall
		}
		if b.on != "" {
			on = b.on
		}
		graph = append(graph,
			fmt.Sprintf("color=0x%02x%02x%02x:size=%dx%d:rate=%d:duration=%g[b%d]", c.R, c.G, c.B,
				wide, tall, rate, seconds, i),
			fmt.Sprintf("[v%d][b%d]overlay=x='%s':y='%s':enable='%s':eval=frame[v%d]", i, i, b.x,
				b.y, on, i+1))
	}
	all := []string{"-filter_complex", strings.Join(graph, ";"), "-map",
		fmt.Sprintf("[v%d]", len(blobs)), "-pix_fmt", "yuv420p"}
	if len(args) == 0 {
		args = []string{"-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"}
	}
	return makeVideo(t, name, append(all, args...)...)
}

// who lists the tracks of each frame.
func (r *results) who() [][]int64 {
	all := make([][]int64, len(r.frames))
	for i, f := range r.frames {
		for _, x := range f.Faces {
			all[i] = append(all[i], x.Track)
		}
		slices.Sort(all[i])
	}
	return all
}

func TestAnalyze(t *testing.T) {
	f := openFFmpeg(t)
	path := blobVideo(t, "a.mp4", 640, 360, 30, 3, []blob{
		{person: 0, x: "50+150*t", y: "40"}, {person: 1, x: "500-150*t", y: "220"}})
	r, tracks := analyze(t, f, readInput(t, path))
	want := []int64{0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000, 2200, 2400, 2600,
		2800}
	if !slices.Equal(r.times(), want) {
		t.Errorf("frames at %v, want %v", r.times(), want)
	}
	m := r.metadata
	if m.Codec != "h264" || m.Format != "QuickTime / MOV" || m.FrameRate != 30 ||
		m.FrameWidth != 640 || m.FrameHeight != 360 || m.DurationMillis != 3000 {
		t.Errorf("the video is %+v", m)
	}
	for i, f := range r.frames {
		if len(f.Faces) != 2 {
			t.Fatalf("%d faces at %d", len(f.Faces), f.Millis)
		}
		for _, x := range f.Faces {
			seconds := float64(f.Millis) / 1000
			left, top := 50+150*seconds, 40.0
			if x.Track == 1 {
				left, top = 500-150*seconds, 220
			}
			if box := x.Face.BoundingBox; !close2(float64(box.Left)*640, left) ||
				!close2(float64(box.Top)*360, top) {
				t.Errorf("frame %d: track %d is at %+v, want %g, %g", i, x.Track, box, left, top)
			}
		}
	}
	if len(tracks) != 2 || tracks[0].Index != 0 || tracks[1].Index != 1 ||
		len(tracks[0].Vector) == 0 {
		t.Errorf("%d tracks: %+v", len(tracks), tracks)
	}
}

func close2(a, b float64) bool { return max(a-b, b-a) <= 3 }

// Somebody who leaves and comes back has the same track, and two who cross keep theirs.
func TestComingBack(t *testing.T) {
	f := openFFmpeg(t)
	path := blobVideo(t, "a.mp4", 640, 360, 25, 12, []blob{
		{person: 0, x: "if(lt(t,6),150+300*t,900-120*(t-6))", y: "40"},
		{person: 1, x: "50+45*t", y: "200"}, {person: 2, x: "530-45*t", y: "215"}})
	r, tracks := analyze(t, f, readInput(t, path))
	if len(tracks) != 3 {
		t.Errorf("%d tracks of 3 people", len(tracks))
	}
	if first, last := r.who()[0], r.who()[len(r.frames)-1]; !slices.Equal(first,
		[]int64{0, 1, 2}) || !slices.Equal(last, first) {
		t.Errorf("%v at the begin, and %v at the end", first, last)
	}
	if slices.Contains(r.who()[25], 0) {
		t.Errorf("who left is seen: %v", r.who()[25])
	}
}

// A cut is sampled, and the places of a scene say nothing about the next one.
func TestCut(t *testing.T) {
	f := openFFmpeg(t)
	path := blobVideo(t, "a.mp4", 640, 360, 25, 4, []blob{
		{person: -1, x: "0", y: "0", on: "gte(t,1.48)", wide: 640, tall: 360},
		{person: 0, x: "200", y: "100", on: "lt(t,1.48)"},
		{person: 1, x: "200", y: "100", on: "gte(t,1.48)"}})
	r, _ := analyze(t, f, readInput(t, path))
	at := slices.Index(r.times(), 1480)
	if at < 0 {
		t.Fatalf("the cut at 1480 is not among %v", r.times())
	}
	before, after := r.frames[at-1].Faces, r.frames[at].Faces
	if len(before) != 1 || before[0].Track != 0 {
		t.Errorf("before the cut: %+v", before)
	}
	for _, x := range after {
		if x.Track == 0 {
			t.Errorf("after the cut: %+v", after)
		}
	}
}

// Without embeddings there are tracks, and no vectors.
func TestWithoutEmbedding(t *testing.T) {
	f := openFFmpeg(t)
	path := blobVideo(t, "a.mkv", 320, 240, 25, 1, []blob{{person: 0, x: "50+20*t", y: "40"}})
	e := newBlobEngine()
	var r results
	tracks, err := NewAnalyzer(f, []Engine{e}, Options{}).Analyze(t.Context(),
		readInput(t, path), videoface.Options{}, &r)
	if err != nil {
		t.Fatal(err)
	}
	if len(tracks) != 1 || tracks[0].Vector != nil || e.embeds != 0 || len(r.frames) != 5 {
		t.Errorf("%d tracks, %d embeddings, %d frames", len(tracks), e.embeds, len(r.frames))
	}
	if r.metadata.Format != "Matroska / WebM" {
		t.Errorf("the format is %q", r.metadata.Format)
	}
}
