package vision_test

import (
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// The head in LFW's pictures: the mean box of 244 of them that have a single face.
var lfwHead = image.Rect(79, 60, 173, 192)

// canvas is a picture with heads of LFW at known places.
type canvas struct {
	*image.RGBA
	heads []recollect.BoundingBox // in pixels
}

// newCanvas composes heads of a height in pixels, rotated by up to 30 degrees and darkened or
// brightened, with a background without a face: as many as fit, and at most the given number.
func newCanvas(t *testing.T, random *rand.Rand, ground image.Image, paths []string, width, height,
	head, most int) canvas {
	t.Helper()
	c := canvas{RGBA: image.NewRGBA(image.Rect(0, 0, width, height))}
	draw.ApproxBiLinear.Scale(c, c.Rect, ground, ground.Bounds(), draw.Src, nil)
	scale := float64(head) / float64(lfwHead.Dy())
	type place struct{ x, y float64 }
	var places []place
	for range 500 {
		if len(places) == most {
			break
		}
		room := 0.8 * discRadius * scale
		at := place{room + random.Float64()*(float64(width)-2*room), room +
			random.Float64()*(float64(height)-2*room)}
		if slices.ContainsFunc(places,
			func(p place) bool { return math.Hypot(p.x-at.x, p.y-at.y) < 1.9*discRadius*scale }) {
			continue
		}
		places = append(places, at)
		f := disc(loadFile(t, paths[random.IntN(len(paths))]), 0.5+0.8*random.Float64())
		sin, cos := math.Sincos((2*random.Float64() - 1) * math.Pi / 6)
		turn := f64.Aff3{
			scale * cos, -scale * sin, at.x - 125*scale*(cos-sin),
			scale * sin, scale * cos, at.y - 125*scale*(sin+cos),
		}
		draw.BiLinear.Transform(c.RGBA, turn, f, f.Rect, draw.Over, nil)
		c.heads = append(c.heads, recollect.BoundingBox{
			Left:   float32(at.x + scale*float64(lfwHead.Min.X-125)),
			Top:    float32(at.y + scale*float64(lfwHead.Min.Y-125)),
			Width:  float32(scale * float64(lfwHead.Dx())),
			Height: float32(scale * float64(lfwHead.Dy())),
		})
	}
	return c
}

// discRadius is the radius of the part of LFW's pictures that is composed with a canvas, in pixels
// around their middle.
const discRadius = 95

// disc brightens a picture of LFW by a factor and cuts out its middle, with a soft edge. It changes
// the picture.
func disc(f *image.RGBA, light float64) *image.RGBA {
	for y := range f.Rect.Dy() {
		for x := range f.Rect.Dx() {
			alpha := min(max(5*(1-math.Hypot(float64(x)-124.5, float64(y)-124.5)/discRadius), 0), 1)
			at := f.Pix[y*f.Stride+4*x:][:4]
			for c := range 3 {
				at[c] = uint8(alpha * min(light*float64(at[c]), 255))
			}
			at[3] = uint8(255 * alpha)
		}
	}
	return f
}

// loadFile decodes a JPEG of any path with Go's decoder.
func loadFile(t *testing.T, path string) *image.RGBA {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Rect, img, image.Point{}, draw.Src)
	return out
}

// lfwPaths returns the first pictures of all people.
func lfwPaths(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(shared, "lfw", "images", "*", "*_0001.jpg"))
	if err != nil || len(paths) == 0 {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	return paths
}

// found counts the results for heads or faces of known boxes.
type found struct{ faces, hits, twice, elsewhere int }

func (f found) recall() float64 { return float64(f.hits) / float64(f.faces) }

// precision counts a second detection of a face as wrong.
func (f found) precision() float64 { return float64(f.hits) / float64(f.hits+f.twice+f.elsewhere) }

func (f *found) add(o found) {
	f.faces += o.faces
	f.hits += o.hits
	f.twice += o.twice
	f.elsewhere += o.elsewhere
}

