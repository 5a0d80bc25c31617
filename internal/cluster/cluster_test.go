package cluster

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a store in memory.
type memory struct {
	mu    sync.Mutex
	nodes map[string]Node
	beats int
	fail  error
}

func (s *memory) Beat(_ context.Context, n Node) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.beats++
	s.nodes[n.ID] = n
	return nil
}

func (s *memory) Nodes(context.Context) (all []Node, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		all = append(all, n)
	}
	return all, s.fail
}

func (s *memory) Leave(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.nodes, id)
	return s.fail
}

func (s *memory) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// TestMembership: a server is on the list while it runs, with what it holds at each heartbeat. A
// store that fails for a while is said once.
func TestMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{nodes: map[string]Node{}}
		var log bytes.Buffer
		vectors := int64(0)
		held := func() Held { vectors++; return Held{Vectors: vectors} }
		m, err := Join(t.Context(), store, Node{Address: "http://one"}, held,
			slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		nodes, err := m.Nodes(t.Context())
		if err != nil || len(nodes) != 1 || nodes[0].ID != m.Self() ||
			nodes[0].Address != "http://one" || nodes[0].Vectors != 1 || !m.Shared() {
			t.Errorf("after the start: %+v, %v", nodes, err)
		}
		time.Sleep(3*interval + time.Millisecond)
		if nodes, _ := m.Nodes(t.Context()); nodes[0].Vectors != 4 {
			t.Errorf("after three intervals: %+v", nodes)
		}
		store.setFail(errors.New("no database"))
		time.Sleep(3 * interval)
		store.setFail(nil)
		time.Sleep(2 * interval)
		synctest.Wait() // for what a heartbeat of this moment logs
		if n := strings.Count(log.String(), "no database"); n != 1 ||
			strings.Count(log.String(), "again") != 1 {
			t.Errorf("the log is %s", log.String())
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if len(store.nodes) != 0 {
			t.Errorf("after the end: %v", store.nodes)
		}
		beats := store.beats
		time.Sleep(3 * interval)
		if store.beats != beats {
			t.Error("there are heartbeats after the end")
		}
	})
}

func TestJoinFails(t *testing.T) {
	store := &memory{fail: errors.New("no database")}
	if _, err := Join(t.Context(), store, Node{}, func() Held { return Held{} },
		slog.New(slog.DiscardHandler)); !errors.Is(err, store.fail) {
		t.Errorf("without a store: %v", err)
	}
}

func TestAlone(t *testing.T) {
	m := Alone(Node{Address: "http://one"}, func() Held { return Held{Collections: 3} })
	nodes, err := m.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Collections != 3 || nodes[0].ID != m.Self() ||
		!nodes[0].Alive() || m.Shared() {
		t.Errorf("got %+v, %v", nodes, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestAlive(t *testing.T) {
	if !(Node{SinceBeat: 2 * interval}).Alive() || (Node{SinceBeat: aliveFor}).Alive() {
		t.Error("a node is alive up to five intervals after its heartbeat")
	}
}
