// Package ocrtest draws pictures of words, and compares what was read in them.
package ocrtest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/f64"
	"golang.org/x/image/math/fixed"

	"github.com/recollect-dev/recollect/internal/text"
)

// Placed is a word of a page.
type Placed struct {
	Text   string
	Font   string
	Height int     // of its ink before it is turned, in pixels
	Angle  float64 // degrees, clockwise
	Quad   text.Quad
}

// Page is a picture of words.
type Page struct {
	PNG           []byte
	Width, Height int
	Words         []Placed
}

// Drawer draws pages.
type Drawer struct {
	Rand  *rand.Rand
	Fonts []Font
	Words []string

	// The heights of the words' ink are MinHeight to MaxHeight pixels, and they are turned by at
	// most MaxAngle degrees either way, and then by Quarters quarters of a turn clockwise.
	MinHeight, MaxHeight int
	MaxAngle             float64
	Quarters             int
}

// most words of a page, which has pageWidth x pageHeight pixels.
const (
	mostWords  = 20
	pageWidth  = 1280
	pageHeight = 960
)

// Page draws a page with as many words as fit, at most 20, none over another.
func (d *Drawer) Page() (*Page, error) {
	canvas := image.NewRGBA(image.Rect(0, 0, pageWidth, pageHeight))
	back := d.background(canvas)
	page := &Page{Width: pageWidth, Height: pageHeight}
	var taken []image.Rectangle
	for range 5 * mostWords {
		if len(page.Words) == mostWords {
			break
		}
		word, mask, err := d.word()
		if err != nil {
			return nil, err
		}
		angle := (2*d.Rand.Float64() - 1) * d.MaxAngle
		place, box := d.place(mask.Rect.Dx(), mask.Rect.Dy(), angle+90*float64(d.Quarters))
		room := box.Inset(-max(12, mask.Rect.Dy()*2/3))
		overlaps := !room.In(canvas.Rect)
		for _, t := range taken {
			overlaps = overlaps || room.Overlaps(t)
		}
		if overlaps {
			continue
		}
		taken = append(taken, box)
		xdraw.CatmullRom.Transform(canvas, place, image.NewUniform(d.ink(back)), mask.Rect,
			xdraw.Over, &xdraw.Options{SrcMask: mask})
		word.Angle = angle
		for i, c := range [4][2]float64{{0, 0}, {1, 0}, {1, 1}, {0, 1}} {
			x, y := c[0]*float64(mask.Rect.Dx()), c[1]*float64(mask.Rect.Dy())
			word.Quad[i] = text.Point{
				X: float32((place[0]*x + place[1]*y + place[2]) / pageWidth),
				Y: float32((place[3]*x + place[4]*y + place[5]) / pageHeight),
			}
		}
		page.Words = append(page.Words, word)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, canvas); err != nil {
		return nil, err
	}
	page.PNG = b.Bytes()
	return page, nil
}

// word draws a random word, and returns its ink.
func (d *Drawer) word() (Placed, *image.Alpha, error) {
	for {
		f := d.Fonts[d.Rand.IntN(len(d.Fonts))]
		word := d.Words[d.Rand.IntN(len(d.Words))]
		if !f.has(word) {
			continue
		}
		height := d.MinHeight + d.Rand.IntN(d.MaxHeight-d.MinHeight+1)
		mask, err := f.draw(word, height)
		if err != nil {
			return Placed{}, nil, fmt.Errorf("drawing %q in %s: %w", word, f.Name, err)
		}
		if mask.Rect.Dx() > pageWidth*2/3 {
			continue // it would fit nowhere when it is turned
		}
		return Placed{Text: word, Font: f.Name, Height: mask.Rect.Dy()}, mask, nil
	}
}

// has reports whether the font has all letters of a word.
func (f Font) has(word string) bool {
	var buffer sfnt.Buffer
	for _, letter := range word {
		if at, err := f.font.GlyphIndex(&buffer, letter); err != nil || at == 0 {
			return false
		}
	}
	return true
}

