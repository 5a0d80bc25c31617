package vision

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/recollect-dev/recollect/internal/recollect"
)

func newTestDecoder(memory int64) *decoder {
	return &decoder{memory: NewMemory(memory), least: minSide}
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pixels decodes a picture and returns it upright, as planes of red, green and blue.
func pixels(t testing.TB, data []byte) (width, height int, rgb []float32) {
	t.Helper()
	p, release, err := newTestDecoder(DefaultMemory).decode(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	width, height = p.size()
	rgb = make([]float32, 3*width*height)
	p.crop(rgb, width, height, 3, rect{0, 0, float64(width), float64(height)})
	return width, height, rgb
}

// difference returns the mean and the largest absolute difference of two lists of values.
func difference(a, b []float32) (mean, most float64) {
	for i := range a {
		d := float64(max(a[i]-b[i], b[i]-a[i]))
		mean += d / float64(len(a))
		most = max(most, d)
	}
	return mean, most
}

func drawing(t testing.TB) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(testdata(t, "drawing.png")))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// redraw copies an image, color by color.
func redraw[T interface {
	image.Image
	Set(x, y int, c color.Color)
}](from image.Image, to T, change func(color.NRGBA) color.Color) T {
	for y := range from.Bounds().Dy() {
		for x := range from.Bounds().Dx() {
			to.Set(x, y, change(color.NRGBAModel.Convert(from.At(x, y)).(color.NRGBA)))
		}
	}
	return to
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every kind of JPEG and PNG shows the same drawing.
func TestDecodeKinds(t *testing.T) {
	img := drawing(t)
	bounds := img.Bounds()
	same := func(c color.NRGBA) color.Color { return c }
	grey := func(c color.NRGBA) color.Color { return color.GrayModel.Convert(c) }
	var palette color.Palette
	for i := range 216 {
		palette = append(palette,
			color.NRGBA{uint8(i / 36 * 51), uint8(i / 6 % 6 * 51), uint8(i % 6 * 51), 255})
	}
	translucent := func(c color.NRGBA) color.Color { c.A = 128; return c }
	translucentWide := func(c color.NRGBA) color.Color {
		return color.NRGBA64{uint16(c.R) * 257, uint16(c.G) * 257, uint16(c.B) * 257, 0x8080}
	}
	onWhiteHalf := func(c color.NRGBA) color.Color {
		half := func(v uint8) uint8 { return uint8((uint(v)*128 + 255*127 + 127) / 255) }
		return color.NRGBA{half(c.R), half(c.G), half(c.B), 255}
	}
	transparent := append(color.Palette{color.NRGBA{}}, palette...)

	_, _, want := pixels(t, testdata(t, "drawing.png"))
	_, _, wantGrey := pixels(t, encodePNG(t, redraw(img, image.NewNRGBA(bounds), grey)))
	_, _, wantPalette := pixels(t,
		encodePNG(t,
			redraw(img, image.NewNRGBA(bounds),
				func(c color.NRGBA) color.Color { return palette.Convert(c) })))
	_, _, wantHalf := pixels(t, encodePNG(t, redraw(img, image.NewNRGBA(bounds), onWhiteHalf)))
	white := make([]float32, len(want))
	for i := range white {
		white[i] = 255
	}
	var subsampled bytes.Buffer
	if err := jpeg.Encode(&subsampled, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		data []byte
		want []float32
		mean float64 // the allowed mean difference, of 255
	}{
		"baseline 4:2:0":   {testdata(t, "baseline420.jpg"), want, 3},
		"baseline 4:2:2":   {testdata(t, "baseline422.jpg"), want, 3},
		"baseline 4:4:4":   {testdata(t, "baseline444.jpg"), want, 3},
		"progressive":      {testdata(t, "progressive.jpg"), want, 3},
		"JPEG in RGB":      {testdata(t, "rgb.jpg"), want, 3},
		"CMYK":             {testdata(t, "cmyk.jpg"), want, 3},
		"CMYK progressive": {testdata(t, "cmyk-progressive.jpg"), want, 3},
		"grey JPEG":        {testdata(t, "grey.jpg"), wantGrey, 3},
		"grey progressive": {testdata(t, "grey-progressive.jpg"), wantGrey, 3},
		"as Go encodes it": {subsampled.Bytes(), want, 3},
		"interlaced PNG":   {testdata(t, "interlaced.png"), want, 0},
		"16 bits": {encodePNG(t, redraw(img, image.NewRGBA64(bounds), same)), want,
			0},
		"grey PNG": {encodePNG(t, redraw(img, image.NewGray(bounds), grey)),
			wantGrey, 0},
		"grey of 16 bits": {encodePNG(t, redraw(img, image.NewGray16(bounds), grey)),
			wantGrey, 0},
		"palette": {encodePNG(t,
			redraw(img, image.NewPaletted(bounds, palette), same)), wantPalette, 0},
		"alpha": {encodePNG(t, redraw(img, image.NewNRGBA(bounds), translucent)),
			wantHalf, 0},
		"alpha of 16 bits": {encodePNG(t,
			redraw(img, image.NewNRGBA64(bounds), translucentWide)), wantHalf, 0.5},
		"transparent in all":   {encodePNG(t, image.NewNRGBA(bounds)), white, 0},
		"palette, transparent": {encodePNG(t, image.NewPaletted(bounds, transparent)), white, 0},
		"palette with some transparent": {encodePNG(t,
			redraw(img, image.NewPaletted(bounds, transparent), same)), wantPalette, 0},
	} {
		t.Run(name, func(t *testing.T) {
			width, height, got := pixels(t, c.data)
			if width != bounds.Dx() || height != bounds.Dy() {
				t.Fatalf("%d x %d pixels, want %d x %d", width, height, bounds.Dx(), bounds.Dy())
			}
			if mean, most := difference(got, c.want); mean > c.mean+1e-4 ||
				(c.mean == 0 && most > 0.01) {
				t.Errorf("the mean difference is %.2f and the largest %.0f", mean, most)
			}
		})
	}
}

// rawPNG returns a PNG file with the given size in its header and the given compressed data.
func rawPNG(width, height uint32, depth, colorType byte, data []byte) []byte {
	chunk := func(kind string, content []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
		b = append(append(b, kind...), content...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	head := binary.BigEndian.AppendUint32(nil, width)
	head = binary.BigEndian.AppendUint32(head, height)
	file := []byte("\x89PNG\r\n\x1a\n")
	file = append(file, chunk("IHDR", append(head, depth, colorType, 0, 0, 0))...)
	file = append(file, chunk("IDAT", data)...)
	return append(file, chunk("IEND", nil)...)
}

// wrongSizeJPEG returns a real JPEG file with another size in its header.
func wrongSizeJPEG(t testing.TB, name string, width, height uint16) []byte {
	data := bytes.Clone(testdata(t, name))
	for _, marker := range []string{"\xff\xc0", "\xff\xc2"} {
		if at := bytes.Index(data, []byte(marker)); at >= 0 {
			binary.BigEndian.PutUint16(data[at+5:], height)
			binary.BigEndian.PutUint16(data[at+7:], width)
			return data
		}
	}
	t.Fatalf("%s has no frame header", name)
	return nil
}

func TestDecodeRefuses(t *testing.T) {
	whole := testdata(t, "baseline420.jpg")
	progressive := testdata(t, "progressive.jpg")
	drawn := testdata(t, "drawing.png")
	flipped := bytes.Clone(drawn)
	flipped[len(flipped)/2] ^= 0xff
	var manyScans []byte
	at := bytes.LastIndex(progressive, []byte("\xff\xda"))
	for range 3000 {
		manyScans = append(manyScans, progressive[at:len(progressive)-2]...)
	}
	manyScans = append(append(bytes.Clone(progressive[:len(progressive)-2]), manyScans...), 0xff,
		0xd9)
	few := make([]byte, 3000)
	binary.BigEndian.PutUint16(few, 0x78da)

	for name, c := range map[string]struct {
		data []byte
		want recollect.Code
	}{
		"nothing": {nil, recollect.CodeInvalidImageFormat},
		"text":    {[]byte("hello"), recollect.CodeInvalidImageFormat},
		"GIF": {[]byte("GIF89a\x60\x00\x60\x00\x00\x00\x00;"),
			recollect.CodeInvalidImageFormat},
		"WebP": {[]byte("RIFF\x24\x00\x00\x00WEBPVP8 "),
			recollect.CodeInvalidImageFormat},
		"JPEG signature": {[]byte("\xff\xd8\xff"), recollect.CodeInvalidImageFormat},
		"PNG signature":  {drawn[:8], recollect.CodeInvalidImageFormat},
		"a JPEG's headers": {whole[:bytes.Index(whole, []byte("\xff\xda"))],
			recollect.CodeInvalidImageFormat},
		"a JPEG without a whole row": {whole[:bytes.Index(whole, []byte("\xff\xda"))+30],
			recollect.CodeInvalidImageFormat},
		"half a progressive JPEG": {progressive[:len(progressive)/2],
			recollect.CodeInvalidImageFormat},
		"a PNG without a whole row": {drawn[:100], recollect.CodeInvalidImageFormat},
		"altered PNG":               {flipped, recollect.CodeInvalidImageFormat},
		"no height": {wrongSizeJPEG(t, "baseline420.jpg", 104, 0),
			recollect.CodeInvalidImageFormat},
		"narrow JPEG": {wrongSizeJPEG(t, "baseline420.jpg", 79, 88),
			recollect.CodeInvalidParameter},
		"low JPEG": {wrongSizeJPEG(t, "progressive.jpg", 104, 79),
			recollect.CodeInvalidParameter},
		"narrow PNG": {encodePNG(t, image.NewGray(image.Rect(0, 0, 79, 200))),
			recollect.CodeInvalidParameter},
		"900 megapixels, PNG": {rawPNG(30_000, 30_000, 8, 2, few), recollect.CodeImageTooLarge},
		"4000 megapixels, JPEG": {wrongSizeJPEG(t, "baseline420.jpg", 65_500, 65_500),
			recollect.CodeImageTooLarge},
		"overflowing PNG": {rawPNG(1<<31-1, 1<<31-1, 16, 6, few),
			recollect.CodeInvalidImageFormat},
		"100 megapixels of lies": {rawPNG(10_000, 10_000, 8, 2, few),
			recollect.CodeInvalidImageFormat},
		"81 megapixels of lies": {wrongSizeJPEG(t, "progressive.jpg", 9_000, 9_000),
			recollect.CodeInvalidImageFormat},
		"81 megapixels of arithmetic lies": {bytes.Replace(wrongSizeJPEG(t, "baseline420.jpg",
			9_000, 9_000)[:1000], []byte("\xff\xc0"), []byte("\xff\xc9"), 1),
			recollect.CodeInvalidImageFormat},
		"more scans than sense": {enlarge(manyScans), recollect.CodeInvalidImageFormat},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTestDecoder(DefaultMemory)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := d.decode(context.Background(), c.data)
			runtime.ReadMemStats(&after)
			if fault, ok := errors.AsType[*recollect.Error](err); !ok || fault.Code != c.want {
				t.Errorf("got %v, want code %d", err, c.want)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
				t.Errorf("refusing it allocated %d bytes", grown)
			}
			if !d.memory.budget.TryAcquire(d.memory.bytes) {
				t.Error("the memory was not given back")
			}
		})
	}
}

// enlarge changes the size in a JPEG file's header to 2000 x 2000 pixels.
func enlarge(data []byte) []byte {
	at := bytes.Index(data, []byte("\xff\xc2"))
	binary.BigEndian.PutUint16(data[at+5:], 2000)
	binary.BigEndian.PutUint16(data[at+7:], 2000)
	return data
}

func TestDecodeWaitsForMemory(t *testing.T) {
	data := testdata(t, "drawing.png")
	h, err := new(decoder).readHeader(data)
	if err != nil {
		t.Fatal(err)
	}
	cost := h.memory

	if _, _, err := newTestDecoder(cost-1).decode(t.Context(),
		data); recollect.CodeOf(err) != recollect.CodeImageTooLarge {
		t.Errorf("a picture that never fits: got %v, want that it is too large", err)
	}

	d := newTestDecoder(cost)
	_, release, err := d.decode(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error)
	go func() {
		_, release, err := d.decode(ctx, data)
		if err == nil {
			release()
		}
		second <- err
	}()
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("a picture without room: got %v, want that it waits until its context is done",
			err)
	}
	release()
	_, release, err = d.decode(t.Context(), data)
	if err != nil {
		t.Fatalf("a picture after the first: %v", err)
	}
	release()
}

func TestDecodeHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"drawing.png", "progressive.jpg"} {
		_, _, err := newTestDecoder(DefaultMemory).decode(ctx, testdata(t, name))
		if !errors.Is(err, context.Canceled) || recollect.CodeOf(err) != recollect.CodeInternal {
			t.Errorf("%s: got %v, want context.Canceled and no fault of the picture", name, err)
		}
	}
}

