package server

import (
	"context"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/recollect-dev/recollect/internal/cluster"
)

// join makes the server known to the others that share its store; without a store of heartbeats it
// is alone.
func (a *App) join(ctx context.Context, store cluster.Store, faces, users index) (
	*cluster.Membership, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	self := cluster.Node{Host: host, Address: reachable(a.URL, host), Version: a.cfg.Version,
		StartedAt: time.Now()}
	held := func() cluster.Held { return heldBy(faces, users) }
	if store == nil {
		return cluster.Alone(self, held), nil
	}
	m, err := cluster.Join(ctx, store, self, held, a.log)
	if err != nil {
		return nil, err
	}
	a.closers.add("the heartbeat", m.Close)
	return m, nil
}

// reachable is the URL of a server on a host: one that listens on all addresses has the host's
// name.
func reachable(listening, host string) string {
	u, err := url.Parse(listening)
	if err != nil {
		return listening
	}
	if address := net.ParseIP(u.Hostname()); address != nil && address.IsUnspecified() {
		u.Host = net.JoinHostPort(host, u.Port())
	}
	return u.String()
}

// heldBy is what the indexes have in memory.
func heldBy(faces, users index) (held cluster.Held) {
	collections, _, _ := faces.memory.Size()
	held.Collections = int64(collections)
	for _, i := range []index{faces, users} {
		_, vectors, bytes := i.memory.Size()
		held.Vectors += int64(vectors)
		held.Bytes += bytes
		if i.shared != nil {
			lag := i.shared.Lag()
			held.Behind += lag.Vectors
			held.SinceFollowed = max(held.SinceFollowed, time.Since(lag.At))
		}
	}
	return held
}
