package sts

import (
	"net/netip"
	"sync"
	"time"

	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/ratelimit"
)

const (
	// The rate of requests without a signature, of one client's network: enough for a node whose
	// hundred containers start at once.
	unsignedPerSecond = 20
	unsignedBurst     = 100
)

// networks bounds what the clients of one network may send before the server knows who they are. It
// is safe for concurrent use.
type networks struct {
	mu      sync.Mutex
	bodies  map[netip.Prefix]int // that are being read
	buckets *ratelimit.Buckets[netip.Prefix]
}

func newNetworks() *networks {
	return &networks{bodies: map[netip.Prefix]int{},
		buckets: ratelimit.New[netip.Prefix](unsignedPerSecond, unsignedBurst)}
}

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
	return n.buckets.Take(network, now)
}
