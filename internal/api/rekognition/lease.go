package rekognition

import (
	"context"
	"time"
)

const (
	// leaseTime is for how long a lease should do, if all tokens of a rate went to this server.
	leaseTime = 200 * time.Millisecond

	// leaseExpiry is after how long tokens of a lease that were not used are dropped. So in any
	// time t all servers together allow at most the burst and the tokens of t + leaseExpiry.
	leaseExpiry = time.Second

	// leaseRest is how long a server waits at least after it has emptied the bucket, if that does
	// not overflow meanwhile.
	leaseRest = 100 * time.Millisecond
)

// lease is a server's part of a bucket that several servers share: tokens that it took in advance,
// so that it asks for them a few times a second, however many calls it counts.
//
// It takes twice as many as it used of its last lease, and at most those of leaseTime, so that a
// server which gets few calls keeps few tokens from the others.
type lease struct {
	shared SharedBuckets
	name   string
	rate   Rate

	turn    chan struct{} // holds the right to use the rest, so that waiting for it can end
	tokens  int
	expires time.Time // of the tokens
	used    int       // of this lease
	empty   time.Time // the shared bucket has nothing until then
}

func newLease(shared SharedBuckets, name string, r Rate) *lease {
	l := &lease{shared: shared, name: name, rate: r, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

func (l *lease) take(ctx context.Context, now time.Time) (bool, error) {
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if l.tokens == 0 || !now.Before(l.expires) {
		l.tokens = 0
		if now.Before(l.empty) {
			return false, nil
		}
		if err := l.renew(ctx, now); err != nil || l.tokens == 0 {
			return false, err
		}
	}
	l.tokens--
	l.used++
	return true, nil
}

// renew takes the tokens of the next lease, or notes that there are none.
func (l *lease) renew(ctx context.Context, now time.Time) error {
	most := max(1, int(l.rate.PerSecond*leaseTime.Seconds()))
	want := min(max(1, 2*l.used), most)
	taken, wait, err := l.shared.TakeTokens(ctx, l.name, l.rate.PerSecond, l.rate.Burst, want)
	if err != nil {
		return err
	}
	if taken < want {
		half := time.Duration(float64(l.rate.Burst) / l.rate.PerSecond / 2 * float64(time.Second))
		l.empty = now.Add(max(wait, min(leaseRest, half)))
	}
	if taken > 0 {
		l.tokens, l.used, l.expires = taken, 0, now.Add(leaseExpiry)
	}
	return nil
}

func (l *lease) idle(now time.Time) bool {
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	default:
		return false // it is in use
	}
	return !now.Before(l.empty) && (l.tokens == 0 || !now.Before(l.expires))
}
