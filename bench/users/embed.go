package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/recollect-dev/recollect"
	"github.com/recollect-dev/recollect/vision"
)

// shot is the face of a person in one picture.
type shot struct {
	person string
	path   string
	vector []float32 // L2-normalised
}

// embedAll embeds the face in the middle of each picture, and counts the pictures in which no face is found.
func embedAll(ctx context.Context, engine *vision.Engine, folder string) (shots []shot, faceless int, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*", "*.jpg"))
	if err != nil {
		return nil, 0, err
	}
	if len(paths) == 0 {
		return nil, 0, fmt.Errorf("there are no pictures in %s (name LFW's folder with -pictures)", folder)
	}
	slices.Sort(paths)
	shots = make([]shot, len(paths))
	errs := make([]error, len(paths))
	work := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range work {
				shots[i] = shot{person: filepath.Base(filepath.Dir(paths[i])), path: paths[i]}
				shots[i].vector, errs[i] = embed(ctx, engine, paths[i])
			}
		})
	}
	for i := range paths {
		work <- i
	}
	close(work)
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", paths[i], err)
		}
	}
	seen := slices.DeleteFunc(shots, func(s shot) bool { return s.vector == nil })
	return seen, len(paths) - len(seen), nil
}

// embed returns the vector of the face nearest to the picture's middle, which is where LFW has the person; nil if there is no face.
func embed(ctx context.Context, engine *vision.Engine, path string) ([]float32, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	photo, err := engine.Detect(ctx, data, 0)
	if err != nil || len(photo.Faces()) == 0 {
		return nil, err
	}
	middle, least := 0, float32(2)
	for i, f := range photo.Faces() {
		if d := distance(f.BoundingBox); d < least {
			middle, least = i, d
		}
	}
	vectors, err := photo.Embed(ctx, middle)
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

// distance is the square of that between a box's middle and the picture's.
func distance(b recollect.BoundingBox) float32 {
	x, y := b.Left+b.Width/2-0.5, b.Top+b.Height/2-0.5
	return x*x + y*y
}
