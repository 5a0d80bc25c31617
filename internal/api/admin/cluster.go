package admin

import (
	"context"
	"time"
)

// ClusterStatus is the answer of the route cluster.
type ClusterStatus struct {
	// Shared says that servers can share the store, so that there may be several.
	Shared bool

	Nodes []ClusterNode
}

// ClusterNode is a server of which there was a heartbeat within the last hour, and which did not
// end in order.
type ClusterNode struct {
	NodeId    string
	Host      string // name of its machine
	Address   string // on which it listens
	Version   string
	StartedAt time.Time
	Answering bool // it is the one that answers this request

	Alive                 bool // its last heartbeat was a moment ago
	SecondsSinceHeartbeat float64

	// What it had in memory at its last heartbeat, or has at this moment if it is the only one.
	Collections int64 // of which it has the vectors of faces
	Vectors     int64 // of faces and users
	Bytes       int64 // that they take

	// How many vectors it had still to read when it last compared its memory with the store, and
	// how long ago that was. They are 0 if it shares the store with nobody.
	VectorsBehind        int64
	SecondsSinceCompared float64
}

// cluster returns the servers that share the store.
func (s *Server) cluster(ctx context.Context, _ *call) (any, error) {
	nodes, err := s.Cluster.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	answer := &ClusterStatus{Shared: s.Cluster.Shared(), Nodes: make([]ClusterNode, len(nodes))}
	for i, n := range nodes {
		answer.Nodes[i] = ClusterNode{
			NodeId: n.ID, Host: n.Host, Address: n.Address, Version: n.Version,
			StartedAt:             n.StartedAt.UTC().Truncate(time.Millisecond),
			Answering:             n.ID == s.Cluster.Self(),
			Alive:                 n.Alive(),
			SecondsSinceHeartbeat: seconds(n.SinceBeat),
			Collections:           n.Collections,
			Vectors:               n.Vectors,
			Bytes:                 n.Bytes,
			VectorsBehind:         n.Behind,
			SecondsSinceCompared:  seconds(n.SinceFollowed),
		}
	}
	return answer, nil
}

// seconds is a duration with three digits behind the point.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
