package videotest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/image/draw"

	"github.com/recollect-dev/recollect/internal/face"
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

// Shots returns the first so many pictures of a person that show one face alone, by what an engine
// finds in them, and the path of the next such picture.
func Shots(ctx context.Context, engine face.Engine, p Person, most int) (shots []Shot, next string,
	err error) {
	for _, path := range p.Pictures {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, "", err
		}
		photo, err := engine.Detect(ctx, data, 0)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		faces := photo.Faces()
		if len(faces) != 1 || faces[0].Confidence < certain {
			continue
		}
		if len(shots) == most {
			return shots, path, nil
		}
		picture, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		b := faces[0].BoundingBox
		shots = append(shots, Shot{Cutout(picture), image.Rect(int(b.Left*side), int(b.Top*side),
			int((b.Left+b.Width)*side), int((b.Top+b.Height)*side))})
	}
	return nil, "", fmt.Errorf("%s has too few pictures of one face alone", p.Name)
}

// certain is the confidence of a face that is used.
const certain = 99

// Crowd is a sequence of people who wander across the frame in front of a picture.
type Crowd struct {
	Sequence
	Other []string // paths of other pictures of the people, by which they can be named
}

// NewCrowd makes a crowd of so many people of a folder such as LFW's. The ground is the path of a
// picture without faces. Shots are the pictures of each: somebody who leaves comes back with the
// next one.
func NewCrowd(ctx context.Context, engine face.Engine, folder, ground string, people, shots int,
	frame Sequence) (*Crowd, error) {
	all, err := People(folder, shots+1)
	if err != nil {
		return nil, err
	}
	c := &Crowd{Sequence: frame}
	picture, err := load(ground)
	if err != nil {
		return nil, err
	}
	still := image.NewRGBA(image.Rect(0, 0, c.Width, c.Height))
	draw.ApproxBiLinear.Scale(still, still.Rect, picture, picture.Bounds(), draw.Src, nil)
	c.Ground = func(float64) *image.RGBA { return still }
	// From all parts of the list, those of whom there are pictures that can be used.
	for i := 0; len(c.Actors) < people; i++ {
		if i == len(all) {
			return nil, fmt.Errorf("%s has pictures of %d people, not of %d", folder, len(c.Actors),
				people)
		}
		p := all[i*spread%len(all)]
		of, other, err := Shots(ctx, engine, p, shots)
		named := func(a Actor) bool { return a.Name == p.Name }
		if err != nil || slices.ContainsFunc(c.Actors, named) {
			continue // another one will do
		}
		n := len(c.Actors)
		c.Actors = append(c.Actors, Actor{Name: p.Name, Shots: of,
			At: Wander(c.Width, c.Height, n, shots, pace)})
		c.Other = append(c.Other, other)
	}
	return c, nil
}

const (
	spread = 37   // apart in the list of people
	pace   = 0.15 // widths of the frame a second, at most
)

func load(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	picture, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return picture, nil
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
