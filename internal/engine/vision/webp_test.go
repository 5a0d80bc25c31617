package vision

import (
	"context"
	"errors"
	"testing"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// pixelsOfWebP is pixels of a decoder that reads WebP too.
func pixelsOfWebP(t *testing.T, data []byte) (width, height int, rgb []float32) {
	t.Helper()
	d := newTestDecoder(DefaultMemory)
	d.webp = true
	p, release, err := d.decode(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	width, height = p.size()
	rgb = make([]float32, 3*width*height)
	p.crop(rgb, width, height, 3, rect{0, 0, float64(width), float64(height)})
	return width, height, rgb
}

// WebP pictures have the pixels that libwebp makes of them, transparent ones on white.
func TestWebPIsJudged(t *testing.T) {
	for name, mean := range map[string]float64{
		"lossless":       0,
		"lossless-alpha": 0.1,
		"lossy":          0.7,
		"lossy-alpha":    1.2,
	} {
		width, height, got := pixelsOfWebP(t, testdata(t, name+".webp"))
		wantWidth, wantHeight, want := pixels(t, testdata(t, name+".webp.png"))
		if width != wantWidth || height != wantHeight {
			t.Fatalf("%s: %d x %d pixels, want %d x %d", name, width, height, wantWidth,
				wantHeight)
		}
		if got, most := difference(got, want); got > mean+1e-4 {
			t.Errorf("%s: the mean difference is %.2f and the largest %.0f", name, got, most)
		}
	}
	width, height, upright := pixelsOfWebP(t, testdata(t, "lossy.webp"))
	w, h, turned := pixelsOfWebP(t, testdata(t, "turned.webp"))
	if w != height || h != width {
		t.Fatalf("turned: %d x %d pixels", w, h)
	}
	for y := range h {
		for x := range w {
			if a, b := turned[y*w+x], upright[(height-1-x)*width+y]; max(a-b, b-a) > 0.01 {
				t.Fatalf("pixel %d, %d is %v, not %v", x, y, a, b)
			}
		}
	}
}

// A picture of another format is refused with its name and what to do; and WebP if it is damaged.
func TestOtherFormatsAreNamed(t *testing.T) {
	whole := testdata(t, "lossy.webp")
	for name, c := range map[string]struct {
		data string
		webp bool
		want string
	}{
		"WebP": {string(whole), false, "Request has invalid image format: it is a WebP " +
			"picture. Save it as JPEG or PNG, or start the server with --formats webp."},
		"HEIC": {"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", false,
			"Request has invalid image format: it is a HEIC picture. Save it as JPEG or PNG."},
		"AVIF": {"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", true,
			"Request has invalid image format: it is an AVIF picture. Save it as JPEG or PNG."},
		"text":    {"hello, this is a text", true, "Request has invalid image format"},
		"a video": {"\x00\x00\x00\x18ftypisom\x00\x00", true, "Request has invalid image format"},
		"animated WebP": {"RIFF\x24\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00", true,
			"Request has invalid image format"},
		"cut WebP": {string(whole[:len(whole)/2]), true, "Request has invalid image format"},
		"WebP of nothing": {"RIFF\x24\x00\x00\x00WEBPVP8 ", true,
			"Request has invalid image format"},
	} {
		d := newTestDecoder(DefaultMemory)
		d.webp = c.webp
		_, _, err := d.decode(t.Context(), []byte(c.data))
		if fault, ok := errors.AsType[*recollect.Error](err); !ok ||
			fault.Code != recollect.CodeInvalidImageFormat || fault.Message != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
	d := newTestDecoder(DefaultMemory)
	d.webp = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := d.decode(ctx, whole); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
