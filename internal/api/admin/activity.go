package admin

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
)

const (
	minutes = 60 // that are kept

	// Durations are counted in classes whose bounds grow by a factor of 2^(1/4) from leastDuration
	// on, so that a quantile is at most a fifth too high. The last class has all longer than
	// about 100 seconds.
	leastDuration  = 100 * time.Microsecond
	classesPerHalf = 4
	classes        = 20*classesPerHalf + 1
)

// Activity counts the requests of the last hour, by minute and operation, in about 350 bytes for
// each pair of them. It is a [rekognition.Observer]. The zero value is ready to use.
type Activity struct {
	mu   sync.Mutex
	ring [minutes]minute
}

type minute struct {
	number     int64 // of the minutes since 1970
	operations map[string]*tally
}

// tally counts the requests of one operation.
type tally struct {
	requests, errors, faults, rejected uint64
	durations                          [classes]uint32
}

// Observe implements [rekognition.Observer].
func (a *Activity) Observe(o rekognition.Outcome) { a.observe(o, time.Now()) }

func (a *Activity) observe(o rekognition.Outcome, now time.Time) {
	if o.Operation == "" {
		o.Operation = "Unknown"
	}
	number := now.Unix() / 60
	a.mu.Lock()
	defer a.mu.Unlock()
	m := &a.ring[number%minutes]
	if m.number != number {
		*m = minute{number: number, operations: make(map[string]*tally)}
	}
	t := m.operations[o.Operation]
	if t == nil {
		t = new(tally)
		m.operations[o.Operation] = t
	}
	t.requests++
	if o.Exception != "" {
		t.errors++
	}
	if o.Status >= 500 {
		t.faults++
	}
	if o.Rejected {
		t.rejected++
	}
	t.durations[classOf(o.Duration)]++
}

func classOf(d time.Duration) int {
	if d <= leastDuration {
		return 0
	}
	return min(classes-1,
		int(math.Ceil(classesPerHalf*math.Log2(float64(d)/float64(leastDuration)))))
}

// add adds the counts of another tally.
func (t *tally) add(other *tally) {
	t.requests += other.requests
	t.errors += other.errors
	t.faults += other.faults
	t.rejected += other.rejected
	for i, n := range other.durations {
		t.durations[i] += n
	}
}

// quantile returns the upper bound of the class of the quantile, in milliseconds.
func (t *tally) quantile(q float64) float64 {
	rank, seen := uint64(math.Ceil(q*float64(t.requests))), uint64(0)
	for i, n := range t.durations {
		if seen += uint64(n); seen >= rank && n > 0 {
			bound := leastDuration.Seconds() * 1000 * math.Exp2(float64(i)/classesPerHalf)
			return math.Round(bound*100) / 100
		}
	}
	return 0
}

// counts is a tally in the form of the overview.
type counts struct {
	Requests                        uint64
	Errors                          uint64 // answered with an exception
	Faults                          uint64 // errors with a status of 500 or more
	Rejected                        uint64 // errors because of overload
	P50Millis, P90Millis, P99Millis float64
}

func (t *tally) counts() counts {
	return counts{t.requests, t.errors, t.faults, t.rejected, t.quantile(.5), t.quantile(.9),
		t.quantile(.99)}
}

type operationActivity struct {
	Operation string
	counts
	Minutes []minuteActivity // those with requests, the oldest first
}

type minuteActivity struct {
	Start time.Time
	counts
}

// lastHour returns the counts of the minutes up to now, by operation in order of name.
func (a *Activity) lastHour(now time.Time) []operationActivity {
	a.mu.Lock()
	defer a.mu.Unlock()
	totals := make(map[string]*tally)
	byMinute := make(map[string][]minuteActivity)
	last := now.Unix() / 60
	for number := last - minutes + 1; number <= last; number++ {
		m := &a.ring[number%minutes]
		if m.number != number {
			continue
		}
		for operation, t := range m.operations {
			if totals[operation] == nil {
				totals[operation] = new(tally)
			}
			totals[operation].add(t)
			byMinute[operation] = append(byMinute[operation],
				minuteActivity{time.Unix(number*60, 0).UTC(), t.counts()})
		}
	}
	hour := make([]operationActivity, 0, len(totals))
	for operation, t := range totals {
		hour = append(hour, operationActivity{operation, t.counts(), byMinute[operation]})
	}
	slices.SortFunc(hour,
		func(a, b operationActivity) int { return strings.Compare(a.Operation, b.Operation) })
	return hour
}
