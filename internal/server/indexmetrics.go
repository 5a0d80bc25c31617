package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// watchIndex registers the metrics of an index, with its name as a label.
func watchIndex(registry prometheus.Registerer, name string, i index) {
	x, tally := i.memory, i.memory.Tally()
	labels := prometheus.Labels{"index": name}
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help,
			ConstLabels: labels}, value))
	}
	counter := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name,
			Help: help, ConstLabels: labels}, value))
	}
	gauge("recollect_index_collections", "Collections in memory.",
		func() float64 { n, _, _ := x.Size(); return float64(n) })
	gauge("recollect_index_vectors", "Vectors of the collections in memory.",
		func() float64 { _, n, _ := x.Size(); return float64(n) })
	gauge("recollect_index_bytes", "Memory that they take.",
		func() float64 { _, _, n := x.Size(); return float64(n) })
	counter("recollect_index_searches_total", "Searches answered.",
		func() float64 { return float64(tally.Searches.Load()) })
	counter("recollect_index_scans_total",
		"Passes over a collection, each for the searches that waited at that moment.",
		func() float64 { return float64(tally.Passes.Load()) })
	counter("recollect_index_scanned_vectors_total",
		"Vectors whose codes were read, counted for each search.",
		func() float64 { return float64(tally.Scanned.Load()) })
	counter("recollect_index_compared_vectors_total",
		"Vectors that codes could not rule out and that were compared in full, counted for each "+
			"search.",
		func() float64 { return float64(tally.Compared.Load()) })
	counter("recollect_index_queue_seconds_total", "Time that searches waited for their pass.",
		func() float64 { return time.Duration(tally.QueueNanos.Load()).Seconds() })
	counter("recollect_index_scan_seconds_total", "Time that searches spent in their pass.",
		func() float64 { return time.Duration(tally.ScanNanos.Load()).Seconds() })
	if i.shared == nil {
		return
	}
	work := i.shared.Tally()
	counter("recollect_index_pulls_total",
		"Times that the position of a collection in memory was read from the store.",
		func() float64 { return float64(work.Pulls.Load()) })
	counter("recollect_index_pulled_vectors_total", "Vectors that they brought.",
		func() float64 { return float64(work.Pulled.Load()) })
	counter("recollect_index_reloads_total",
		"Collections that were loaded again, since the store may have lost changes.",
		func() float64 { return float64(work.Reloads.Load()) })
	gauge("recollect_index_lag_vectors",
		"Vectors that were not in memory yet when it was last compared with the store.",
		func() float64 { return float64(i.shared.Lag().Vectors) })
	gauge("recollect_index_compared_timestamp_seconds",
		"Time at which memory was last compared with the store, in seconds since 1970.",
		func() float64 { return float64(i.shared.Lag().At.UnixMilli()) / 1000 })
}

// watchCommits registers the metric of the transactions that several changes share, and returns the
// function that observes them.
func watchCommits(registry prometheus.Registerer) func(changes int) {
	sizes := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "recollect_commit_changes",
		Help:    "Changes of a collection that were committed in one transaction.",
		Buckets: []float64{1, 2, 4, 8, 16, 32, 64},
	})
	registry.MustRegister(sizes)
	return func(changes int) { sizes.Observe(float64(changes)) }
}
