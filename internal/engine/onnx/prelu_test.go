package onnx

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// appendTensor appends an initializer to a graph.
func appendTensor(graph []byte, name string, shape []int64, values []float32) []byte {
	attribute, err := parse(tensorAttribute("", shape, values))
	if err != nil {
		panic(err) // the message was made above
	}
	t := slices.Clone(attribute[len(attribute)-1].data)
	return appendBytes(graph, graphInitializer, appendBytes(t, tensorName, name))
}

// appendValue appends the description of an input (field 11) or output (12) to a graph.
func appendValue(graph []byte, number protowire.Number, name string, shape []int64) []byte {
	var sides []byte
	for _, side := range shape {
		sides = appendBytes(sides, 1, appendInt(nil, 1, side))
	}
	kind := appendBytes(nil, 1, appendBytes(appendInt(nil, 1, typeFloat), 2, sides))
	return appendBytes(graph, number, appendBytes(appendBytes(nil, 1, name), 2, kind))
}

// preluNetwork returns a network with a convolution from 3 to a number of channels and a PReLU with
// slopes of a shape; its outputs are the values of both.
func preluNetwork(channels int64, shape []int64, slopes []float32, change func(*node)) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	kernel := make([]float32, channels*3*3*3)
	for i := range kernel {
		kernel[i] = float32(random.NormFloat64())
	}
	graph := appendTensor(nil, "kernel", []int64{channels, 3, 3, 3}, kernel)
	graph = appendTensor(graph, "slopes", shape, slopes)
	prelu := node{operator: "PRelu", inputs: []string{"x", "slopes"}, outputs: []string{"y"}}
	if change != nil {
		change(&prelu)
	}
	graph = appendNode(graph, "Conv", "x", []string{"input", "kernel"})
	graph = appendNode(graph, prelu.operator, prelu.outputs[0], prelu.inputs)
	graph = appendBytes(graph, 2, "test")
	graph = appendValue(graph, graphInput, "input", []int64{1, 3, 12, 12})
	graph = appendValue(graph, 12, "x", []int64{1, channels, 10, 10})
	graph = appendValue(graph, 12, "y", []int64{1, channels, 10, 10})
	model := appendInt(nil, 1, 7)                        // version of the format
	model = appendBytes(model, 8, appendInt(nil, 2, 11)) // and of the operators
	return appendBytes(model, modelGraph, graph)
}

// operators returns the operators of a network.
func operators(t *testing.T, model []byte) (kinds []string) {
	t.Helper()
	top, err := parse(model)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range top {
		if f.number != modelGraph {
			continue
		}
		graph, err := parse(f.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range graph {
			if f.number == graphNode {
				n, err := parseNode(f.data)
				if err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, n.operator)
			}
		}
	}
	return kinds
}

