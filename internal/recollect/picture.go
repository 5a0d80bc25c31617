package recollect

import "context"

// Picture yields the bytes of a picture. It is asked once they are wanted, so that a collection
// which is missing is told before anything is fetched.
type Picture func(ctx context.Context) ([]byte, error)

// Bytes is a picture that is there already.
func Bytes(picture []byte) Picture {
	return func(context.Context) ([]byte, error) { return picture, nil }
}

// BoundingBox is a rectangle as ratios of the upright picture's width and height, origin at the top
// left. It may reach over the picture's edges.
type BoundingBox struct {
	Left, Top, Width, Height float32
}

// IntersectionOverUnion is how far two boxes agree: 0 if they do not touch, 1 if they are the same.
func (b BoundingBox) IntersectionOverUnion(other BoundingBox) float32 {
	width := min(b.Left+b.Width, other.Left+other.Width) - max(b.Left, other.Left)
	height := min(b.Top+b.Height, other.Top+other.Height) - max(b.Top, other.Top)
	if width <= 0 || height <= 0 {
		return 0
	}
	return width * height / (b.Width*b.Height + other.Width*other.Height - width*height)
}
