// Package reference checks whether a face model works, on a few pictures that are part of the
// program: two portraits of known people, each of them also in a rotated, darkened and smaller
// version, and a picture without a face. It finds broken models; the accuracy of a model is
// measured on thousands of pairs, by package verification.
//
// The portraits are works of the United States' government, in the public domain: Grace Hopper by
// James S. Davis for the Navy, 1984, and Eileen Collins by NASA, 1998.
package reference

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

//go:embed pictures/*.jpg
var pictures embed.FS

// known is the bounding box of a picture's face, in ratios of its sides, as a person marked it.
type known struct {
	name, person string
	face         recollect.BoundingBox
}

var portraits = [...]known{
	{"hopper", "hopper", recollect.BoundingBox{Left: 0.22, Top: 0.3, Width: 0.5, Height: 0.53}},
	{"hopper-altered", "hopper",
		recollect.BoundingBox{Left: 0.22, Top: 0.3, Width: 0.5, Height: 0.53}},
	{"collins", "collins", recollect.BoundingBox{Left: 0.35, Top: 0.2, Width: 0.27, Height: 0.35}},
	{"collins-altered", "collins",
		recollect.BoundingBox{Left: 0.35, Top: 0.2, Width: 0.27, Height: 0.35}},
}

const (
	leastOverlap = 0.4 // intersection over union of a face's box with the known one
	threshold    = 80  // similarity: the least for one person, and above those of two people
)

// Result is the result of a trial.
type Result struct {
	Dimension int     // of a vector
	Same      float32 // the least similarity of two pictures of one person, 0 to 100
	Other     float32 // the highest of two people
}

// Try runs an engine on the pictures. It reports every fault, joined into one error: a missing
// face, one at a wrong place, or one in the picture without a face; landmarks outside of the face
// or in a wrong arrangement; invalid vectors; people who are not distinguished.
func Try(ctx context.Context, engine face.Engine) (Result, error) {
	vectors := make([][]float32, len(portraits))
	var faults []error
	for i, p := range portraits {
		vector, err := look(ctx, engine, p)
		if err != nil {
			faults = append(faults, fmt.Errorf("the picture %s: %w", p.name, err))
		}
		vectors[i] = vector
	}
	photo, err := detect(ctx, engine, "landscape")
	if err != nil {
		faults = append(faults, fmt.Errorf("the picture landscape: %w", err))
	} else if n := len(photo.Faces()); n > 0 {
		faults = append(faults,
			fmt.Errorf("the picture landscape: it has no face, and %d were found", n))
	}
	if len(faults) > 0 {
		return Result{}, errors.Join(faults...)
	}

	r := Result{Dimension: len(vectors[0]), Same: 100}
	for i := range portraits {
		if len(vectors[i]) != r.Dimension {
			return Result{},
				fmt.Errorf("vectors have %d and %d numbers", r.Dimension, len(vectors[i]))
		}
		if s := engine.Similarity(verification.Dot(vectors[i], vectors[i])); s != 100 {
			faults = append(faults,
				fmt.Errorf("the picture %s has a similarity of %.1f with itself, not 100",
					portraits[i].name, s))
		}
		for j := range i {
			s := engine.Similarity(verification.Dot(vectors[i], vectors[j]))
			if portraits[i].person == portraits[j].person {
				r.Same = min(r.Same, s)
			} else {
				r.Other = max(r.Other, s)
			}
		}
	}
	if r.Same < threshold {
		faults = append(faults,
			fmt.Errorf(
				"two pictures of one person have a similarity of %.1f, and should have %d or more",
				r.Same, threshold))
	}
	if r.Other >= threshold {
		faults = append(faults,
			fmt.Errorf(
				"pictures of two people have a similarity of %.1f, and should have less than %d",
				r.Other, threshold))
	}
	return r, errors.Join(faults...)
}

func detect(ctx context.Context, engine face.Engine, name string) (face.Photo, error) {
	data, err := pictures.ReadFile("pictures/" + name + ".jpg")
	if err != nil {
		return nil, err
	}
	return engine.Detect(ctx, data, face.AttributesAll)
}

// look detects the face of a portrait and embeds it.
func look(ctx context.Context, engine face.Engine, p known) ([]float32, error) {
	photo, err := detect(ctx, engine, p.name)
	if err != nil {
		return nil, err
	}
	faces := photo.Faces()
	if len(faces) != 1 {
		return nil, fmt.Errorf("it has one face, and %d were found", len(faces))
	}
	if o := faces[0].BoundingBox.IntersectionOverUnion(p.face); o < leastOverlap {
		return nil, fmt.Errorf("the face was found at %+v, and is at %+v", faces[0].BoundingBox,
			p.face)
	}
	if err := checkLandmarks(faces[0]); err != nil {
		return nil, err
	}
	embedded, err := photo.Embed(ctx, 0)
	if err != nil {
		return nil, err
	}
	if length := math.Sqrt(float64(verification.Dot(embedded[0],
		embedded[0]))); !(math.Abs(length-1) < 1e-3) {
		return nil, fmt.Errorf("its vector has the length %v, not 1", length)
	}
	return embedded[0], nil
}

// checkLandmarks checks that the landmarks are within the face and arranged like those of an
// upright one.
func checkLandmarks(f face.FaceDetail) error {
	at := map[string]face.Landmark{}
	b := f.BoundingBox
	for _, l := range f.Landmarks {
		at[l.Type] = l
		if !(l.X > b.Left-0.1*b.Width && l.X < b.Left+1.1*b.Width && l.Y > b.Top-0.1*b.Height &&
			l.Y < b.Top+1.1*b.Height) {
			return fmt.Errorf("its landmark %s is outside of the face", l.Type)
		}
	}
	for _, order := range [...]struct {
		from, to string
		down     bool // from is above to; otherwise it is on its left
	}{
		{"eyeLeft", "eyeRight", false}, {"mouthLeft", "mouthRight", false},
		{"eyeLeft", "mouthLeft", true}, {"eyeRight", "mouthRight", true},
	} {
		from, hasFrom := at[order.from]
		to, hasTo := at[order.to]
		inOrder := from.X < to.X
		if order.down {
			inOrder = from.Y < to.Y
		}
		if !hasFrom || !hasTo || !inOrder {
			return fmt.Errorf("its landmarks %s and %s are not as those of an upright face",
				order.from, order.to)
		}
	}
	return nil
}
