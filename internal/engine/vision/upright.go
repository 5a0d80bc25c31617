package vision

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
)

// Upright decodes a JPEG or PNG picture at its full size and turns it by its EXIF orientation, so
// that the boxes of [Engine.Detect] are ratios of its width and height. It is for programs that
// show a picture: no bound of memory applies to it.
func Upright(data []byte) (*image.RGBA, error) {
	header, err := (&decoder{webp: true, least: 1}).readHeader(data)
	if err != nil {
		return nil, fmt.Errorf("read a picture: %w", err)
	}
	decoded, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decode a picture: %w", err)
	}
	size := decoded.Bounds().Size()
	stored := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(stored, stored.Rect, decoded, decoded.Bounds().Min, draw.Src)
	o := header.orientation
	if o == upright {
		return stored, nil
	}
	width, height := size.X, size.Y
	if o.swap() {
		width, height = height, width
	}
	turned := image.NewRGBA(image.Rect(0, 0, width, height))
	first, column, row := o.strides(size.X, size.Y)
	for y := range height {
		for x := range width {
			from := 4 * (first + x*column + y*row)
			copy(turned.Pix[turned.PixOffset(x, y):][:4], stored.Pix[from:from+4])
		}
	}
	return turned, nil
}
