package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// closers closes the opened parts of a server.
type closers struct {
	parts []part
}

type part struct {
	name  string
	close func() error
}

// add adds a part that was opened.
func (c *closers) add(name string, closePart func() error) {
	c.parts = append(c.parts, part{name, closePart})
}

// close closes all parts, the newest first, and joins their errors. A later call does nothing.
func (c *closers) close() error {
	var faults []error
	for len(c.parts) > 0 {
		last := c.parts[len(c.parts)-1]
		c.parts = c.parts[:len(c.parts)-1]
		if err := last.close(); err != nil {
			faults = append(faults, fmt.Errorf("close %s: %w", last.name, err))
		}
	}
	return errors.Join(faults...)
}

// handlers counts the running handlers.
type handlers struct {
	mu      sync.Mutex
	running int
	idle    chan struct{} // closed when none runs; nil unless wait was called
}

// count returns a handler that calls next and is counted while it runs.
func (h *handlers) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.running++
		h.mu.Unlock()
		defer h.done()
		next.ServeHTTP(w, r)
	})
}

func (h *handlers) done() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	if h.running == 0 && h.idle != nil {
		close(h.idle)
		h.idle = nil
	}
}

// wait waits until no handler runs, at most for the limit, and reports whether none runs. It is
// called once, after the last handler has begun.
func (h *handlers) wait(limit time.Duration) bool {
	h.mu.Lock()
	if h.running == 0 {
		h.mu.Unlock()
		return true
	}
	idle := make(chan struct{})
	h.idle = idle
	h.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}

// frontServer serves one handler at an address. A shutdown has these steps: the listener is closed,
// requests in flight have a grace period, their contexts end, and the server waits for their
// handlers.
type frontServer struct {
	listener         net.Listener
	http             *http.Server
	handlers         handlers
	cancel           context.CancelFunc // ends the contexts of all requests
	served           chan error         // what Serve returned
	log              *slog.Logger
	grace, cancelled time.Duration // the periods before and after the contexts end
}

// startFront listens and serves h until stop is called: by TLS if there are certificates, otherwise
// in plain text on a loopback address, and elsewhere only if insecure.
func startFront(ctx context.Context, address string, h http.Handler, certificates *certificates,
	insecure bool, log *slog.Logger) (*frontServer, error) {
	var config net.ListenConfig
	if certificates == nil && !insecure {
		config.Control = loopbackOnly
	}
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// The contexts of requests outlive ctx, which ends with the signal to stop.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &frontServer{
		listener:  listener,
		cancel:    cancel,
		served:    make(chan error, 1),
		log:       log,
		grace:     gracePeriod,
		cancelled: cancelPeriod,
	}
	s.http = &http.Server{
		Handler:           s.handlers.count(h),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      5 * time.Minute, // from the headers to the last byte of the answer
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// "OPTIONS *" is answered like every other unknown request.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() {
		if certificates == nil {
			s.served <- s.http.Serve(listener)
			return
		}
		s.http.TLSConfig = certificates.server()
		s.served <- s.http.ServeTLS(listener, "", "")
	}()
	return s, nil
}

// stop shuts the server down, and returns an error if requests were still in flight after the grace
// period. Afterwards no handler runs, except those that did not return although their contexts had
// ended.
func (s *frontServer) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.grace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	s.cancel()
	if err != nil {
		err = fmt.Errorf("requests were still in flight after %v: %w", s.grace, err)
		err = errors.Join(err, s.http.Close())
	}
	if !s.handlers.wait(s.cancelled) {
		s.log.Error("handlers still run after the end of their requests", "waited", s.cancelled)
	}
	return err
}
