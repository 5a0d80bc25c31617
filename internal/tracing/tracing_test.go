package tracing_test

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/recollect-dev/recollect/internal/tracing"
)

// collector is an OTLP receiver that keeps the spans.
type collector struct {
	url string

	mu       sync.Mutex
	spans    map[string]*otlp.Span // by name
	resource map[string]string
}

func newCollector(t *testing.T) *collector {
	c := &collector{spans: map[string]*otlp.Span{}, resource: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" ||
			r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %v, %v", r.URL, r.Header, err)
			return
		}
		var request coltrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Error(err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, of := range request.ResourceSpans {
			for _, a := range of.Resource.Attributes {
				c.resource[a.Key] = a.Value.GetStringValue()
			}
			for _, scope := range of.ScopeSpans {
				for _, span := range scope.Spans {
					c.spans[span.Name] = span
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func attributes(span *otlp.Span) map[string]string {
	all := map[string]string{}
	for _, a := range span.Attributes {
		all[a.Key] = a.Value.GetStringValue()
	}
	return all
}

// A request's span continues the caller's trace, has the server's name for the operation, and its
// stages are within it.
func TestSpans(t *testing.T) {
	c := newCollector(t)
	traces, err := tracing.Open(t.Context(), tracing.Config{Endpoint: c.url, Version: "1.2.3",
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	handler := traces.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var stages, within tracing.Stages
		stages.Next(r.Context(), "first")
		within.Next(stages.Next(r.Context(), "second"), "inner")
		within.End()
		stages.End()
		tracing.Name(r.Context(), "Service", "Operation", "SomeException")
		w.WriteHeader(http.StatusInternalServerError)
	}))
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/secret?a=b",
		strings.NewReader("body"))
	r.Header.Set("traceparent", "00-"+trace+"-"+parent+"-01")
	handler.ServeHTTP(httptest.NewRecorder(), r)

	unsampled := httptest.NewRequestWithContext(t.Context(), "BREW", "/", nil)
	unsampled.Header.Set("traceparent", "00-"+trace+"-"+parent+"-00")
	handler.ServeHTTP(httptest.NewRecorder(), unsampled)
	if err := traces.Close(); err != nil {
		t.Fatal(err)
	}
	names := []string{"Service/Operation", "first", "second", "inner"}
	if len(c.spans) != len(names) {
		t.Fatalf("there are %d spans: %v", len(c.spans), c.spans)
	}
	request := c.spans["Service/Operation"]
	for name, of := range map[string][]byte{"first": request.SpanId, "second": request.SpanId,
		"inner": c.spans["second"].SpanId} {
		if span := c.spans[name]; !slices.Equal(span.ParentSpanId, of) ||
			hex.EncodeToString(span.TraceId) != trace {
			t.Errorf("%s is elsewhere: %v", name, span)
		}
	}
	is := attributes(request)
	if hex.EncodeToString(request.ParentSpanId) != parent ||
		request.Kind != otlp.Span_SPAN_KIND_SERVER || is["rpc.method"] != "Operation" ||
		is["error.type"] != "SomeException" || is["http.request.method"] != "POST" ||
		request.Status.Code != otlp.Status_STATUS_CODE_ERROR {
		t.Errorf("%v", request)
	}
	if strings.Contains(request.String(), "secret") {
		t.Errorf("the path is in the span: %v", request)
	}
	if c.resource["service.name"] != "recollect" || c.resource["service.version"] != "1.2.3" {
		t.Errorf("%v", c.resource)
	}
}

// A collector that is away costs spans, and a line of the log.
func TestCollectorIsAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	var log strings.Builder
	traces, err := tracing.Open(t.Context(), tracing.Config{Endpoint: server.URL + "/v1/traces",
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	traces.Handler(http.NotFoundHandler()).ServeHTTP(w,
		httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	if err := traces.Close(); err != nil {
		t.Error(err)
	}
	server.Close()
	if !strings.Contains(log.String(), "spans cannot be sent") {
		t.Errorf("%s", log.String())
	}
}

// Without a collector everything is as it was.
func TestNoTraces(t *testing.T) {
	var traces *tracing.Tracing
	if h := http.NotFoundHandler(); traces.Handler(h) == nil || traces.Store(nil) != nil ||
		traces.Index(nil) != nil || traces.Engines(nil) != nil {
		t.Error("a nil Tracing changes what it is given")
	}
	var stages tracing.Stages
	if stages.Next(t.Context(), "one") != t.Context() {
		t.Error("there is a span without a trace")
	}
	stages.End()
	for _, endpoint := range []string{"", "127.0.0.1:4318", "grpc://a", "http://", "http://a:b@c",
		"http://a?b=c"} {
		if _, err := tracing.Open(t.Context(), tracing.Config{Endpoint: endpoint}); err == nil {
			t.Errorf("%q is accepted", endpoint)
		}
	}
}
