package postgres_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/index/shared"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

var linearity = flag.Duration("linearity", 8*time.Second,
	"how long each part of TestLinearity lasts")

var home = recollect.Realm{Account: "123456789012", Region: "us-east-1"}

// node is a server without its API.
type node struct {
	*face.Service
	store        *postgres.Store
	faces, users *shared.Index
}

// startNodes starts nodes on a database until the test ends. The last one has memory for one
// collection, so that it loads collections again and again.
func startNodes(t *testing.T, url string, n int, engine face.Engine) []*node {
	t.Helper()
	nodes := make([]*node, n)
	for i := range nodes {
		store, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		memory := exact.Options{Log: slog.New(slog.DiscardHandler)}
		if i == n-1 {
			memory.MaxBytes = 1
		}
		node := &node{store: store, faces: shared.New(store.FaceVectors(), memory),
			users: shared.New(store.UserVectorChanges(), memory)}
		node.Service, err = face.NewService(face.Config{Store: store, Faces: node.faces,
			Users: node.users, Engines: []face.Engine{engine}})
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = node
		t.Cleanup(func() {
			if err := errors.Join(node.faces.Close(), node.users.Close(),
				store.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	return nodes
}

// span is when something was changed: after began and before ended, on the clock of the test. A
// change that has not ended, or of which it is not known whether it was made, ends never.
type span struct{ began, ended int64 }

const never = math.MaxInt64

// seen is what the oracle knows of a face or a user: when it came and when it went.
type seen struct {
	person    int
	came, out span
	vectors   []vectorSpan // of a user, the last one at the end
}

type vectorSpan struct {
	span
	vector []float32 // nil: none
}

// must reports whether a search from s to e must find a face, and may whether it may.
func (f *seen) must(s, e int64) bool { return f.came.ended < s && f.out.began > e }
func (f *seen) may(s, e int64) bool  { return f.came.began <= e && f.out.ended >= s }

// oracle knows what was done to one collection. The moments of a clock order what is done.
type oracle struct {
	clock *atomic.Int64
	face.Collection
	mu    sync.Mutex
	faces map[string]*seen // by id
	users map[string]*seen
	doubt bool // some change may have been made or not: counts are unknown
}

func (o *oracle) now() int64 { return o.clock.Add(1) }

// client makes random calls, each at a random node, and checks the answers.
type client struct {
	t      *testing.T
	ctx    context.Context
	number int
	nodes  []*node
	all    []*oracle
	lossy  bool // calls may fail
	calls  *atomic.Int64
	failed *atomic.Int64
	mine   [][]string // my users, by the collection's place
}

const persons = 12

func (c *client) node() *node { return c.nodes[rand.IntN(len(c.nodes))] }

// fails reports whether a call failed, which may be.
func (c *client) fails(what string, err error) bool {
	if err == nil {
		return false
	}
	if c.failed.Add(1); !c.lossy {
		c.t.Errorf("%s: %v", what, err)
	}
	return true
}

func (c *client) run() {
	for c.ctx.Err() == nil && !c.t.Failed() {
		place := rand.IntN(len(c.all))
		o := c.all[place]
		switch n := rand.IntN(100); {
		case n < 20:
			c.index(o)
		case n < 30:
			c.deleteFaces(o)
		case n < 40:
			c.changeUser(o, place)
		case n < 43:
			c.deleteUser(o, place)
		case n < 48:
			c.list(o)
		case n < 49:
			c.own()
		case n < 75:
			c.searchFaces(o)
		default:
			c.searchUsers(o)
		}
		c.calls.Add(1)
	}
}

// call is the context of a call, which the end of the test does not cut short.
func (c *client) call() context.Context { return context.WithoutCancel(c.ctx) }

func (c *client) index(o *oracle) {
	person := rand.IntN(persons)
	var picture []enginetest.Face
	for range 1 + rand.IntN(3) {
		picture = append(picture, enginetest.Face{Person: person, Shot: rand.IntN(1000),
			Size: 0.3 + 0.1*rand.Float32()})
	}
	began := o.now()
	result, err := c.node().IndexFaces(c.call(), face.IndexFacesRequest{Realm: home,
		CollectionID: o.ID, Picture: recollect.Bytes(enginetest.Picture(picture...))})
	ended := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.fails("IndexFaces", err) {
		o.doubt = true // faces whose ids are not known
		return
	}
	for _, f := range result.Indexed {
		if o.faces[f.Face.ID] == nil {
			o.faces[f.Face.ID] = &seen{person: person, came: span{began, ended},
				out: span{never, never}}
		} else {
			c.t.Errorf("the face %s was indexed twice", f.Face.ID)
		}
	}
}

// some returns an id of what is there and nobody is deleting.
func some(all map[string]*seen) string {
	for id, f := range all { // in random order
		if f.out.began == never {
			return id
		}
	}
	return ""
}

func (c *client) deleteFaces(o *oracle) {
	o.mu.Lock()
	id := some(o.faces)
	if id == "" || len(o.faces) < 40 {
		o.mu.Unlock()
		return
	}
	f := o.faces[id]
	f.out.began = o.now()
	o.mu.Unlock()
	result, err := c.node().DeleteFaces(c.call(), face.DeleteFacesRequest{Realm: home,
		CollectionID: o.ID, FaceIDs: []string{id}})
	ended := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case c.fails("DeleteFaces", err):
		o.doubt = true
	case len(result.Deleted) == 1:
		f.out.ended = ended
	default: // it belongs to a user
		f.out = span{never, never}
	}
}

// changeUser gives one of the client's users faces of its person, and may take them away again.
func (c *client) changeUser(o *oracle, place int) {
	var id string
	if len(c.mine[place]) < 4 {
		id = uuid.NewString()
		if c.fails("CreateUser", c.node().CreateUser(c.call(), face.CreateUserRequest{Realm: home,
			CollectionID: o.ID, UserID: id})) {
			return
		}
		c.mine[place] = append(c.mine[place], id)
		o.mu.Lock()
		o.users[id] = &seen{person: rand.IntN(persons), out: span{never, never}}
		o.mu.Unlock()
	} else {
		id = c.mine[place][rand.IntN(len(c.mine[place]))]
	}
	o.mu.Lock()
	u := o.users[id]
	var faces []string
	for faceID, f := range o.faces {
		if f.person == u.person && f.out.began == never && len(faces) < 2 {
			faces = append(faces, faceID)
		}
	}
	nth := len(u.vectors)
	u.vectors = append(u.vectors, vectorSpan{span: span{o.now(), never}})
	o.mu.Unlock()
	if len(faces) == 0 {
		faces = []string{uuid.NewString()} // the collection has no such face
	}
	_, err := c.node().AssociateFaces(c.call(), face.AssociateFacesRequest{Realm: home,
		CollectionID: o.ID, UserID: id, FaceIDs: faces})
	if err == nil && rand.IntN(3) == 0 {
		_, err = c.node().DisassociateFaces(c.call(), face.DisassociateFacesRequest{Realm: home,
			CollectionID: o.ID, UserID: id, FaceIDs: faces})
	}
	ended := o.now()
	if c.fails("AssociateFaces", err) {
		return // the span never ends: either vector may be there
	}
	// Nobody else changes the user: what the database has now, it has since the call.
	now, err := c.node().store.User(c.call(), o.Key, id)
	if c.fails("User", err) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	u.vectors[nth].ended, u.vectors[nth].vector = ended, now.Vector
}

func (c *client) deleteUser(o *oracle, place int) {
	if len(c.mine[place]) == 0 {
		return
	}
	id := c.mine[place][0]
	c.mine[place] = c.mine[place][1:]
	o.mu.Lock()
	u := o.users[id]
	u.out.began = o.now()
	o.mu.Unlock()
	err := c.node().DeleteUser(c.call(), face.DeleteUserRequest{Realm: home, CollectionID: o.ID,
		UserID: id})
	ended := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !c.fails("DeleteUser", err) {
		u.out.ended = ended
	}
}

// searchFaces searches for a person, and wants each face of it that was there all the time, none
// that was gone or had not come, and the similarity of each.
func (c *client) searchFaces(o *oracle) {
	person, most := rand.IntN(persons), 4096
	if rand.IntN(4) == 0 {
		most = 3
	}
	query := enginetest.Face{Person: person, Shot: rand.IntN(1000), Size: 0.5}
	node := c.node()
	s := o.now()
	result, err := node.SearchFacesByImage(c.call(), face.SearchFacesByImageRequest{Realm: home,
		CollectionID: o.ID, Picture: recollect.Bytes(enginetest.Picture(query)), Threshold: 80,
		MaxFaces: most})
	e := o.now()
	if c.fails("SearchFacesByImage", err) {
		return
	}
	found := make(map[string]bool)
	last := float32(101)
	for _, m := range result.Matches {
		if m.Similarity > last || found[m.Face.ID] {
			c.t.Errorf("a match is out of order, or came twice: %+v", m)
		}
		found[m.Face.ID], last = true, m.Similarity
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	missed := 0
	for id, f := range o.faces {
		if f.person != person {
			if found[id] {
				c.t.Errorf("a face of another person was found")
			}
			continue
		}
		if found[id] && !f.may(s, e) {
			c.t.Errorf("a face was found that was deleted or had not come: %+v, search %d to %d",
				f, s, e)
		}
		if !found[id] && f.must(s, e) {
			missed++
		}
	}
	if missed > 0 && len(result.Matches) < most {
		c.t.Errorf("%d faces were missed, and %d found", missed, len(found))
	}
}

// searchUsers searches for a person, and wants each user with the vector that it had all the time.
func (c *client) searchUsers(o *oracle) {
	person := rand.IntN(persons)
	query := enginetest.Face{Person: person, Shot: rand.IntN(1000), Size: 0.5}
	vector := enginetest.Vector(query)
	node := c.node()
	s := o.now()
	result, err := node.SearchUsersByImage(c.call(), face.SearchUsersByImageRequest{Realm: home,
		CollectionID: o.ID, Picture: recollect.Bytes(enginetest.Picture(query)), Threshold: 80,
		MaxUsers: 4096})
	e := o.now()
	if c.fails("SearchUsersByImage", err) {
		return
	}
	found := make(map[string]float32)
	for _, m := range result.Matches {
		found[m.User.ID] = m.Similarity
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, u := range o.users {
		similarity, ok := found[id]
		if u.out.began <= e {
			if ok && u.out.ended < s {
				c.t.Errorf("a user was found that was deleted")
			}
			continue
		}
		if u.person != person {
			continue
		}
		var now []float32
		certain := true
		for _, change := range u.vectors {
			if change.ended < s {
				now, certain = change.vector, true
			} else if change.began <= e {
				certain = false
			}
		}
		if !certain || unknown(u.vectors, s) {
			continue
		}
		want := 100 * dot(vector, now)
		if ok != (now != nil) || ok && math.Abs(float64(similarity-want)) > 1e-3 {
			c.t.Errorf("a user was found: %v, with similarity %v, and should be: %v, with %v", ok,
				similarity, now != nil, want)
		}
	}
}

// unknown reports whether a change before s has an outcome that is not known.
func unknown(changes []vectorSpan, s int64) bool {
	for _, change := range changes {
		if change.began < s && change.ended == never {
			return true
		}
	}
	return false
}

func dot(a, b []float32) (sum float32) {
	if b == nil {
		return 0
	}
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// list reads all pages, each from another node: none may skip a face.
func (c *client) list(o *oracle) {
	found := make(map[string]bool)
	s := o.now()
	filter := face.FaceFilter{}
	for {
		page, err := c.node().ListFaces(c.call(), face.ListFacesRequest{Collection: o.Collection,
			Filter: filter, Limit: 1 + rand.IntN(100)})
		if c.fails("ListFaces", err) {
			return
		}
		for _, f := range page.Faces {
			found[f.ID] = true
			filter.After = f.ID
		}
		if !page.More {
			break
		}
	}
	e := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, f := range o.faces {
		if found[id] && !f.may(s, e) || !found[id] && f.must(s, e) {
			c.t.Errorf("a face is listed: %v, which is wrong: %+v, listed from %d to %d", found[id],
				f, s, e)
		}
	}
}

// own makes and deletes a collection of the client's own, with each call at another node.
func (c *client) own() {
	id := fmt.Sprint("own", c.number)
	count := func() (int, error) {
		result, err := c.node().SearchFacesByImage(c.call(),
			face.SearchFacesByImageRequest{Realm: home, CollectionID: id, Threshold: 80,
				Picture:  recollect.Bytes(enginetest.Picture(enginetest.Face{Size: 1})),
				MaxFaces: 10})
		if err != nil {
			return 0, err
		}
		return len(result.Matches), nil
	}
	_, err := c.node().CreateCollection(c.call(), face.CreateCollectionRequest{Realm: home,
		CollectionID: id})
	if recollect.CodeOf(err) == recollect.CodeAlreadyExists && c.lossy {
		err = nil // an earlier call that failed, or the deletion after it
	}
	if c.fails("CreateCollection", err) {
		return
	}
	for n := range 3 {
		if got, err := count(); !c.fails("search one's own", err) && got != n && !c.lossy {
			c.t.Errorf("a collection of %d faces has %d", n, got)
		}
		_, err := c.node().IndexFaces(c.call(), face.IndexFacesRequest{Realm: home,
			CollectionID: id,
			Picture:      recollect.Bytes(enginetest.Picture(enginetest.Face{Size: 1, Shot: n}))})
		c.fails("index one's own", err)
	}
	if c.fails("DeleteCollection", c.node().DeleteCollection(c.call(),
		face.DeleteCollectionRequest{Realm: home, CollectionID: id})) {
		return
	}
	if _, err := count(); recollect.CodeOf(err) != recollect.CodeNotFound && !c.lossy {
		c.t.Errorf("a deleted collection was searched: %v", err)
	}
}

// TestLinearity: whatever node is asked, each answer is one that a single machine could have given:
// an acknowledged change is in every later answer.
//
// With positions from a sequence, taken without the lock of the collection's row, as bigserial
// would give them, the undisturbed part failed after 785 calls: three searches missed three faces
// that had been acknowledged, and collections were loaded again 46 times.
func TestLinearity(t *testing.T) {
	for _, test := range []struct {
		name    string
		disturb func(t *testing.T, server *postgrestest.Server, url string)
	}{
		{"Undisturbed", nil},
		{"ConnectionsAreCut", func(t *testing.T, server *postgrestest.Server, url string) {
			time.Sleep(200 * time.Millisecond)
			server.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE application_name = 'recollect' AND random() < 0.3`)
		}},
		{"ServerIsKilled", func(t *testing.T, server *postgrestest.Server, _ string) {
			time.Sleep(1500 * time.Millisecond)
			server.Kill(t)
			server.Run(t)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := postgrestest.Start(t)
			testLinearity(t, server, test.disturb)
		})
	}
}

func testLinearity(t *testing.T, server *postgrestest.Server,
	disturb func(*testing.T, *postgrestest.Server, string)) {
	url := server.NewDatabase(t)
	nodes := startNodes(t, url, 3, enginetest.Engine("1"))
	clock := new(atomic.Int64)
	var all []*oracle
	for i := range 3 {
		created, err := nodes[i].CreateCollection(t.Context(), face.CreateCollectionRequest{
			Realm: home, CollectionID: fmt.Sprint("c", i)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &oracle{clock: clock, Collection: created.Collection,
			faces: map[string]*seen{}, users: map[string]*seen{}})
	}
	ctx, cancel := context.WithTimeout(t.Context(), *linearity)
	defer cancel()
	var calls, failed atomic.Int64
	var working sync.WaitGroup
	for number := range 16 {
		working.Go(func() {
			c := &client{t: t, ctx: ctx, number: number, nodes: nodes, all: all,
				lossy: disturb != nil, calls: &calls, failed: &failed, mine: make([][]string, 3)}
			c.run()
		})
	}
	if disturb != nil {
		for ctx.Err() == nil {
			disturb(t, server, url)
		}
	}
	working.Wait()

	// At rest every node has the same.
	c := &client{t: t, ctx: t.Context(), nodes: nodes, all: all, calls: &calls, failed: &failed}
	faces := 0
	for _, o := range all {
		for range 100 {
			c.searchFaces(o)
			c.searchUsers(o)
		}
		c.list(o)
		there := int64(0)
		for _, f := range o.faces {
			if f.out.began == never {
				there++
			}
		}
		for _, n := range nodes {
			got, err := n.DescribeCollection(t.Context(), face.DescribeCollectionRequest{
				Realm: home, CollectionID: o.ID})
			if err != nil || !o.doubt && got.Collection.FaceCount != there {
				t.Errorf("a collection of %d faces has %d, %v", there, got.Collection.FaceCount,
					err)
			}
		}
		faces += len(o.faces)
	}
	var pulled, reloads int64
	for _, n := range nodes {
		pulled += n.faces.Tally().Pulled.Load() + n.users.Tally().Pulled.Load()
		reloads += n.faces.Tally().Reloads.Load() + n.users.Tally().Reloads.Load()
	}
	t.Logf("%d calls, of which %d failed; %d faces; %d vectors pulled, %d collections loaded again",
		calls.Load(), failed.Load(), faces, pulled, reloads)
	if disturb == nil && calls.Load() < 200 {
		t.Errorf("only %d calls were made", calls.Load())
	}
	if pulled == 0 {
		t.Error("nothing was pulled")
	}
}
