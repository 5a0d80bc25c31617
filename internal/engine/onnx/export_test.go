package onnx

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Installed is the folder into which make networks installs.
const Installed = "../../../lib/recollect"

// OpenInstalled opens the library for a number of cores, and skips the test if it is not installed.
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

// InstalledModel reads a network of the default pack, and skips the test if it is not installed.
func InstalledModel(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Installed, "packs", "default", file))
	if err != nil {
		t.Skipf("the default model pack is not installed (make networks): %v", err)
	}
	return data
}

// Noise fills an input with numbers that depend only on the seed.
func Noise(seed uint64) func([]float32) {
	return func(input []float32) {
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range input {
			input[i] = r.Float32()*2 - 1
		}
	}
}
