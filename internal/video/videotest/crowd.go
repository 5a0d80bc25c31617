package videotest

import (
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/image/draw"
)

// Person is somebody of whom there are pictures.
type Person struct {
	Name     string
	Pictures []string // paths
}

// People returns people of a folder such as LFW's images, with so many pictures each or more, in
// the order of their names.
func People(folder string, pictures int) ([]Person, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var people []Person
	for _, e := range entries {
		paths, err := filepath.Glob(filepath.Join(folder, e.Name(), "*.jpg"))
		if err != nil {
			return nil, err
		}
		if slices.Sort(paths); len(paths) >= pictures {
			people = append(people, Person{e.Name(), paths})
		}
	}
	return people, nil
}

// Load decodes a JPEG.
func Load(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// Still returns a ground that does not change: a picture of any size, scaled.
func Still(picture image.Image, width, height int) func(float64) *image.RGBA {
	ground := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(ground, ground.Rect, picture, picture.Bounds(), draw.Src, nil)
	return func(float64) *image.RGBA { return ground }
}

// Wander returns the path of the given one of many people: across the frame and back on curves of
// their own, nearer and farther, at up to speed widths of the frame a second. They leave the frame
// at its sides and come back with their next picture.
func Wander(width, height, number, shots int, speed float64) func(float64) (Place, bool) {
	n := float64(number)
	const reach = 0.62 // of the width, around the middle
	rate := speed / reach * (0.7 + 0.3*frac(n*0.618))
	begin := 2 * math.Pi * frac(n*0.382)
	return func(seconds float64) (Place, bool) {
		phase := begin + rate*seconds
		size := float64(height) * (0.18 + 0.06*math.Sin(0.9*phase+n))
		p := Place{
			X:      float64(width) * (0.5 + reach*math.Sin(phase)),
			Y:      float64(height) * (0.5 + 0.3*math.Sin(0.77*phase+1.7*n)),
			Height: size,
			Turn:   0.2 * math.Sin(1.3*phase+n),
		}
		// The turns of the sine at either side count the visits.
		visit := int(math.Floor(phase/math.Pi + 0.5))
		p.Shot = visit % shots
		return p, true
	}
}

func frac(x float64) float64 { return x - math.Floor(x) }