// ONNX Runtime's results of the replacement equal those of the PReLU for every slope: unchanged
// above 0, and multiplied below.
func TestRewrittenPReLU(t *testing.T) {
	slopes := []float32{0, 0.25, -0.5, 1, 1.25, -3, 7, 1e-30, 0.999, 1.001, -1, 0.1, 2, 0.3, 0.4,
		0.5, 0.6, 0.7, 0.8, 0.9}
	channels := int64(len(slopes))
	for name, shape := range map[string][]int64{"three": {channels, 1, 1},
		"four": {1, channels, 1, 1}} {
		t.Run(name, func(t *testing.T) {
			model := preluNetwork(channels, shape, slopes, nil)
			rewritten, err := rewritePReLU(model)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"Conv", "Constant", "Conv", "Relu", "Constant", "Conv", "Add"}
			if got := operators(t, rewritten); !slices.Equal(got, want) {
				t.Fatalf("operators %v, want %v", got, want)
			}
			r := OpenInstalled(t, 1)
			r.AsPublished()
			s, err := r.NewSession(rewritten, "input", nil, []string{"x", "y"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			below := 0
			err = s.Run(t.Context(), Noise(3), func(outputs [][]float32) {
				size := len(outputs[0]) / len(slopes)
				for i, x := range outputs[0] {
					want := x
					if x < 0 {
						want *= slopes[i/size]
						below++
					}
					got := outputs[1][i]
					if x >= 0 && got != want ||
						math.Abs(float64(got-want)) > 1e-6*math.Max(1, math.Abs(float64(x))) {
						t.Fatalf("slope %v: PReLU(%v) = %v, want %v", slopes[i/size], x, got, want)
					}
				}
			})
			if err != nil || below == 0 {
				t.Error(err, below, "values below 0")
			}
		})
	}
}

// An initializer that is an input as well becomes a constant, and the results stay the same.
func TestInitializersAreNoInputs(t *testing.T) {
	slopes := []float32{0.1, 0.2, 0.3}
	model := preluNetwork(3, []int64{3, 1, 1}, slopes, nil)
	top, err := parse(model)
	if err != nil {
		t.Fatal(err)
	}
	graph := slices.Clone(top[len(top)-1].data)
	graph = appendValue(graph, graphInput, "kernel", []int64{3, 3, 3, 3})
	graph = appendValue(graph, graphInput, "slopes", []int64{3, 1, 1})
	older := appendInt(nil, 1, 3) // the format that needed them
	older = appendBytes(older, 8, appendInt(nil, 2, 11))
	older = appendBytes(older, modelGraph, graph)

	rewritten, err := rewritePReLU(older)
	if err != nil {
		t.Fatal(err)
	}
	if got := inputs(t, rewritten); !slices.Equal(got, []string{"input"}) {
		t.Errorf("the inputs are %v, want the first alone", got)
	}
	if got := inputs(t, older); len(got) != 3 {
		t.Fatalf("the inputs were %v, want three", got)
	}
	r := OpenInstalled(t, 1)
	var results [2][]float32
	for i, model := range [][]byte{model, older} {
		s, err := r.NewSession(model, "input", nil, []string{"y"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		err = s.Run(t.Context(), Noise(3),
			func(outputs [][]float32) { results[i] = slices.Clone(outputs[0]) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(results[0], results[1]) {
		t.Error("the results differ")
	}
}

// inputs returns the names of a network's inputs.
func inputs(t *testing.T, model []byte) (names []string) {
	t.Helper()
	top, err := parse(model)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := parse(top[len(top)-1].data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range graph {
		if f.number == graphInput {
			name, err := valueNameOf(f.data)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
	}
	return names
}

// Only a PReLU of a convolution's channels with known slopes is replaced.
func TestPReLUKept(t *testing.T) {
	three := []float32{0.1, 0.2, 0.3}
	column := []int64{3, 1, 1}
	for name, model := range map[string][]byte{
		"one slope for all":    preluNetwork(3, []int64{1}, three[:1], nil),
		"a slope for each row": preluNetwork(3, []int64{1, 3, 1}, three, nil),
		"other channels":       preluNetwork(4, column, three, nil),
		"too few values":       preluNetwork(3, column, three[:2], nil),
		"no number": preluNetwork(3, column, []float32{0.1, float32(math.NaN()), 0.3},
			nil),
		"endless": preluNetwork(3, column, []float32{0.1, float32(math.Inf(1)), 0.3},
			nil),
		"of the input": preluNetwork(3, column, three,
			func(n *node) { n.inputs[0] = "input" }),
		"slopes that are made": preluNetwork(3, column, three, func(n *node) { n.inputs[1] = "x" }),
		"slopes left out": preluNetwork(3, column, three,
			func(n *node) { n.inputs = n.inputs[:1] }),
		"another operator": preluNetwork(3, column, three, func(n *node) { n.operator = "Mul" }),
		"no graph":         appendInt(nil, 1, 7),
		"nothing":          nil,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := rewritePReLU(model); err != nil || !bytes.Equal(got, model) {
				t.Errorf("got %d bytes, %v, want the %d that were given", len(got), err, len(model))
			}
		})
	}
}

// The rewritten embedding network of the default pack has the same vectors, except for rounding.
func TestRewrittenEmbedding(t *testing.T) {
	model := InstalledModel(t, "fr_feature.onnx")
	if rewritten, err := rewritePReLU(model); err != nil ||
		slices.Contains(operators(t, rewritten), "PRelu") {
		t.Fatalf("%v, or a PReLU is left", err)
	}
	var vectors [2][]float32
	for i, published := range []bool{true, false} {
		r := OpenInstalled(t, 1)
		if published {
			r.AsPublished()
		}
		s, err := r.NewSession(model, "input", nil, []string{"output"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		err = s.Run(t.Context(), Noise(5),
			func(outputs [][]float32) { vectors[i] = slices.Clone(outputs[0]) })
		if err != nil {
			t.Fatal(err)
		}
	}
	var length, distance float64
	for i, v := range vectors[0] {
		length += float64(v) * float64(v)
		distance += float64(v-vectors[1][i]) * float64(v-vectors[1][i])
	}
	if d := math.Sqrt(distance / length); !(d < 1e-5) {
		t.Errorf("the vectors differ by %g of their length", d)
	}
}

// Bytes that are no network are an error or are unchanged, and a rewritten network is not rewritten
// again.
func FuzzRewritePReLU(f *testing.F) {
	f.Add(preluNetwork(3, []int64{3, 1, 1}, []float32{0.1, 2, -0.3}, nil))
	f.Add(preluNetwork(3, []int64{1}, []float32{0.1}, nil))
	f.Fuzz(func(t *testing.T, model []byte) {
		once, err := rewritePReLU(model)
		if err != nil {
			return
		}
		twice, err := rewritePReLU(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("rewriting %d bytes that were rewritten: %v", len(once), err)
		}
	})
}
