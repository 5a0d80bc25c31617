package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/console"
	"github.com/recollect-dev/recollect/internal/api/sts"
)

// front serves health, metrics and the console's files from the start, and the API once all parts
// of the server are open. Until then it answers requests of the API with an error that SDKs retry.
type front struct {
	mux     *http.ServeMux
	console http.Handler
	log     *slog.Logger
	ready   atomic.Pointer[opened]
}

type opened struct {
	store interface{ Ping(context.Context) error }
	api   http.Handler
	admin http.Handler
	sts   http.Handler
}

// newFront returns a front that rejects requests of the API. It serves metrics if there is a
// handler for them.
func newFront(log *slog.Logger, console, metrics http.Handler) *front {
	f := &front{mux: http.NewServeMux(), console: console, log: log}
	f.mux.HandleFunc("GET /health/live",
		func(w http.ResponseWriter, r *http.Request) { respond(w, http.StatusOK, "live\n") })
	f.mux.HandleFunc("GET /health/ready", f.health)
	if metrics != nil {
		f.mux.Handle("GET /metrics", metrics)
	}
	return f
}

// ServeHTTP does not pass requests of the API to the mux, which would redirect paths that are not
// clean.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/health/") || r.URL.Path == "/metrics" {
		f.mux.ServeHTTP(w, r)
		return
	}
	if r.URL.Path+"/" == console.Prefix || strings.HasPrefix(r.URL.Path, console.Prefix) {
		f.console.ServeHTTP(w, r)
		return
	}
	if sts.Takes(r) {
		f.served(w, r)
		return
	}
	// A browser is redirected to the console; it sends no signature.
	if r.URL.Path == "/" && r.Method == http.MethodGet &&
		strings.Contains(r.Header.Get("Accept"), "text/html") &&
		r.Header.Get("Authorization") == "" {
		http.Redirect(w, r, console.Prefix, http.StatusFound)
		return
	}
	f.served(w, r)
}

// open passes requests on to the API, the operator's routes and the token service from now on.
func (f *front) open(store interface{ Ping(context.Context) error },
	api, admin, sts http.Handler) {
	f.ready.Store(&opened{store: store, api: api, admin: admin, sts: sts})
}

// close rejects new requests.
func (f *front) close() { f.ready.Store(nil) }

// unavailable is the body of the service's own answer when it is unavailable.
const unavailable = `{"__type":"ThrottlingException","Code":"ThrottlingException",` +
	`"Message":"Service Unavailable"}`

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

func (f *front) served(w http.ResponseWriter, r *http.Request) {
	o := f.ready.Load()
	if o == nil {
		w.Header().Set("Connection", "close")
		w.Header().Set("x-amzn-RequestId", uuid.NewString())
		if sts.Takes(r) {
			sts.Unavailable(w)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusInternalServerError) // the service's own status for this
		io.WriteString(w, unavailable)
		return
	}
	if strings.HasPrefix(r.URL.Path, admin.Prefix) {
		o.admin.ServeHTTP(w, r)
		return
	}
	if sts.Takes(r) {
		o.sts.ServeHTTP(w, r)
		return
	}
	o.api.ServeHTTP(w, r)
}

func respond(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text)
}
