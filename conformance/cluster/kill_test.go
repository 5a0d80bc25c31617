//go:build unix

package cluster

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"

	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// ledger is what clients sent and what was acknowledged.
type ledger struct {
	mu    sync.Mutex
	faces map[string]*sent // by external id
	users map[string]*sent // by user id
}

// sent is a face or a user that a client wanted.
type sent struct {
	id           string // of the face; empty until it was acknowledged
	acknowledged bool
	busy         bool // somebody deletes it
	deleting     bool // it may be gone
	deleted      bool // it must be
}

func (l *ledger) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

// manyFaces is how many faces there should be about at most. A search finds 4,096.
const manyFaces = 500

// live counts the faces that were acknowledged and whose deletion was not.
func (l *ledger) live() (n int) {
	l.change(func() {
		for _, f := range l.faces {
			if f.acknowledged && !f.deleted {
				n++
			}
		}
	})
	return n
}

// deletable is a face that was acknowledged and that nobody deletes, and the caller is to. An
// earlier deletion may have failed.
func (l *ledger) deletable() (face *sent) {
	l.change(func() {
		for _, f := range l.faces {
			if f.acknowledged && !f.busy && !f.deleted {
				f.busy, f.deleting, face = true, true, f
				return
			}
		}
	})
	return face
}

// writer makes changes at random nodes, until ctx ends. It counts those that were acknowledged.
type writer struct {
	number  int
	nodes   []*node
	picture []byte
	ledger  *ledger
	acks    *atomic.Int64
	fails   *atomic.Int64
	by      chan<- *node // gets the node of an acknowledgement, if somebody waits for it
}

func (w *writer) run(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		n := w.nodes[rand.IntN(len(w.nodes))]
		// A change that has begun is made to its end, so that its outcome is known.
		if err := w.change(context.WithoutCancel(ctx), n,
			fmt.Sprintf("%d-%d", w.number, i)); err != nil {
			w.fails.Add(1)
			time.Sleep(10 * time.Millisecond) // a node that does not run refuses at once
			continue
		}
		w.acks.Add(1)
		select {
		case w.by <- n:
		default:
		}
	}
}

func (w *writer) change(ctx context.Context, n *node, id string) error {
	deletes := 2
	if w.ledger.live() > manyFaces {
		deletes = 5
	}
	switch k := rand.IntN(10); {
	case k < deletes:
		return w.delete(ctx, n)
	case k < deletes+2:
		return w.createUser(ctx, n, id)
	}
	f := new(sent)
	w.ledger.change(func() { w.ledger.faces[id] = f })
	faceID, err := n.index(ctx, w.picture, id)
	if err == nil {
		w.ledger.change(func() { f.id, f.acknowledged = faceID, true })
	}
	return err
}

func (w *writer) createUser(ctx context.Context, n *node, id string) error {
	u := new(sent)
	w.ledger.change(func() { w.ledger.users[id] = u })
	_, err := n.api.CreateUser(ctx, &rekognition.CreateUserInput{
		CollectionId: aws.String(collection), UserId: &id})
	if err == nil {
		w.ledger.change(func() { u.acknowledged = true })
	}
	return err
}

func (w *writer) delete(ctx context.Context, n *node) error {
	f := w.ledger.deletable()
	if f == nil {
		return nil
	}
	_, err := n.api.DeleteFaces(ctx, &rekognition.DeleteFacesInput{
		CollectionId: aws.String(collection), FaceIds: []string{f.id}})
	w.ledger.change(func() { f.busy, f.deleted = false, err == nil })
	return err
}

// listed are all faces and users, of which each page is another node's.
func listed(ctx context.Context, nodes []*node) (faces map[string]string, users map[string]bool,
	err error) {
	faces, users = map[string]string{}, map[string]bool{}
	var token *string
	for page := 0; page == 0 || token != nil; page++ {
		answer, err := nodes[page%len(nodes)].api.ListFaces(ctx, &rekognition.ListFacesInput{
			CollectionId: aws.String(collection), MaxResults: aws.Int32(50), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		for _, f := range answer.Faces {
			faces[aws.ToString(f.FaceId)] = aws.ToString(f.ExternalImageId)
		}
		token = answer.NextToken
	}
	for page := 0; page == 0 || token != nil; page++ {
		answer, err := nodes[page%len(nodes)].api.ListUsers(ctx, &rekognition.ListUsersInput{
			CollectionId: aws.String(collection), MaxResults: aws.Int32(50), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		for _, u := range answer.Users {
			users[aws.ToString(u.UserId)] = true
		}
		token = answer.NextToken
	}
	return faces, users, nil
}

// verify holds what the nodes have, while nobody changes it, to the ledger, and what searches find
// to what is listed.
func (l *ledger) verify(t *testing.T, nodes []*node, picture []byte) {
	t.Helper()
	faces, users, err := listed(t.Context(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	byExternal := map[string]string{}
	for id, external := range faces {
		f := l.faces[external]
		switch {
		case f == nil:
			t.Errorf("nobody sent the face %s of %s", id, external)
		case byExternal[external] != "":
			t.Errorf("%s has two faces", external)
		case f.deleted:
			t.Errorf("the face of %s was deleted", external)
		case f.acknowledged && f.id != id:
			t.Errorf("the face of %s is %s, and was acknowledged as %s", external, id, f.id)
		}
		byExternal[external] = id
	}
	for external, f := range l.faces {
		if f.acknowledged && !f.deleting && byExternal[external] == "" {
			t.Errorf("the face of %s is lost", external)
		}
	}
	for id := range users {
		if l.users[id] == nil {
			t.Errorf("nobody sent the user %s", id)
		}
	}
	for id, u := range l.users {
		if u.acknowledged && !users[id] {
			t.Errorf("the user %s is lost", id)
		}
	}
	for i, n := range nodes {
		found, err := n.search(t.Context(), picture)
		if err != nil || !maps.Equal(found, faces) {
			t.Errorf("node %d finds %d faces of %d, %v", i, len(found), len(faces), err)
		}
		c, err := n.api.DescribeCollection(t.Context(),
			&rekognition.DescribeCollectionInput{CollectionId: aws.String(collection)})
		if err != nil {
			t.Errorf("node %d: %v", i, err)
		} else if f, u := aws.ToInt64(c.FaceCount), aws.ToInt64(c.UserCount); f != int64(
			len(faces)) || u != int64(len(users)) {
			t.Errorf("node %d counts %d faces and %d users, and lists %d and %d", i, f, u,
				len(faces), len(users))
		}
	}
}

// testKills kills a node with each round while clients change a collection: nothing that was
// acknowledged is lost, and nothing is there that nobody sent.
func testKills(t *testing.T, program string) {
	rounds := 3
	if *long {
		rounds = 100
	}
	database := postgrestest.Start(t)
	nodes := startNodes(t, program, stores(database, t, 3)...)
	c := newCampaign(t, nodes, 6, 12)
	for range rounds {
		c.round(t, func(by <-chan *node) {
			// It is killed at the moment at which it has acknowledged a change, while it makes
			// others.
			killed := nodes[rand.IntN(len(nodes))]
			for acknowledgement(t, by) != killed {
			}
			killed.kill()
			c.goesOn(t, "a change without a node") // the others go on
			killed.start(t)
			killed.waitUntilReady(t)
		})
	}
	c.end(t)
}
