package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/cluster"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// TestHeartbeats: each node sees what the others said last, and for how long they have said nothing.
func TestHeartbeats(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	one, two := openStore(t, url), openStore(t, url)
	started := time.UnixMilli(1_700_000_000_123).UTC()
	a := cluster.Node{ID: "a", Host: "h", Address: "http://h:1", Version: "1.2",
		StartedAt: started, Held: cluster.Held{Collections: 1, Vectors: 2, Bytes: 3, Behind: 4,
			SinceFollowed: 5 * time.Second}}
	b := a
	b.ID, b.Address = "b", "http://h:0"
	beat := func(n cluster.Node) {
		t.Helper()
		if err := one.Beat(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	nodes := func() []cluster.Node {
		t.Helper()
		nodes, err := two.Nodes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return nodes
	}
	beat(a)
	beat(b)
	a.Vectors = 20
	beat(a)
	got := nodes()
	if len(got) != 2 || got[0].ID != "b" || got[1].ID != "a" {
		t.Fatalf("the nodes are %+v", got)
	}
	since, followed := got[1].SinceBeat, got[1].SinceFollowed
	if since < 0 || !got[1].Alive() || followed != since+5*time.Second {
		t.Errorf("the heartbeat was %v ago, the comparison %v", since, followed)
	}
	got[1].SinceBeat, got[1].SinceFollowed = 0, 5*time.Second
	if got[1] != a {
		t.Errorf("got %+v, want %+v", got[1], a)
	}

	late := func(id string, by time.Duration) {
		t.Helper()
		server.Exec(t, url, fmt.Sprintf("UPDATE recollect.nodes SET beat_at = now() - "+
			"interval '%d seconds' WHERE id = '%s'", int(by.Seconds()), id))
	}
	late("b", cluster.KeptFor/2)
	beat(a)
	if got := nodes(); len(got) != 2 || got[0].Alive() || !got[1].Alive() {
		t.Errorf("a node that says nothing is alive: %+v", got)
	}
	late("b", cluster.KeptFor+time.Minute)
	beat(a)
	if got := nodes(); len(got) != 1 || got[0].ID != "a" {
		t.Errorf("a node that was last there long ago is listed: %+v", got)
	}
	if err := one.Leave(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := nodes(); len(got) != 0 {
		t.Errorf("a node that left is listed: %+v", got)
	}
}
