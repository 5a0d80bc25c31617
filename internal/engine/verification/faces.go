package verification

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Face is the face of a picture that takes part in comparisons.
type Face struct {
	Found  int                   // faces in the picture; 0 leaves the rest empty
	Box    recollect.BoundingBox // of the face nearest to the picture's middle
	Vector []float32             // of that face, L2-normalised
}

// EmbedAll embeds the face of each picture, given by its path, with as many pictures in parallel as
// keep all cores busy. After each picture it calls done, if that is not nil, never concurrently. It
// stops at the first picture that cannot be read or decoded, with an error that names it, or when
// ctx ends.
func EmbedAll(ctx context.Context, engine face.Engine, paths []string, done func()) ([]Face,
	error) {
	faces := make([]Face, len(paths))
	finished := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	// Twice as many as cores: while a picture waits for a network, another one can be decoded on
	// its core.
	group.SetLimit(2*runtime.GOMAXPROCS(0) + 1)
	group.Go(func() error {
		for range paths {
			select {
			case <-finished:
				if done != nil {
					done()
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for i, path := range paths {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			if faces[i], err = Embed(ctx, engine, path); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			select {
			case finished <- struct{}{}:
			case <-ctx.Done():
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return faces, nil
}

// Embed detects the faces of a picture and embeds the one nearest to its middle, which is the
// labelled person in Labeled Faces in the Wild. A picture without a detected face is not an error.
func Embed(ctx context.Context, engine face.Engine, path string) (Face, error) {
	if err := ctx.Err(); err != nil {
		return Face{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		// The caller has the path.
		if pathErr, ok := errors.AsType[*os.PathError](err); ok {
			err = pathErr.Err
		}
		return Face{}, err
	}
	photo, err := engine.Detect(ctx, data, 0)
	if err != nil {
		return Face{}, err
	}
	faces := photo.Faces()
	if len(faces) == 0 {
		return Face{}, nil
	}
	middle := Middle(faces)
	vectors, err := photo.Embed(ctx, middle)
	if err != nil {
		return Face{}, err
	}
	return Face{len(faces), faces[middle].BoundingBox, vectors[0]}, nil
}

// Middle returns the index of the face nearest to the picture's middle. There must be a face.
func Middle(faces []face.FaceDetail) int {
	middle := 0
	for i := range faces {
		if offCentre(faces[i].BoundingBox) < offCentre(faces[middle].BoundingBox) {
			middle = i
		}
	}
	return middle
}

// offCentre returns the square of the distance between a box's middle and the picture's.
func offCentre(b recollect.BoundingBox) float32 {
	x, y := b.Left+b.Width/2-0.5, b.Top+b.Height/2-0.5
	return x*x + y*y
}

// Cosine returns the cosine of two faces, or [NoFace] if either was not found.
func Cosine(a, b Face) float32 {
	if a.Vector == nil || b.Vector == nil {
		return NoFace
	}
	return Dot(a.Vector, b.Vector)
}

// Dot returns the cosine of two L2-normalised vectors. It has four independent sums, which the
// processor computes in parallel.
func Dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		x, y := (*[4]float32)(a), (*[4]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		a, b = a[4:], b[4:]
	}
	for i := range a {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

// Labelled is a face and its person.
type Labelled struct {
	Person string
	Label  string // the person's name in the data; may be empty
	Vector []float32
}

// AllPairs compares every face with every other one and returns the cosines of pairs of one person
// and of pairs of different people, in no order. same reports whether two faces are of one person;
// if it is nil, those with equal names are. It takes 4 bytes of memory a pair.
func AllPairs(ctx context.Context, faces []Labelled, same func(i, j int) bool) (genuine,
	impostor []float32, err error) {
	if same == nil {
		same = func(i, j int) bool { return faces[i].Person == faces[j].Person }
	}
	parts := runtime.GOMAXPROCS(0)
	genuines, impostors := make([][]float32, parts), make([][]float32, parts)
	group, ctx := errgroup.WithContext(ctx)
	for part := range parts {
		group.Go(func() error {
			for i := part; i < len(faces); i += parts {
				if err := ctx.Err(); err != nil {
					return err
				}
				for j := range faces[:i] {
					c := Dot(faces[i].Vector, faces[j].Vector)
					if same(i, j) {
						genuines[part] = append(genuines[part], c)
					} else {
						impostors[part] = append(impostors[part], c)
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	return slices.Concat(genuines...), slices.Concat(impostors...), nil
}
