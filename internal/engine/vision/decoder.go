package vision

import "context"

// Rect is a rectangle in pixels of an upright picture. It may extend outside of it.
type Rect struct{ X0, Y0, X1, Y1 float64 }

// Affine is the map x' = A x + B y + C, y' = D x + E y + F. Points are in pixels, the first one's
// centre at 0.5.
type Affine struct{ A, B, C, D, E, F float64 }

// Apply returns the image of a point.
func (m Affine) Apply(x, y float64) (float64, float64) { return m.affine().apply(x, y) }

func (m Affine) affine() affine { return affine{m.A, m.B, m.C, m.D, m.E, m.F} }

// Decoder decodes pictures for engines of other families: the formats, limits and errors are those
// of [Engine.Detect]. It is safe for concurrent use.
type Decoder struct{ decoder }

// NewDecoder returns a decoder. Options.Observe is not used. Parts of a picture that are scaled to
// less than 1/2^shift of its size are cheap, where shift is what the function returns for the
// picture's size; nil stands for 0.
func NewDecoder(options Options, shift func(width, height int) int) *Decoder {
	if options.Memory == nil {
		options.Memory = NewMemory(DefaultMemory)
	}
	return &Decoder{decoder{memory: options.Memory, webp: options.WebP, least: minSide,
		shift: shift}}
}

// Decode decodes a picture and turns it upright. It waits until the memory that this takes is
// available, and reserves it until release is called; the picture must not be used afterwards.
// CodeInvalidImageFormat, CodeImageTooLarge, CodeInvalidParameter.
func (d *Decoder) Decode(ctx context.Context, data []byte) (p *Picture, release func(),
	err error) {
	decoded, release, err := d.decode(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	return &Picture{decoded}, release, nil
}

// Picture is a decoded picture, upright. Its methods are safe for concurrent use.
type Picture struct{ picture *picture }

// Size returns the width and height in pixels.
func (p *Picture) Size() (width, height int) { return p.picture.size() }

// Crop writes a part of the picture to out, scaled to width x height: three planes of red, green
// and blue, values 0 to 255, row after row. Pixels outside of the picture are black. Shrinking
// averages.
func (p *Picture) Crop(out []float32, width, height int, part Rect) {
	p.picture.crop(out, width, height, 3, rect{part.X0, part.Y0, part.X1, part.Y1})
}

// Warp writes width x height pixels to out, as Crop does: the picture under the map m from out's
// pixels to the picture's, interpolated linearly.
func (p *Picture) Warp(out []float32, width, height int, m Affine) {
	p.picture.Lock()
	defer p.picture.Unlock()
	p.picture.warpTo(out, width, height, m.affine())
}

// Whole reports whether all rows of a part of the picture are there. Those of a file that is cut
// off or damaged may not be.
func (p *Picture) Whole(part Rect) bool {
	return p.picture.whole == nil ||
		p.picture.wholeRows(rect{part.X0, part.Y0, part.X1, part.Y1})
}

// Damaged is the error of a picture in which nothing can be detected because it is not whole.
func Damaged(cause error) error { return invalidFormat(cause) }

// Each calls f for 0 to n-1, as many in parallel as the given number of cores, and returns the
// first error. A panic of f becomes an error: in the goroutines of Each no caller could recover it.
func Each(ctx context.Context, n, cores int, f func(ctx context.Context, i int) error) error {
	return each(ctx, n, cores, f)
}
