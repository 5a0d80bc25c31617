package video

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
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

func TestProbe2(t *testing.T) {
	if os.Getenv("LFWSEQ") == "" {
		t.Skip()
	}
	e := newVision(t)
	f := openFFmpeg(t)
	seconds := 120.0
	fmt.Sscan(os.Getenv("LFWSEQ"), &seconds)
	s, names := crowd(t, e, 12, 1920, 1080, seconds)
	path := filepath.Join(os.TempDir(), fmt.Sprintf("video-crowd-%g.mp4", seconds))
	if _, err := os.Stat(path); err != nil {
		begin := time.Now()
		if err := s.Encode(t.Context(), ffmpegPath(t), path, "-c:v", "libx264", "-preset",
			"veryfast", "-pix_fmt", "yuv420p"); err != nil {
			t.Fatal(err)
		}
		t.Logf("encoded in %v", time.Since(begin))
	}
	var r results
	begin := time.Now()
	tracks, err := NewAnalyzer(f, []Engine{e}, Options{}).Analyze(t.Context(),
		readInput(t, path), videoface.Options{Embed: e.Version()}, &r)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("analysed in %v", time.Since(begin))
	_ = names
	report(t, s, &r, tracks)
}

func crowd(t *testing.T, e *vision.Engine, n, width, height int, seconds float64) (
	*videotest.Sequence, []videotest.Person) {
	t.Helper()
	ground, err := videotest.Load(filepath.Join(shared, "group", "cf_017_0.jpg"))
	if err != nil {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	people, err := videotest.People(filepath.Join(shared, "lfw", "images"), 4)
	if err != nil {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	s := &videotest.Sequence{Width: width, Height: height, Rate: 30, Seconds: seconds,
		Ground: videotest.Still(ground, width, height)}
	var chosen []videotest.Person
	for i := range n {
		p := people[i*len(people)/n]
		a := videotest.Actor{Name: p.Name}
		for _, path := range p.Pictures[:3] {
			img, err := videotest.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a.Shots = append(a.Shots, videotest.Shot{Picture: videotest.Cutout(img),
				Head: headIn(t, e, data)})
		}
		a.At = videotest.Wander(width, height, i, len(a.Shots), 0.15)
		s.Actors = append(s.Actors, a)
		chosen = append(chosen, p)
	}
	return s, chosen
}

func headIn(t *testing.T, e *vision.Engine, data []byte) image.Rectangle {
	photo, err := e.Detect(context.Background(), data, 0)
	if err != nil {
		t.Fatal(err)
	}
	middle := func(f face.FaceDetail) float64 {
		b := f.BoundingBox
		x, y := float64(b.Left+b.Width/2-0.5), float64(b.Top+b.Height/2-0.5)
		return x*x + y*y
	}
	faces := photo.Faces()
	if len(faces) == 0 {
		return image.Rectangle{}
	}
	f := slices.MinFunc(faces, func(a, b face.FaceDetail) int {
		return cmp.Compare(middle(a), middle(b))
	})
	b := f.BoundingBox
	return image.Rect(int(b.Left*250), int(b.Top*250), int((b.Left+b.Width)*250),
		int((b.Top+b.Height)*250))
}

func report(t *testing.T, s *videotest.Sequence, r *results, tracks []videoface.Track) {
	t.Logf("%d frames, %d tracks", len(r.frames), len(tracks))
	current := map[int]int64{}
	switches, visible, found, invented, faces := 0, 0, 0, 0, 0
	byTrack := map[int64]map[int]int{}
	for _, f := range r.frames {
		truth := s.Truth(float64(f.Millis) / 1000)
		used := make([]bool, len(f.Faces))
		for _, seen := range truth {
			best, at := float32(0), -1
			for i, x := range f.Faces {
				if iou := x.Face.BoundingBox.IntersectionOverUnion(seen.Box); !used[i] && iou > best {
					best, at = iou, i
				}
			}
			if seen.Visible >= 0.8 {
				visible++
				if best > 0.5 {
					found++
				}
			}
			if best > 0.5 {
				used[at] = true
				track := f.Faces[at].Track
				if byTrack[track] == nil {
					byTrack[track] = map[int]int{}
				}
				byTrack[track][seen.Actor]++
				if last, ok := current[seen.Actor]; ok && last != track {
					switches++
					t.Logf("switch of %d at %d: %d to %d, shot?", seen.Actor, f.Millis, last, track)
				}
				current[seen.Actor] = track
			}
		}
		for i := range f.Faces {
			faces++
			if used[i] {
				continue
			}
			near := false
			for _, seen := range truth {
				near = near || f.Faces[i].Face.BoundingBox.IntersectionOverUnion(seen.Box) > 0.2
			}
			if !near {
				invented++
				t.Logf("invented at %d: track %d %+v %v", f.Millis, f.Faces[i].Track,
					f.Faces[i].Face.BoundingBox, f.Faces[i].Face.Confidence)
			}
		}
	}
	t.Logf("visible %d, found %d (%.1f %%), faces %d, invented %d, switches %d", visible, found,
		100*float64(found)/float64(visible), faces, invented, switches)
	for k := range int64(len(tracks)) {
		t.Logf("track %d: %v", k, byTrack[k])
	}
}
