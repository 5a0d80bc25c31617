package onnx_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
)

func session(t testing.TB, r *onnx.Runtime, file string, outputs ...string) *onnx.Session {
	t.Helper()
	s, err := r.NewSession(onnx.InstalledModel(t, file), "input", nil, outputs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSessionShapes(t *testing.T) {
	s := session(t, onnx.OpenInstalled(t, 1), "fr_detect.onnx", "boxes", "scores")
	if got, want := s.InputShape(), (onnx.Shape{1, 3, 240, 320}); !slices.Equal(got, want) {
		t.Errorf("input %v, want %v", got, want)
	}
	for i, want := range []onnx.Shape{{1, 4420, 4}, {1, 4420, 2}} {
		if got := s.OutputShapes()[i]; !slices.Equal(got, want) {
			t.Errorf("output %d: %v, want %v", i, got, want)
		}
	}
}

// A network with open dimensions of its input gets them from the caller, and the shapes of its
// outputs are measured.
func TestSessionOpenShapes(t *testing.T) {
	yunet, err := os.ReadFile("../../../../shared/models/face_detection_yunet_2023mar.onnx")
	if err != nil {
		t.Skipf("the shared networks are not there: %v", err)
	}
	r := onnx.OpenInstalled(t, 1)
	s, err := r.NewSession(yunet, "input", onnx.Shape{1, 3, 640, 640}, []string{"cls_8", "bbox_8"})
	if err != nil {
		t.Fatal(err)
	}
	want := []onnx.Shape{{1, 6400, 1}, {1, 6400, 4}}
	if got := s.OutputShapes(); !slices.EqualFunc(got, want, slices.Equal[onnx.Shape]) {
		t.Errorf("outputs %v, want %v", got, want)
	}
	err = s.Run(t.Context(), onnx.Noise(1), func(outputs [][]float32) {
		if len(outputs[1]) != 4*6400 {
			t.Errorf("a run gave %d numbers", len(outputs[1]))
		}
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Error(err)
	}
	// This one declares shapes of outputs that are right for one size only.
	for _, shape := range []onnx.Shape{nil, {1, 3}, {1, 3, 0, 640}, {1, 3, 1 << 40, 640},
		{1, 3, 320, 480}} {
		if _, err := r.NewSession(yunet, "input", shape, []string{"cls_8"}); err == nil {
			t.Errorf("an input of %v was taken", shape)
		}
	}
}

func TestNewSessionRefuses(t *testing.T) {
	r := onnx.OpenInstalled(t, 1)
	good := onnx.InstalledModel(t, "fr_landmark.onnx")
	for name, c := range map[string]struct {
		model   []byte
		input   string
		outputs []string
		want    string
	}{
		"no bytes":       {nil, "input", []string{"output"}, "reading the network"},
		"not a network":  {[]byte("GIF89a"), "input", []string{"output"}, "reading the network"},
		"cut off":        {good[:len(good)/2], "input", []string{"output"}, "reading the network"},
		"unknown input":  {good, "picture", []string{"output"}, `"picture"`},
		"unknown output": {good, "input", []string{"output", "617"}, `"617"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.NewSession(c.model, c.input, nil, c.outputs)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// A run on one core and a run on several have the same result, bit for bit, also with concurrent
// runs: the same picture must have the same boxes each time.
func TestRunIsReproducible(t *testing.T) {
	const seeds = 6
	for file, output := range map[string]string{
		"fr_detect.onnx": "boxes", "fr_landmark.onnx": "output", "fr_pose.onnx": "617",
		"fr_feature.onnx": "output",
	} {
		t.Run(file, func(t *testing.T) {
			var want [seeds][]float32
			one := session(t, onnx.OpenInstalled(t, 1), file, output)
			for seed := range want {
				err := one.Run(t.Context(), onnx.Noise(uint64(seed)),
					func(out [][]float32) { want[seed] = slices.Clone(out[0]) })
				if err != nil {
					t.Fatal(err)
				}
			}
			if slices.Equal(want[0], want[1]) {
				t.Fatal("different inputs gave the same output")
			}
			for _, cores := range []int{2, 4} {
				s := session(t, onnx.OpenInstalled(t, cores), file, output)
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						for seed := range want {
							err := s.Run(t.Context(), onnx.Noise(uint64(seed)), func(
								out [][]float32) {
								if !slices.Equal(out[0], want[seed]) {
									t.Errorf("%d cores: the output differs from that of one core",
										cores)
								}
							})
							if err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

func TestRunHeedsItsContext(t *testing.T) {
	r := onnx.OpenInstalled(t, 1)
	s := session(t, r, "fr_landmark.onnx", "output")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Run(ctx, onnx.Noise(1), func([][]float32) { t.Error("ran all the same") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// Close waits for a run that has begun; queued and later runs are rejected.
func TestCloseWaitsForRuns(t *testing.T) {
	s := session(t, onnx.OpenInstalled(t, 2), "fr_landmark.onnx", "output")
	run := func(ctx context.Context) error {
		return s.Run(ctx, func([]float32) {}, func([][]float32) {})
	}
	inside, release := make(chan struct{}), make(chan struct{})
	ran, queued := make(chan error, 1), make(chan error, 1)
	go func() {
		// A run without concurrent ones uses both cores.
		ran <- s.Run(t.Context(), func([]float32) { close(inside); <-release },
			func([][]float32) {})
	}()
	<-inside
	go func() { queued <- run(t.Context()) }()
	closed := make(chan error, 2)
	for range cap(closed) {
		go func() { closed <- s.Close() }()
	}
	rejected := func() bool {
		// Before Close has begun, the run waits for a core until its context ends.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		return errors.Is(run(ctx), onnx.ErrClosed)
	}
	for deadline := time.Now().Add(10 * time.Second); !rejected(); {
		if time.Now().After(deadline) {
			t.Fatal("runs are not rejected while Close waits")
		}
	}
	select {
	case err := <-closed:
		t.Fatalf("Close returned %v while a run was inside", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if err := <-ran; err != nil {
		t.Errorf("the run that was inside: %v", err)
	}
	if err := <-queued; !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("the run in the queue: got %v, want ErrClosed", err)
	}
	for range cap(closed) {
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close once more: %v", err)
	}
	if err := run(t.Context()); !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("a run after Close: got %v, want ErrClosed", err)
	}
}

// TestCloseUnderLoad closes a session while more callers than cores run it without a pause.
func TestCloseUnderLoad(t *testing.T) {
	s := session(t, onnx.OpenInstalled(t, 2), "fr_feature.onnx", "output")
	var wg sync.WaitGroup
	var runs atomic.Int64
	started := make(chan struct{}, 4)
	for range cap(started) {
		wg.Go(func() {
			for first := true; ; first = false {
				err := s.Run(t.Context(), onnx.Noise(1), func([][]float32) { runs.Add(1) })
				if first {
					started <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, onnx.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for range cap(started) {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	ended := runs.Load()
	wg.Wait()
	if got := runs.Load(); got != ended || got == 0 {
		t.Errorf("%d runs ended before Close returned, and %d afterwards", ended, got-ended)
	}
}

func TestVerify(t *testing.T) {
	onnx.OpenInstalled(t, 1) // skips where the library is not installed
	path := filepath.Join(onnx.Installed, "onnxruntime", onnx.LibraryName())
	if err := onnx.Verify(path); err != nil {
		t.Error(err)
	}
	altered := filepath.Join(t.TempDir(), onnx.LibraryName())
	if err := os.WriteFile(altered, []byte("\x7fELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{onnx.Verify(altered),
		onnx.Verify(filepath.Join(t.TempDir(), "absent"))} {
		fault, ok := errors.AsType[*onnx.FileError](err)
		if !ok || !strings.Contains(err.Error(), fault.File) {
			t.Errorf("got %v, want a FileError that names the file", err)
		}
	}
	if _, err := onnx.Open(altered, 1); err == nil {
		t.Error("a second library was loaded")
	}
}

// Runs a second with 1 and with 8 clients, and with each way of running alone.
func BenchmarkRun(b *testing.B) {
	for _, file := range []string{"fr_detect.onnx", "fr_landmark.onnx", "fr_pose.onnx",
		"fr_feature.onnx"} {
		output := map[string]string{"fr_detect.onnx": "boxes"}[file]
		if output == "" {
			output = "output"
		}
		for name, clients := range map[string]int{"1 client": 1, "8 clients": 8} {
			b.Run(strings.TrimSuffix(file, ".onnx")+"/"+name, func(b *testing.B) {
				s := session(b, onnx.OpenInstalled(b, 0), file, output)
				var pictures [8][]float32 // not zeros: they never become subnormal numbers
				for i := range pictures {
					n := int64(1)
					for _, side := range s.InputShape() {
						n *= side
					}
					pictures[i] = make([]float32, n)
					onnx.Noise(uint64(i))(pictures[i])
				}
				work := make(chan struct{})
				var wg sync.WaitGroup
				for client := range clients {
					wg.Go(func() {
						fill := func(input []float32) { copy(input, pictures[client]) }
						for range work {
							if err := s.Run(b.Context(), fill, func([][]float32) {}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ResetTimer()
				for range b.N {
					work <- struct{}{}
				}
				close(work)
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
			})
		}
	}
}
