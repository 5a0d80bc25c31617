package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/engine/ocr"
	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/reference"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// The devices that networks run on.
const (
	DeviceCPU  = "cpu"
	DeviceCUDA = "cuda"
)

// Models are the model packs of a library folder, with ONNX Runtime loaded.
type Models struct {
	Packs   pack.Library
	runtime *onnx.Runtime
}

// OpenModels verifies and loads ONNX Runtime from a library folder. The device is [DeviceCPU] or
// [DeviceCUDA].
func OpenModels(library, device string) (*Models, error) {
	runtime, err := onnx.Open(filepath.Join(library, "onnxruntime", onnx.LibraryName()), 0)
	if err == nil && device == DeviceCUDA {
		err = runtime.UseCUDA()
	}
	if errors.Is(err, onnx.ErrCUDA) {
		return nil, fmt.Errorf(`--device cuda: %w
It needs an NVIDIA GPU with its driver, CUDA and cuDNN where the system finds libraries, and in
%s the files %s of ONNX Runtime %s for GPUs (the archive onnxruntime-linux-x64-gpu of its releases).
--device cpu needs none of them`,
			err, filepath.Join(library, "onnxruntime"), strings.Join(onnx.CUDALibraries, " and "),
			onnx.Version)
	}
	if err != nil {
		return nil, installAgain(err)
	}
	return &Models{pack.OpenLibrary(library), runtime}, nil
}

// installAgain adds to an error of an incomplete library folder how to install it again.
func installAgain(err error) error {
	return fmt.Errorf(
		"load the face model: %w\n"+
			"To install the networks again, run in Recollect's source folder: make networks", err)
}

// Load loads one pack; without a name it is the default one.
func (m *Models) Load(name string, options vision.Options) (*vision.Engine, error) {
	if name == "" {
		var err error
		if name, err = m.Packs.Default(); err != nil {
			return nil, err
		}
	}
	p, err := m.Packs.Load(name)
	if err == nil {
		var engine *vision.Engine
		if engine, err = vision.New(p, m.runtime, options); err == nil {
			return engine, nil
		}
	}
	if name == pack.DefaultName {
		return nil, installAgain(err)
	}
	return nil, fmt.Errorf("load the face model %s: %w", name, err)
}

// loadAll loads every pack of faces, the default first. They share one limit on the memory of
// pictures.
func (m *Models) loadAll(options vision.Options) (engines []*vision.Engine, err error) {
	names, err := m.Packs.NamesOf(pack.FamilyFaces)
	if err != nil {
		return nil, installAgain(err)
	}
	for _, name := range names {
		engine, err := m.Load(name, options)
		if err != nil {
			return nil, errors.Join(err, closeEngines(engines))
		}
		engines = append(engines, engine)
	}
	return engines, nil
}

func closeEngines(engines []*vision.Engine) error {
	var faults []error
	for _, e := range engines {
		faults = append(faults, e.Close())
	}
	return errors.Join(faults...)
}

// LoadText loads the first pack that reads text; nil if none is installed.
func (m *Models) LoadText(options ocr.Options) (*ocr.Engine, error) {
	names, err := m.Packs.NamesOf(pack.FamilyText)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	p, err := m.Packs.Load(names[0])
	if err != nil {
		return nil, fmt.Errorf("load the text model %s: %w\nTo install it again, remove %s and "+
			"run: recollect models add %s", names[0], err, m.Packs.Folder(names[0]), names[0])
	}
	return ocr.New(p, m.runtime, options)
}

// TryText reads a picture of text with a pack, and returns what it read.
func (m *Models) TryText(ctx context.Context, p *pack.Pack) (string, error) {
	engine, err := ocr.New(p, m.runtime, ocr.Options{})
	if err != nil {
		return "", err
	}
	read, err := ocr.Try(ctx, engine)
	if err != nil {
		err = fmt.Errorf("the model pack %s does not work: %w", p.Name, err)
	}
	return read, errors.Join(err, engine.Close())
}

// Try runs a pack of faces on the reference pictures.
func (m *Models) Try(ctx context.Context, p *pack.Pack) (reference.Result, error) {
	engine, err := vision.New(p, m.runtime, vision.Options{})
	if err != nil {
		return reference.Result{}, err
	}
	result, err := reference.Try(ctx, engine)
	if err != nil {
		err = fmt.Errorf("the model pack %s does not work on the reference pictures:\n%w", p.Name,
			err)
	}
	return result, errors.Join(err, engine.Close())
}

// OpenEngine loads one pack of a library folder; without a name it is the default one.
func OpenEngine(library, device, name string, options vision.Options) (*vision.Engine, error) {
	m, err := OpenModels(library, device)
	if err != nil {
		return nil, err
	}
	return m.Load(name, options)
}

// asEngines returns the engines as values of the interface that the face service takes.
func asEngines(engines []*vision.Engine) []face.Engine {
	all := make([]face.Engine, len(engines))
	for i, e := range engines {
		all[i] = e
	}
	return all
}

// modelsOf describes engines for the admin API.
func modelsOf(engines []*vision.Engine) []admin.Model {
	described := make([]admin.Model, len(engines))
	for i, engine := range engines {
		described[i] = admin.Model{Version: engine.Version(), Calibration: []admin.Calibrated{}}
		for _, c := range engine.Calibration() {
			described[i].Calibration = append(described[i].Calibration, admin.Calibrated(c))
		}
	}
	return described
}

// importable returns the models whose vectors an imported archive may contain.
func importable(engines []*vision.Engine) []transfer.Model {
	models := make([]transfer.Model, len(engines))
	for i, engine := range engines {
		models[i] = transfer.Model{Version: engine.Version(), Dimension: engine.Dimension()}
	}
	return models
}
