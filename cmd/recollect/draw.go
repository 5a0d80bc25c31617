package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// drawing is the flag --draw: a picture, with the boxes of its faces and their names drawn on it.
type drawing struct {
	File string // a PNG to write; empty: none
}

func (d *drawing) addFlags(cmd *cobra.Command, of string) {
	cmd.Flags().StringVar(&d.File, "draw", "",
		"PNG to write: "+of+", with the boxes of its faces and their names")
	cmd.MarkFlagFilename("draw", "png")
}

// Validate checks the flag for a command with these pictures.
func (d *drawing) Validate(pictures ...string) error {
	switch {
	case d.File == "":
		return nil
	case !strings.EqualFold(filepath.Ext(d.File), ".png"):
		return fmt.Errorf("--draw %q does not end in .png", d.File)
	case len(pictures) > 1:
		return errors.New("--draw is for one picture")
	}
	if _, _, isS3 := bucketAndKey(pictures[0]); isS3 {
		return errors.New("--draw needs a file: a picture of S3 is read by the server alone")
	}
	return nil
}

// mark is a face or a text to be drawn.
type mark struct {
	box     *types.BoundingBox // in ratios of the upright picture
	polygon []types.Point      // drawn instead of the box, if not nil
	name    string
	dim     bool // drawn in white: it is no match
}

// write draws marks on a picture, and writes it if the flag was given.
func (d *drawing) write(picture []byte, marks []mark) error {
	if d.File == "" {
		return nil
	}
	canvas, err := vision.Upright(picture)
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	if err := drawMarks(canvas, marks); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, canvas); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	return os.WriteFile(d.File, b.Bytes(), 0o600)
}

// drawMarks draws all boxes, and then all names, so that no box runs through a name.
func drawMarks(canvas *image.RGBA, marks []mark) error {
	bounds := canvas.Bounds()
	// Large enough to be read when the whole picture is shown in a window.
	size := max(11, math.Sqrt(float64(bounds.Dx())*float64(bounds.Dy()))/45)
	face, err := letters(size)
	if err != nil {
		return err
	}
	defer face.Close()
	line := max(2, int(size/7))
	for _, m := range marks {
		if m.polygon != nil {
			polygonOutline(canvas, m.polygon, line+2, color.Black)
			continue
		}
		outline(canvas, pixelsOf(m.box, bounds).Inset(-line), line+2, color.Black)
	}
	for _, m := range marks {
		if m.polygon != nil {
			polygonOutline(canvas, m.polygon, line, colourOf(m))
			continue
		}
		outline(canvas, pixelsOf(m.box, bounds).Inset(1-line), line, colourOf(m))
	}
	for _, m := range marks {
		if m.name != "" {
			writeName(canvas, face, pixelsOf(m.box, bounds).Inset(-line), m)
		}
	}
	return nil
}

// letters returns the Go font at a size in pixels.
func letters(size float64) (font.Face, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	const dotsPerInch = 72 // so that a point is a pixel
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: dotsPerInch,
		Hinting: font.HintingFull})
}

// colourOf returns the colour that the console has for a mark.
func colourOf(m mark) color.Color {
	if m.dim {
		return color.White
	}
	return color.RGBA{0x6c, 0xc1, 0xff, 0xff}
}

// pixelsOf returns a box in the pixels of a picture with these bounds.
func pixelsOf(b *types.BoundingBox, of image.Rectangle) image.Rectangle {
	if b == nil || b.Left == nil || b.Top == nil || b.Width == nil || b.Height == nil {
		return image.Rectangle{}
	}
	at := func(ratio float32, size int) int {
		return int(math.Round(float64(ratio) * float64(size)))
	}
	return image.Rect(at(*b.Left, of.Dx()), at(*b.Top, of.Dy()), at(*b.Left+*b.Width, of.Dx()),
		at(*b.Top+*b.Height, of.Dy()))
}

// outline draws a frame along the inside of a rectangle, width pixels wide.
func outline(canvas draw.Image, r image.Rectangle, width int, c color.Color) {
	fill := image.NewUniform(c)
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+width)}, {image.Pt(r.Min.X, r.Max.Y-width), r.Max},
		{r.Min, image.Pt(r.Min.X+width, r.Max.Y)}, {image.Pt(r.Max.X-width, r.Min.Y), r.Max},
	} {
		draw.Draw(canvas, side, fill, image.Point{}, draw.Src)
	}
}

// polygonOutline draws the edges of a polygon, as squares of a width that touch each other.
func polygonOutline(canvas draw.Image, points []types.Point, width int, c color.Color) {
	fill := image.NewUniform(c)
	size := canvas.Bounds()
	for i, from := range points {
		to := points[(i+1)%len(points)]
		x, y := float64(*from.X)*float64(size.Dx()), float64(*from.Y)*float64(size.Dy())
		dx, dy := float64(*to.X)*float64(size.Dx())-x, float64(*to.Y)*float64(size.Dy())-y
		steps := max(1, math.Ceil(max(math.Abs(dx), math.Abs(dy))))
		for step := range int(steps) + 1 {
			at := float64(step) / steps
			corner := image.Pt(int(math.Round(x+at*dx))-width/2, int(math.Round(y+at*dy))-width/2)
			draw.Draw(canvas, image.Rectangle{corner, corner.Add(image.Pt(width, width))}, fill,
				image.Point{}, draw.Src)
		}
	}
}

// writeName writes a mark's name above its box, or into the top of the box if there is no room
// above.
func writeName(canvas draw.Image, face font.Face, box image.Rectangle, m mark) {
	metrics := face.Metrics()
	height := metrics.Height.Ceil()
	width := font.MeasureString(face, m.name).Ceil() + height/2
	left := max(0, min(box.Min.X, canvas.Bounds().Dx()-width))
	top := box.Min.Y - height
	if top < 0 {
		top = max(0, box.Min.Y)
	}
	back := image.Rect(left, top, left+width, top+height)
	draw.Draw(canvas, back, image.NewUniform(colourOf(m)), image.Point{}, draw.Src)
	drawer := font.Drawer{Dst: canvas, Src: image.Black, Face: face,
		Dot: fixed.P(left+height/4, top+(height+metrics.Ascent.Ceil()-metrics.Descent.Ceil())/2)}
	drawer.DrawString(m.name)
}

// nameOf returns the name to draw for a face: the id of its user, else its external image id, else
// the first part of its face id; and the similarity behind it, if there is one.
func nameOf(user, external, face *string, similarity *float32) string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	id, _, _ := strings.Cut(text(face), "-")
	name := cmp.Or(text(user), text(external), id)
	if similarity == nil {
		return name
	}
	return fmt.Sprintf("%s %.1f", name, *similarity)
}
