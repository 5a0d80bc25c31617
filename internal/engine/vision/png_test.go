package vision

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"io"
	"testing"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// withExif puts a chunk eXIf behind a PNG file's header.
func withExif(data []byte, tiff string) []byte {
	return withChunk(data, "eXIf", []byte(tiff))
}

func withChunk(data []byte, kind string, content []byte) []byte {
	const header = len(pngSignature) + 25
	var b bytes.Buffer
	b.Write(data[:header])
	if _, err := (chunkWriter{&b, kind}).Write(content); err != nil {
		panic(err) // a buffer takes all
	}
	b.Write(data[header:])
	return b.Bytes()
}

// Upright turns a PNG as the engine does.
func TestUprightPNG(t *testing.T) {
	data := testdata(t, "drawing.png")
	width, height, _ := pixels(t, data)
	turned, err := Upright(withExif(data, string(orientationTIFF(binary.BigEndian, shortType, 6))))
	if err != nil || turned.Rect.Size() != image.Pt(height, width) {
		t.Errorf("%v, %v", turned.Rect, err)
	}
}

// A PNG is turned as its chunk eXIf says, wherever that is, with or without the prefix of a JPEG.
func TestPNGOrientation(t *testing.T) {
	data := testdata(t, "drawing.png")
	width, height, want := pixels(t, data)
	tiff := string(orientationTIFF(binary.BigEndian, shortType, 6))
	var late bytes.Buffer
	late.Write(data[:len(data)-12])
	if _, err := (chunkWriter{&late, "eXIf"}).Write([]byte(tiff)); err != nil {
		t.Fatal(err)
	}
	late.Write(data[len(data)-12:])
	for name, data := range map[string][]byte{
		"first": withExif(data, tiff), "with a prefix": withExif(data, "Exif\x00\x00"+tiff),
		"after the data": late.Bytes(),
	} {
		w, h, got := pixels(t, data)
		if w != height || h != width {
			t.Errorf("%s: %d x %d pixels", name, w, h)
			continue
		}
		for y := range h {
			for x := range w {
				// Turned to the right, the stored lower left is the upper left.
				if a, b := got[y*w+x], want[(height-1-x)*width+y]; a != b {
					t.Fatalf("%s: pixel %d, %d is %v, not %v", name, x, y, a, b)
				}
			}
		}
	}
	broken := withExif(data, tiff)
	broken[bytes.Index(broken, []byte("eXIf"))+4+len(tiff)]++ // its checksum
	for name, data := range map[string][]byte{"none": data, "broken": broken,
		"nonsense": withExif(data, "hello")} {
		if w, h, _ := pixels(t, data); w != width || h != height {
			t.Errorf("%s: %d x %d pixels", name, w, h)
		}
	}
}

// decodeCut decodes a picture that may be cut off, and returns its samples and how many rows from
// the first on are whole.
func decodeCut(t *testing.T, data []byte) (rgb []float32, rows int, err error) {
	t.Helper()
	p, release, err := newTestDecoder(DefaultMemory).decode(t.Context(), data)
	if err != nil {
		return nil, 0, err
	}
	defer release()
	width, height := p.size()
	rgb = make([]float32, 3*width*height)
	p.crop(rgb, width, height, 3, rect{0, 0, float64(width), float64(height)})
	rows = height
	for p.whole != nil && rows > 0 && !p.whole(0, rows) {
		rows--
	}
	return rgb, rows, nil
}

