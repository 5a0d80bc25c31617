package vision_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
)

const (
	installed = "../../../lib/recollect"
	shared    = "../../../../shared/data"
)

// newEngine loads the installed default pack, with the manifest of the source tree.
func newEngine(t testing.TB, options vision.Options) *vision.Engine {
	t.Helper()
	p, err := pack.Load(filepath.Join(installed, "packs", "default"))
	if err != nil {
		t.Skipf("the default model pack is not installed (make networks): %v", err)
	}
	r, err := onnx.Open(filepath.Join(installed, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		t.Skipf("ONNX Runtime is not installed (make networks): %v", err)
	}
	e, err := vision.New(p, r, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// read returns a file of the shared data, and skips the test if it does not exist.
func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared, name))
	if err != nil {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	return data
}

// detect calls Detect with a picture that must be valid.
func detect(t testing.TB, e *vision.Engine, data []byte) face.Photo {
	t.Helper()
	photo, err := e.Detect(context.Background(), data, 0)
	if err != nil {
		t.Fatal(err)
	}
	return photo
}
