package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/cluster"
)

// servers is a cluster of which the first server answers.
type servers struct {
	nodes []cluster.Node
	err   error
}

func (s servers) Nodes(context.Context) ([]cluster.Node, error) { return s.nodes, s.err }
func (s servers) Self() string                                  { return s.nodes[0].ID }
func (s servers) Shared() bool                                  { return len(s.nodes) > 1 }

func TestCluster(t *testing.T) {
	started := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	two := servers{nodes: []cluster.Node{
		{ID: "a", Host: "one", Address: "http://one:7180", Version: "1.2", StartedAt: started,
			Held: cluster.Held{Collections: 1, Vectors: 2, Bytes: 3, Behind: 4,
				SinceFollowed: 1500 * time.Millisecond}, SinceBeat: 250 * time.Millisecond},
		{ID: "b", Host: "two", Version: "1.1", StartedAt: started, SinceBeat: time.Minute}}}
	d := open(t, func(c *admin.Config) { c.Cluster = two })
	status, answer := d.send(t, d.user(t, account, "one", "administrator"), "GET", "cluster", nil)
	var got admin.ClusterStatus
	if err := json.Unmarshal(answer, &got); err != nil || status != 200 || !got.Shared ||
		len(got.Nodes) != 2 {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	if want := (admin.ClusterNode{NodeId: "a", Host: "one", Address: "http://one:7180",
		Version: "1.2", StartedAt: started.Truncate(time.Millisecond), Answering: true,
		Alive: true, SecondsSinceHeartbeat: 0.25, Collections: 1, Vectors: 2, Bytes: 3,
		VectorsBehind: 4, SecondsSinceCompared: 1.5}); got.Nodes[0] != want {
		t.Errorf("got %+v, want %+v", got.Nodes[0], want)
	}
	if n := got.Nodes[1]; n.Alive || n.Answering || n.SecondsSinceHeartbeat != 60 {
		t.Errorf("the server that says nothing is %+v", n)
	}
	d.refused(t, "AccessDeniedException", d.user(t, account, "two", "full-access"), "GET",
		"cluster", nil)
	d.refused(t, "InvalidParameterException", d.root, "POST", "cluster", nil)

	two.err = errors.New("no database")
	d = open(t, func(c *admin.Config) { c.Cluster = two })
	if status, answer := d.send(t, d.root, "GET", "cluster", nil); status != 500 ||
		strings.Contains(string(answer), "no database") {
		t.Errorf("without the store: %d %s", status, answer)
	}
}
