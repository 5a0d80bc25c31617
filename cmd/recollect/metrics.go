package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
)

// observers tells each of them.
type observers []rekognition.Observer

func (o observers) Observe(outcome rekognition.Outcome) {
	for _, one := range o {
		one.Observe(outcome)
	}
}

// onlyHere lets those through who ask from this machine for this machine: not through a proxy, and
// not from a page whose host's name was made to point here.
func onlyHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		here := err == nil && from.Addr().Unmap().IsLoopback() && isLoopback(r.Host)
		for _, header := range []string{"Forwarded", "X-Forwarded-For", "Via"} {
			here = here && r.Header.Get(header) == ""
		}
		if !here {
			respond(w, http.StatusForbidden,
				"Metrics are shown to this machine alone, unless the server is started with "+
					"--metrics.\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback tells whether a Host header names this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}

// serveMetrics shows metrics to everybody who reaches an address, until the returned function is
// called.
func serveMetrics(ctx context.Context, address string, metrics http.Handler,
	log *slog.Logger) (stop func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are no longer shown", "error", err)
		}
	}()
	log.Info("metrics are shown", "url", "http://"+listener.Addr().String()+"/metrics")
	return server.Close, nil
}
