package vision_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// TestCloseUnderLoad closes an engine while callers run its networks without a pause.
func TestCloseUnderLoad(t *testing.T) {
	e := newEngine(t, vision.Options{}) // its cleanup closes the engine again
	var wg sync.WaitGroup
	var runs atomic.Int64
	started := make(chan struct{}, 4)
	for range cap(started) {
		wg.Go(func() {
			for first := true; ; first = false {
				_, err := e.RunNetworks(t.Context())
				if first {
					started <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, onnx.ErrClosed) {
						t.Error(err)
					}
					return
				}
				runs.Add(1)
			}
		})
	}
	for range cap(started) {
		<-started
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if runs.Load() == 0 {
		t.Error("no run ended before Close")
	}
	if _, err := e.RunNetworks(t.Context()); !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("a run after Close: got %v, want ErrClosed", err)
	}
}
