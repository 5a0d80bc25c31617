package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
)

// observers calls each of the observers.
type observers []rekognition.Observer

func (o observers) Observe(outcome rekognition.Outcome) {
	for _, one := range o {
		one.Observe(outcome)
	}
}

// watchGuard registers metrics of failed signatures.
func watchGuard(registry prometheus.Registerer, g *authn.Guard) {
	counter := func(name, help, label, value string, count func() int64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name,
			Help: help, ConstLabels: prometheus.Labels{label: value}},
			func() float64 { return float64(count()) }))
	}
	for _, r := range authn.Reasons() {
		counter("recollect_signatures_failed_total", "Requests whose signature failed.", "reason",
			r.String(), func() int64 { return g.Failures(r) })
	}
	for _, l := range authn.Limits() {
		counter("recollect_signatures_refused_total", "Requests whose signature was not looked "+
			"at, because too many had failed.", "limit", l.String(),
			func() int64 { return g.Refused(l) })
	}
}

// watchCertificate registers a metric of the time at which the certificate expires.
func watchCertificate(registry prometheus.Registerer, c *certificates) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recollect_tls_certificate_not_after_seconds",
		Help: "Time at which the server's certificate expires, in seconds since 1970.",
	}, func() float64 { return float64(c.notAfter().Unix()) }))
}

// localOnly rejects requests of other machines, requests through a proxy, and those of a page whose
// host name was made to resolve to this machine.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		here := err == nil && from.Addr().Unmap().IsLoopback() && IsLoopback(r.Host)
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

// IsLoopback reports whether a host, with or without a port, names this machine.
func IsLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}

// serveMetrics serves metrics at an address to every client, until the returned function is called.
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
			log.Error("metrics are no longer served", "error", err)
		}
	}()
	log.Info("metrics are served", "url", "http://"+listener.Addr().String()+"/metrics")
	return server.Close, nil
}
