// Package workload is the code that the benchmarks share: the engine, pictures, and requests that
// are signed before a measurement.
package workload

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/draw"
)

// FindPicture reads the JPEG at path, or the first one of the folder at path.
func FindPicture(path string) ([]byte, error) {
	found := path
	errFound := errors.New("found")
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(p, ".jpg") {
			found = p
			return errFound
		}
		return err
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, fmt.Errorf("find a picture (name one with -picture): %w", err)
	}
	return os.ReadFile(found)
}

// Enlarge composes a JPEG, six times as large, with a canvas and a camera's noise, so that decoding
// it costs as much as decoding a photograph.
func Enlarge(picture []byte, width, height int) ([]byte, error) {
	f, err := jpeg.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range canvas.Pix {
		canvas.Pix[i] = uint8(110 + noise.IntN(12))
	}
	side := 6 * f.Bounds().Dx()
	at := image.Rect(0, 0, side, side).Add(image.Pt((width-side)/2, (height-side)/2))
	draw.CatmullRom.Scale(canvas, at, f, f.Bounds(), draw.Src, nil)
	var b bytes.Buffer
	err = jpeg.Encode(&b, canvas, &jpeg.Options{Quality: 90})
	return b.Bytes(), err
}
