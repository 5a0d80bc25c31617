package rekognition

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/exchange"
)

// If there are more requests than the server can serve, it serves as many as it can and rejects the
// others before it has read their bodies, so that their SDKs back off and retry. Admitted requests
// wait for cores and memory, and the bounds keep that wait to seconds: bench/results/overload.md
// has the measurements behind these numbers.
const (
	requestsPerCore = 256
	picturesPerCore = 128 // of the operations that run networks, in places

	// bytesPerPlace is how many bytes of a body take a place more. A large picture takes a core as
	// long to decode as ten small ones take it altogether.
	bytesPerPlace = 256 << 10

	// slowBody is how long a body may take to arrive before its request gives its place among the
	// pictures to another.
	slowBody = time.Second
	// startOfBody is how long a body may take to begin before another request can get the place of
	// its request.
	startOfBody = 10 * time.Millisecond
	// patience is how long such a request then waits to get a place again.
	patience = 10 * time.Second

	// drained is the size, in bytes, up to which an unread body is read and discarded, so that its
	// connection can be kept.
	drained = 64 << 10
)

// admission bounds the requests that are served at one moment. No request waits to be admitted.
type admission struct {
	requests *semaphore.Weighted
	pictures *semaphore.Weighted
	slowBody time.Duration
	patience time.Duration

	maxRequests int
	places      int64 // of pictures

	mu       sync.Mutex
	arriving []*place // of bodies that are being read, the oldest first
}

// newAdmission takes the default of a bound where it is 0.
func newAdmission(requests, pictures int) *admission {
	cores := runtime.GOMAXPROCS(0)
	if requests == 0 {
		requests = requestsPerCore * cores
	}
	if pictures == 0 {
		pictures = picturesPerCore * cores
	}
	return &admission{
		requests: semaphore.NewWeighted(int64(requests)),
		pictures: semaphore.NewWeighted(int64(pictures)),
		slowBody: slowBody,
		patience: patience,

		maxRequests: requests,
		places:      int64(pictures),
	}
}

// place is a request's place among those that run networks. It is taken before the body is read, so
// that a crowd does not upload pictures in vain. A request whose upload is slow loses it for that
// time: after slowBody in any case, and before that when another request needs a place and the
// body, at its rate so far, will take longer than slowBody. So slow clients, and clients that send
// nothing, do not keep places from fast ones. The nil place is that of any other request.
type place struct {
	in      *admission
	size    int64 // a large body takes several places
	length  int64 // of the body, in bytes
	begun   time.Time
	arrived atomic.Int64 // bytes of the body
	timer   *time.Timer
	held    bool // guarded by in.mu
}

// enter returns a place for a body of so many bytes, less than 0 if none are declared, or
// errSlowDown.
func (a *admission) enter(c cost, bytes int64) (*place, error) {
	if c != networks {
		return nil, nil
	}
	if bytes < 0 {
		bytes = maxBody
	}
	// A request that is alone is admitted whatever its size.
	p := &place{in: a, size: min(1+bytes/bytesPerPlace, a.places), length: bytes,
		begun: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.pictures.TryAcquire(p.size) && !a.takeFromSlow(p.size) {
		return nil, errSlowDown
	}
	p.held = true
	a.arriving = append(a.arriving, p)
	p.timer = time.AfterFunc(a.slowBody, p.lend)
	return p, nil
}

// takeFromSlow acquires size places, which requests with slow bodies lose, and reports whether they
// had enough. The caller holds a.mu.
func (a *admission) takeFromSlow(size int64) bool {
	for _, p := range a.arriving {
		if !p.held || !p.isSlow() {
			continue
		}
		p.release()
		if a.pictures.TryAcquire(size) {
			return true
		}
	}
	return false
}

// isSlow reports whether the body, at its rate so far, takes longer than slowBody.
func (p *place) isSlow() bool {
	elapsed := time.Since(p.begun)
	return elapsed >= startOfBody && float64(p.arrived.Load())*float64(p.in.slowBody) <
		float64(p.length)*float64(elapsed)
}

// arrive counts n bytes of the body.
func (p *place) arrive(n int) {
	if p != nil {
		p.arrived.Add(int64(n))
	}
}

// release gives the place to other requests. The caller holds p.in.mu.
func (p *place) release() {
	if p.held {
		p.held = false
		p.in.pictures.Release(p.size)
	}
}

// lend releases the place if the body is still being read.
func (p *place) lend() {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if slices.Contains(p.in.arriving, p) {
		p.release()
	}
}

// arrivedWhole ends the time in which the place can be lost. The caller holds p.in.mu.
func (p *place) arrivedWhole() {
	p.timer.Stop()
	p.in.arriving = slices.DeleteFunc(p.in.arriving, func(q *place) bool { return q == p })
}

// settle makes sure of the place once the body has arrived.
func (p *place) settle(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.in.mu.Lock()
	p.arrivedWhole()
	held := p.held
	p.in.mu.Unlock()
	if held {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, p.in.patience)
	defer cancel()
	if p.in.pictures.Acquire(waiting, p.size) != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		return errSlowDown
	}
	p.in.mu.Lock()
	p.held = true
	p.in.mu.Unlock()
	return nil
}

// leave gives the place back.
func (p *place) leave() {
	if p == nil {
		return
	}
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.arrivedWhole()
	p.release()
}

// rejectUnread returns err for a request whose body is not read. The connection is kept if the body
// is small enough to be discarded.
func rejectUnread(r *http.Request, err error) error {
	if 0 <= r.ContentLength && r.ContentLength <= drained && r.Header.Get("Expect") == "" {
		return err
	}
	return exchange.Unread(err)
}
