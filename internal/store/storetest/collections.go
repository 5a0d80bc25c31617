package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func testCreateCollection(t *testing.T, s face.Store) {
	want := face.Collection{Realm: home(), ID: "family.2-b_X", FaceModelVersion: "7.0",
		CreatedAt: now()}
	created, err := s.CreateCollection(t.Context(), want, nil, 0)
	must(t, err)
	if created.Key <= 0 {
		t.Errorf("key %d is not positive", created.Key)
	}
	want.Key = created.Key
	if !reflect.DeepEqual(created, want) {
		t.Errorf("created %+v, want %+v", created, want)
	}
	got, err := s.Collection(t.Context(), home(), want.ID)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}

	_, err = s.CreateCollection(t.Context(),
		face.Collection{Realm: home(), ID: want.ID, FaceModelVersion: "8.0", CreatedAt: now()}, nil,
		0)
	wantCode(t, err, recollect.CodeAlreadyExists)
	if got, err := s.Collection(t.Context(), home(), want.ID); err != nil ||
		!reflect.DeepEqual(got, want) {
		t.Errorf("after the refused creation: %+v, %v; want %+v", got, err, want)
	}
	create(t, s, home(), "FAMILY.2-b_X") // ids are case-sensitive
}

func testCreateCollectionQuota(t *testing.T, s face.Store) {
	const quota = 3
	create := func(realm recollect.Realm, id string, most int64) error {
		_, err := s.CreateCollection(t.Context(),
			face.Collection{Realm: realm, ID: id, FaceModelVersion: "7.0", CreatedAt: now()}, nil,
			most)
		return err
	}
	// Callers that come together must not pass it either.
	errs := make(chan error, 5*quota)
	for i := range cap(errs) {
		go func() { errs <- create(home(), fmt.Sprintf("c%d", i), quota) }()
	}
	made := 0
	for range cap(errs) {
		if err := <-errs; err != nil {
			wantCode(t, err, recollect.CodeQuota)
		} else {
			made++
		}
	}
	page, err := s.Collections(t.Context(), home(), "", 100)
	must(t, err)
	if made != quota || len(page) != quota {
		t.Errorf("%d were made, %d are there, want %d", made, len(page), quota)
	}
	wantCode(t, create(home(), page[0].ID, quota), recollect.CodeAlreadyExists)
	must(t, create(recollect.Realm{Account: "123456789012", Region: "eu-west-1"}, "c", quota))
	_, err = s.DeleteCollection(t.Context(), home(), page[0].ID)
	must(t, err)
	must(t, create(home(), "again", quota))
	wantCode(t, create(home(), "more", quota), recollect.CodeQuota)
	must(t, create(home(), "more", 0))
	wantCode(t, create(home(), "lowered", 1), recollect.CodeQuota)
}

func testCollectionNotFound(t *testing.T, s face.Store) {
	_, err := s.Collection(t.Context(), home(), "none")
	wantCode(t, err, recollect.CodeNotFound)
	_, err = s.DeleteCollection(t.Context(), home(), "none")
	wantCode(t, err, recollect.CodeNotFound)
	_, _, err = s.AddFaces(t.Context(), 12345, newFaces(1), unlimited)
	wantCode(t, err, recollect.CodeNotFound)
	_, _, err = s.AddFaces(t.Context(), 12345, nil, unlimited)
	wantCode(t, err, recollect.CodeNotFound)
}

func testDeleteCollection(t *testing.T, s face.Store) {
	c := create(t, s, home(), "doomed")
	other := create(t, s, home(), "other")
	faces := add(t, s, c.Key, newFaces(300)...)
	kept := add(t, s, other.Key, newFaces(3)...)

	was, err := s.DeleteCollection(t.Context(), home(), "doomed")
	must(t, err)
	c.FaceCount = 300
	if !reflect.DeepEqual(was, c) {
		t.Errorf("deleted %+v, want %+v", was, c)
	}
	wantGone := func(c face.CollectionKey) {
		t.Helper()
		if got, err := s.Faces(t.Context(), c, face.FaceFilter{}, 1000); err != nil ||
			len(got) != 0 {
			t.Errorf("Faces of a deleted collection: %d faces, %v", len(got), err)
		}
		if got, err := s.FacesByKey(t.Context(), c, []face.FaceKey{faces[0].Key}); err != nil ||
			len(got) != 0 {
			t.Errorf("FacesByKey of a deleted collection: %d faces, %v", len(got), err)
		}
		if got, err := embeddings(t.Context(), s, c); err != nil || len(got) != 0 {
			t.Errorf("Embeddings of a deleted collection: %d, %v", len(got), err)
		}
		_, err := s.Face(t.Context(), c, faces[0].ID)
		wantCode(t, err, recollect.CodeNotFound)
		if deleted, kept, err := s.DeleteFaces(t.Context(), c, ids(faces)); err != nil ||
			len(deleted)+len(kept) != 0 {
			t.Errorf("DeleteFaces of a deleted collection: %d and %d faces, %v", len(deleted),
				len(kept), err)
		}
	}
	wantGone(was.Key)
	_, _, err = s.AddFaces(t.Context(), was.Key, newFaces(1), unlimited)
	wantCode(t, err, recollect.CodeNotFound)
	_, err = s.Collection(t.Context(), home(), "doomed")
	wantCode(t, err, recollect.CodeNotFound)
	_, err = s.DeleteCollection(t.Context(), home(), "doomed")
	wantCode(t, err, recollect.CodeNotFound)

	// The same name again is another collection, and the same faces may be in it.
	again := create(t, s, home(), "doomed")
	if again.Key == was.Key || again.FaceCount != 0 {
		t.Errorf("made again: %+v, was %+v", again, was)
	}
	wantGone(again.Key)
	for i := range faces {
		faces[i].Vector = NewFace().Vector
	}
	add(t, s, again.Key, faces...)
	if n := faceCount(t, s, again); n != 300 {
		t.Errorf("the collection made again has %d faces", n)
	}
	if got, err := s.Faces(t.Context(), other.Key, face.FaceFilter{}, 10); err != nil ||
		len(got) != len(kept) {
		t.Errorf("another collection has %d faces, %v", len(got), err)
	}
}

