package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// events is a log of events, in order.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) add(event string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) want(t *testing.T, want ...string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.all, want) {
		t.Errorf("got %q, want %q", e.all, want)
	}
}

func TestClosersCloseTheNewestFirst(t *testing.T) {
	var e events
	var c closers
	errDisk, errNetwork := errors.New("no disk"), errors.New("no network")
	for _, p := range []struct {
		name string
		err  error
	}{{"store", errDisk}, {"index", nil}, {"engine", errNetwork}} {
		c.add(p.name, func() error {
			e.add(p.name)
			return p.err
		})
	}
	err := c.close()
	e.want(t, "engine", "index", "store")
	if !errors.Is(err, errDisk) || !errors.Is(err, errNetwork) ||
		!strings.Contains(err.Error(), "close engine: no network") {
		t.Errorf("got %v, want both errors", err)
	}
	if err := c.close(); err != nil {
		t.Errorf("the second close: %v", err)
	}
	e.want(t, "engine", "index", "store")
}

// startApp returns a server whose API is h and whose parts record their ends.
func startApp(t *testing.T, e *events, grace, cancelled time.Duration, h http.Handler) *App {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	a := &App{log: log, front: newFront(log, http.NotFoundHandler(), nil)}
	a.front.open(pinger{}, h, http.NotFoundHandler(), http.NotFoundHandler())
	var err error
	if a.server, err = startFront(t.Context(), "127.0.0.1:0", a.front, nil, false,
		log); err != nil {
		t.Fatal(err)
	}
	a.server.grace, a.server.cancelled = grace, cancelled
	a.URL = "http://" + a.server.listener.Addr().String()
	for _, name := range []string{"the store", "the index", "the engines"} {
		a.closers.add(name, func() error {
			e.add("closed " + name)
			return nil
		})
	}
	return a
}

// get sends a request, and closes done when the answer or an error has arrived.
func get(t *testing.T, url string) (done chan struct{}) {
	t.Helper()
	done = make(chan struct{})
	ctx := context.WithoutCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	return done
}

// TestEndOfRequestsInTime: a request within the grace period is not cancelled, and the parts stay
// open until it has ended.
func TestEndOfRequestsInTime(t *testing.T) {
	var e events
	entered, leave := make(chan struct{}), make(chan struct{})
	a := startApp(t, &e, time.Minute, time.Minute, http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-leave
			if r.Context().Err() != nil {
				e.add("cancelled")
			}
			e.add("handled")
		}))
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	done := get(t, a.URL)
	<-entered
	stop()
	// The listener is closed first: a new connection is refused while the request is in flight.
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp",
			strings.TrimPrefix(a.URL, "http://"))
		if err != nil {
			break
		}
		conn.Close()
	}
	e.want(t)
	close(leave)
	<-done
	if err := <-ran; err != nil {
		t.Error(err)
	}
	e.want(t, "handled", "closed the engines", "closed the index", "closed the store")
}

// TestEndOfRequestsThatAreLate: after the grace period contexts end, and parts are closed only once
// the handlers have returned.
func TestEndOfRequestsThatAreLate(t *testing.T) {
	var e events
	entered := make(chan struct{})
	a := startApp(t, &e, time.Millisecond, time.Minute, http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			e.add("cancelled")
			time.Sleep(20 * time.Millisecond) // a run of a network does not heed the context
			e.add("handled")
		}))
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	done := get(t, a.URL)
	<-entered
	stop()
	if err := <-ran; err == nil || !strings.Contains(err.Error(), "still in flight") {
		t.Errorf("got %v, want that requests were still in flight", err)
	}
	<-done
	e.want(t, "cancelled", "handled", "closed the engines", "closed the index", "closed the store")
}

// TestEndOfRequestsThatDoNotEnd: a handler that never returns does not block the shutdown.
func TestEndOfRequestsThatDoNotEnd(t *testing.T) {
	var e events
	entered, leave := make(chan struct{}), make(chan struct{})
	a := startApp(t, &e, time.Millisecond, time.Millisecond, http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) {
			close(entered)
			<-leave
		}))
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	done := get(t, a.URL)
	<-entered
	stop()
	if err := <-ran; err == nil {
		t.Error("want an error")
	}
	e.want(t, "closed the engines", "closed the index", "closed the store")
	close(leave)
	<-done
}
