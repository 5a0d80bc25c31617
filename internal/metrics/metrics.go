// Package metrics exports the server's metrics for Prometheus. The server chooses all values of
// labels, so that no caller can create series without bound, and no metric contains personal data.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
)

// noOperation is the label of requests without a known operation.
const noOperation = "none"

// Recorder counts requests. It is a [rekognition.Observer], and safe for concurrent use.
type Recorder struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	stages    *prometheus.HistogramVec
	rejected  prometheus.Counter
	inFlight  prometheus.Gauge
}

var _ rekognition.Observer = (*Recorder)(nil)

// New returns a recorder for a program of this version.
func New(version string) *Recorder {
	r := &Recorder{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "recollect_requests_total",
			Help: "Requests answered, by operation and outcome: ok, or the exception that the " +
				"caller was told.",
		}, []string{"operation", "outcome"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "recollect_request_duration_seconds",
			Help: "Time from a request's headers to its answer, by operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10,
				30},
		}, []string{"operation"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "recollect_vision_stage_duration_seconds",
			Help: "Time of a stage of looking at a picture or at a face in it, with waiting " +
				"for cores.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"stage"}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "recollect_requests_rejected_total",
			Help: "Requests for which there was no room.",
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "recollect_requests_in_flight",
			Help: "Requests that are being read, served or answered.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "recollect_build_info",
		Help:        "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.registry.MustRegister(r.requests, r.durations, r.stages, r.rejected, r.inFlight, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Registerer registers collectors of other parts of the program.
func (r *Recorder) Registerer() prometheus.Registerer { return r.registry }

// Observe implements [rekognition.Observer].
func (r *Recorder) Observe(o rekognition.Outcome) {
	operation, outcome := o.Operation, o.Exception
	if operation == "" {
		operation = noOperation
	}
	if outcome == "" {
		outcome = "ok"
	}
	r.requests.WithLabelValues(operation, outcome).Inc()
	r.durations.WithLabelValues(operation).Observe(o.Duration.Seconds())
	if o.Rejected {
		r.rejected.Inc()
	}
}

// ObserveStage records the duration of a stage of the vision pipeline.
func (r *Recorder) ObserveStage(stage string, took time.Duration) {
	r.stages.WithLabelValues(stage).Observe(took.Seconds())
}

// WatchMemory exports the bytes that are reserved for pictures in progress, as inWork returns them
// at each scrape.
func (r *Recorder) WatchMemory(inWork func() int64) {
	r.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recollect_picture_memory_bytes",
		Help: "Memory that the pictures in work may take.",
	}, func() float64 { return float64(inWork()) }))
}

// InFlight counts the requests that next is serving.
func (r *Recorder) InFlight(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerInFlight(r.inFlight, next)
}

// Handler answers scrapes in the formats of Prometheus and OpenMetrics.
func (r *Recorder) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{
		Registry:            r.registry,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
		EnableOpenMetrics:   true,
	})
}