func testCollectionsOrderAndPages(t *testing.T, s face.Store) {
	var want []string
	for i := range 150 {
		want = append(want, fmt.Sprintf("c%03d", i))
	}
	// Bytewise: '-' '.' digits, upper case, '_', lower case; a prefix before what it begins.
	want = append(want, "-", ".", "0", "10", "9", "A", "B", "Z", "_", "a", "aa", "b", "z",
		strings.Repeat("z", 255))
	for _, i := range rand.Perm(len(want)) {
		create(t, s, home(), want[i])
	}
	slices.Sort(want)
	for _, page := range []int{1, 7, 100, len(want), 4096} {
		var got []string
		after := ""
		for {
			collections, err := s.Collections(t.Context(), home(), after, page)
			must(t, err)
			if len(collections) > page {
				t.Fatalf("%d collections on a page of %d", len(collections), page)
			}
			if len(collections) == 0 {
				break
			}
			for _, c := range collections {
				got = append(got, c.ID)
			}
			after = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q, want %q", page, got, want)
		}
	}
	if got, err := s.Collections(t.Context(), home(), "", 0); err != nil || len(got) != 0 {
		t.Errorf("a page of none: %d collections, %v", len(got), err)
	}
	if got, err := s.Collections(t.Context(), home(), "c0005", 1); err != nil || len(got) != 1 ||
		got[0].ID != "c001" {
		t.Errorf("after an id that is not there: %v, %v", got, err)
	}
	got, err := s.Collections(t.Context(), home(), "c100", 1)
	must(t, err)
	one, err := s.Collection(t.Context(), home(), "c101")
	must(t, err)
	if len(got) != 1 || !reflect.DeepEqual(got[0], one) {
		t.Errorf("listed %+v, want %+v", got, one)
	}
}

// A walk over the pages meets each collection that is there throughout once, whatever comes and
// goes meanwhile.
func testCollectionsWalkUnderChange(t *testing.T, s face.Store) {
	lasting := map[string]bool{}
	for i := range 60 {
		id := fmt.Sprintf("k%04d", i*10)
		create(t, s, home(), id)
		lasting[id] = true
	}
	stop := make(chan struct{})
	var changes sync.WaitGroup
	var changed atomic.Int64
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			id := fmt.Sprintf("k%04d", i*37%600)
			if lasting[id] {
				continue
			}
			_, err := s.CreateCollection(t.Context(),
				face.Collection{Realm: home(), ID: id, CreatedAt: now()}, nil, 0)
			if recollect.CodeOf(err) == recollect.CodeAlreadyExists {
				_, err = s.DeleteCollection(t.Context(), home(), id)
			}
			if err != nil {
				t.Error(err)
				return
			}
			changed.Add(1)
		}
	})
	const enough = 100
	give := time.Now().Add(time.Minute) // to a machine that is busy otherwise
	for walks := 0; walks < 20 || changed.Load() < enough && time.Now().Before(give); walks++ {
		seen := map[string]int{}
		after := ""
		for {
			page, err := s.Collections(t.Context(), home(), after, 7)
			if err != nil {
				t.Error(err)
				break
			}
			if len(page) == 0 {
				break
			}
			for _, c := range page {
				if c.ID <= after {
					t.Errorf("%s came after %s", c.ID, after)
				}
				after = c.ID
				seen[c.ID]++
			}
		}
		for id := range lasting {
			if seen[id] != 1 {
				t.Errorf("%s was met %d times", id, seen[id])
			}
		}
		if t.Failed() {
			break
		}
	}
	close(stop)
	changes.Wait()
	if changed.Load() < enough {
		t.Errorf("only %d changes took place meanwhile", changed.Load())
	}
}

func testRealmsAreApart(t *testing.T, s face.Store) {
	realms := []recollect.Realm{home(), {Account: home().Account, Region: "eu-west-1"},
		{Account: "210987654321", Region: home().Region}}
	keys := map[face.CollectionKey]bool{}
	for i, realm := range realms {
		keys[create(t, s, realm, "same").Key] = true
		create(t, s, realm, fmt.Sprintf("own%d", i))
	}
	if len(keys) != len(realms) {
		t.Errorf("%d keys for %d collections", len(keys), len(realms))
	}
	for i, realm := range realms {
		got, err := s.Collections(t.Context(), realm, "", 10)
		must(t, err)
		if len(got) != 2 || got[0].ID != fmt.Sprintf("own%d", i) || got[1].ID != "same" ||
			got[0].Realm != realm || got[1].Realm != realm {
			t.Errorf("realm %v: %+v", realm, got)
		}
		_, err = s.Collection(t.Context(), realm, fmt.Sprintf("own%d", (i+1)%len(realms)))
		wantCode(t, err, recollect.CodeNotFound)
	}
	_, err := s.DeleteCollection(t.Context(), realms[0], "same")
	must(t, err)
	for _, realm := range realms[1:] {
		_, err := s.Collection(t.Context(), realm, "same")
		must(t, err)
	}
}
