package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recollect-dev/recollect/internal/index/exact"
)

// watchIndex registers the metrics of an index, with its name as a label.
func watchIndex(registry prometheus.Registerer, name string, x *exact.Index) {
	tally := x.Tally()
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
}
