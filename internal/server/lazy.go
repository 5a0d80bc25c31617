package server

import (
	"context"
	"errors"
	"image"
	"net/http"
	"sync"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
)

// loading is the engines of a server that is ready before they are loaded.
type loading struct {
	done    chan struct{} // closed when the rest is set
	engines []*vision.Engine
	err     error
}

// load starts to load engines.
func load(open func() ([]*vision.Engine, error)) *loading {
	l := &loading{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.engines, l.err = open()
	}()
	return l
}

// wait waits until the engines are loaded.
func (l *loading) wait(ctx context.Context) ([]*vision.Engine, error) {
	select {
	case <-l.done:
		return l.engines, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close closes the engines once they are loaded.
func (l *loading) close() error {
	<-l.done
	return closeEngines(l.engines)
}

// promised returns the engines that will be loaded from a library, with the versions and scales in
// the manifests of their packs.
func (l *loading) promised(library string) ([]face.Engine, error) {
	packs := pack.OpenLibrary(library)
	names, err := packs.NamesOf(pack.FamilyFaces)
	if err != nil {
		return nil, installAgain(err)
	}
	promised := make([]face.Engine, len(names))
	for i, name := range names {
		p, err := packs.Manifest(name)
		if err != nil {
			return nil, installAgain(err)
		}
		promised[i] = &promisedEngine{Scale: vision.NewScale(p), version: p.Version, loading: l,
			number: i}
	}
	return promised, nil
}

// promisedEngine is one of the engines that are being loaded.
type promisedEngine struct {
	vision.Scale
	version string
	loading *loading
	number  int
}

// Version implements [face.Engine].
func (e *promisedEngine) Version() string { return e.version }

// Detect implements [face.Engine]. It waits until the engine is loaded.
func (e *promisedEngine) Detect(ctx context.Context, picture []byte,
	want face.Attributes) (face.Photo, error) {
	engines, err := e.loading.wait(ctx)
	if err != nil {
		return nil, err
	}
	return engines[e.number].Detect(ctx, picture, want)
}

// DetectFrame is that of [vision.Engine]. It waits until the engine is loaded.
func (e *promisedEngine) DetectFrame(ctx context.Context, frame *image.YCbCr,
	want face.Attributes) (face.Photo, error) {
	engines, err := e.loading.wait(ctx)
	if err != nil {
		return nil, err
	}
	return engines[e.number].DetectFrame(ctx, frame, want)
}

// whenLoaded returns a handler that waits for the engines, and then is the one that routes returns
// for them.
func (l *loading) whenLoaded(routes func([]*vision.Engine) http.Handler) http.Handler {
	var once sync.Once
	var made http.Handler
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		engines, err := l.wait(r.Context())
		if err != nil {
			rekognition.WriteError(w, errors.Join(errors.New("wait for the networks"), err))
			return
		}
		once.Do(func() { made = routes(engines) })
		made.ServeHTTP(w, r)
	})
}
