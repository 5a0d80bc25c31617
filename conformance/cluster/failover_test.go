//go:build unix

package cluster

import (
	"fmt"
	"net/url"
	"testing"

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
	rounds := 1
	if *long {
		rounds = 20
	}
	primary := postgrestest.Start(t)
	database := primary.NewDatabase(t)
	standby := primary.StartStandby(t)
	store := primaryOf(t, primary, standby, database)
	nodes := startNodes(t, program, store, store)
	c := newCampaign(t, nodes, 4, 12)
	for round := range rounds {
		waitForStandby(t, primary)
		c.round(t, func(by <-chan *node) {
			acknowledgement(t, by) // it is killed at the moment of one
			primary.Kill(t)
			standby.Promote(t)
			for _, n := range nodes {
				n.waitUntilReady(t)
			}
			c.goesOn(t, "a change on the new primary")
		})
		primary, standby = standby, primary
		if round < rounds-1 {
			standby.Follow(t, primary)
		}
	}
	c.end(t)
}
