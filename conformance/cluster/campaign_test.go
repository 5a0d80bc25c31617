//go:build unix

package cluster

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// campaign has writers change a collection, round after round, while a test kills servers. Nothing
// that was acknowledged may be lost, and nothing may be there that nobody sent.
type campaign struct {
	nodes             []*node
	writers, perRound int // changes that are acknowledged before servers are killed, at most
	picture           []byte
	ledger            *ledger
	rounds            int
	acks, fails       atomic.Int64
}

// newCampaign creates the collection.
func newCampaign(t *testing.T, nodes []*node, writers, perRound int) *campaign {
	t.Helper()
	createCollection(t, nodes[0])
	return &campaign{nodes: nodes, writers: writers, perRound: perRound, picture: portrait(t),
		ledger: &ledger{faces: map[string]*sent{}, users: map[string]*sent{}}}
}

// round calls kill while the writers are at work, and verifies what is there once they have ended.
// by gets the nodes of acknowledgements.
func (c *campaign) round(t *testing.T, kill func(by <-chan *node)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writing sync.WaitGroup
	by := make(chan *node)
	some := c.acks.Load() + 1 + rand.Int64N(int64(c.perRound))
	for i := range c.writers {
		w := &writer{number: c.rounds*c.writers + i, nodes: c.nodes, picture: c.picture,
			ledger: c.ledger, acks: &c.acks, fails: &c.fails, by: by}
		writing.Go(func() { w.run(ctx) })
	}
	waitFor(t, "a change", answerWithin, func() bool { return c.acks.Load() >= some })
	kill(by)
	stop()
	writing.Wait()
	c.ledger.verify(t, c.nodes, c.picture)
	if t.Failed() {
		t.Fatalf("in round %d", c.rounds)
	}
	t.Logf("round %d: %d changes acknowledged and %d failed up to now", c.rounds, c.acks.Load(),
		c.fails.Load())
	c.rounds++
}

// acknowledgement waits for the node of the next acknowledgement.
func acknowledgement(t *testing.T, by <-chan *node) *node {
	t.Helper()
	select {
	case n := <-by:
		return n
	case <-time.After(answerWithin):
		t.Fatalf("nothing is acknowledged within %v", answerWithin)
		return nil
	}
}

// goesOn waits until more changes are acknowledged than can have been in flight.
func (c *campaign) goesOn(t *testing.T, what string) {
	t.Helper()
	more := c.acks.Load() + int64(c.writers)
	waitFor(t, what, answerWithin, func() bool { return c.acks.Load() >= more })
}

// end logs what was done. Some changes must have failed: otherwise none was in flight when a server
// was killed.
func (c *campaign) end(t *testing.T) {
	t.Helper()
	if c.fails.Load() == 0 {
		t.Error("no change failed: servers were killed during none")
	}
	t.Logf("%d rounds: %d changes acknowledged, %d failed; %d faces and %d users were sent",
		c.rounds, c.acks.Load(), c.fails.Load(), len(c.ledger.faces), len(c.ledger.users))
}
