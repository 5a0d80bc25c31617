package server

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// Without a CUDA provider, the error says which files are missing and in which folder.
func TestDeviceWithoutCUDA(t *testing.T) {
	library := filepath.Join("..", "..", "lib", "recollect")
	if err := onnx.Verify(filepath.Join(library, "onnxruntime", onnx.LibraryName())); err != nil {
		t.Skipf("ONNX Runtime is not installed (make networks): %v", err)
	}
	engine, err := OpenEngine(library, DeviceCUDA, "", vision.Options{})
	if err == nil {
		engine.Close()
		t.Skip("this machine has a CUDA provider")
	}
	if !errors.Is(err, onnx.ErrCUDA) {
		t.Fatalf("got %v, want ErrCUDA", err)
	}
	for _, want := range []string{"--device cuda", onnx.Version,
		filepath.Join(library, "onnxruntime"), onnx.CUDALibraries[0], onnx.CUDALibraries[1],
		"--device cpu"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}
