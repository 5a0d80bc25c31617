package onnx

import (
	"context"
	"errors"
	"sync"

	"github.com/yalue/onnxruntime_go"
)

// prepared is a network that the library has prepared, with the state of its closing.
type prepared struct {
	runtime *Runtime
	single  *onnxruntime_go.DynamicAdvancedSession // on the calling thread
	// over several cores; the same as single on one core
	spread *onnxruntime_go.DynamicAdvancedSession

	mu     sync.Mutex
	closed bool
	runs   sync.WaitGroup // of runs that use the fields above; none is added once closed is set
	free   func() error   // frees the session on the first call; later calls return the same error
}

// open prepares the network for one core and for several. The shapes of its input and outputs are
// the same in all runs if fixed is set.
func (p *prepared) open(model []byte, input string, outputs []string, fixed bool) (err error) {
	if p.single, err = p.runtime.open(model, input, outputs, 1, fixed); err != nil {
		return err
	}
	p.spread = p.single
	if cores := p.runtime.cores.spread; cores > 1 {
		if p.spread, err = p.runtime.open(model, input, outputs, cores, fixed); err != nil {
			p.spread = p.single
			return errors.Join(err, p.Close())
		}
	}
	return nil
}

func (p *prepared) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// begin counts a run that uses the session, until it calls runs.Done. A run is counted once it has
// a core, so that Close does not wait for queued runs.
func (p *prepared) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.runs.Add(1)
	return nil
}

// whenFree calls do once a core is free, with the session for as many cores as it may use. It
// returns [ErrClosed] if the network is closed before that, and the error of ctx if that is done.
func (p *prepared) whenFree(ctx context.Context,
	do func(*onnxruntime_go.DynamicAdvancedSession) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.isClosed() {
		return ErrClosed // without waiting for a core
	}
	return p.runtime.cores.runWhenFree(ctx, func(spread bool) error {
		if err := p.begin(); err != nil {
			return err
		}
		defer p.runs.Done()
		if spread {
			return do(p.spread)
		}
		return do(p.single)
	})
}

// Close rejects new runs, waits for those that have begun, and frees the session. It can be called
// more than once and at any time, but not from fill or read of a run: it would wait for that run
// forever.
func (p *prepared) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.runs.Wait()
	return p.free()
}

// destroy frees the library's memory. No run may be in progress.
func (p *prepared) destroy() error {
	var err error
	if p.spread != p.single {
		err = p.spread.Destroy()
	}
	return errors.Join(err, p.single.Destroy())
}
