package onnx_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
)

// openModel reads a network with an open input, and skips the test if it is not installed.
func openModel(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(onnx.Installed, "packs", "text",
		"ppocrv6_det_small.onnx"))
	if err != nil {
		t.Skipf("the model pack text is not installed (make networks-tests): %v", err)
	}
	return data
}

// Runs of a session with an open input have inputs of different sizes, also at the same time, and
// the same input has the same output.
func TestOpenSession(t *testing.T) {
	model := openModel(t)
	shapes := []onnx.Shape{{1, 3, 32, 32}, {1, 3, 64, 96}, {2, 3, 32, 64}}
	want := make([][]float32, len(shapes))
	for _, cores := range []int{1, 2} {
		s, err := onnx.OpenInstalled(t, cores).NewOpenSession(model, "x",
			[]string{"fetch_name_0"})
		if err != nil {
			t.Fatal(err)
		}
		run := func(i int) {
			shape := shapes[i]
			err := s.Run(t.Context(), shape, onnx.Noise(uint64(i)), func(out []onnx.Tensor) {
				if got := (onnx.Shape{shape[0], 1, shape[2], shape[3]}); len(out) != 1 ||
					!slices.Equal(out[0].Shape, got) ||
					int64(len(out[0].Data)) != got[0]*got[2]*got[3] {
					t.Errorf("an input of %v gives %d outputs, the first of %v", shape, len(out),
						out[0].Shape)
					return
				}
				if want[i] == nil {
					want[i] = slices.Clone(out[0].Data)
				}
				for k, v := range out[0].Data {
					if math.Abs(float64(v-want[i][k])) > 1e-5 {
						t.Errorf("an input of %v gives %v, and gave %v", shape, v, want[i][k])
						return
					}
				}
			})
			if err != nil {
				t.Error(err)
			}
		}
		for i := range shapes {
			run(i)
		}
		var wg sync.WaitGroup
		for range 3 {
			for i := range shapes {
				wg.Go(func() { run(i) })
			}
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		err = s.Run(t.Context(), shapes[0], func([]float32) {}, func([]onnx.Tensor) {})
		if !errors.Is(err, onnx.ErrClosed) {
			t.Errorf("a run of a closed session: %v", err)
		}
		if _, _, err := s.Metadata("character"); !errors.Is(err, onnx.ErrClosed) {
			t.Errorf("the metadata of a closed session: %v", err)
		}
	}
}

func TestOpenSessionRefuses(t *testing.T) {
	model := openModel(t)
	r := onnx.OpenInstalled(t, 1)
	for name, c := range map[string]struct {
		model         []byte
		input, output string
		want          string
	}{
		"not a network":  {[]byte("GIF89a"), "x", "fetch_name_0", "reading the network"},
		"unknown input":  {model, "picture", "fetch_name_0", `"picture"`},
		"unknown output": {model, "x", "boxes", `"boxes"`},
	} {
		if _, err := r.NewOpenSession(c.model, c.input, []string{c.output}); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := r.NewOpenSession(model, "x", []string{"fetch_name_0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, shape := range []onnx.Shape{nil, {1, 3, 32}, {1, 4, 32, 32}, {1, 3, 0, 32},
		{1, 3, 1 << 40, 32}} {
		err := s.Run(t.Context(), shape, func([]float32) {}, func([]onnx.Tensor) {})
		if err == nil {
			t.Errorf("an input of %v was taken", shape)
		}
	}
	if _, found, err := s.Metadata("character"); found || err != nil {
		t.Errorf("the metadata of a network without any: %v, %v", found, err)
	}
}