// draw returns the ink of a word so large that it is height pixels high.
func (f Font) draw(word string, height int) (*image.Alpha, error) {
	const trial = 100 // pixels
	bounds := func(size float64) (fixed.Rectangle26_6, font.Face, error) {
		face, err := opentype.NewFace(f.font, &opentype.FaceOptions{Size: size, DPI: 72})
		if err != nil {
			return fixed.Rectangle26_6{}, nil, err
		}
		box, _ := font.BoundString(face, word)
		return box, face, nil
	}
	box, face, err := bounds(trial)
	if err != nil {
		return nil, err
	}
	size := trial * float64(height) / (float64(box.Max.Y-box.Min.Y) / 64)
	// A word of small letters or a dash is no larger than one with capitals.
	size = min(size, 2*float64(height))
	if err := face.Close(); err != nil {
		return nil, err
	}
	if box, face, err = bounds(size); err != nil {
		return nil, err
	}
	defer face.Close()
	left, top := box.Min.X.Floor(), box.Min.Y.Floor()
	mask := image.NewAlpha(image.Rect(0, 0, box.Max.X.Ceil()-left, box.Max.Y.Ceil()-top))
	pen := font.Drawer{Dst: mask, Src: image.Opaque, Face: face, Dot: fixed.P(-left, -top)}
	pen.DrawString(word)
	return mask, nil
}

// place puts a rectangle somewhere in the page, turned clockwise by degrees, and returns the map to
// the page and the box around it there.
func (d *Drawer) place(width, height int, degrees float64) (f64.Aff3, image.Rectangle) {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	w, h := float64(width), float64(height)
	boxWidth := math.Abs(w*cos) + math.Abs(h*sin)
	boxHeight := math.Abs(w*sin) + math.Abs(h*cos)
	x := boxWidth/2 + d.Rand.Float64()*max(pageWidth-boxWidth, 0)
	y := boxHeight/2 + d.Rand.Float64()*max(pageHeight-boxHeight, 0)
	m := f64.Aff3{cos, -sin, x - cos*w/2 + sin*h/2, sin, cos, y - sin*w/2 - cos*h/2}
	return m, image.Rect(int(x-boxWidth/2), int(y-boxHeight/2), int(math.Ceil(x+boxWidth/2)),
		int(math.Ceil(y+boxHeight/2)))
}

// background paints a tone, a shade from one tone to another, or noise, and returns its luma.
func (d *Drawer) background(canvas *image.RGBA) float64 {
	level := d.Rand.Float64() * 255
	tint := [3]float64{d.Rand.Float64()*50 - 25, d.Rand.Float64()*50 - 25, d.Rand.Float64()*50 - 25}
	shade, noise := 0.0, 0.0
	switch d.Rand.IntN(3) {
	case 1:
		shade = 40
	case 2:
		noise = 20
	}
	for y := range pageHeight {
		for x := range pageWidth {
			v := level + shade*(float64(x+y)/(pageWidth+pageHeight)-0.5) +
				noise*(2*d.Rand.Float64()-1)
			canvas.SetRGBA(x, y, color.RGBA{tone(v + tint[0]), tone(v + tint[1]),
				tone(v + tint[2]), 255})
		}
	}
	return level
}

// ink is a colour that is lighter or darker than the background by 100 or more.
func (d *Drawer) ink(back float64) color.Color {
	const least = 100
	v := d.Rand.Float64() * max(back-least, 0)
	if back < 255-back {
		v = back + least + d.Rand.Float64()*max(255-least-back, 0)
	}
	tint := func() uint8 { return tone(v + d.Rand.Float64()*40 - 20) }
	return color.RGBA{tint(), tint(), tint(), 255}
}

func tone(v float64) uint8 { return uint8(min(max(v, 0), 255)) }

// Reading is how a word of a page was read.
type Reading struct {
	Placed
	Read       string // empty: not at all
	Confidence float32
	Overlap    float32 // intersection over union of the boxes around the word, there and read
}

// Right reports whether the word was read as it is.
func (r Reading) Right() bool { return r.Read == r.Text }

// Compare finds for each word of a page the one that was read where it is.
func (p *Page) Compare(lines []text.Line) []Reading {
	readings := make([]Reading, len(p.Words))
	for i, w := range p.Words {
		readings[i].Placed = w
		for _, l := range lines {
			for _, read := range l.Words {
				overlap := read.Polygon.Box().IntersectionOverUnion(w.Quad.Box())
				if overlap > readings[i].Overlap {
					readings[i].Read, readings[i].Confidence = read.Text, read.Confidence
					readings[i].Overlap = overlap
				}
			}
		}
	}
	return readings
}