// Decoding does not panic, and decoded pictures are consistent with their headers.
func FuzzDecode(f *testing.F) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			f.Add(testdata(f, entry.Name()))
		}
	}
	f.Add(rawPNG(100, 100, 8, 0, []byte{0x78, 0xda, 0x63, 0x18, 0x05, 0xa3, 0x00}))
	f.Add(wrongSizeJPEG(f, "baseline420.jpg", 200, 300))
	for _, name := range []string{"baseline420.jpg", "progressive.jpg", "drawing.png",
		"interlaced.png"} {
		data := testdata(f, name)
		f.Add(data[:len(data)*4/5])
		f.Add(data[:len(data)-2])
	}
	f.Add(withExif(testdata(f, "drawing.png"), "MM\x00*\x00\x00\x00\x08\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A small limit keeps the fuzzer fast: larger pictures are rejected.
		d := newTestDecoder(8 << 20)
		d.webp = true
		p, release, err := d.decode(t.Context(), data)
		if err != nil {
			if recollect.CodeOf(err) == recollect.CodeInternal {
				t.Errorf("an input is no internal error: %v", err)
			}
			return
		}
		defer release()
		width, height := p.size()
		if min(width, height) < minSide || width*height > maxPixels {
			t.Errorf("decoded %d x %d pixels", width, height)
		}
		out := make([]float32, 3*50*40)
		p.crop(out, 50, 40, 3, rect{-10, 5, float64(width) + 10, float64(height) - 5})
		for _, v := range out {
			if !(v >= 0 && v <= 255.01) {
				t.Fatalf("a value of %v", v)
			}
		}
	})
}

