package ocr

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/png"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/recollect-dev/recollect/internal/text"
)

// tried is the text of the picture that an engine is tried on.
const tried = "Read this line 2468"

// Try reads a picture of a line in the Go font, and returns what was read. It is an error if that
// is not what the picture has.
func Try(ctx context.Context, engine text.Engine) (string, error) {
	picture, err := pictureOf(tried)
	if err != nil {
		return "", fmt.Errorf("drawing the picture: %w", err)
	}
	var read []string
	err = engine.Read(ctx, picture, nil, func(l text.Line) bool {
		read = append(read, l.Text())
		return true
	})
	if err != nil {
		return "", err
	}
	if len(read) != 1 || read[0] != tried {
		return "", fmt.Errorf("it reads %q where the picture has %q", read, tried)
	}
	return tried, nil
}

// pictureOf returns a PNG with a line of black text on white.
func pictureOf(line string) ([]byte, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 40, DPI: 72})
	if err != nil {
		return nil, err
	}
	defer face.Close()
	canvas := image.NewGray(image.Rect(0, 0, 480, 160))
	draw.Draw(canvas, canvas.Rect, image.White, image.Point{}, draw.Src)
	pen := font.Drawer{Dst: canvas, Src: image.Black, Face: face, Dot: fixed.P(48, 95)}
	pen.DrawString(line)
	var b bytes.Buffer
	if err := png.Encode(&b, canvas); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
