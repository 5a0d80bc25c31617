package vision

import (
	"context"
	"image"
)

// Thumbnail decodes a picture as Detect does and returns it upright, reduced so that no side is
// longer than the given number of pixels. A smaller picture is not enlarged. Boxes of Detect, which
// are ratios, apply to it.
func (e *Engine) Thumbnail(ctx context.Context, data []byte, side int) (image.Image, error) {
	p, release, err := e.decoder.decode(ctx, data)
	if err != nil {
		return nil, err
	}
	defer release()
	width, height := p.size()
	whole := rect{x1: float64(width), y1: float64(height)}
	if longer := max(width, height); longer > side {
		width, height = max(1, width*side/longer), max(1, height*side/longer)
	}
	return p.render(width, height, whole), nil
}

// Decode decodes a picture as Detect does, of any size up to the largest, and returns it upright.
// It tells whether all of the picture was there; rows that were not are of no meaning. It is for
// tools that look at how pictures are read.
func Decode(ctx context.Context, data []byte, options Options) (img *image.RGBA, complete bool,
	err error) {
	if options.Memory == nil {
		options.Memory = NewMemory(DefaultMemory)
	}
	d := decoder{memory: options.Memory, webp: options.WebP}
	p, release, err := d.decode(ctx, data)
	if err != nil {
		return nil, false, err
	}
	defer release()
	width, height := p.size()
	return p.render(width, height, rect{x1: float64(width), y1: float64(height)}), p.whole == nil,
		nil
}

// render makes pixels of a part of the upright picture.
func (p *picture) render(width, height int, part rect) *image.RGBA {
	n := width * height
	planes := make([]float32, 3*n)
	p.crop(planes, width, height, 3, part)
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range n {
		for c := range 3 {
			out.Pix[4*i+c] = uint8(clamp(planes[c*n+i]) + 0.5)
		}
		out.Pix[4*i+3] = 255
	}
	return out
}
