package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/recollect-dev/recollect/admin"
	"github.com/recollect-dev/recollect/onnx"
	"github.com/recollect-dev/recollect/pack"
	"github.com/recollect-dev/recollect/vision"
)

// The devices that networks run on.
const (
	deviceCPU  = "cpu"
	deviceCUDA = "cuda"
)

// openEngine loads ONNX Runtime and the default model pack from the library folder, and verifies both.
func openEngine(library, device string, options vision.Options) (*vision.Engine, error) {
	engine, err := loadEngine(library, device, options)
	if errors.Is(err, onnx.ErrCUDA) {
		return nil, fmt.Errorf(`--device cuda: %w
It needs an NVIDIA GPU with its driver, CUDA and cuDNN where the system finds libraries, and in %s the files %s
of ONNX Runtime %s for GPUs (the archive onnxruntime-linux-x64-gpu of its releases). --device cpu needs none of them`,
			err, filepath.Join(library, "onnxruntime"), strings.Join(onnx.CUDALibraries, " and "), onnx.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("load the face model: %w\nTo install the networks again, run in Recollect's source folder: make networks", err)
	}
	return engine, nil
}

func loadEngine(library, device string, options vision.Options) (*vision.Engine, error) {
	p, err := pack.Load(filepath.Join(library, "packs", "default"))
	if err != nil {
		return nil, err
	}
	runtime, err := onnx.Open(filepath.Join(library, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		return nil, err
	}
	if device == deviceCUDA {
		if err := runtime.UseCUDA(); err != nil {
			return nil, err
		}
	}
	return vision.New(p, runtime, options)
}

// modelOf is what the door tells of an engine.
func modelOf(engine *vision.Engine) admin.Model {
	m := admin.Model{Version: engine.Version(), Dimension: engine.Dimension(), Calibration: []admin.Calibrated{}}
	for _, c := range engine.Calibration() {
		m.Calibration = append(m.Calibration, admin.Calibrated(c))
	}
	return m
}
