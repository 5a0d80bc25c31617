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

// noise is the same n bytes each time, and no picture.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}
