package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields in the messages of an ONNX file, and some of their values: onnx.proto of
// https://github.com/onnx/onnx.
const (
	modelFormat = 1
	modelGraph  = 7

	// the first format in which an initializer need not be an input
	formatOfConstants = 4

	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11

	valueName = 1

	nodeInput     = 1
	nodeOutput    = 2
	nodeOperator  = 4
	nodeAttribute = 5
	nodeDomain    = 7

	attributeName   = 1
	attributeInt    = 3
	attributeTensor = 5
	attributeInts   = 8
	attributeKind   = 20
	kindInt         = 2
	kindTensor      = 4
	kindInts        = 7

	tensorSide   = 1
	tensorType   = 2
	tensorFloats = 4
	tensorName   = 8
	tensorBytes  = 9
	typeFloat    = 1
)

// field is a field of a message.
type field struct {
	number protowire.Number
	whole  []byte // with its tag, as in the message
	data   []byte // of a text, a message or a packed list
	varint uint64 // of an integer
}

// parse returns the fields of a message in their order. They refer to the message's memory.
func parse(message []byte) ([]field, error) {
	var fields []field
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return nil, fmt.Errorf("reading a field's tag: %w", protowire.ParseError(tag))
		}
		n := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if n < 0 {
			return nil, fmt.Errorf("reading field %d: %w", number, protowire.ParseError(n))
		}
		f := field{number: number, whole: message[:tag+n]}
		switch kind {
		case protowire.BytesType:
			f.data, _ = protowire.ConsumeBytes(message[tag:])
		case protowire.VarintType:
			f.varint, _ = protowire.ConsumeVarint(message[tag:])
		}
		fields = append(fields, f)
		message = message[tag+n:]
	}
	return fields, nil
}

func appendInt(b []byte, number protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(v))
}

// appendHead appends the tag and the size of a text or message.
func appendHead(b []byte, number protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(size))
}

func appendBytes[T string | []byte](b []byte, number protowire.Number, v T) []byte {
	return append(appendHead(b, number, len(v)), v...)
}

// node is an operator of a graph.
type node struct {
	domain, operator string
	inputs, outputs  []string
}

func parseNode(data []byte) (n node, err error) {
	fields, err := parse(data)
	for _, f := range fields {
		switch f.number {
		case nodeDomain:
			n.domain = string(f.data)
		case nodeOperator:
			n.operator = string(f.data)
		case nodeInput:
			n.inputs = append(n.inputs, string(f.data))
		case nodeOutput:
			n.outputs = append(n.outputs, string(f.data))
		}
	}
	return n, err
}

// appendNode appends an operator with one output to a graph.
func appendNode(graph []byte, operator, output string, inputs []string,
	attributes ...[]byte) []byte {
	var n []byte
	for _, input := range inputs {
		n = appendBytes(n, nodeInput, input)
	}
	n = appendBytes(n, nodeOutput, output)
	n = appendBytes(n, nodeOperator, operator)
	for _, a := range attributes {
		n = appendBytes(n, nodeAttribute, a)
	}
	return appendBytes(graph, graphNode, n)
}

// attribute returns the beginning of an operator's attribute, to which its value is appended.
func attribute(name string, kind int64) []byte {
	return appendInt(appendBytes(nil, attributeName, name), attributeKind, kind)
}

func intAttribute(name string, value int64) []byte {
	return appendInt(attribute(name, kindInt), attributeInt, value)
}

func intsAttribute(name string, values ...int64) []byte {
	a := attribute(name, kindInts)
	for _, v := range values {
		a = appendInt(a, attributeInts, v)
	}
	return a
}

func tensorAttribute(name string, shape []int64, values []float32) []byte {
	var t, raw []byte
	for _, side := range shape {
		t = appendInt(t, tensorSide, side)
	}
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	t = appendBytes(appendInt(t, tensorType, typeFloat), tensorBytes, raw)
	return appendBytes(attribute(name, kindTensor), attributeTensor, t)
}

// tensor is an initializer of a graph.
type tensor struct {
	name  string
	shape []int64
	kind  uint64
	raw   []byte // float32 values, little-endian; nil if another file has them
}

func parseTensor(data []byte) (t tensor, err error) {
	fields, err := parse(data)
	for _, f := range fields {
		switch f.number {
		case tensorName:
			t.name = string(f.data)
		case tensorType:
			t.kind = f.varint
		case tensorFloats, tensorBytes: // a packed list of floats has the same layout
			t.raw = f.data
		case tensorSide:
			if f.data == nil {
				t.shape = append(t.shape, int64(f.varint))
			}
			for rest := f.data; len(rest) > 0; {
				side, n := protowire.ConsumeVarint(rest)
				if n < 0 {
					return t, fmt.Errorf("reading a shape: %w", protowire.ParseError(n))
				}
				t.shape, rest = append(t.shape, int64(side)), rest[n:]
			}
		}
	}
	return t, err
}

// floats returns the values of a tensor of n float32, and nil for another tensor or one whose
// values are in another file.
func (t tensor) floats(n int64) []float32 {
	if t.kind != typeFloat || int64(len(t.raw)) != 4*n {
		return nil
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.raw[4*i:]))
	}
	return values
}

// valueNameOf returns the name of a description of an input or output.
func valueNameOf(data []byte) (name string, err error) {
	fields, err := parse(data)
	for _, f := range fields {
		if f.number == valueName {
			name = string(f.data)
		}
	}
	return name, err
}
