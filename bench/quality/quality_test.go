package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/face"
)

// squares is a picture with bright and dark squares of 25 pixels.
func squares(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 250, 250))
	for y := range 250 {
		for x := range 250 {
			img.Set(x, y, color.Gray{uint8(60 + 80*((x/25+y/25)%2))})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// look at a picture's middle: the mean, the standard deviation and the mean difference of
// neighbours.
func statistics(t *testing.T, data []byte) (mean, deviation, difference float64) {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds().Dx() != 250 || img.Bounds().Dy() != 250 {
		t.Fatalf("the picture has become %v", img.Bounds())
	}
	grey := func(x, y int) float64 {
		return float64(color.GrayModel.Convert(img.At(x,
			y)).(color.Gray).Y)
	}
	var n, squared float64
	for y := 75; y < 175; y++ {
		for x := 75; x < 175; x++ {
			v := grey(x, y)
			n, mean, squared = n+1, mean+v, squared+v*v
			difference += math.Abs(v - grey(x+1, y))
		}
	}
	mean /= n
	return mean, math.Sqrt(squared/n - mean*mean), difference / n
}

// Every degradation has the effect of its name, and a larger one the stronger it is.
func TestDegradations(t *testing.T) {
	data := squares(t)
	for _, d := range degradations {
		mean, deviation, difference := statistics(t, data)
		for i, s := range d.strengths {
			spoilt, err := spoil(data, d, s)
			if err != nil {
				t.Fatal(err)
			}
			m, dev, diff := statistics(t, spoilt)
			ok := true
			switch d.name {
			case "blur":
				ok = diff < difference && math.Abs(m-mean) < 3
			case "dark":
				ok = m < mean
			case "bright":
				ok = m > mean || m > 254
			case "flat":
				ok = dev < deviation
			case "noise":
				ok = diff > difference
			case "small":
				// The same number of squares in fewer pixels, as far as they fill the measured
				// region; the smallest are mostly the grey around them.
				ok = i > 1 || diff > difference
			case "turned":
				ok = math.Abs(m-mean) < 5 && math.Abs(dev-deviation) < 8
			default:
				t.Errorf("%s is not tested", d.name)
			}
			if !ok {
				t.Errorf(
					"%s %g: mean %.1f after %.1f, deviation %.1f after %.1f, difference %.1f "+
						"after %.1f", d.name, s, m, mean, dev, deviation, diff, difference)
			}
			mean, deviation, difference = m, dev, diff
		}
	}
	if _, err := spoil([]byte("no picture"), degradations[0], 1); err == nil {
		t.Error("what is no picture was degraded")
	}
}

// Turning is clockwise: what was at the top is on the right after 90 degrees.
func TestTurn(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 100, 100))
	img.Set(50, 10, color.White)
	turned := turn(img, 90)
	brightest := image.Point{}
	for y := range 100 {
		for x := range 100 {
			if turned.RGBAAt(x, y).R > turned.RGBAAt(brightest.X, brightest.Y).R {
				brightest = image.Pt(x, y)
			}
		}
	}
	if d := brightest.Sub(image.Pt(89, 50)); max(d.X, -d.X) > 1 || max(d.Y, -d.Y) > 1 {
		t.Errorf("the point is at %v", brightest)
	}
}

func TestBin(t *testing.T) {
	least := figure{of: func(d *face.FaceDetail) float32 { return d.Quality.Sharpness },
		bars: []float32{1, 2, 5}}
	most := figure{of: func(d *face.FaceDetail) float32 { return either(d.Pose.Yaw) }, most: true,
		bars: []float32{60, 30}}
	for _, c := range []struct {
		f    figure
		d    face.FaceDetail
		want uint8
	}{
		{least, face.FaceDetail{Quality: face.Quality{Sharpness: 0.5}}, 0},
		// a bar accepts a value that equals it
		{least, face.FaceDetail{Quality: face.Quality{Sharpness: 1}}, 1},
		{least, face.FaceDetail{Quality: face.Quality{Sharpness: 4.9}}, 2},
		{least, face.FaceDetail{Quality: face.Quality{Sharpness: 90}}, 3},
		{most, face.FaceDetail{Pose: face.Pose{Yaw: -61}}, 0},
		{most, face.FaceDetail{Pose: face.Pose{Yaw: 60}}, 1},
		{most, face.FaceDetail{Pose: face.Pose{Yaw: -2}}, 2},
	} {
		if got := c.f.bin(&c.d); got != c.want {
			t.Errorf("%+v is in bin %d, want %d", c.d, got, c.want)
		}
	}
	for _, f := range figures {
		for i, bar := range f.bars[1:] {
			if f.most != (bar < f.bars[i]) {
				t.Errorf("the bars of %s do not keep out more and more: %v", f.name, f.bars)
			}
		}
	}
}

func TestChooseByHand(t *testing.T) {
	c := func(trials, wrong int) counts { return counts{trials, wrong} }
	for _, test := range []struct {
		steps []counts // the last is of the faces that no bar rejects
		want  [3]int
	}{
		{[]counts{c(10, 9), c(20, 5), c(100, 6), c(1000, 10)}, [3]int{0, 1, 2}},
		// a good step ends it
		{[]counts{c(10, 9), c(20, 12), c(100, 2), c(50, 40), c(1000, 10)}, [3]int{1, 1, 1}},
		// too few alone
		{[]counts{c(3, 3), c(4, 2), c(3, 1), c(100, 0), c(9, 9)}, [3]int{2, 2, 2}},
		// too few at all
		{[]counts{c(3, 3), c(0, 0), c(100, 0)}, [3]int{-1, -1, -1}},
		{[]counts{c(100, 1), c(100, 1), c(100, 1)}, [3]int{-1, -1, -1}},
	} {
		got := (&tally{genuine: test.steps, alike: make([]counts, len(test.steps))}).choose()
		if got != test.want {
			t.Errorf("%v: chose %v, want %v", test.steps, got, test.want)
		}
	}
}

