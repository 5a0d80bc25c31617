package video

import (
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/video/videotest"
	"github.com/recollect-dev/recollect/internal/videoface"
)

const shared = "../../../shared/data"

func newVision(t testing.TB) *vision.Engine {
	t.Helper()
	p, err := pack.Load(filepath.Join(library, "packs", "default"))
	if err != nil {
		t.Skipf("the default model pack is not installed (make networks): %v", err)
	}
	r, err := onnx.Open(filepath.Join(library, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		t.Skipf("ONNX Runtime is not installed (make networks): %v", err)
	}
	e, err := vision.New(p, r, vision.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// newCrowd makes a sequence of people of LFW.
func newCrowd(t testing.TB, e *vision.Engine, people int,
	frame videotest.Sequence) *videotest.Crowd {
	t.Helper()
	folder := filepath.Join(shared, "lfw", "images")
	if _, err := videotest.People(folder, 2); err != nil {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	c, err := videotest.NewCrowd(t.Context(), e, folder,
		filepath.Join(shared, "group", "cf_017_0.jpg"), people, 1, frame)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// People of LFW who wander through a picture, cover each other, leave and come back are found where
// they are, each as one track, and nobody else is. `make bench-video` does it for twelve people in
// two minutes.
func TestLFWCrowd(t *testing.T) {
	e := newVision(t)
	f := openFFmpeg(t)
	c := newCrowd(t, e, 5, videotest.Sequence{Width: 1280, Height: 720, Rate: 25, Seconds: 10})
	path := filepath.Join(t.TempDir(), "crowd.mp4")
	if err := c.Encode(t.Context(), ffmpegPath(t), path, "-c:v", "libx264", "-preset", "ultrafast",
		"-crf", "22", "-pix_fmt", "yuv420p"); err != nil {
		t.Fatal(err)
	}
	var r results
	tracks, err := NewAnalyzer(f, []Engine{e}, Options{}).Analyze(t.Context(),
		readInput(t, path), videoface.Options{Embed: e.Version()}, &r)
	if err != nil {
		t.Fatal(err)
	}
	score := videotest.Judge(&c.Sequence, r.frames)
	t.Log(score)
	if len(r.frames) != 50 || score.Tracks != len(tracks) {
		t.Errorf("%d frames, %d tracks of which %d have faces", len(r.frames), len(tracks),
			score.Tracks)
	}
	if score.Found*100 < score.Visible*95 || len(score.Missed) > 0 || len(score.Invented) > 0 ||
		score.Switches > 0 {
		t.Errorf("the tracks are not those of the people: %v", score)
	}
}
