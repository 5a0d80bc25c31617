//go:build unix

package cluster

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// proxy passes connections on to another address, and can stall: then nothing passes either way,
// and connections stay open.
type proxy struct {
	to       string
	listener net.Listener

	mu   sync.Mutex
	open chan struct{} // closed while bytes may pass
	all  []net.Conn
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{to: to, listener: l, open: make(chan struct{})}
	close(p.open)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		p.resume()
		l.Close()
		p.mu.Lock()
		for _, conn := range p.all {
			conn.Close()
		}
		p.mu.Unlock()
		serving.Wait()
	})
	return p
}

func (p *proxy) serve(in net.Conn) {
	out, err := net.Dial("tcp", p.to)
	if err != nil {
		in.Close()
		return
	}
	p.mu.Lock()
	p.all = append(p.all, in, out)
	p.mu.Unlock()
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		copying.Go(func() {
			defer pair[0].Close()
			defer pair[1].Close()
			b := make([]byte, 64<<10)
			for {
				n, err := pair[0].Read(b)
				p.pass()
				if n > 0 {
					if _, err := pair[1].Write(b[:n]); err != nil {
						return
					}
				}
				if err != nil {
					return
				}
			}
		})
	}
	copying.Wait()
}

// pass waits until bytes may pass.
func (p *proxy) pass() {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
}

func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// through is the URL of a database by way of a proxy.
func (p *proxy) through(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = p.listener.Addr().String()
	return u.String()
}

// asked is how requests went that were made at one moment.
type asked struct {
	name string
	err  error
	took time.Duration
}

// askAll makes a search, a change and a listing at a node, at the same moment.
func askAll(t *testing.T, n *node, picture []byte, external string) []asked {
	t.Helper()
	kinds := map[string]func(context.Context) error{
		"SearchFacesByImage": func(ctx context.Context) error {
			_, err := n.search(ctx, picture)
			return err
		},
		"IndexFaces": func(ctx context.Context) error {
			_, err := n.index(ctx, picture, external)
			return err
		},
		"ListFaces": func(ctx context.Context) error {
			_, _, err := listed(ctx, []*node{n})
			return err
		},
	}
	all := make([]asked, 0, len(kinds))
	var mu sync.Mutex
	var asking sync.WaitGroup
	for name, ask := range kinds {
		asking.Go(func() {
			started := time.Now()
			err := ask(t.Context())
			mu.Lock()
			defer mu.Unlock()
			all = append(all, asked{name, err, time.Since(started)})
		})
	}
	asking.Wait()
	return all
}

// mustFail wants an error of each request, within the time limit: an answer could only be from
// memory, which nobody compared with the database.
func mustFail(t *testing.T, n *node, picture []byte, external string) {
	t.Helper()
	for _, a := range askAll(t, n, picture, external) {
		if a.err == nil {
			t.Errorf("%s was answered without the database", a.name)
		}
		if a.took >= answerWithin {
			t.Errorf("%s was not answered within %v", a.name, answerWithin)
		}
		t.Logf("%s fails after %v", a.name, a.took.Round(100*time.Millisecond))
	}
}

// put indexes faces at a node, one after the other, and adds them to what is there.
func put(t *testing.T, n *node, picture []byte, there map[string]string, name string, count int) {
	t.Helper()
	for i := range count {
		external := fmt.Sprintf("%s-%d", name, i)
		id, err := n.index(t.Context(), picture, external)
		if err != nil {
			t.Fatal(err)
		}
		there[id] = external
	}
}

// mustFind wants exactly what is there, and unknown ones whose requests failed.
func mustFind(t *testing.T, nodes []*node, picture []byte, there map[string]string,
	unknown ...string) {
	t.Helper()
	for i, n := range nodes {
		found, err := n.search(t.Context(), picture)
		if err != nil {
			t.Errorf("node %d: %v", i, err)
			continue
		}
		for _, external := range unknown {
			maps.DeleteFunc(found, func(_, is string) bool { return is == external })
		}
		if !maps.Equal(found, there) {
			t.Errorf("node %d finds %d faces, and there are %d", i, len(found), len(there))
		}
	}
}

// testPrimaryStops stops all processes of PostgreSQL where they are: every node answers with
// errors, within the time limits, and says so to its load balancer. Afterwards all go on.
func testPrimaryStops(t *testing.T, program string) {
	database := postgrestest.Start(t)
	nodes := startNodes(t, program, stores(database, t, 2)...)
	createCollection(t, nodes[0])
	picture, there := portrait(t), map[string]string{}
	put(t, nodes[0], picture, there, "before", 3)
	mustFind(t, nodes, picture, there)

	database.Pause(t)
	var asking sync.WaitGroup
	for i, n := range nodes {
		asking.Go(func() { mustFail(t, n, picture, fmt.Sprintf("meanwhile-%d", i)) })
	}
	for _, n := range nodes {
		waitFor(t, "a node that says it is not ready", answerWithin,
			func() bool { return n.ready() == http.StatusServiceUnavailable })
	}
	asking.Wait()
	database.Resume()
	for _, n := range nodes {
		n.waitUntilReady(t)
	}
	mustFind(t, nodes, picture, there, "meanwhile-0", "meanwhile-1")
	put(t, nodes[1], picture, there, "after", 2)
	mustFind(t, nodes, picture, there, "meanwhile-0", "meanwhile-1")
}

