package main

import (
	"fmt"
	"path/filepath"

	"github.com/recollect-dev/recollect/onnx"
	"github.com/recollect-dev/recollect/pack"
	"github.com/recollect-dev/recollect/vision"
)

// openEngine loads ONNX Runtime and the default model pack from the library folder, and verifies both.
func openEngine(library string, options vision.Options) (*vision.Engine, error) {
	engine, err := loadEngine(library, options)
	if err != nil {
		return nil, fmt.Errorf("load the face model: %w\nTo install the networks again, run in Recollect's source folder: make networks", err)
	}
	return engine, nil
}

func loadEngine(library string, options vision.Options) (*vision.Engine, error) {
	p, err := pack.Load(filepath.Join(library, "packs", "default"))
	if err != nil {
		return nil, err
	}
	runtime, err := onnx.Open(filepath.Join(library, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		return nil, err
	}
	return vision.New(p, runtime, options)
}
