package vision_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// TestUpright: the corner that is white when the picture is seen upright is where each orientation
// of EXIF 2.32 (tag 0x0112) puts it.
func TestUpright(t *testing.T) {
	const width, height, corner = 48, 32, 16
	// The stored corners that orientations 1 to 8 show at the upper left.
	right, lower := width-corner, height-corner
	stored := []image.Point{{0, 0}, {right, 0}, {right, lower}, {0, lower}, {0, 0}, {0, lower},
		{right, lower}, {right, 0}}
	for i, at := range stored {
		picture := image.NewGray(image.Rect(0, 0, width, height))
		for y := range corner {
			for x := range corner {
				picture.SetGray(at.X+x, at.Y+y, color.Gray{Y: 255})
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, picture, nil); err != nil {
			t.Fatal(err)
		}
		turned, err := vision.Upright(vision.WithOrientation(b.Bytes(), uint16(i+1)))
		if err != nil {
			t.Fatal(err)
		}
		size := image.Pt(width, height)
		if i >= 4 {
			size = image.Pt(height, width)
		}
		if turned.Rect.Size() != size {
			t.Errorf("orientation %d: %v, want %v", i+1, turned.Rect.Size(), size)
			continue
		}
		for _, c := range []struct {
			at    image.Point
			white bool
		}{{image.Pt(4, 4), true}, {image.Pt(size.X-5, 4), false},
			{image.Pt(4, size.Y-5), false}, {image.Pt(size.X-5, size.Y-5), false}} {
			if got := turned.RGBAAt(c.at.X, c.at.Y).R > 127; got != c.white {
				t.Errorf("orientation %d: white at %v is %v", i+1, c.at, got)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	if p, err := vision.Upright(b.Bytes()); err != nil || p.Rect.Size() != image.Pt(3, 2) {
		t.Errorf("a PNG: %v, %v", p, err)
	}
	if _, err := vision.Upright([]byte("a text")); err == nil {
		t.Error("a text was decoded")
	}
}
