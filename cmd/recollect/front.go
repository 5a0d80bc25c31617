package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// front serves health from the first moment, and the API once it is open. Until then the API's callers get the answer that
// makes their SDKs try again.
type front struct {
	mux   *http.ServeMux
	log   *slog.Logger
	ready atomic.Pointer[opened]
}

type opened struct {
	store interface{ Ping(context.Context) error }
	api   http.Handler
}

func newFront(log *slog.Logger) *front {
	f := &front{mux: http.NewServeMux(), log: log}
	f.mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, r *http.Request) { respond(w, http.StatusOK, "live\n") })
	f.mux.HandleFunc("GET /health/ready", f.health)
	return f
}

// ServeHTTP keeps the API's requests from the mux, which would redirect paths that are not clean.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/health/") {
		f.mux.ServeHTTP(w, r)
		return
	}
	f.api(w, r)
}

// open lets the API's requests in.
func (f *front) open(store interface{ Ping(context.Context) error }, api http.Handler) {
	f.ready.Store(&opened{store: store, api: api})
}

// close keeps new requests out.
func (f *front) close() { f.ready.Store(nil) }

func (f *front) health(w http.ResponseWriter, r *http.Request) {
	o := f.ready.Load()
	if o == nil {
		respond(w, http.StatusServiceUnavailable, "starting or stopping\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := o.store.Ping(ctx); err != nil {
		f.log.Error("the store does not answer", "error", err)
		respond(w, http.StatusServiceUnavailable, "the store does not answer\n")
		return
	}
	respond(w, http.StatusOK, "ready\n")
}

func (f *front) api(w http.ResponseWriter, r *http.Request) {
	o := f.ready.Load()
	if o == nil {
		w.Header().Set("Connection", "close")
		w.Header().Set("x-amzn-RequestId", uuid.NewString())
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusInternalServerError) // the service's own status for this
		io.WriteString(w, `{"__type":"ThrottlingException","Code":"ThrottlingException","Message":"Service Unavailable"}`)
		return
	}
	o.api.ServeHTTP(w, r)
}

func respond(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text)
}
