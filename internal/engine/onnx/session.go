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

// Shape is the size of a tensor in each dimension.
type Shape []int64

const (
	maxElements = 1 << 26 // of one tensor, 256 MiB
	maxIdle     = 16      // sets of tensors that a session keeps
)

func (s Shape) elements() (int, error) {
	n := int64(1)
	for _, side := range s {
		if side < 1 || side > maxElements || n*side > maxElements {
			return 0,
				fmt.Errorf("the shape %v is not fixed, or holds more than %d values", []int64(s),
					maxElements)
		}
		n *= side
	}
	return int(n), nil
}

// Session is one network, ready to run. It is safe for concurrent use.
type Session struct {
	prepared
	input   Shape
	outputs []Shape
	idle    chan *tensors
}

// ErrClosed is the error of a run of a closed session.
var ErrClosed = errors.New("the network's session is closed")

// tensors are the input and outputs of one run.
type tensors struct {
	pinner  runtime.Pinner
	input   *onnxruntime_go.Tensor[float32]
	outputs []*onnxruntime_go.Tensor[float32]
	values  []onnxruntime_go.Value // the outputs
	data    [][]float32            // of the outputs
}

// NewSession prepares the network in model, the bytes of an ONNX file. It must have one input and
// at least the named outputs, all of them float32 tensors. Dimensions that the network's input
// leaves open are those of shape. The session does not keep the bytes.
func (r *Runtime) NewSession(model []byte, input string, shape Shape, outputs []string) (*Session,
	error) {
	s := &Session{idle: make(chan *tensors, maxIdle)}
	s.runtime, s.free = r, sync.OnceValue(s.destroy)
	fixed, err := s.readShapes(model, input, shape, outputs)
	if err != nil {
		return nil, err
	}
	if r.rewrites() {
		if model, err = rewritePReLU(model); err != nil {
			return nil, fmt.Errorf("reading the network: %w", err)
		}
	}
	if err := s.open(model, input, outputs, true); err != nil {
		return nil, err
	}
	if !fixed {
		if err := s.measureOutputs(outputs); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// readShapes reads the shapes of the input and the outputs. They are fixed if all dimensions of the
// input are; otherwise the declared shapes of the outputs may be wrong.
func (s *Session) readShapes(model []byte, input string, shape Shape, outputs []string) (fixed bool,
	err error) {
	ins, outs, err := onnxruntime_go.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return false, fmt.Errorf("reading the network: %w", err)
	}
	if len(ins) != 1 {
		return false, fmt.Errorf("the network has %d inputs, not 1", len(ins))
	}
	s.input, err = tensorShape(ins, input)
	if err != nil {
		return false, err
	}
	fixed = true
	for i, side := range s.input {
		if side < 1 && len(shape) == len(s.input) {
			s.input[i], fixed = shape[i], false
		}
	}
	if _, err := s.input.elements(); err != nil {
		return false, fmt.Errorf("%q: %w", input, err)
	}
	for _, name := range outputs {
		output, err := tensorShape(outs, name)
		if err != nil {
			return false, err
		}
		if _, err := output.elements(); err != nil && fixed {
			return false, fmt.Errorf("%q: %w", name, err)
		}
		s.outputs = append(s.outputs, output)
	}
	return fixed, nil
}

// tensorShape returns the shape of the float32 tensor of a name.
func tensorShape(infos []onnxruntime_go.InputOutputInfo, name string) (Shape, error) {
	at := slices.IndexFunc(infos,
		func(info onnxruntime_go.InputOutputInfo) bool { return info.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("the network has no input or output %q", name)
	}
	if infos[at].DataType != onnxruntime_go.TensorElementDataTypeFloat {
		return nil, fmt.Errorf("%q is not a float32 tensor", name)
	}
	return Shape(infos[at].Dimensions), nil
}

// measureOutputs runs the network once and records the shapes of its outputs.
func (s *Session) measureOutputs(names []string) (err error) {
	t := new(tensors)
	defer func() { err = errors.Join(err, t.destroy()) }()
	if t.input, err = t.add(s.input); err != nil {
		return err
	}
	values := make([]onnxruntime_go.Value, len(names))
	err = withoutSubnormals(func() error {
		return s.single.Run([]onnxruntime_go.Value{t.input},
			values)
	})
	if err != nil {
		return fmt.Errorf("running the network with an input of %v: %w", []int64(s.input), err)
	}
	for i, value := range values {
		said, got := s.outputs[i], Shape(value.GetShape())
		s.outputs[i] = got
		_, sizeErr := got.elements()
		// The library would reject every run.
		if sizeErr == nil &&
			!slices.EqualFunc(said, got,
				func(said, got int64) bool { return said < 1 || said == got }) {
			sizeErr = fmt.Errorf(
				"the network says that its shape is %v, and with an input of %v gives %v",
				[]int64(said), []int64(s.input), []int64(got))
		}
		if sizeErr != nil {
			err = errors.Join(err, fmt.Errorf("%q: %w", names[i], sizeErr))
		}
		err = errors.Join(err, value.Destroy())
	}
	return err
}

func (r *Runtime) open(model []byte, input string, outputs []string, threads int,
	fixed bool) (session *onnxruntime_go.DynamicAdvancedSession, err error) {
	options, err := onnxruntime_go.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("making session options: %w", err)
	}
	defer func() { err = errors.Join(err, options.Destroy()) }()
	err = errors.Join(
		options.SetGraphOptimizationLevel(onnxruntime_go.GraphOptimizationLevelEnableAll),
		options.SetExecutionMode(onnxruntime_go.ExecutionModeSequential),
		options.SetIntraOpNumThreads(threads),
		options.SetInterOpNumThreads(1),
		options.SetCpuMemArena(true),
		options.SetMemPattern(fixed),
		options.AddSessionConfigEntry("session.set_denormal_as_zero", "1"),
		// Waiting threads must sleep between runs: spinning threads would use the cores of other
		// sessions.
		options.AddSessionConfigEntry("session.force_spinning_stop", "1"),
	)
	if err != nil {
		return nil, fmt.Errorf("setting session options: %w", err)
	}
	if r.cuda {
		if err := appendCUDA(options); err != nil {
			return nil, err
		}
	}
	// Constants are folded here, with the same arithmetic as the runs.
	err = withoutSubnormals(func() error {
		session, err = onnxruntime_go.NewDynamicAdvancedSessionWithONNXData(model, []string{input},
			outputs, options)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the network: %w", err)
	}
	return session, nil
}

// InputShape returns the shape of the input.
func (s *Session) InputShape() Shape { return slices.Clone(s.input) }

// OutputShapes returns the shapes of the named outputs, in their order.
func (s *Session) OutputShapes() []Shape {
	shapes := make([]Shape, len(s.outputs))
	for i, shape := range s.outputs {
		shapes[i] = slices.Clone(shape)
	}
	return shapes
}

// Run calls fill to write the input, runs the network, and calls read with the outputs, in the
// order of their names. All are flattened in row-major order, and neither fill nor read may keep
// them. The content of the input before fill is undefined. Run waits until a core is free or ctx is
// done; it does not interrupt a run that has begun. Run returns [ErrClosed] if the session is
// closed before the run has a core.
func (s *Session) Run(ctx context.Context, fill func(input []float32),
	read func(outputs [][]float32)) error {
	// The core is held while the input is written: then the input is still in its cache when the
	// network reads it, and no more sets of tensors are in use than there are cores.
	return s.whenFree(ctx, func(session *onnxruntime_go.DynamicAdvancedSession) error {
		t, err := s.take()
		if err != nil {
			return err
		}
		defer s.give(t)
		fill(t.input.GetData())
		err = withoutSubnormals(func() error {
			return session.Run([]onnxruntime_go.Value{t.input}, t.values)
		})
		if err != nil {
			return fmt.Errorf("running the network: %w", err)
		}
		read(t.data)
		return nil
	})
}

// take returns tensors that only the caller uses until it calls give.
func (s *Session) take() (*tensors, error) {
	select {
	case t := <-s.idle:
		return t, nil
	default:
	}
	t := &tensors{}
	var err error
	if t.input, err = t.add(s.input); err != nil {
		return nil, err
	}
	for _, shape := range s.outputs {
		output, err := t.add(shape)
		if err != nil {
			return nil, errors.Join(err, t.destroy())
		}
		t.outputs = append(t.outputs, output)
		t.values = append(t.values, output)
		t.data = append(t.data, output.GetData())
	}
	return t, nil
}

// give keeps the tensors for another run, or frees them if there are enough.
func (s *Session) give(t *tensors) {
	select {
	case s.idle <- t:
	default:
		// A caller could do nothing about an error of freeing memory.
		_ = t.destroy()
	}
}

func (t *tensors) add(shape Shape) (*onnxruntime_go.Tensor[float32], error) {
	n, err := shape.elements()
	if err != nil {
		return nil, err
	}
	data := make([]float32, n)
	t.pinner.Pin(&data[0]) // the library keeps the address between calls
	tensor, err := onnxruntime_go.NewTensor(onnxruntime_go.Shape(shape), data)
	if err != nil {
		return nil, fmt.Errorf("making a tensor: %w", err)
	}
	return tensor, nil
}

func (t *tensors) destroy() error {
	defer t.pinner.Unpin()
	var faults []error
	if t.input != nil {
		faults = append(faults, t.input.Destroy())
	}
	for _, output := range t.outputs {
		faults = append(faults, output.Destroy())
	}
	return errors.Join(faults...)
}

// destroy frees the library's memory. No run may be in progress.
func (s *Session) destroy() error {
	var faults []error
	for {
		select {
		case t := <-s.idle:
			faults = append(faults, t.destroy())
			continue
		default:
		}
		break
	}
	return errors.Join(append(faults, s.prepared.destroy())...)
}
