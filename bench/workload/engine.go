package workload

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// OpenEngine loads the default pack of a library folder. The caller closes the engine.
func OpenEngine(library string, options vision.Options) (*pack.Pack, *vision.Engine, error) {
	return openEngine(library, options, func(*onnx.Runtime) {})
}

// OpenPublished is OpenEngine with the networks' original operators.
func OpenPublished(library string) (*vision.Engine, error) {
	_, engine, err := openEngine(library, vision.Options{}, (*onnx.Runtime).AsPublished)
	return engine, err
}

func openEngine(library string, options vision.Options, set func(*onnx.Runtime)) (*pack.Pack,
	*vision.Engine, error) {
	p, err := pack.Load(filepath.Join(library, "packs", "default"))
	if err != nil {
		return nil, nil, err
	}
	ort, err := onnx.Open(filepath.Join(library, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		return nil, nil, err
	}
	set(ort)
	engine, err := vision.New(p, ort, options)
	return p, engine, err
}

// EmbedFolder embeds the face in the middle of each picture of a folder that has one folder a
// person, as LFW's. It returns the pictures in ascending order and, for each, its face.
func EmbedFolder(ctx context.Context, engine *vision.Engine, folder string) (paths []string,
	faces []verification.Face, err error) {
	paths, err = filepath.Glob(filepath.Join(folder, "*", "*.jpg"))
	if err != nil {
		return nil, nil, err
	}
	if len(paths) == 0 {
		return nil, nil,
			fmt.Errorf("there are no pictures in %s (name LFW's folder with -pictures)", folder)
	}
	slices.Sort(paths)
	faces, err = verification.EmbedAll(ctx, engine, paths, nil)
	return paths, faces, err
}
