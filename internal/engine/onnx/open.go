package onnx

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/yalue/onnxruntime_go"
)

// Tensor is an output of a run.
type Tensor struct {
	Shape Shape
	Data  []float32 // row-major
}

// OpenSession is one network whose input leaves dimensions open: each run says what they are. It is
// safe for concurrent use.
type OpenSession struct {
	prepared
	input   Shape
	outputs int
	inputs  sync.Pool // of *[]float32
}

// NewOpenSession prepares the network in model, the bytes of an ONNX file. It must have one input
// and at least the named outputs, all of them float32 tensors. The session does not keep the bytes.
func (r *Runtime) NewOpenSession(model []byte, input string, outputs []string) (*OpenSession,
	error) {
	ins, outs, err := onnxruntime_go.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return nil, fmt.Errorf("reading the network: %w", err)
	}
	if len(ins) != 1 {
		return nil, fmt.Errorf("the network has %d inputs, not 1", len(ins))
	}
	s := &OpenSession{outputs: len(outputs)}
	s.runtime, s.free = r, sync.OnceValue(s.destroy)
	if s.input, err = tensorShape(ins, input); err != nil {
		return nil, err
	}
	for _, name := range outputs {
		if _, err := tensorShape(outs, name); err != nil {
			return nil, err
		}
	}
	if err := s.open(model, input, outputs, false); err != nil {
		return nil, err
	}
	return s, nil
}

// InputShape returns the shape of the input, with a number below 1 for each open dimension.
func (s *OpenSession) InputShape() Shape { return slices.Clone(s.input) }

// Run is as [Session.Run], with an input of the given shape. The tensors that read gets are ordered
// as the names of the outputs.
func (s *OpenSession) Run(ctx context.Context, shape Shape, fill func(input []float32),
	read func(outputs []Tensor)) error {
	n, err := s.size(shape)
	if err != nil {
		return err
	}
	return s.whenFree(ctx, func(session *onnxruntime_go.DynamicAdvancedSession) error {
		return s.run(session, shape, n, fill, read)
	})
}

// size returns the number of values of an input.
func (s *OpenSession) size(shape Shape) (int, error) {
	n, err := shape.elements()
	if err != nil {
		return 0, err
	}
	fits := func(side, given int64) bool { return side < 1 || side == given }
	if !slices.EqualFunc(s.input, shape, fits) {
		return 0, fmt.Errorf("an input of %v does not fit the network's, which is %v",
			[]int64(shape), []int64(s.input))
	}
	return n, nil
}

func (s *OpenSession) run(session *onnxruntime_go.DynamicAdvancedSession, shape Shape, n int,
	fill func(input []float32), read func(outputs []Tensor)) (err error) {
	data, ok := s.inputs.Get().(*[]float32)
	if !ok {
		data = new([]float32)
	}
	defer s.inputs.Put(data)
	*data = slices.Grow((*data)[:0], n)[:n]
	fill(*data)

	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(&(*data)[0])
	input, err := onnxruntime_go.NewTensor(onnxruntime_go.Shape(shape), *data)
	if err != nil {
		return fmt.Errorf("making a tensor: %w", err)
	}
	defer func() { err = errors.Join(err, input.Destroy()) }()
	values := make([]onnxruntime_go.Value, s.outputs) // nil: the library makes them
	err = withoutSubnormals(func() error {
		return session.Run([]onnxruntime_go.Value{input}, values)
	})
	if err != nil {
		return fmt.Errorf("running the network with an input of %v: %w", []int64(shape), err)
	}
	outputs := make([]Tensor, len(values))
	defer func() {
		for _, v := range values {
			err = errors.Join(err, v.Destroy())
		}
	}()
	for i, v := range values {
		t, ok := v.(*onnxruntime_go.Tensor[float32])
		if !ok {
			return fmt.Errorf("output %d of the network is a %T", i, v)
		}
		outputs[i] = Tensor{Shape(t.GetShape()), t.GetData()}
	}
	read(outputs)
	return nil
}

// Metadata returns what the network's file has under a key of its metadata, and whether it has it.
func (s *OpenSession) Metadata(key string) (value string, found bool, err error) {
	if err := s.begin(); err != nil {
		return "", false, err
	}
	defer s.runs.Done()
	metadata, err := s.single.GetModelMetadata()
	if err != nil {
		return "", false, fmt.Errorf("reading the network's metadata: %w", err)
	}
	defer func() { err = errors.Join(err, metadata.Destroy()) }()
	if value, found, err = metadata.LookupCustomMetadataMap(key); err != nil {
		return "", false, fmt.Errorf("reading the network's metadata: %w", err)
	}
	return value, found, nil
}