// testNodeStops stops the process of a node while it makes changes: the others go on, and what it
// answers afterwards is what was there since the question.
func testNodeStops(t *testing.T, program string) {
	rounds := 2
	if *long {
		rounds = 20
	}
	database := postgrestest.Start(t)
	nodes := startNodes(t, program, stores(database, t, 3)...)
	createCollection(t, nodes[0])
	picture, there := portrait(t), map[string]string{}
	put(t, nodes[2], picture, there, "before", 3)
	mustFind(t, nodes, picture, there)
	var unknown []string
	for round := range rounds {
		// Changes that are under way at the node when it stops.
		type outcome struct {
			external, id string
			err          error
		}
		outcomes := make(chan outcome)
		const changes = 4
		for i := range changes {
			external := fmt.Sprintf("stopped-%d-%d", round, i)
			go func() {
				id, err := nodes[0].index(t.Context(), picture, external)
				outcomes <- outcome{external, id, err}
			}()
		}
		first := <-outcomes
		if first.err != nil {
			t.Fatal(first.err)
		}
		there[first.id] = first.external
		nodes[0].pause(t)
		// A node that stopped within a transaction holds the collection's lock until the database
		// ends the transaction. Changes of others wait meanwhile, and do not fail.
		put(t, nodes[1], picture, there, fmt.Sprintf("meanwhile-%d", round), 1)
		for i, n := range nodes[1:] {
			found, err := n.search(t.Context(), picture)
			if err != nil {
				t.Errorf("node %d: %v", i+1, err)
			}
			for id, external := range there {
				if found[id] != external {
					t.Errorf("node %d does not find %s", i+1, external)
				}
			}
		}
		nodes[0].resume(t)
		// What it is asked from now on, it answers with all that the others acknowledged.
		found, err := nodes[0].search(t.Context(), picture)
		if err != nil {
			t.Errorf("the node that went on: %v", err)
		}
		for id, external := range there {
			if found[id] != external {
				t.Errorf("the node that went on does not find %s", external)
			}
		}
		for range changes - 1 {
			if o := <-outcomes; o.err == nil {
				there[o.id] = o.external
			} else {
				unknown = append(unknown, o.external)
			}
		}
		mustFind(t, nodes, picture, there, unknown...)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d rounds: the outcome of %d changes is not known", rounds, len(unknown))
}

// testNetworkStalls stalls the connections of one node to the database, which stay open: that node
// answers with errors, never from its memory, and the other one goes on. Afterwards it has what the
// other acknowledged.
func testNetworkStalls(t *testing.T, program string) {
	database := postgrestest.Start(t)
	direct := database.NewDatabase(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	between := startProxy(t, u.Host)
	nodes := startNodes(t, program, between.through(t, direct), direct)
	createCollection(t, nodes[0])
	picture, there := portrait(t), map[string]string{}
	put(t, nodes[0], picture, there, "before", 3)
	mustFind(t, nodes, picture, there)

	between.stall()
	var asking sync.WaitGroup
	asking.Go(func() { mustFail(t, nodes[0], picture, "stalled") })
	put(t, nodes[1], picture, there, "meanwhile", 3)
	mustFind(t, nodes[1:], picture, there)
	waitFor(t, "a node that says it is not ready", answerWithin,
		func() bool { return nodes[0].ready() == http.StatusServiceUnavailable })
	if status := nodes[1].ready(); status != http.StatusOK {
		t.Errorf("the other node is ready with status %d", status)
	}
	asking.Wait()
	between.resume()
	nodes[0].waitUntilReady(t)
	mustFind(t, nodes, picture, there, "stalled")
}

// TestProxyStalls: the proxy of these tests does what they need.
func TestProxyStalls(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = io.Copy(conn, conn) // until the proxy closes it
			conn.Close()
		}
	}()
	p := startProxy(t, l.Addr().String())
	conn, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echo := func(within time.Duration) error {
		conn.SetDeadline(time.Now().Add(within))
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	}
	if err := echo(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	p.stall()
	if err := echo(100 * time.Millisecond); err == nil {
		t.Error("a byte passed")
	}
	p.resume()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Error("the byte that was held did not pass")
	}
}
