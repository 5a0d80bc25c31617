package ocr

import (
	"slices"
	"testing"
)

// steps returns probabilities: at each step one class has the given one.
func steps(classes int, at ...[2]float32) []float32 {
	out := make([]float32, classes*len(at))
	for i, a := range at {
		out[i*classes+int(a[0])] = a[1]
	}
	return out
}

func TestDecodeCTC(t *testing.T) {
	alphabet := []string{"a", "b", " "}
	got := decodeCTC(steps(4, [2]float32{0, 1}, [2]float32{1, 0.5}, [2]float32{1, 0.75},
		[2]float32{0, 1}, [2]float32{1, 0.25}, [2]float32{2, 1}, [2]float32{2, 0.5},
		[2]float32{3, 1}, [2]float32{0, 1}), alphabet)
	want := []character{{"a", 1, 2, 0.75}, {"a", 4, 4, 0.25}, {"b", 5, 6, 1}, {" ", 7, 7, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	if got := decodeCTC(nil, alphabet); got != nil {
		t.Errorf("nothing is read as %+v", got)
	}
	if got := meanConfidence(want); got != (0.75+0.25+1)/3 {
		t.Errorf("the confidence is %v", got)
	}
	if got := meanConfidence([]character{{" ", 0, 0, 1}}); got != 0 {
		t.Errorf("the confidence of a space is %v", got)
	}
}

func TestSplitWords(t *testing.T) {
	// Ink in columns 10 to 29, 32 to 39 (one word) and 60 to 79; a step is 4 columns wide.
	contrast := make([]float32, 100)
	ink := func(from, to int) {
		for x := from; x < to; x++ {
			contrast[x] = 200
		}
	}
	ink(10, 30)
	ink(32, 40)
	ink(60, 80)
	read := []character{{"i", 3, 3, 0.5}, {"t", 8, 8, 1}, {" ", 12, 12, 1}, {"i", 16, 16, 0.8},
		{"s", 18, 18, 0.8}}
	want := []word{{text: "it", confidence: 0.75, from: 10, to: 40},
		{text: "is", confidence: 0.8, from: 60, to: 80}}
	if got := splitWords(read, 4, contrast); !slices.Equal(got, want) {
		t.Errorf("split into %+v, want %+v", got, want)
	}
	// Several spaces, and those at the ends, make no words.
	read = slices.Concat([]character{{" ", 0, 0, 1}}, read[:3], read[2:], []character{
		{"　", 24, 24, 1}})
	if got := splitWords(read, 4, contrast); !slices.Equal(got, want) {
		t.Errorf("with more spaces split into %+v, want %+v", got, want)
	}
	// Without a gap the words meet in the middle.
	ink(0, 100)
	contrast[0] = 0
	got := splitWords(read, 4, contrast)
	if len(got) != 2 || got[0].from != 1 || got[0].to != got[1].from || got[0].to != 50 ||
		got[1].to != 100 {
		t.Errorf("without a gap split into %+v", got)
	}
	if got := splitWords(nil, 4, contrast); got != nil {
		t.Errorf("nothing is split into %+v", got)
	}
}

func TestGap(t *testing.T) {
	contrast := []float32{9, 0, 9, 9, 0, 0, 9, 0}
	if left, right := gap(contrast, 0, 8, 1); left != 4 || right != 6 {
		t.Errorf("the gap is %v to %v, want 4 to 6", left, right)
	}
	if left, right := gap(contrast, 2, 4, 1); left != 3 || right != 3 {
		t.Errorf("the gap is %v to %v, want the middle", left, right)
	}
	if left, right := gap(contrast, 5, 5, 1); left != 5 || right != 5 {
		t.Errorf("the gap of nothing is %v to %v", left, right)
	}
}

func TestInk(t *testing.T) {
	// A crop of 6 x 8: background 200, ink 20 in columns 1 and 2 of rows 2 to 5, and noise.
	g := grey{make([]float32, 48), 6}
	for i := range g.pixels {
		g.pixels[i] = 200 + float32(i%3)
	}
	for y := 2; y < 6; y++ {
		g.pixels[6*y+1], g.pixels[6*y+2] = 20, 20
	}
	if top, bottom := g.ink(0, 4); top != 2 || bottom != 6 {
		t.Errorf("the ink is in rows %v to %v, want 2 to 6", top, bottom)
	}
	if top, bottom := g.ink(4, 4); top != 0 || bottom != 8 {
		t.Errorf("no columns have ink in rows %v to %v, want all", top, bottom)
	}
	contrast := g.columns()
	if len(contrast) != 6 || contrast[1] < 180 || contrast[2] < 180 || contrast[0] > 3 {
		t.Errorf("the contrast is %v", contrast)
	}
	crop := []float32{100, 0, 0, 0, 0, 100} // a red and a blue pixel
	if got := greyOf(crop, 2); !near(float64(got.pixels[0]), 29.9, 1e-4) ||
		!near(float64(got.pixels[1]), 11.4, 1e-4) || got.rows() != 1 {
		t.Errorf("the luma is %v", got)
	}
}