// compare compares the faces of a picture of a size with the boxes in it, which are in pixels.
func compare(faces []face.FaceDetail, truth []recollect.BoundingBox, width, height int) found {
	f := found{faces: len(truth)}
	hit := make([]bool, len(truth))
	for _, single := range faces {
		b := single.BoundingBox
		b.Left, b.Top, b.Width, b.Height = b.Left*float32(width), b.Top*float32(height),
			b.Width*float32(width), b.Height*float32(height)
		i := slices.IndexFunc(truth,
			func(o recollect.BoundingBox) bool { return b.IntersectionOverUnion(o) >= 0.4 })
		switch {
		case i < 0:
			f.elsewhere++
		case hit[i]:
			f.twice++
		default:
			hit[i] = true
			f.hits++
		}
	}
	return f
}

// TestLFWCanvases measures the share of detected faces by their size: heads of LFW at known places,
// in pictures of 1920 x 1080 and of four times as many pixels. A head that is 40 pixels high is
// smaller than 40 x 40.
func TestLFWCanvases(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	e := newEngine(t, vision.Options{})
	paths, ground := lfwPaths(t), load(t, "group/cf_017_0.jpg")
	random := rand.New(rand.NewPCG(20, 26))
	var all found
	for _, test := range []struct {
		width, height, head, canvases int
	}{
		{1920, 1080, 40, 4}, {1920, 1080, 48, 2}, {1920, 1080, 64, 2}, {1920, 1080, 80, 2},
		{1920, 1080, 100, 2},
		{1920, 1080, 140, 2}, {1920, 1080, 200, 2}, {1920, 1080, 400, 2},
		{1080, 1920, 40, 2}, {1080, 1920, 100, 2}, {1080, 1920, 400, 2},
		{3840, 2160, 80, 2}, {3840, 2160, 160, 1}, {3840, 2160, 400, 1},
	} {
		var f found
		for range test.canvases {
			c := newCanvas(t, random, ground, paths, test.width, test.height, test.head, 25)
			f.add(compare(detect(t, e, encodeJPEG(t, c.RGBA)).Faces(), c.heads, test.width,
				test.height))
		}
		all.add(f)
		t.Logf("| %d x %d | %d | %d | %.1f %% | %d | %d |", test.width, test.height, test.head,
			f.faces, 100*f.recall(), f.twice, f.elsewhere)
		least := 0.97
		if test.head*1080 <= 40*min(test.width, test.height) {
			least = 0.90
		}
		if f.recall() < least {
			t.Errorf("of heads %d pixels high in %d x %d, %.3f are found, want %.2f", test.head,
				test.width, test.height, f.recall(), least)
		}
	}
	t.Logf("all: %d heads, recall %.2f %%, precision %.2f %%", all.faces, 100*all.recall(),
		100*all.precision())
	if all.recall() < 0.97 || all.precision() < 0.98 {
		t.Errorf("recall %.3f and precision %.3f, want 0.97 and 0.98", all.recall(),
			all.precision())
	}
}

// Of more faces the 100 largest are detected, each once.
func TestDetectCrowd(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes 132 pictures")
	}
	e := newEngine(t, vision.Options{})
	paths := lfwPaths(t)
	const columns, rows = 12, 11
	img := image.NewRGBA(image.Rect(0, 0, 250*columns, 250*rows))
	for i := range columns * rows {
		at := image.Pt(i%columns*250, i/columns*250)
		draw.Draw(img, image.Rectangle{at, at.Add(image.Pt(250, 250))}, loadFile(t, paths[i*17]),
			image.Point{}, draw.Src)
	}
	faces := detect(t, e, encodeJPEG(t, img)).Faces()
	if len(faces) != 100 {
		t.Fatalf("found %d faces, want the 100 largest", len(faces))
	}
	for i, f := range faces {
		if i > 0 && area(f) > area(faces[i-1]) {
			t.Errorf("face %d is larger than the one before", i)
		}
		for j, o := range faces[:i] {
			if f.BoundingBox.IntersectionOverUnion(o.BoundingBox) > 0.4 {
				t.Errorf("faces %d and %d are the same: %+v", i, j, f.BoundingBox)
			}
		}
	}
}

