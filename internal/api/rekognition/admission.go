package rekognition

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Where there are more requests than the server can serve, it serves as many as it can and turns
// the others away before it has read them, so that their SDKs back off and try again. Those it lets
// in wait for cores and memory, and the bounds keep that wait to seconds: bench/results/overload.md
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
	// patience is how long such a request then waits to get a place again.
	patience = 10 * time.Second

	// drained is the size of an unread body that is passed over rather than that its connection be
	// closed, in bytes.
	drained = 64 << 10
)

// admission bounds the requests that are served at one moment. Nobody waits to be let in.
type admission struct {
	requests *semaphore.Weighted
	pictures *semaphore.Weighted
	places   int64 // of pictures
	slowBody time.Duration
	patience time.Duration
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
		places:   int64(pictures),
		slowBody: slowBody,
		patience: patience,
	}
}

// place is a request's place among those that run networks. It is taken before the body is read, so
// that a crowd does not upload pictures in vain; a caller whose upload is slow gives it up for that
// time, so that slow callers do not keep it from fast ones. The nil place is that of any other
// request.
type place struct {
	in     *admission
	size   int64 // a large body takes several places
	timer  *time.Timer
	giveUp sync.Once // the first taking
	again  bool      // taken a second time
}

// enter returns a place for a body of so many bytes, less than 0 if that is not known, or
// errSlowDown.
func (a *admission) enter(c cost, bytes int64) (*place, error) {
	if c != networks {
		return nil, nil
	}
	if bytes < 0 {
		bytes = maxBody
	}
	p := &place{in: a, size: min(1+bytes/bytesPerPlace, a.places)} // whoever comes alone is let in
	if !a.pictures.TryAcquire(p.size) {
		return nil, errSlowDown
	}
	p.timer = time.AfterFunc(a.slowBody, p.release)
	return p, nil
}

func (p *place) release() { p.giveUp.Do(func() { p.in.pictures.Release(p.size) }) }

// settle makes sure of the place once the body is there.
func (p *place) settle(ctx context.Context) error {
	if p == nil || p.timer.Stop() {
		return nil
	}
	p.release() // the timer's call may be under way
	waiting, cancel := context.WithTimeout(ctx, p.in.patience)
	defer cancel()
	if p.in.pictures.Acquire(waiting, p.size) != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		return errSlowDown
	}
	p.again = true
	return nil
}

// leave gives the place back.
func (p *place) leave() {
	if p == nil {
		return
	}
	p.timer.Stop()
	p.release()
	if p.again {
		p.in.pictures.Release(p.size)
	}
}

// turnAway is err for a request whose body is not read. Where little is lost by it, the connection
// stays.
func turnAway(r *http.Request, err error) error {
	if 0 <= r.ContentLength && r.ContentLength <= drained && r.Header.Get("Expect") == "" {
		return err
	}
	return unread(err)
}
