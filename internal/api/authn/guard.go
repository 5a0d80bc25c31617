package authn

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/ratelimit"
)

// ErrTooManyFailures says that a signature was not looked at, because too many before it were
// wrong. The caller may try again.
var ErrTooManyFailures = errors.New("too many failed signatures")

// The rates of failed signatures. A secret of AWS's form has 240 bits, which no rate makes
// guessable; the rates are for the secrets that operators choose themselves.
const (
	// Of a client's network, and of an access key from all networks together.
	failuresPerSecond = 1
	failuresBurst     = 200
	// Of an access key from a network that has proven to have its secret. Somebody else in that
	// network, or a program there with an old secret, must fail ten times a second to keep the
	// owner waiting.
	provenPerSecond = 10
	provenBurst     = 200
	// provenFor is how long a right signature proves that.
	provenFor = 24 * time.Hour

	// betweenLines is the least time between two lines of the log about refused signatures.
	betweenLines = time.Minute
)

// Guard limits how often signatures may fail, so that secrets cannot be guessed. It is safe for
// concurrent use, and the nil Guard limits nothing.
//
// Failures are counted by the client's network (the address, or the /64 of IPv6) and by the access
// key. Once there were too many, signatures of that network, or of that key, are not looked at any
// more, right or wrong, until some time has passed. That alone would let anybody lock out a key
// whose id they know, or everybody behind the same address. So a key that signed rightly from a
// network in the last day has a count of its own there, apart from both others.
//
// Only failures are counted, and only those in which something could be learned: a wrong signature
// and an unknown key, not a wrong region or clock, nor a refused request. The network does not
// count for temporary keys: their secrets are never chosen by people, and a network may have many.
type Guard struct {
	log      *slog.Logger
	failures [reasons]atomic.Int64
	refused  [limits]atomic.Int64

	mu       sync.Mutex
	networks *ratelimit.Buckets[netip.Prefix]
	keys     *ratelimit.Buckets[string]
	proven   map[origin]*provenKey
	swept    time.Time
	lines    [limits]lines
}

// attempt is a request with a signature.
type attempt struct {
	client    netip.Addr
	keyID     string // need not be one of a key
	temporary bool   // there is a session token
	at        time.Time
}

func (a attempt) origin() origin { return origin{clientaddr.Network(a.client), a.keyID} }

// origin is an access key in a client's network.
type origin struct {
	network netip.Prefix
	keyID   string
}

// provenKey is an access key in a network that has its secret.
type provenKey struct {
	failures *rate.Limiter
	at       time.Time // of the last right signature
}

// lines bounds the lines of the log about one limit.
type lines struct {
	next     time.Time
	unlogged int64 // refused requests since the last line
}

// Reason is why a signature failed.
type Reason int

// The reasons.
const (
	UnknownKey Reason = iota
	WrongSignature

	reasons = iota
)

func (r Reason) String() string { return [...]string{"unknown_key", "wrong_signature"}[r] }

// Limit is what too many failed signatures had in common.
type Limit int

// The limits.
const (
	ByNetwork Limit = iota
	ByKey
	ByKeyInNetwork

	limits = iota
)

func (l Limit) String() string {
	return [...]string{"address", "access_key", "access_key_at_address"}[l]
}

// NewGuard returns a guard. A line of the log says what is refused, at most once a minute for each
// limit.
func NewGuard(log *slog.Logger) *Guard {
	return &Guard{log: log,
		networks: ratelimit.New[netip.Prefix](failuresPerSecond, failuresBurst),
		keys:     ratelimit.New[string](failuresPerSecond, failuresBurst),
		proven:   map[origin]*provenKey{}}
}

// Failures is how many signatures failed for a reason.
func (g *Guard) Failures(r Reason) int64 { return g.failures[r].Load() }

// Refused is how many requests were refused by a limit.
func (g *Guard) Refused(l Limit) int64 { return g.refused[l].Load() }

// Reasons returns all reasons.
func Reasons() []Reason { return []Reason{UnknownKey, WrongSignature} }

// Limits returns all limits.
func Limits() []Limit { return []Limit{ByNetwork, ByKey, ByKeyInNetwork} }

// allow returns nil if a signature may be looked at, and [ErrTooManyFailures] otherwise.
func (g *Guard) allow(a attempt) error {
	if g == nil {
		return nil
	}
	o := a.origin()
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.provenAt(o, a.at); p != nil {
		if p.failures.TokensAt(a.at) < 1 {
			return g.refuse(ByKeyInNetwork, a)
		}
		return nil
	}
	switch {
	case !a.temporary && g.networks.Empty(o.network, a.at):
		return g.refuse(ByNetwork, a)
	case g.keys.Empty(o.keyID, a.at):
		return g.refuse(ByKey, a)
	}
	return nil
}

// refuse counts a refused request and logs it. The caller holds g.mu.
func (g *Guard) refuse(by Limit, a attempt) error {
	g.refused[by].Add(1)
	l := &g.lines[by]
	l.unlogged++
	if !a.at.Before(l.next) {
		g.log.Warn("too many failed signatures: requests are refused", "limit", by.String(),
			"address", a.client.String(), "access_key_id", a.keyID, "refused", l.unlogged)
		*l = lines{next: a.at.Add(betweenLines)}
	}
	return ErrTooManyFailures
}

// fail counts a failed signature. Those with an unknown key are counted for the network alone: such
// a key has no secret to guess, and there is no end of such ids.
func (g *Guard) fail(r Reason, a attempt) {
	if g == nil {
		return
	}
	g.failures[r].Add(1)
	o := a.origin()
	g.mu.Lock()
	defer g.mu.Unlock()
	if r == WrongSignature {
		if p := g.provenAt(o, a.at); p != nil {
			p.failures.AllowN(a.at, 1)
			return
		}
		g.keys.Take(o.keyID, a.at)
	}
	if !a.temporary {
		g.networks.Take(o.network, a.at)
	}
}

// succeed notes a right signature.
func (g *Guard) succeed(a attempt) {
	if g == nil {
		return
	}
	o := a.origin()
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.proven[o]
	if p == nil {
		g.sweepProven(a.at)
		p = &provenKey{failures: rate.NewLimiter(provenPerSecond, provenBurst)}
		g.proven[o] = p
	}
	p.at = a.at
}

// provenAt returns the key in a network if it is proven. The caller holds g.mu.
func (g *Guard) provenAt(o origin, now time.Time) *provenKey {
	p := g.proven[o]
	if p == nil || now.Sub(p.at) > provenFor {
		return nil
	}
	return p
}

// sweepProven makes room for another key in a network: it deletes those that are not proven any
// more, and any one where that is not enough. The caller holds g.mu.
func (g *Guard) sweepProven(now time.Time) {
	if len(g.proven) < ratelimit.MinKeys {
		return
	}
	if now.Sub(g.swept) >= ratelimit.BetweenSweeps {
		g.swept = now
		for o, p := range g.proven {
			if now.Sub(p.at) > provenFor {
				delete(g.proven, o)
			}
		}
	}
	for o := range g.proven {
		if len(g.proven) < ratelimit.MaxKeys {
			return
		}
		delete(g.proven, o)
	}
}
