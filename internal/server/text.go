package server

import (
	"context"
	"errors"

	"github.com/recollect-dev/recollect/internal/engine/ocr"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/text"
)

// reader is the engine that reads text. With lazy models the server is ready before it is loaded.
// It implements [text.Engine].
type reader struct {
	version string
	done    chan struct{} // closed when the engine is set
	engine  *ocr.Engine   // nil: none is installed, or it was not loaded
}

func newReader() *reader { return &reader{done: make(chan struct{})} }

// service returns the service of the library's pack that reads text, or the one that says how to
// install it.
func (r *reader) service(library string) (*text.Service, error) {
	packs := pack.OpenLibrary(library)
	names, err := packs.NamesOf(pack.FamilyText)
	if err != nil {
		return nil, installAgain(err)
	}
	if len(names) == 0 {
		return text.NewService(nil), nil
	}
	p, err := packs.Manifest(names[0])
	if err != nil {
		return nil, err
	}
	r.version = p.Version
	return text.NewService(r), nil
}

// Version implements [text.Engine].
func (r *reader) Version() string { return r.version }

// Read implements [text.Engine]. It waits until the engine is loaded.
func (r *reader) Read(ctx context.Context, picture []byte, wanted func(text.Quad) bool,
	yield func(text.Line) bool) error {
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.engine == nil {
		return errors.New("the model pack that reads text was not loaded")
	}
	return r.engine.Read(ctx, picture, wanted, yield)
}

// close closes the engine once it is loaded.
func (r *reader) close() error {
	<-r.done
	if r.engine == nil {
		return nil
	}
	return r.engine.Close()
}
