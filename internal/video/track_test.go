package video

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// head is a face of a moment: the person, the middle of the box and its height, in heights of the
// frame, which is a square.
type head struct {
	person       int
	x, y, height float64
	confidence   float32 // 0: 99
}

// moments is a photo of heads.
type heads []head

func (h heads) Faces() []face.FaceDetail {
	faces := make([]face.FaceDetail, len(h))
	for i, x := range h {
		width := 0.7 * x.height
		faces[i] = face.FaceDetail{BoundingBox: recollect.BoundingBox{
			Left: float32(x.x - width/2), Top: float32(x.y - x.height/2), Width: float32(width),
			Height: float32(x.height)}, Side: float32(1000 * width), Confidence: 99,
			Quality: face.Quality{Brightness: 60, Sharpness: 60}}
		if x.confidence > 0 {
			faces[i].Confidence = x.confidence
		}
	}
	return faces
}

func (h heads) Embed(_ context.Context, faces ...int) ([][]float32, error) {
	vectors := make([][]float32, len(faces))
	for i, f := range faces {
		vectors[i] = enginetest.Vector(enginetest.Face{Person: h[f].person})
	}
	return vectors, nil
}

func (h heads) Thumbnail(int) ([]byte, error) { return nil, nil }

// follow runs the tracker over moments 0.2 seconds apart, and returns the tracks of each in the
// order of its heads; nobody's is -1. Moments that begin a scene are named.
func follow(t *testing.T, moments []heads, cuts ...int) ([][]int64, *run) {
	t.Helper()
	const step = time.Second / 5
	r := newRun(newBlobEngine(), shape{100, 100}, videoface.Options{Embed: "blobs"}, &results{})
	var all []sighting
	for i, m := range moments {
		at := time.Duration(i) * step
		of, err := r.tracker.add(t.Context(), at, slices.Contains(cuts, i), m, m.Faces())
		if err != nil {
			t.Fatal(err)
		}
		s := sighting{at, m.Faces(), of}
		all, r.seen = append(all, s), append(r.seen, s)
		if err := r.report(t.Context(), at-delay); err != nil {
			t.Fatal(err)
		}
		if err := r.closeTracklets(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	tracks := make([][]int64, len(all))
	for i, s := range all {
		for _, x := range s.of {
			tracks[i] = append(tracks[i], x.person.index)
		}
	}
	return tracks, r
}

// The filter finds a constant velocity, and predicts by it.
func TestMotion(t *testing.T) {
	at := func(i int) recollect.BoundingBox {
		return heads{{x: 0.2 + 0.05*float64(i), y: 0.5, height: 0.2}}.Faces()[0].BoundingBox
	}
	m := newMotion(at(0), 1)
	for i := 1; i < 8; i++ {
		m.predict(0.2)
		m.see(at(i), 1)
	}
	m.predict(0.4) // over a moment in which it was not seen
	if got, want := m.box(1), at(9); got.IntersectionOverUnion(want) < 0.9 {
		t.Errorf("predicted %+v, want %+v", got, want)
	}
	if math.Abs(m.x.velocity-0.25) > 0.01 {
		t.Errorf("the velocity is %g a second, want 0.25", m.x.velocity)
	}
}

// Two who cross keep their tracks, one while it is covered is not seen, and whoever comes back
// after a long time has the same track again.
func TestFollow(t *testing.T) {
	var moments []heads
	for i := range 60 {
		x := float64(i) / 30
		var m heads
		if i < 30 {
			m = append(m, head{person: 1, x: 0.1 + 0.8*x, y: 0.5, height: 0.2})
			if i < 13 || i > 16 { // behind the other one
				m = append(m, head{person: 2, x: 0.9 - 0.8*x, y: 0.5, height: 0.2})
			}
		} else if i > 45 {
			m = append(m, head{person: 2, x: 0.3, y: 0.8, height: 0.15})
		}
		moments = append(moments, m)
	}
	tracks, r := follow(t, moments)
	for i, m := range moments {
		for k, h := range m {
			if got, want := tracks[i][k], int64(h.person-1); got != want {
				t.Errorf("moment %d: person %d has track %d", i, h.person, got)
			}
		}
	}
	if all := r.cast.tracks(); len(all) != 2 || dot(all[1].Vector,
		enginetest.Vector(enginetest.Face{Person: 2})) < 0.99 {
		t.Errorf("%d tracks", len(all))
	}
}

// Somebody who enters the frame where another one just left it, and whose face is not good enough
// to be recognized at first, does not go on as that one.
func TestEnterWhereAnotherLeft(t *testing.T) {
	var moments []heads
	for i := range 12 {
		moments = append(moments, heads{{person: 1, x: 0.5 - 0.04*float64(i), y: 0.5, height: 0.2}})
	}
	moments = append(moments, nil, nil)
	for i := range 12 {
		m := heads{{person: 2, x: 0.06 + 0.03*float64(i), y: 0.52, height: 0.2}}
		if i < 2 {
			m[0].confidence = 70 // half of the face is outside
		}
		moments = append(moments, m)
	}
	tracks, _ := follow(t, moments)
	if tracks[0][0] != 0 || tracks[11][0] != 0 {
		t.Errorf("the first one has %v", tracks[:12])
	}
	for i, of := range tracks[16:] {
		if of[0] != 1 {
			t.Errorf("moment %d: who enters has track %d", i+16, of[0])
		}
	}
}

// After a cut the places say nothing, and faces tell who is still there.
func TestFollowOverCut(t *testing.T) {
	left, right := head{person: 1, x: 0.3, y: 0.5, height: 0.2}, head{person: 2, x: 0.7, y: 0.5,
		height: 0.2}
	before := heads{left, right}
	swapped := heads{{person: 2, x: 0.3, y: 0.5, height: 0.2}, {person: 3, x: 0.7, y: 0.5,
		height: 0.2}}
	tracks, _ := follow(t, []heads{before, before, before, swapped, swapped, swapped}, 3)
	if !slices.Equal(tracks[2], []int64{0, 1}) || !slices.Equal(tracks[3], []int64{1, 2}) ||
		!slices.Equal(tracks[5], []int64{1, 2}) {
		t.Errorf("the tracks are %v", tracks)
	}
}

// What is never surely a face is nobody's, nor is a part of one that is seen once or twice; a whole
// face that is seen once is somebody's.
func TestNobody(t *testing.T) {
	steady := head{person: 1, x: 0.3, y: 0.5, height: 0.3}
	moments := make([]heads, 20)
	for i := range moments {
		moments[i] = heads{steady, {person: 4, x: 0.8, y: 0.2, height: 0.1, confidence: 70}}
	}
	moments[5] = append(moments[5], head{person: 2, x: 0.42, y: 0.5, height: 0.15}) // overlaps
	moments[9] = append(moments[9], head{person: 3, x: 0.03, y: 0.2, height: 0.1})  // at the edge
	moments[12] = append(moments[12], head{person: 5, x: 0.7, y: 0.8, height: 0.2}) // whole
	tracks, r := follow(t, moments)
	if tracks[5][2] != -1 || tracks[9][2] != -1 {
		t.Errorf("parts of faces have the tracks %d and %d", tracks[5][2], tracks[9][2])
	}
	if tracks[0][1] != -1 {
		t.Errorf("what is no face has track %d", tracks[0][1])
	}
	if tracks[12][2] != 1 || len(r.cast.people) != 2 {
		t.Errorf("a face has track %d of %d", tracks[12][2], len(r.cast.people))
	}
}

// The moments of a track are its best, apart from each other.
func TestBestMoments(t *testing.T) {
	var x tracklet
	for i := range 40 {
		x.keep(moment{at: time.Duration(i) * time.Second / 5, worth: math.Sin(float64(i) / 12)})
	}
	if len(x.moments) != maxMoments || x.moments[0].worth < 0.99 {
		t.Fatalf("kept %+v", x.moments)
	}
	for i, m := range x.moments {
		for _, k := range x.moments[:i] {
			if max(k.at-m.at, m.at-k.at) < apart {
				t.Errorf("%v and %v are kept", k.at, m.at)
			}
		}
	}
}
