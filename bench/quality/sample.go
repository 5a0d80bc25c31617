package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
)

// asIs is the condition of undegraded pictures.
const asIs = -1

// condition is a degradation at one strength.
type condition struct{ Degradation, Strength int } // indexes; the first is asIs for none

func (c condition) String() string {
	if c.Degradation == asIs {
		return "as it is"
	}
	d := degradations[c.Degradation]
	return fmt.Sprintf("%s %g", d.name, d.strengths[c.Strength])
}

// conditions returns all degradations at all their strengths.
func conditions() []condition {
	var all []condition
	for i, d := range degradations {
		for k := range d.strengths {
			all = append(all, condition{i, k})
		}
	}
	return all
}

// sample is the face in the middle of a picture in one condition.
type sample struct {
	Picture   verification.Picture
	Person    string // in the picture
	Condition condition
	Found     bool
	Detail    face.FaceDetail
	Vector    []float32 // L2-normalised
}

// cosine returns the cosine of two samples, and [verification.NoFace] if either has no face.
func cosine(a, b *sample) float32 {
	if !a.Found || !b.Found {
		return verification.NoFace
	}
	return verification.Dot(a.Vector, b.Vector)
}

// set is the samples of one list of pairs: all its pictures undegraded, and degraded copies of the
// first pictures of some of its genuine pairs.
type set struct {
	Clean    []sample
	Degraded []sample
	Genuine  [][2]int // indexes in Clean
	Partner  []int    // of each of Degraded, the other picture of its pair: an index in Clean
}

// look detects and embeds all pictures of a list of pairs, and degraded copies for the given number
// of its genuine pairs.
func look(ctx context.Context, engine *vision.Engine, pairs []verification.Pair, copies int,
	folder string) (*set, error) {
	var s set
	at := map[verification.Picture]int{}
	for _, p := range verification.Pictures(pairs) {
		at[p] = len(s.Clean)
		s.Clean = append(s.Clean, sample{Picture: p, Condition: condition{asIs, 0}})
	}
	var taken []verification.Pair
	seen := map[string]bool{} // one pair a person, so that no two degraded copies are of one
	for _, p := range pairs {
		if !p.Same() {
			continue
		}
		s.Genuine = append(s.Genuine, [2]int{at[p.A], at[p.B]})
		if len(taken) < copies && !seen[p.A.Person] {
			seen[p.A.Person] = true
			taken = append(taken, p)
		}
	}
	for _, c := range conditions() {
		for _, p := range taken {
			s.Degraded = append(s.Degraded, sample{Picture: p.A, Condition: c})
			s.Partner = append(s.Partner, at[p.B])
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2*runtime.GOMAXPROCS(0) + 1)
	var done atomic.Int64
	all := len(s.Clean) + len(s.Degraded)
	for _, samples := range [][]sample{s.Clean, s.Degraded} {
		for i := range samples {
			if ctx.Err() != nil {
				break
			}
			group.Go(func() error {
				if err := samples[i].look(ctx, engine, folder); err != nil {
					return fmt.Errorf("%s, %v: %w", samples[i].Picture.Name(), samples[i].Condition,
						err)
				}
				if n := done.Add(1); n%1000 == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d pictures\n", n, all)
				}
				return nil
			})
		}
	}
	return &s, group.Wait()
}

func (s *sample) look(ctx context.Context, engine *vision.Engine, folder string) error {
	path, err := s.Picture.Find(folder)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if c := s.Condition; c.Degradation != asIs {
		d := degradations[c.Degradation]
		if data, err = spoil(data, d, d.strengths[c.Strength]); err != nil {
			return err
		}
	}
	photo, err := engine.Detect(ctx, data, 0)
	if err != nil {
		return err
	}
	faces := photo.Faces()
	if len(faces) == 0 {
		return nil
	}
	middle := verification.Middle(faces)
	vectors, err := photo.Embed(ctx, middle)
	if err != nil {
		return err
	}
	s.Found, s.Detail, s.Vector = true, faces[middle], vectors[0]
	return nil
}

// label sets the person of each sample.
func (s *set) label() {
	for _, samples := range [][]sample{s.Clean, s.Degraded} {
		for i := range samples {
			samples[i].Person = verification.LFWPerson(samples[i].Picture)
		}
	}
}

// kept reads sets from a file, or makes them and writes them to it. Without a file, path is "".
func kept(path string, of func() ([]*set, error)) (sets []*set, err error) {
	if path == "" {
		return of()
	}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		return sets, gob.NewDecoder(f).Decode(&sets)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if sets, err = of(); err != nil {
		return nil, err
	}
	out, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return sets, errors.Join(gob.NewEncoder(out).Encode(sets), out.Close())
}
