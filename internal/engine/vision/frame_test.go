package vision_test

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// frame decodes a JPEG with Go's decoder to a frame of chroma of half the size.
func frame(t *testing.T, data []byte) *image.YCbCr {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := img.(*image.YCbCr); ok && f.SubsampleRatio == image.YCbCrSubsampleRatio420 {
		return f
	}
	small := image.NewRGBA(img.Bounds())
	draw.Draw(small, small.Rect, img, image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: 98}); err != nil {
		t.Fatal(err)
	}
	return frame(t, b.Bytes())
}

// A decoded frame has the faces of the picture, with the same vectors.
func TestDetectFrame(t *testing.T) {
	e := newEngine(t, vision.Options{})
	for _, name := range []string{portrait, "group/cf_000_5.jpg"} {
		data := read(t, name)
		want := detect(t, e, data)
		got, err := e.DetectFrame(t.Context(), frame(t, data), 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Faces()) != len(want.Faces()) || len(want.Faces()) == 0 {
			t.Fatalf("%s: %d faces, want %d", name, len(got.Faces()), len(want.Faces()))
		}
		for i, f := range got.Faces() {
			if w := want.Faces()[i]; f.BoundingBox.IntersectionOverUnion(w.BoundingBox) < 0.95 {
				t.Errorf("%s: face %d is at %+v, want %+v", name, i, f.BoundingBox, w.BoundingBox)
			}
		}
		a, err := got.Embed(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := want.Embed(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var c float32 // of unit vectors
		for i, x := range a[0] {
			c += x * b[0][i]
		}
		if c < 0.98 {
			t.Errorf("%s: the cosine of the vectors is %g", name, c)
		}
	}
}

// A frame may be of any size, and has chroma of half of it.
func TestDetectFrameSizes(t *testing.T) {
	e := newEngine(t, vision.Options{})
	for _, size := range []image.Point{{1, 1}, {2, 2}, {2, 400}, {4000, 2}, {81, 79}} {
		f := image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio420)
		if p, err := e.DetectFrame(t.Context(), f, 0); err != nil || len(p.Faces()) != 0 {
			t.Errorf("%v: %v", size, err)
		}
	}
	f := image.NewYCbCr(image.Rect(0, 0, 100, 100), image.YCbCrSubsampleRatio444)
	if _, err := e.DetectFrame(t.Context(), f, 0); recollect.CodeOf(err) !=
		recollect.CodeInternal || err == nil {
		t.Errorf("got %v", err)
	}
}

// The networks run as often as a picture needs.
func TestNetworkRuns(t *testing.T) {
	e := newEngine(t, vision.Options{})
	if _, err := detect(t, e, read(t, portrait)).Embed(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	runs := e.NetworkRuns()
	// Detection upright and turned by a quarter, landmarks, pose and embedding once, and
	// confirmation for each candidate.
	if known := []int64{runs[0], runs[2], runs[3], runs[4]}; !slices.Equal(known,
		[]int64{2, 1, 1, 1}) || runs[1] < 1 {
		t.Errorf("the networks ran %v times for one face", runs)
	}
	if err := e.RunBare(t.Context(), runs); err != nil {
		t.Error(err)
	}
}
