package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// pictures are the test data, in a folder beside the repository.
type pictures struct{ folder string }

// picturesBeside is where the test data is, seen from the repository's root.
func picturesBeside(root string) pictures {
	return pictures{folder: filepath.Join(root, "..", "shared", "data")}
}

// there reports whether the test data is there.
func (p pictures) there() bool {
	info, err := os.Stat(filepath.Join(p.folder, "lfw", "images"))
	return err == nil && info.IsDir()
}

func (p pictures) read(path ...string) (any, error) {
	content, err := os.ReadFile(filepath.Join(p.folder, filepath.Join(path...)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no such picture in the test data: %w", err)
	}
	return blob(content), err
}

// greyPNG is a picture of one tone.
func greyPNG(width, height int) ([]byte, error) {
	picture := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.Gray{Y: 0x7f}), image.Point{},
		draw.Src)
	var b bytes.Buffer
	err := png.Encode(&b, picture)
	return b.Bytes(), err
}

// picture of text: its size, and that of its letters and lines, in pixels.
const (
	linesWidth, linesHeight = 800, 600
	letterSize, lineHeight  = 48, 100
)

// linesPNG is a picture of lines of text in the Go font, black on white.
func linesPNG(lines []string) (encoded []byte, err error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: letterSize, DPI: 72})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, face.Close()) }()
	picture := image.NewGray(image.Rect(0, 0, linesWidth, linesHeight))
	draw.Draw(picture, picture.Rect, image.White, image.Point{}, draw.Src)
	for i, line := range lines {
		pen := font.Drawer{Dst: picture, Src: image.Black, Face: face,
			Dot: fixed.P(lineHeight/2, (i+1)*lineHeight)}
		pen.DrawString(line)
	}
	var b bytes.Buffer
	err = png.Encode(&b, picture)
	return b.Bytes(), err
}

// noise is the same n bytes each time, and no picture.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}
