package onnx_test

import (
	"errors"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
)

// Without a CUDA provider UseCUDA returns ErrCUDA, and sessions are created as before.
func TestUseCUDA(t *testing.T) {
	r := onnx.OpenInstalled(t, 1)
	err := r.UseCUDA()
	if err == nil {
		t.Skip("this machine has a CUDA provider")
	}
	t.Log(err)
	if !errors.Is(err, onnx.ErrCUDA) {
		t.Errorf("got %v, want ErrCUDA", err)
	}
	session(t, r, "fr_landmark.onnx", "output")
}