// Wherever a PNG is cut off, the rows that are said to be whole are.
func TestPNGCutAnywhere(t *testing.T) {
	for _, name := range []string{"drawing.png", "interlaced.png"} {
		data := testdata(t, name)
		width, height, want := pixels(t, data)
		before := 0
		for end := len(pngSignature) + 25; end < len(data); end += 1 + end%7 {
			got, rows, err := decodeCut(t, data[:end])
			if err != nil {
				if before > 0 || recollect.CodeOf(err) != recollect.CodeInvalidImageFormat {
					t.Fatalf("%s, %d bytes: %v", name, end, err)
				}
				continue
			}
			if rows < before {
				t.Fatalf("%s: %d bytes have %d rows, and fewer had %d", name, end, rows, before)
			}
			before = rows
			for c := range 3 {
				plane := c * width * height
				if !equal(got[plane:][:rows*width], want[plane:][:rows*width]) {
					t.Fatalf("%s, %d bytes: the first %d rows are others", name, end, rows)
				}
			}
		}
		if before != height {
			t.Errorf("%s: %d of %d rows without the end", name, before, height)
		}
		if _, rows, err := decodeCut(t, data[:len(data)-12]); rows != height || err != nil {
			t.Errorf("%s without IEND: %d rows, %v", name, rows, err)
		}
	}
}

func equal(a, b []float32) bool {
	for i, v := range a {
		if v != b[i] {
			return false
		}
	}
	return true
}

// severalChunks is a PNG of random pixels, whose data is in chunks of so many bytes.
func severalChunks(t *testing.T, size int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 100, 100))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i >> 3)
	}
	whole := encodePNG(t, img)
	at := bytes.Index(whole, []byte("IDAT")) - 4
	out := bytes.NewBuffer(bytes.Clone(whole[:at]))
	data := whole[at+8 : at+8+int(binary.BigEndian.Uint32(whole[at:]))]
	for len(data) > 0 {
		n := min(size, len(data))
		if _, err := (chunkWriter{out, "IDAT"}).Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	out.Write(whole[len(whole)-12:])
	return out.Bytes()
}

// A damaged chunk of data ends the picture; one that is not needed is skipped; a wrong checksum
// of the unpacked data is no matter where those of the chunks are right.
func TestPNGDamage(t *testing.T) {
	data := severalChunks(t, 500)
	_, whole, err := decodeCut(t, data)
	if err != nil || whole != 100 {
		t.Fatal(whole, err)
	}
	third := bytes.Clone(data)
	at := len(pngSignature) + 25 + 2*512
	third[at+100] ^= 0x55
	if _, rows, err := decodeCut(t, third); err != nil || rows < 5 || rows > 60 {
		t.Errorf("damage in the third chunk: %d rows, %v", rows, err)
	}

	text := withChunk(data, "tEXt", []byte("Comment\x00hello"))
	text[bytes.Index(text, []byte("hello"))] = 'H'
	if _, rows, err := decodeCut(t, text); err != nil || rows != 100 {
		t.Errorf("a damaged comment: %d rows, %v", rows, err)
	}

	wrong := severalChunks(t, 1<<20)
	end := len(wrong) - 12 - 4 // of the only chunk's content
	wrong[end-1]++
	sum := crc32.ChecksumIEEE(wrong[bytes.Index(wrong, []byte("IDAT")):end])
	binary.BigEndian.PutUint32(wrong[end:], sum)
	if _, rows, err := decodeCut(t, wrong); err != nil || rows != 100 {
		t.Errorf("a wrong checksum of the data: %d rows, %v", rows, err)
	}
	if z, err := zlib.NewReader(bytes.NewReader(wrong[bytes.Index(wrong,
		[]byte("IDAT"))+4:])); err != nil {
		t.Fatal(err)
	} else if _, err := io.Copy(io.Discard, z); !errors.Is(err, zlib.ErrChecksum) {
		t.Errorf("the test's data has a right checksum: %v", err)
	}

	header := bytes.Clone(data)
	header[len(pngSignature)+8]++ // its width
	if _, _, err := decodeCut(t, header); recollect.CodeOf(err) !=
		recollect.CodeInvalidImageFormat {
		t.Errorf("a damaged header: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := newTestDecoder(DefaultMemory).decode(ctx, third); !errors.Is(err,
		context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