// made returns a set whose blurred faces are less sharp, and nearer to random vectors, the stronger
// the blur.
func made(people int) *set {
	r := rand.New(rand.NewPCG(3, 4))
	vector := func(around []float32, spread float64) []float32 {
		v := make([]float32, 64)
		for i := range v {
			v[i] = float32(spread * r.NormFloat64())
			if around != nil {
				v[i] += around[i]
			}
		}
		return face.Aggregate([][]float32{v})
	}
	detail := func(sharpness float32) face.FaceDetail {
		return face.FaceDetail{Side: 100, Confidence: 99.95,
			Quality: face.Quality{Brightness: 60, Sharpness: sharpness}}
	}
	var s set
	for i := range people {
		person := vector(nil, 1)
		for k := range 2 {
			picture := verification.Picture{Person: fmt.Sprint("person", i), Number: k + 1}
			s.Clean = append(s.Clean,
				sample{Picture: picture, Found: true, Detail: detail(40),
					Vector: vector(person, 0.03)})
		}
		s.Genuine = append(s.Genuine, [2]int{2 * i, 2*i + 1})
	}
	for _, c := range conditions() {
		for i := range people {
			d := sample{Picture: s.Clean[2*i].Picture, Condition: c, Found: true,
				Detail: detail(40), Vector: vector(s.Clean[2*i].Vector, 0.03)}
			if degradations[c.Degradation].name == "blur" {
				strength := degradations[c.Degradation].strengths[c.Strength]
				d.Detail = detail(float32(24 / (strength * strength)))
				d.Vector = vector(s.Clean[2*i].Vector, 0.06*strength)
			}
			d.Found = !(degradations[c.Degradation].name == "small" && c.Strength == 5)
			s.Degraded = append(s.Degraded, d)
			s.Partner = append(s.Partner, 2*i+1)
		}
	}
	s.label()
	return &s
}

func TestMeasureAndReport(t *testing.T) {
	s := made(30)
	cut := enginetest.Engine("1").Cosine(similarity)
	tallies := measure(s, cut)
	for i, f := range figures {
		var genuine, impostor counts
		for k := range tallies[i].genuine {
			genuine, impostor = genuine.plus(tallies[i].genuine[k]),
				impostor.plus(tallies[i].impostor[k])
		}
		copies := 0
		for _, d := range degradations {
			for _, by := range f.by {
				if d.name == by {
					copies += len(d.strengths)
				}
				if d.name == by && by == "small" {
					copies-- // one without a detected face
				}
			}
		}
		if f.beside != "" {
			// The blurs of σ 3 and more are below LOW's sharpness.
			if genuine.Trials != 30*(1+copies-5) {
				t.Errorf("%s: %d genuine pairs", f.name, genuine.Trials)
			}
			continue
		}
		if genuine.Trials != 30*(1+copies) || impostor.Trials != 60*59/2-30+copies*(30*58+30*29/2) {
			t.Errorf("%s: %d genuine and %d impostor pairs", f.name, genuine.Trials,
				impostor.Trials)
		}
	}
	sharpness := tallies[1].choose()
	if !(sharpness[0] >= 0 && sharpness[0] <= sharpness[1] && sharpness[1] <= sharpness[2]) {
		t.Errorf("the bars of sharpness are %v", sharpness)
	}
	if yaw := tallies[5].choose(); yaw != [3]int{-1, -1, -1} {
		t.Errorf("nothing is wrong with the yaw, and its bars are %v", yaw)
	}
	page, err := report(enginetest.Engine("1"), s, s)
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`NaN|Inf|%!|<no value>`).FindString(page); found != "" {
		t.Errorf("the page has %q:\n%s", found, page)
	}
	for _, want := range []string{"60 pictures", "blur 8", "**L**", "one degraded"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// Pairs that the filters reject are not counted as missed.
func TestFilterRows(t *testing.T) {
	s := made(30)
	rows := filterRows(s, enginetest.Engine("1").Cosine(similarity))
	if len(rows) != 8 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, r := range rows[4:] {
		if r.Genuine.Trials+
			int(math.Round(r.Faces*float64(30*(len(conditions())-1)))) != 30*(len(conditions())-1) {
			t.Errorf("%s: %d pairs are left, and %v of the faces are kept out", r.Filter,
				r.Genuine.Trials, r.Faces)
		}
		if i == 0 && (r.KeptOut() != 0 || r.Faces != 0 || r.Missed == 0) {
			t.Errorf("NONE keeps out %d of %d and %v of the faces", r.KeptOut(), r.Missed, r.Faces)
		}
		if i > 0 && r.KeptOut() < rows[4+i-1].KeptOut() {
			t.Errorf("%s keeps out less than %s", r.Filter, rows[4+i-1].Filter)
		}
	}
}

func TestKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	made := []*set{made(2)}
	for i := range 2 {
		calls := 0
		sets, err := kept(path, func() ([]*set, error) { calls++; return made, nil })
		if err != nil || len(sets) != 1 || len(sets[0].Degraded) != len(made[0].Degraded) ||
			sets[0].Degraded[3].Vector[7] != made[0].Degraded[3].Vector[7] {
			t.Fatalf("got %v, %v", sets, err)
		}
		if want := 1 - i; calls != want {
			t.Errorf("call %d made the samples %d times, want %d", i, calls, want)
		}
	}
	if _, err := kept(path, func() ([]*set, error) { return nil, context.Canceled }); err != nil {
		t.Errorf("what is kept was made again: %v", err)
	}
}
