package onnx

import (
	"errors"
	"fmt"

	"github.com/yalue/onnxruntime_go"
)

// ErrCUDA says that ONNX Runtime's CUDA provider cannot be used.
var ErrCUDA = errors.New("the CUDA provider of ONNX Runtime " + Version + " cannot be used")

// CUDALibraries are the files of ONNX Runtime's own release for CUDA that must be in the folder of
// its library for the CUDA provider.
var CUDALibraries = []string{"libonnxruntime_providers_shared.so",
	"libonnxruntime_providers_cuda.so"}

// UseCUDA makes sessions that are created later run on the first CUDA device. Without a CUDA
// provider it returns an [ErrCUDA] and changes nothing.
func (r *Runtime) UseCUDA() (err error) {
	options, err := onnxruntime_go.NewSessionOptions()
	if err != nil {
		return fmt.Errorf("making session options: %w", err)
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	if err := appendCUDA(options); err != nil {
		return err
	}
	r.cuda = true
	r.cores.spread = 1 // the device does the work, whatever the number of threads
	return nil
}

// appendCUDA makes a session run its operators with the CUDA provider.
func appendCUDA(options *onnxruntime_go.SessionOptions) (err error) {
	cuda, err := onnxruntime_go.NewCUDAProviderOptions()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCUDA, err)
	}
	defer func() { err = errors.Join(err, cuda.Destroy()) }()
	if err := options.AppendExecutionProviderCUDA(cuda); err != nil {
		return fmt.Errorf("%w: %w", ErrCUDA, err)
	}
	return nil
}
