// Package text is the family of operations on the text of pictures. It holds their types,
// [Service], and the interface of the engine that it needs.
package text

import (
	"context"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Engine reads the text of pictures. Every method is safe for concurrent use.
type Engine interface {
	// Version is the version of the text model, for example "1.0".
	Version() string

	// Read decodes a JPEG or PNG picture, turns it by its EXIF orientation and reads the text in
	// it, line by line from the top to the bottom. A line is read if wanted is nil or returns true
	// for its place, and given to yield, until yield returns false. CodeInvalidImageFormat if the
	// picture is not such a picture or damaged; CodeImageTooLarge if it has too many pixels;
	// CodeInvalidParameter if a side is under 80 pixels. The bytes are not retained.
	Read(ctx context.Context, picture []byte, wanted func(Quad) bool, yield func(Line) bool) error
}

// Point is a place in ratios of the upright picture's width and height. It may be outside of the
// picture.
type Point struct{ X, Y float32 }

// Quad is the rectangle of a text, which may be turned: its corners from the text's upper left one
// on, clockwise as the text is read.
type Quad [4]Point

// Line is a line of text: words beside each other.
type Line struct {
	Words      []Word // in their order, at least one
	Confidence float32
	Polygon    Quad
}

// Word is a text without spaces.
type Word struct {
	Text       string
	Confidence float32 // that the text is right, 0 to 100
	Polygon    Quad
}

// Box returns the smallest upright rectangle around the quad.
func (q Quad) Box() recollect.BoundingBox {
	left, top, right, bottom := q[0].X, q[0].Y, q[0].X, q[0].Y
	for _, p := range q[1:] {
		left, right = min(left, p.X), max(right, p.X)
		top, bottom = min(top, p.Y), max(bottom, p.Y)
	}
	return recollect.BoundingBox{Left: left, Top: top, Width: right - left, Height: bottom - top}
}
