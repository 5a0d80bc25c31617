package ocr_test

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/text"
)

// drawn returns a picture with texts, each at a place in pixels, black on white.
func drawn(t *testing.T, width, height int, texts map[image.Point]string) *image.Gray {
	t.Helper()
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 40, DPI: 72})
	if err != nil {
		t.Fatal(err)
	}
	defer face.Close()
	canvas := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(canvas, canvas.Rect, image.White, image.Point{}, draw.Src)
	for at, line := range texts {
		pen := font.Drawer{Dst: canvas, Src: image.Black, Face: face, Dot: fixed.P(at.X, at.Y)}
		pen.DrawString(line)
	}
	return canvas
}

// encoded returns a JPEG with an EXIF orientation.
func encoded(t *testing.T, img image.Image, orientation byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	// A segment APP1 with one tag, behind the two bytes that begin a JPEG.
	exif := "\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03" +
		"\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00\x00\x00\x00\x00"
	return slices.Concat(b.Bytes()[:2], []byte(exif), b.Bytes()[2:])
}

func texts(lines []text.Line) (all []string) {
	for _, l := range lines {
		all = append(all, l.Text())
	}
	return all
}

// Lines are read from the top to the bottom, and those in a row from the left to the right. The
// polygons are where the words are.
func TestOrderAndPlaces(t *testing.T) {
	e := engine(t)
	picture := drawn(t, 800, 400, map[image.Point]string{{60, 100}: "Platform 9",
		{500, 110}: "Gate B4", {60, 300}: "To the trains"})
	lines := readAll(t, e, encoded(t, picture, 1))
	signs := []string{"Platform 9", "Gate B4", "To the trains"}
	if got := texts(lines); !slices.Equal(got, signs) {
		t.Fatalf("read %q, want %q", got, signs)
	}
	// The ink of Platform is in columns 64 to 209 and rows 70 to 100.
	box := lines[0].Words[0].Polygon.Box()
	want := recollect.BoundingBox{Left: 64. / 800, Top: 70. / 400, Width: 145. / 800,
		Height: 31. / 400}
	if box.IntersectionOverUnion(want) < 0.85 {
		t.Errorf("the box of a word is %+v, want %+v", box, want)
	}

	// The same picture that is stored turned has the same text at the same places.
	stored := image.NewGray(image.Rect(0, 0, 400, 800))
	for y := range 800 {
		for x := range 400 {
			stored.SetGray(x, y, picture.GrayAt(799-y, x)) // a quarter against the clock
		}
	}
	turned := readAll(t, e, encoded(t, stored, 6)) // shown turned clockwise
	if !slices.Equal(texts(turned), texts(lines)) {
		t.Fatalf("read %q of the turned picture", texts(turned))
	}
	for i, l := range turned {
		for j, w := range l.Words {
			if w.Polygon.Box().IntersectionOverUnion(lines[i].Words[j].Polygon.Box()) < 0.8 {
				t.Errorf("%q is at %v in the turned picture, and at %v in the other", w.Text,
					w.Polygon, lines[i].Words[j].Polygon)
			}
		}
	}

	// What nobody wants is not read, and after what is enough nothing is.
	read := 0
	err := e.Read(t.Context(), encoded(t, picture, 1), func(q text.Quad) bool {
		return q[0].Y > 0.5
	}, func(l text.Line) bool {
		read++
		return l.Text() != "To the trains"
	})
	if err != nil || read != 1 {
		t.Errorf("%d lines were read, want the one below: %v", read, err)
	}
}

// Of a picture that is cut off the lines above are read, and one without a whole line is an error.
func TestDamagedPicture(t *testing.T) {
	e := engine(t)
	whole := encoded(t, drawn(t, 800, 800, map[image.Point]string{{60, 100}: "Platform 9",
		{60, 700}: "To the trains"}), 1)
	lines := readAll(t, e, whole[:len(whole)*7/10])
	if got := texts(lines); !slices.Equal(got, []string{"Platform 9"}) {
		t.Errorf("read %q of the upper part", got)
	}
	below := encoded(t, drawn(t, 800, 800, map[image.Point]string{{60, 700}: "To the trains"}), 1)
	err := e.Read(t.Context(), below[:len(below)*7/10], nil, func(l text.Line) bool {
		t.Errorf("read %q of what is not there", l.Text())
		return true
	})
	if recollect.CodeOf(err) != recollect.CodeInvalidImageFormat {
		t.Errorf("the error is %v", err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "a text": []byte("no picture")} {
		err := e.Read(t.Context(), data, nil, func(text.Line) bool { return true })
		if recollect.CodeOf(err) != recollect.CodeInvalidImageFormat {
			t.Errorf("%s: %v", name, err)
		}
	}
	small := encoded(t, drawn(t, 79, 80, nil), 1)
	err = e.Read(t.Context(), small, nil, func(text.Line) bool { return true })
	if recollect.CodeOf(err) != recollect.CodeInvalidParameter ||
		!strings.Contains(err.Error(), "79 x 80") {
		t.Errorf("a small picture: %v", err)
	}
}
