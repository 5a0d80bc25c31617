package vision_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// A thumbnail is upright, small, and has the picture's content: here a white quarter.
func TestThumbnail(t *testing.T) {
	e := newEngine(t, vision.Options{})
	img := image.NewGray(image.Rect(0, 0, 200, 120))
	for y := range 60 {
		for x := range 100 {
			img.Pix[y*img.Stride+x] = 255 // at the upper left of the stored picture
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		orientation   uint16
		side          int
		width, height int
		x, y          int // of a white pixel
	}{
		{1, 100, 100, 60, 25, 15},
		{1, 500, 200, 120, 50, 30}, // not enlarged
		{6, 100, 60, 100, 45, 25},  // rotated to the right: the upper left becomes the upper right
		{3, 50, 50, 30, 37, 22},
	} {
		small, err := e.Thumbnail(t.Context(), vision.WithOrientation(b.Bytes(), c.orientation),
			c.side)
		if err != nil {
			t.Fatal(err)
		}
		if got := small.Bounds().Size(); got != image.Pt(c.width, c.height) {
			t.Errorf("%+v: the size is %v", c, got)
			continue
		}
		white, _, _, alpha := small.At(c.x, c.y).RGBA()
		black, _, _, _ := small.At(c.width-1-c.x, c.height-1-c.y).RGBA()
		if white < 0xf000 || black > 0x0f00 || alpha != 0xffff {
			t.Errorf("%+v: the white pixel is %x, the black one %x", c, white, black)
		}
	}
	if _, err := e.Thumbnail(t.Context(), []byte("no picture"), 100); err == nil {
		t.Error("there is a thumbnail of no picture")
	}
}
