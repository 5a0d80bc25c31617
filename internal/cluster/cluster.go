// Package cluster knows which servers share a database: each says again and again that it is there,
// and what it holds. Nothing that is answered to a client of the API depends on it.
package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// interval is how often a server says that it is there.
	interval = 2 * time.Second

	// aliveFor is how long after its last heartbeat a server counts as alive.
	aliveFor = 5 * interval

	// KeptFor is how long after its last heartbeat a server is listed.
	KeptFor = time.Hour

	// beatTimeout is how long a heartbeat may take.
	beatTimeout = 5 * time.Second
)

// Node is a server, in one run of its process.
type Node struct {
	ID        string // random
	Host      string // name of its machine
	Address   string // URL on which it listens
	Version   string // of the program
	StartedAt time.Time

	Held

	// SinceBeat is the time since its last heartbeat, by the clock of the store.
	SinceBeat time.Duration
}

// Alive reports whether the node's last heartbeat was a moment ago.
func (n Node) Alive() bool { return n.SinceBeat < aliveFor }

// Held is what a server has in memory.
type Held struct {
	Collections int64 // of which the vectors of faces are in memory
	Vectors     int64 // of faces and users
	Bytes       int64 // that they take

	// Behind is how many changes of vectors in the store were not in memory yet when the server
	// last compared: those that others had made since the time before. SinceFollowed is how long
	// ago that was. A search reads what is missing before it answers, so neither makes an answer
	// wrong.
	Behind        int64
	SinceFollowed time.Duration
}

// Store keeps the heartbeats of all servers.
type Store interface {
	// Beat records a heartbeat of a node, and forgets those whose last one is older than KeptFor.
	Beat(ctx context.Context, n Node) error

	// Nodes returns the nodes that are kept, in order of host, address and id.
	Nodes(ctx context.Context) ([]Node, error)

	// Leave forgets a node that ends.
	Leave(ctx context.Context, id string) error
}

// Membership is a server's part in the cluster.
type Membership struct {
	self  Node
	held  func() Held
	store Store // nil: the server is alone
	log   *slog.Logger

	stop context.CancelFunc
	done sync.WaitGroup
}

// Alone is the membership of a server that shares nothing.
func Alone(self Node, held func() Held) *Membership {
	self.ID = rand.Text()
	return &Membership{self: self, held: held}
}

// Join makes a server known to the others until Close. Held returns what it has at each heartbeat.
// It fails if the first heartbeat cannot be recorded.
func Join(ctx context.Context, store Store, self Node, held func() Held,
	log *slog.Logger) (*Membership, error) {
	m := Alone(self, held)
	m.store, m.log = store, log
	if err := m.beat(ctx); err != nil {
		return nil, fmt.Errorf("join the other servers: %w", err)
	}
	ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.done.Go(func() { m.keep(ctx) })
	return m, nil
}

func (m *Membership) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	return m.store.Beat(ctx, m.now())
}

// now is the server as it is at this moment.
func (m *Membership) now() Node {
	n := m.self
	n.Held = m.held()
	return n
}

// keep says again and again that the server is there. The log has the first failure and the end of
// failures.
func (m *Membership) keep(ctx context.Context) {
	failing := false
	for {
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return
		}
		err := m.beat(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			m.log.Warn("the heartbeat cannot be recorded", "error", err)
		case err == nil && failing:
			m.log.Info("the heartbeat is recorded again")
		}
		failing = err != nil
	}
}

// Shared reports whether the server shares its store with others.
func (m *Membership) Shared() bool { return m.store != nil }

// Self is the id of the server.
func (m *Membership) Self() string { return m.self.ID }

// Nodes returns all servers of which there was a heartbeat within [KeptFor], and those that ended
// in order excepted.
func (m *Membership) Nodes(ctx context.Context) ([]Node, error) {
	if m.store == nil {
		return []Node{m.now()}, nil
	}
	return m.store.Nodes(ctx)
}

// Close takes the server off the list. If that fails, the others see the heartbeats end.
func (m *Membership) Close() error {
	if m.store == nil {
		return nil
	}
	m.stop()
	m.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), beatTimeout)
	defer cancel()
	if err := m.store.Leave(ctx, m.self.ID); err != nil {
		m.log.Warn("the server stays on the list of servers for a while", "error", err)
	}
	return nil
}
