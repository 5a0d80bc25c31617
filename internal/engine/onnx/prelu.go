package onnx

import (
	"fmt"
	"math"
	"slices"
)

// rewritePReLU returns the network in model, an ONNX file's bytes, with each PReLU of a
// convolution's output replaced by operators that ONNX Runtime computes many values at a time on an
// x86 processor:
//
//	PReLU(x) = x + σ ReLU(b x)
//	b = slope - 1, σ =  1    where the slope is at most 1
//	b = 1 - slope, σ = -1    elsewhere
//
// The library's own PRelu has a branch for each value, which the processor cannot predict, and
// needs the values in another order than that of its convolutions. b and σ are convolutions of each
// channel with one weight: they keep the order, and the library fuses the ReLU into the first and
// the sum into the second. Results above 0 are the same, bit for bit.
//
// Initializers that are inputs of the graph, too, as older exporters write them, are no inputs any
// more: a caller could replace them, so that the library folds no constants, fuses no normalisation
// into a convolution and keeps the weights in another order than its fast kernels read.
//
// A network with neither is returned as it is.
func rewritePReLU(model []byte) ([]byte, error) {
	fields, err := parse(model)
	if err != nil {
		return nil, err
	}
	// A network can have hundreds of megabytes, so its parts are joined by one copy.
	var parts [][]byte
	rewritten := false
	for _, f := range fields {
		if f.number == modelFormat && f.varint < formatOfConstants {
			parts = append(parts, appendInt(nil, modelFormat, formatOfConstants))
			continue
		}
		if f.number != modelGraph {
			parts = append(parts, f.whole)
			continue
		}
		graph, changed, err := rewriteGraph(f.data)
		if err != nil {
			return nil, fmt.Errorf("graph: %w", err)
		}
		size := 0
		for _, part := range graph {
			size += len(part)
		}
		parts = append(append(parts, appendHead(nil, modelGraph, size)), graph...)
		rewritten = rewritten || changed
	}
	if !rewritten {
		return model, nil
	}
	return slices.Concat(parts...), nil
}

// rewriteGraph returns the parts of the rewritten graph in their order, and whether anything was
// changed.
func rewriteGraph(graph []byte) (parts [][]byte, changed bool, err error) {
	fields, err := parse(graph)
	if err != nil {
		return nil, false, err
	}
	known := values{tensors: map[string]tensor{}, channels: map[string]int64{}}
	for _, f := range fields {
		if f.number == graphInitializer {
			t, err := parseTensor(f.data)
			if err != nil {
				return nil, false, fmt.Errorf("initializer: %w", err)
			}
			known.tensors[t.name] = t
		}
	}
	for i, f := range fields {
		part := f.whole
		if f.number == graphInput {
			name, err := valueNameOf(f.data)
			if err != nil {
				return nil, false, fmt.Errorf("input: %w", err)
			}
			if _, ok := known.tensors[name]; ok {
				changed = true
				continue
			}
		}
		if f.number == graphNode {
			n, err := parseNode(f.data)
			if err != nil {
				return nil, false, fmt.Errorf("node: %w", err)
			}
			if slopes := known.next(n); slopes != nil {
				part,
					changed = appendPReLU(nil, n.inputs[0], slopes, n.outputs[0],
					fmt.Sprintf("recollect/prelu/%d/", i)), true
			}
		}
		parts = append(parts, part)
	}
	return parts, changed, nil
}

// values are the known tensors and channels of a graph, by name.
type values struct {
	tensors  map[string]tensor // initializers
	channels map[string]int64  // of the outputs of convolutions of pictures
}

// next reads a graph's next node and records the output of a convolution. If the node is a PReLU of
// such an output, it returns the slopes, one for each channel; otherwise nil.
func (v values) next(n node) []float32 {
	if n.domain != "" || len(n.inputs) < 2 || len(n.outputs) != 1 {
		return nil
	}
	x, y, parameter := n.inputs[0], n.outputs[0], v.tensors[n.inputs[1]]
	switch n.operator {
	case "Conv":
		if len(parameter.shape) == 4 {
			v.channels[y] = parameter.shape[0]
		}
	case "BatchNormalization":
		v.channels[y] = v.channels[x]
	case "PRelu":
		return parameter.slopes(v.channels[x])
	}
	return nil
}

// slopes returns the values of a tensor with a finite one for each channel, and nil for another
// tensor.
func (t tensor) slopes(channels int64) []float32 {
	if channels < 1 || !slices.Equal(t.shape, []int64{channels, 1, 1}) &&
		!slices.Equal(t.shape, []int64{1, channels, 1, 1}) {
		return nil
	}
	slopes := t.floats(channels)
	if slices.ContainsFunc(slopes,
		func(s float32) bool { return math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) }) {
		return nil
	}
	return slopes
}

// appendPReLU appends operators to a graph that compute y from x. The names of the values between
// them begin with name.
func appendPReLU(graph []byte, x string, slopes []float32, y, name string) []byte {
	scales, signs := make([]float32, len(slopes)), make([]float32, len(slopes))
	for i, slope := range slopes {
		scales[i], signs[i] = slope-1, 1
		if slope > 1 {
			scales[i], signs[i] = 1-slope, -1
		}
	}
	channels := int64(len(slopes))
	multiply := func(graph []byte, x string, factors []float32, y string) []byte {
		graph = appendNode(graph, "Constant", y+"/factors", nil,
			tensorAttribute("value", []int64{channels, 1, 1, 1}, factors))
		return appendNode(graph, "Conv", y, []string{x, y + "/factors"},
			intAttribute("group", channels), intsAttribute("kernel_shape", 1, 1))
	}
	graph = multiply(graph, x, scales, name+"scaled")
	graph = appendNode(graph, "Relu", name+"below", []string{name + "scaled"})
	graph = multiply(graph, name+"below", signs, name+"added")
	return appendNode(graph, "Add", y, []string{name + "added", x})
}
