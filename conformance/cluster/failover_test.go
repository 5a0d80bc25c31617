//go:build unix

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// primaryOf is the URL of a database on whichever of two servers is the primary.
func primaryOf(t *testing.T, one, two *postgrestest.Server, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	other, err := url.Parse(two.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("target_session_attrs", "primary")
	return fmt.Sprintf("postgres://postgres@%s,%s%s?%s", u.Host, other.Host, u.Path,
		query.Encode())
}

// waitForStandby has commits wait for the standby, and returns once they do.
func waitForStandby(t *testing.T, primary *postgrestest.Server) {
	t.Helper()
	at := primary.URL("postgres")
	primary.Exec(t, at, "ALTER SYSTEM SET synchronous_standby_names = '*'")
	primary.Exec(t, at, "SELECT pg_reload_conf()")
	waitFor(t, "a synchronous standby", startWithin, func() bool {
		return postgrestest.Number(t, at,
			"SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1
	})
}

// testPrimaryDies kills the primary in each round, while clients change a collection, and promotes
// its synchronous standby, as a cluster manager does: requests fail until then, and afterwards all
// that was acknowledged is there, and searches are exact. The former primary becomes the standby.
func testPrimaryDies(t *testing.T, program string) {
	const writers, perRound = 4, 12
	rounds := 1
	if *long {
		rounds = 20
	}
	primary := postgrestest.Start(t)
	database := primary.NewDatabase(t)
	standby := primary.StartStandby(t)
	store := primaryOf(t, primary, standby, database)
	nodes := startNodes(t, program, store, store)
	createCollection(t, nodes[0])
	picture := portrait(t)
	l := &ledger{faces: map[string]*sent{}, users: map[string]*sent{}}
	var acks, fails atomic.Int64
	for round := range rounds {
		waitForStandby(t, primary)
		ctx, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		by := make(chan *node)
		before := acks.Load()
		for i := range writers {
			w := &writer{number: round*writers + i, nodes: nodes, picture: picture, ledger: l,
				acks: &acks, fails: &fails, by: by}
			writing.Go(func() { w.run(ctx) })
		}
		some := before + 1 + rand.Int64N(perRound)
		waitFor(t, "a change", answerWithin, func() bool { return acks.Load() >= some })
		select {
		case <-by: // it is killed at the moment of an acknowledgement
		case <-time.After(answerWithin):
			t.Fatalf("nothing is acknowledged within %v", answerWithin)
		}
		primary.Kill(t)
		standby.Promote(t)
		for _, n := range nodes {
			n.waitUntilReady(t)
		}
		more := acks.Load() + writers
		waitFor(t, "a change on the new primary", answerWithin,
			func() bool { return acks.Load() >= more })
		stop()
		writing.Wait()
		l.verify(t, nodes, picture)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		t.Logf("round %d: %d changes acknowledged and %d failed up to now", round, acks.Load(),
			fails.Load())
		primary, standby = standby, primary
		if round < rounds-1 {
			standby.Follow(t, primary)
		}
	}
	if fails.Load() == 0 {
		t.Error("no change failed: the primary was killed during none")
	}
	t.Logf("%d rounds: %d changes acknowledged, %d failed; %d faces and %d users were sent",
		rounds, acks.Load(), fails.Load(), len(l.faces), len(l.users))
}
