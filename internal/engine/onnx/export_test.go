package onnx

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Installed is the folder that make networks fills.
const Installed = "../../../lib/recollect"

// OpenInstalled opens the library for as many cores, and skips a test where there is none.
func OpenInstalled(t testing.TB, cores int) *Runtime {
	t.Helper()
	path := filepath.Join(Installed, "onnxruntime", LibraryName())
	if _, err := os.Stat(path); err != nil {
		t.Skipf("ONNX Runtime is not installed (make networks): %v", err)
	}
	r, err := Open(path, cores)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// InstalledModel reads a network of the default pack, and skips a test where there is none.
func InstalledModel(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Installed, "packs", "default", file))
	if err != nil {
		t.Skipf("the default model pack is not installed (make networks): %v", err)
	}
	return data
}

// Noise fills an input with numbers that depend on the seed alone.
func Noise(seed uint64) func([]float32) {
	return func(input []float32) {
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range input {
			input[i] = r.Float32()*2 - 1
		}
	}
}
