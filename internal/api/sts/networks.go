package sts

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/recollect-dev/recollect/internal/api/clientaddr"
)

const (
	// The rate of requests without a signature, of one client's network: enough for a node whose
	// hundred containers start at once.
	unsignedPerSecond = 20
	unsignedBurst     = 100

	// Up to minBuckets, idle buckets are not deleted. From maxBuckets on, new networks share one.
	minBuckets = 1024
	maxBuckets = 64 << 10

	betweenSweeps = time.Second
)

// networks bounds what the clients of one network may send before the server knows who they are. It
// is safe for concurrent use.
type networks struct {
	mu      sync.Mutex
	bodies  map[netip.Prefix]int // that are being read
	buckets map[netip.Prefix]*rate.Limiter
	others  *rate.Limiter
	swept   time.Time
}

func newNetworks() *networks {
	return &networks{bodies: map[netip.Prefix]int{}, buckets: map[netip.Prefix]*rate.Limiter{},
		others: newBucket()}
}

func newBucket() *rate.Limiter { return rate.NewLimiter(unsignedPerSecond, unsignedBurst) }

// enter counts a body that is being read until leave is called. It is not ok if the network has too
// many.
func (n *networks) enter(client netip.Addr) (leave func(), ok bool) {
	network := clientaddr.Network(client)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bodies[network] >= maxOfNetwork {
		return nil, false
	}
	n.bodies[network]++
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.bodies[network]--; n.bodies[network] == 0 {
			delete(n.bodies, network)
		}
	}, true
}

// allow counts a request without a signature, and reports whether its network may send it.
func (n *networks) allow(client netip.Addr, now time.Time) bool {
	network := clientaddr.Network(client)
	n.mu.Lock()
	defer n.mu.Unlock()
	bucket := n.buckets[network]
	if bucket == nil {
		n.sweep(now)
		if bucket = n.others; len(n.buckets) < maxBuckets {
			bucket = newBucket()
			n.buckets[network] = bucket
		}
	}
	return bucket.AllowN(now, 1)
}

// sweep deletes the buckets that are full, which are equal to new ones, once there are many. As it
// looks at all of them, it does so once in betweenSweeps at most.
func (n *networks) sweep(now time.Time) {
	if len(n.buckets) < minBuckets || now.Sub(n.swept) < betweenSweeps {
		return
	}
	n.swept = now
	for network, bucket := range n.buckets {
		if bucket.TokensAt(now) >= unsignedBurst {
			delete(n.buckets, network)
		}
	}
}
