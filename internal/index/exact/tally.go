package exact

import (
	"sync/atomic"
	"time"
)

// Tally has counters of an index's work since it was made. Its fields are read and written
// atomically.
type Tally struct {
	// over a collection, for one query or several that waited at the same moment
	Passes   atomic.Int64
	Searches atomic.Int64 // answered
	Scanned  atomic.Int64 // vectors whose codes were read, times the queries
	// vectors that the codes could not rule out and that were compared in full
	Compared   atomic.Int64
	QueueNanos atomic.Int64 // that searches waited for their pass
	ScanNanos  atomic.Int64 // that they spent in it
}

func (t *Tally) pass(tasks, slots int, compared int64) {
	t.Passes.Add(1)
	t.Scanned.Add(int64(tasks) * int64(slots))
	t.Compared.Add(compared)
}

func (t *Tally) search(queued, scanned time.Duration) {
	t.Searches.Add(1)
	t.QueueNanos.Add(int64(queued))
	t.ScanNanos.Add(int64(scanned))
}
