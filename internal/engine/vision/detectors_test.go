package vision

import (
	"math"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

func TestConfidence(t *testing.T) {
	knots := []pack.ScoreKnot{{Score: 0.5, Confidence: 40}, {Score: 0.75, Confidence: 90},
		{Score: 0.9, Confidence: 100}}
	for score, want := range map[float32]float64{0: 0, 0.25: 0.2, 0.5: 0.4, 0.625: 0.65, 0.75: 0.9,
		0.9: 1, 1: 1} {
		if got := float64(confidence(knots, score)); math.Abs(got-want) > 1e-6 {
			t.Errorf("a score of %v has a confidence of %v, want %v", score, got, want)
		}
	}
	if got := confidence(nil, 0.7); got != 0.7 {
		t.Errorf("without knots a score of 0.7 has a confidence of %v", got)
	}
	if got := confidence([]pack.ScoreKnot{{}, {Score: 1, Confidence: 100}}, 0); got != 0 {
		t.Errorf("a score of 0 has a confidence of %v", got)
	}
}

// YuNet's outputs, made by hand: a face of 64 x 96 pixels around (100, 200) of a 640 x 640 input,
// in a cell of each stride.
func TestYuNetReads(t *testing.T) {
	decode, shapes := yuNet([4]int64{1, 3, 640, 640})
	for level, stride := range yuNetStrides {
		outputs := make([][]float32, len(shapes))
		for i, shape := range shapes {
			outputs[i] = make([]float32, shape[0]*shape[1]*shape[2])
		}
		side := float64(stride)
		column, row := int(100/side), int(200/side)
		cell := row*(640/int(stride)) + column
		outputs[level][cell], outputs[3+level][cell] = 0.9, 0.4 // their geometric mean is 0.6
		copy(outputs[6+level][4*cell:], []float32{
			float32(100/side - float64(column)), float32(200/side - float64(row)),
			float32(math.Log(64 / side)), float32(math.Log(96 / side)),
		})
		d := &detector{decode: decode, score: 0.5}
		got := d.read(outputs, &view{rect: rect{0, 0, 1280, 640}})
		if len(got) != 1 {
			t.Fatalf("stride %d: read %v, want one box", stride, got)
		}
		want := rect{136, 152, 264, 248}
		if g := got[0]; math.Abs(float64(g.score)-0.6) > 1e-6 || math.Abs(g.x0-want.x0)+
			math.Abs(g.y0-want.y0)+math.Abs(g.x1-want.x1)+math.Abs(g.y1-want.y1) > 1e-3 {
			t.Errorf("stride %d: read %+v, want %+v and a score of 0.6", stride, g, want)
		}
		// Boxes are valid for any output of a network.
		for _, nonsense := range []float32{float32(math.NaN()), float32(math.Inf(1)),
			float32(math.Inf(-1)), 1e30, -1e30} {
			for i := range outputs {
				for j := range outputs[i] {
					outputs[i][j] = nonsense
				}
			}
			for _, b := range d.read(outputs, &view{rect: rect{0, 0, 640, 640}}) {
				if !(b.x0 < b.x1 && b.y0 < b.y1 && b.x0 >= -640 && b.y1 <= 1280) {
					t.Fatalf("%v gave %+v", nonsense, b)
				}
			}
		}
	}
}

// RetinaFace's outputs, made by hand: a face of 64 x 96 pixels around (100, 52) of a 128 x 128
// input, as an anchor of each stride tells it.
func TestRetinaFaceReads(t *testing.T) {
	decode, shapes := retinaFace([4]int64{1, 3, 128, 128})
	if n := shapes[0][1]; n != 2*(16*16+8*8+4*4) || shapes[1][1] != n {
		t.Fatalf("the shapes are %v", shapes)
	}
	for _, test := range []struct {
		stride, side float64
		first        int // anchor
	}{{8, 32, 1}, {16, 64, 2 * 256}, {32, 512, 2*(256+64) + 1}} {
		outputs := [][]float32{make([]float32, 4*shapes[0][1]), make([]float32, 2*shapes[0][1])}
		column, row := int(100/test.stride), int(52/test.stride)
		anchor := test.first + 2*(row*int(128/test.stride)+column)
		outputs[1][2*anchor+1] = 0.9
		copy(outputs[0][4*anchor:], []float32{
			float32((100 - (float64(column)+0.5)*test.stride) / test.side / 0.1),
			float32((52 - (float64(row)+0.5)*test.stride) / test.side / 0.1),
			float32(math.Log(64/test.side) / 0.2), float32(math.Log(96/test.side) / 0.2),
		})
		found := 0
		decode(outputs, 0.5, func(score float32, x0, y0, x1, y1 float64) {
			found++
			off := math.Abs(128*x0-68) + math.Abs(128*y0-4) + math.Abs(128*x1-132) +
				math.Abs(128*y1-100)
			if score != 0.9 || off > 1e-3 {
				t.Errorf("stride %v: read %v at %v %v %v %v", test.stride, score, 128*x0, 128*y0,
					128*x1, 128*y1)
			}
		})
		if found != 1 {
			t.Errorf("stride %v: read %d boxes, want one", test.stride, found)
		}
	}
}

func TestTogether(t *testing.T) {
	upright, turned := sight{score: 0.99}, sight{score: 0.99, quarters: 1}
	if got := together(0.5, upright); math.Abs(float64(got)-0.99) > 1e-4 {
		t.Errorf("a detector that does not know makes 0.99 to %v", got)
	}
	low, high := together(0.3, upright), together(0.9, upright)
	if !(low < 0.99 && high > 0.99 && together(0.9, turned) < low) {
		t.Errorf("a score of 0.3 makes 0.99 to %v, 0.9 to %v, and turned to %v", low, high,
			together(0.9, turned))
	}
	for _, first := range []float32{0, 1} {
		for _, second := range []float32{0, 1} {
			if got := together(first, sight{score: second}); !(got >= 0 && got <= 1) {
				t.Errorf("%v and %v make %v", first, second, got)
			}
		}
	}
}
