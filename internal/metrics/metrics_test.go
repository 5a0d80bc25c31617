package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/metrics"
)

func TestWhatAScrapeShows(t *testing.T) {
	r := metrics.New("1.2.3")
	r.Observe(rekognition.Outcome{Operation: "ListFaces", Status: 200,
		Duration: 3 * time.Millisecond})
	r.Observe(rekognition.Outcome{Operation: "ListFaces", Status: 400,
		Exception: "ResourceNotFoundException", Duration: time.Millisecond})
	r.Observe(rekognition.Outcome{Status: 400, Exception: "ThrottlingException", Rejected: true})
	r.ObserveStage("embed", 2*time.Millisecond)
	r.WatchMemory(func() int64 { return 4096 })
	var during string
	r.InFlight(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		during = scrape(t, r)
	})).ServeHTTP(httptest.NewRecorder(),
		httptest.NewRequestWithContext(t.Context(), "POST", "/", nil))
	for _, want := range []string{
		`recollect_requests_total{operation="ListFaces",outcome="ok"} 1`,
		`recollect_requests_total{operation="ListFaces",outcome="ResourceNotFoundException"} 1`,
		`recollect_requests_total{operation="none",outcome="ThrottlingException"} 1`,
		`recollect_requests_rejected_total 1`,
		`recollect_request_duration_seconds_bucket{operation="ListFaces",le="0.0025"} 1`,
		`recollect_request_duration_seconds_bucket{operation="ListFaces",le="0.005"} 2`,
		`recollect_vision_stage_duration_seconds_count{stage="embed"} 1`,
		`recollect_picture_memory_bytes 4096`,
		`recollect_build_info{version="1.2.3"} 1`,
		`recollect_requests_in_flight 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(during, want) {
			t.Errorf("the scrape lacks %s:\n%s", want, during)
		}
	}
	if after := scrape(t, r); !strings.Contains(after, "recollect_requests_in_flight 0") {
		t.Error("a request that has ended is in flight")
	}
}

func scrape(t *testing.T, r *metrics.Recorder) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("the scrape answers %d", w.Code)
	}
	return w.Body.String()
}
