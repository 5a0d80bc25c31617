// Package tracing sends a trace of each request to a collector, by OTLP over HTTP: a span of the
// request, which continues the caller's trace (W3C Trace Context), and in it a span of each stage.
//
// Spans have names of operations, statuses and durations, and no pictures, vectors, names of people
// or parameters.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// scope is the name of what makes the spans.
	scope = "github.com/recollect-dev/recollect"

	// closeTimeout is how long the last spans may take to be sent.
	closeTimeout = 5 * time.Second

	// betweenErrors is the least time between two lines of the log about a collector.
	betweenErrors = time.Minute
)

// Config is what a [Tracing] is made of.
type Config struct {
	Endpoint string // URL of the collector; its path is /v1/traces if there is none
	Version  string // of the program
	Log      *slog.Logger
}

// CheckEndpoint reports why a text is no URL of a collector.
func CheckEndpoint(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return errors.New("it is not a URL such as http://127.0.0.1:4318")
	}
	return nil
}

// Tracing makes and sends spans. It is safe for concurrent use, and the nil Tracing makes none.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	context  propagation.TraceContext
}

// Open begins to send spans. It does not connect yet: spans that cannot be sent are dropped, and
// the log says so. A caller decides with its trace whether a request is traced; all others are.
func Open(ctx context.Context, cfg Config) (*Tracing, error) {
	if err := CheckEndpoint(cfg.Endpoint); err != nil {
		return nil, fmt.Errorf("the collector of traces: %w", err)
	}
	endpoint := strings.TrimSuffix(cfg.Endpoint, "/")
	if u, err := url.Parse(endpoint); err == nil && u.Path == "" {
		endpoint += "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint),
		otlptracehttp.WithTimeout(closeTimeout))
	if err != nil {
		return nil, fmt.Errorf("open the collector of traces: %w", err)
	}
	t := &Tracing{provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&reporting{SpanExporter: exporter, log: cfg.Log}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "recollect"),
			attribute.String("service.version", cfg.Version))))}
	t.tracer = t.provider.Tracer(scope)
	return t, nil
}

// reporting logs, once in a while, that spans could not be sent. Its caller calls it from one
// goroutine.
type reporting struct {
	sdktrace.SpanExporter
	log  *slog.Logger
	next time.Time
}

// ExportSpans implements [sdktrace.SpanExporter].
func (r *reporting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	if now := time.Now(); err != nil && !now.Before(r.next) {
		r.next = now.Add(betweenErrors)
		r.log.Warn("spans cannot be sent", "error", err, "spans", len(spans))
	}
	return nil // it is reported here
}

// Close sends what waits, and ends.
func (t *Tracing) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Handler makes a span of each request that next serves, which [Name] gives its name.
func (t *Tracing) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := t.context.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, "unknown", trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", method(r)),
				attribute.Int64("http.request.body.size", r.ContentLength)))
		defer span.End()
		sent := &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(sent, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", sent.code))
		if sent.code >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	})
}

// method is a method of HTTP that exists.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete,
		http.MethodOptions, http.MethodPatch:
		return r.Method
	}
	return "_OTHER"
}

// status is a response whose status is noted.
type status struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements [http.ResponseWriter].
func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap is for [http.ResponseController].
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Name names the span of a request by its service and operation, and says with which exception it
// was answered, if with one. The names are the server's own.
func Name(ctx context.Context, service, operation, exception string) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if operation != "" {
		span.SetName(service + "/" + operation)
	}
	span.SetAttributes(attribute.String("rpc.system", "aws-api"),
		attribute.String("rpc.service", service), attribute.String("rpc.method", operation))
	if exception != "" {
		span.SetAttributes(attribute.String("error.type", exception))
	}
}

// Stages are the spans of the stages of a request, one after the other. The zero value is ready to
// use.
type Stages struct{ span trace.Span }

// Next ends a stage, if there is one, and begins the next of the request whose span is in ctx.
// Spans that are made with the context which it returns are within the stage.
func (s *Stages) Next(ctx context.Context, name string) context.Context {
	s.End()
	ctx, span := start(ctx, name)
	s.span = span
	return ctx
}

// End ends the last stage.
func (s *Stages) End() {
	if s.span != nil {
		s.span.End()
	}
	s.span = nil
}

// start begins a span within that of ctx; nil if there is none that is recorded.
func start(ctx context.Context, name string) (context.Context, trace.Span) {
	within := trace.SpanFromContext(ctx)
	if !within.IsRecording() {
		return ctx, nil
	}
	return within.TracerProvider().Tracer(scope).Start(ctx, name)
}

// end ends a span with an error, if there is one. The error's text is for the log alone.
func end(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
