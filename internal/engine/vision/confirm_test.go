package vision_test

import (
	"image"
	"image/color"
	"math"
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// Dogs, hands beside faces and ornaments, which the detector alone takes for faces, are none.
func TestNothingElseIsAFace(t *testing.T) {
	e := newEngine(t, vision.Options{})
	for name, want := range map[string]int{
		"dlib_dogs.jpg":        0,
		"cf_017_0.jpg":         0,
		"cf_011_3.jpg":         3, // an arm around a shoulder, and folded hands
		"cf_010_2.jpg":         2, // a hand on a head
		"dlib_2008_004176.jpg": 7, // hands
		"dlib_2008_007676.jpg": 7,
	} {
		faces := detect(t, e, read(t, filepath.Join("group", name))).Faces()
		if len(faces) != want {
			t.Errorf("%s has %d faces, want %d", name, len(faces), want)
		}
		for _, f := range faces {
			if f.Confidence < 80 {
				t.Errorf("%s has a face of confidence %v", name, f.Confidence)
			}
		}
	}
}

// quarters turns a picture clockwise by quarters of a full turn. Its sides are alike.
func quarters(img image.Image, n int) func(x, y int) color.Color {
	side := img.Bounds().Dx() - 1
	return func(x, y int) color.Color {
		for range n {
			x, y = y, side-x
		}
		return img.At(x, y)
	}
}

// The landmarks of a face that lies on its side or stands on its head are those of it upright, and
// so is its vector.
func TestTurnedFaces(t *testing.T) {
	e := newEngine(t, vision.Options{})
	for _, person := range []string{"Zach_Parise", "Larry_Brown"} {
		img := load(t, filepath.Join("lfw", "images", person, person+"_0001.jpg"))
		side := img.Rect.Dx()
		var upright []float32
		var roll float32
		for n := range 4 {
			photo := detect(t, e, change(t, side, side, quarters(img, n)))
			if len(photo.Faces()) != 1 {
				t.Fatalf("%s turned by %d quarters: %d faces", person, n, len(photo.Faces()))
			}
			vectors, err := photo.Embed(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			got := photo.Faces()[0].Pose.Roll
			if n == 0 {
				upright, roll = vectors[0], got
				continue
			}
			if off := math.Remainder(float64(got-roll)-90*float64(n), 360); math.Abs(off) > 5 {
				t.Errorf("%s turned by %d quarters: the roll is %.1f, and was %.1f", person, n, got,
					roll)
			}
			if s := e.Similarity(verification.Dot(vectors[0], upright)); s < 99 {
				t.Errorf("%s turned by %d quarters has similarity %.1f upright", person, n, s)
			}
		}
	}
}

// Heads that lie on their side are found nearly as often as upright ones, each once.
func TestLFWTurned(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute with the race detector on")
	}
	e := newEngine(t, vision.Options{})
	paths := lfwPaths(t)
	const pictures = 75
	for n, least := range [4]float64{0: 1, 1: 0.95, 2: 0.95, 3: 0.95} {
		found := 0
		for i := range pictures {
			img := loadFile(t, paths[i*len(paths)/pictures])
			side := img.Rect.Dx()
			faces := detect(t, e, change(t, side, side, quarters(img, n))).Faces()
			in := 0
			for _, f := range faces {
				if inside(f, 0.5, 0.5) {
					in++
				}
			}
			if in > 1 {
				t.Errorf("%s turned by %d quarters: the face is found %d times", paths[i], n, in)
			}
			found += min(in, 1)
		}
		t.Logf("turned by %d quarters, %d of %d are found", n, found, pictures)
		if share := float64(found) / pictures; share < least {
			t.Errorf("turned by %d quarters, %.3f are found, want %v", n, share, least)
		}
	}
}

// A network that confirms sees a square.
func TestNewRefusesConfirm(t *testing.T) {
	newEngine(t, vision.Options{}) // skips where something is not installed
	r, err := onnx.Open(filepath.Join(installed, "onnxruntime", onnx.LibraryName()), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*pack.Pack){
		"input": func(p *pack.Pack) { p.Confirm.Input.Shape[3] = 160 },
		"crop":  func(p *pack.Pack) { p.Confirm.Crop = nil },
	} {
		p, err := pack.Load(filepath.Join(installed, "packs", "default"))
		if err != nil {
			t.Fatal(err)
		}
		spoil(p)
		if e, err := vision.New(p, r, vision.Options{}); err == nil {
			e.Close()
			t.Errorf("%s: it was loaded", name)
		}
	}
}
