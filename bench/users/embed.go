package main

import (
	"context"
	"path/filepath"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// shot is the face of a person in one picture.
type shot struct {
	person string
	path   string
	vector []float32 // L2-normalised
}

// embedAll embeds the face in the middle of each picture, and counts the pictures in which no face
// is found.
func embedAll(ctx context.Context, engine *vision.Engine, folder string) (shots []shot,
	faceless int, err error) {
	paths, faces, err := workload.EmbedFolder(ctx, engine, folder)
	if err != nil {
		return nil, 0, err
	}
	for i, f := range faces {
		if f.Found == 0 {
			faceless++
			continue
		}
		shots = append(shots,
			shot{person: filepath.Base(filepath.Dir(paths[i])), path: paths[i], vector: f.Vector})
	}
	return shots, faceless, nil
}