// In pictures without a face none is detected, for any size and aspect ratio.
func TestDetectNothing(t *testing.T) {
	e := newEngine(t, vision.Options{})
	noise := rand.New(rand.NewPCG(1, 1))
	for name, at := range map[string]func(x, y int) color.Color{
		"black": func(x, y int) color.Color { return color.Black },
		"white": func(x, y int) color.Color { return color.White },
		"noise": func(x, y int) color.Color { return color.Gray{uint8(noise.IntN(256))} },
		"checks": func(x,
			y int) color.Color {
			return color.Gray{uint8(255 * ((x/16 + y/16) % 2))}
		},
	} {
		for _, size := range []image.Point{{80, 80}, {1000, 700}, {3000, 80}, {80, 3000}} {
			if faces := detect(t, e, change(t, size.X, size.Y, at)).Faces(); len(faces) != 0 {
				t.Errorf("%s of %v has %d faces: %+v", name, size, len(faces), faces[0].BoundingBox)
			}
		}
	}
}

// A face that the picture's edge cuts is returned like others, and an upside-down face is detected.
func TestDetectOddFaces(t *testing.T) {
	e := newEngine(t, vision.Options{})
	img := load(t, portrait)
	width, height := img.Rect.Dx(), img.Rect.Dy()
	for name, part := range map[string]image.Rectangle{
		"left":  image.Rect(width/2, 0, width, height),
		"top":   image.Rect(0, height/2, width, height),
		"right": image.Rect(0, 0, width/2, height), "bottom": image.Rect(0, 0, width, height/2),
	} {
		photo := detect(t, e, encodeJPEG(t, img.SubImage(part)))
		for i, f := range photo.Faces() {
			if b := f.BoundingBox; !(b.Left < 1 && b.Top < 1 && b.Left+b.Width > 0 && b.Top+
				b.Height > 0 && b.Width > 0 && b.Height > 0) {
				t.Errorf("cut on the %s: the box is %+v", name, b)
			}
			if _, err := photo.Embed(t.Context(), i); err != nil {
				t.Errorf("cut on the %s: %v", name, err)
			}
		}
	}
	turned := detect(t, e,
		change(t, width, height,
			func(x, y int) color.Color { return img.At(width-1-x, height-1-y) })).Faces()
	if len(turned) != 1 || !inside(turned[0], 0.5, 0.5) {
		t.Errorf("upside down there are %d faces", len(turned))
	}
}

// A picture of 48 megapixels is processed within the memory that is reserved for its header.
func TestDetectHuge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const width, height = 8000, 6000
	const bound = 4 * width * height // bytes, what a baseline JPEG may take
	e := newEngine(t, vision.Options{Memory: vision.NewMemory(bound)})
	detect(t, e, read(t, portrait)) // the networks' own memory
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	f := load(t, portrait)
	for y := range 200 { // in grey, at 1/40 of the width
		for x := range 200 {
			c := color.GrayModel.Convert(f.At(25+x, 25+y)).(color.Gray)
			for dy := range 2 {
				for dx := range 2 {
					img.Y[(4001+2*y+dy)*img.YStride+5003+2*x+dx] = c.Y
				}
			}
		}
	}
	data := encodeJPEG(t, img)
	var faces []face.FaceDetail
	took := allocated(func() {
		photo, err := e.Detect(context.Background(), data, 0)
		if err != nil {
			t.Fatal(err)
		}
		faces = photo.Faces()
	})
	if len(faces) != 1 || !inside(faces[0], 5203./width, 4201./height) {
		t.Errorf("found %+v", faces)
	}
	t.Logf("%d MB, %.1f bytes a pixel", took>>20, float64(took)/width/height)
	if took > bound {
		t.Errorf("it took %d bytes, more than %d", took, bound)
	}
}

// allocated returns the bytes that f allocates in total, which is at least its peak.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
