package vision

import (
	"math"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// The stages of a regression, computed by hand: bin 2 of 3, then its bin 0, whose offset is half a
// bin, then nothing.
func TestStaged(t *testing.T) {
	outputs := [][]float32{
		{0, 0, 1}, {1, 0, 0}, {0, 0, 0},
		{0}, {0.5}, {0},
		{0, 0, 0}, {0.5, 0, 0}, {0, 0, 0},
	}
	if got, want := staged(outputs), 2.0/3+0.5/3/4.5; math.Abs(got-want) > 1e-6 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSoftmax(t *testing.T) {
	got := softmax([]float32{1000, 1000, -1000, float32(math.Inf(-1))})
	if !slices.Equal(got, []float64{0.5, 0.5, 0, 0}) {
		t.Errorf("got %v", got)
	}
}

// The state of a mouth does not depend on its size and angle; points that are no mouth have no
// result.
func TestMouthOpen(t *testing.T) {
	mouth := func(gap, size, angle float64) *markup {
		sin, cos := math.Sincos(angle)
		var m markup
		for i, p := range map[int]point{60: {-1, 0}, 64: {1, 0}, 61: {-0.5, -gap}, 62: {0, -gap},
			63: {0.5, -gap}, 67: {-0.5, gap}, 66: {0, gap}, 65: {0.5, gap}} {
			m[i] = point{50 + size*(cos*p.x-sin*p.y), 50 + size*(sin*p.x+cos*p.y)}
		}
		return &m
	}
	for _, size := range []float64{1, 300} {
		for _, angle := range []float64{0, 1, math.Pi} {
			if open := mouthOpen(mouth(0.3, size, angle)); !open.Value || open.Confidence < 99 {
				t.Errorf("size %v, angle %v: open is %+v", size, angle, open)
			}
			if closed := mouthOpen(mouth(0, size, angle)); closed.Value || closed.Confidence < 95 {
				t.Errorf("size %v, angle %v: closed is %+v", size, angle, closed)
			}
		}
	}
	none := mouth(0.3, 0, 0)
	lost := mouth(0.3, 1, 0)
	lost[62].x = math.NaN()
	for _, m := range []*markup{none, lost, {}} {
		if got := mouthOpen(m); got != nil {
			t.Errorf("no mouth is open: %+v", got)
		}
	}
}

// The square around an eye has its middle and direction, and exists even if the points coincide.
func TestAroundEye(t *testing.T) {
	e := &eyer{classifier: &classifier{network: &network{input: pack.Input{Shape: [4]int64{1, 1, 24,
		24}}, part: pack.Crop{Scale: 2}}}}
	// a head rotated by 90 degrees
	m := e.around(point{100, 200}, 12, point{100, 200}, point{100, 260})
	if x, y := m.apply(12, 12); math.Hypot(x-100, y-200) > 1e-9 {
		t.Errorf("the middle is at %v, %v", x, y)
	}
	if x, y := m.apply(24, 12); math.Hypot(x-100, y-212) > 1e-9 {
		t.Errorf("the right edge's middle is at %v, %v, want 100, 212", x, y)
	}
	m = e.around(point{100, 200}, 0, point{100, 200}, point{100, 200})
	if x, y := m.apply(24, 24); x != 101 || y != 201 {
		t.Errorf("an eye of no width goes to %v, %v", x, y)
	}
}