// A JPEG that is decoded at a fraction of its size has the same content as one decoded in full, at
// any size and angle: bit for bit where finer rows are decoded, and nearly elsewhere, since means
// of samples are rounded once and not several times.
func TestDecodeAtAFraction(t *testing.T) {
	source := image.NewRGBA(image.Rect(0, 0, 1204, 906))
	img := drawing(t)
	for y := range 906 {
		for x := range 1204 {
			source.Set(x, y, img.At(x/7%img.Bounds().Dx(), y/7%img.Bounds().Dy()))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, source, &jpeg.Options{Quality: 92}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 8))
	for _, turn := range []uint16{1, 3, 6, 8} {
		data := WithOrientation(b.Bytes(), turn)
		for shift := 1; shift <= 3; shift++ {
			d := newTestDecoder(DefaultMemory)
			whole, _, err := d.decode(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			for range 40 {
				d.shift = func(int, int) int { return shift }
				// decoded again, so that only the rows of this crop are there
				p, _, err := d.decode(t.Context(), data)
				if err != nil {
					t.Fatal(err)
				}
				w, h := p.size()
				size, stretch := 40+600*random.Float64(), 0.5+random.Float64()
				x, y := random.Float64()*float64(w)-size/2, random.Float64()*float64(h)-size/2
				part := rect{x, y, x + size, y + size*stretch}
				const side = 64
				want, got := make([]float32, 3*side*side), make([]float32, 3*side*side)
				whole.crop(want, side, side, 3, part)
				p.crop(got, side, side, 3, part)
				exact := min(size, size*stretch)/side < 2
				if mean, most := difference(got, want); most > 14 || mean > 0.8 || exact &&
					most > 0 {
					t.Errorf("orientation %d, 1/%d, %v: the crops differ by %.3f, at most by %.1f",
						turn, 1<<shift, part, mean, most)
				}
				sin, cos := math.Sincos(random.Float64() * 6)
				scale := 0.3 + 4*random.Float64()
				m := affine{scale * cos, -scale * sin, x, scale * sin, scale * cos, y}
				wantBytes, gotBytes := make([]uint8, 3*side*side), make([]uint8, 3*side*side)
				whole.warp(wantBytes, side, m)
				p.warp(gotBytes, side, m)
				for i, v := range wantBytes {
					if d := int(v) - int(gotBytes[i]); max(d, -d) > 14 || scale*math.Sqrt2 < 2 &&
						d != 0 {
						t.Errorf("orientation %d, 1/%d, %v: a byte of the warp is %d, not %d", turn,
							1<<shift, m, gotBytes[i], v)
						break
					}
				}
			}
		}
	}
}
