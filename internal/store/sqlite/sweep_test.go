package sqlite

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// waitSwept waits until no face of a deleted collection is left.
func waitSwept(t *testing.T, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.number(t,
		"SELECT count(*) FROM doomed") > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d faces are still there", s.number(t, "SELECT count(*) FROM faces"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func deleteCollection(t *testing.T, s *Store, id string) {
	t.Helper()
	if _, err := s.DeleteCollection(t.Context(),
		recollect.Realm{Account: "123456789012", Region: "us-east-1"}, id); err != nil {
		t.Fatal(err)
	}
}

func TestDeletedCollectionIsSwept(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	doomed, kept := newCollection(t, s, "doomed"), newCollection(t, s, "kept")
	deleted := addFaces(t, s, doomed, 3*sweepFaces+10)
	addFaces(t, s, kept, 5)
	deleteCollection(t, s, "doomed")
	waitSwept(t, s)
	for _, table := range []string{"faces", "embeddings"} {
		if n := s.number(t, "SELECT count(*) FROM "+table); n != 5 {
			t.Errorf("%d rows are left in %s, want 5", n, table)
		}
	}
	wantIntact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Nothing of the vectors is left, not in free space either.
	for _, name := range []string{DatabaseName, DatabaseName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // Close leaves no log
		}
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, f := range deleted {
			if bytes.Contains(content, record.EncodeVector(f.Vector)) {
				left++
			}
		}
		if left > 0 {
			t.Errorf("%d deleted vectors are still in %s", left, name)
		}
	}
}

// A sweep that the end of the process cut short goes on at the next start.
func TestSweepResumes(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	addFaces(t, s, newCollection(t, s, "c"), 10*sweepFaces)
	s.stopSweeps()
	s.sweeper.Wait()
	deleteCollection(t, s, "c")
	if _, err := s.sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.number(t, "SELECT count(*) FROM embeddings"); n != 9*sweepFaces {
		t.Fatalf("one step left %d embeddings, want %d", n, 9*sweepFaces)
	}
	s.Close()

	s = mustOpen(t, dir)
	waitSwept(t, s)
	if n := s.number(t, "SELECT count(*) FROM faces"); n != 0 {
		t.Errorf("%d faces are left", n)
	}
}

func TestSpaceIsGivenBack(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	addFaces(t, s, newCollection(t, s, "kept"), 10)
	large := newFaces(1000)
	for i := range large {
		large[i].Vector = slices.Repeat(large[i].Vector, 1000) // two to five pages
	}
	if _, _, err := s.AddFaces(t.Context(), newCollection(t, s, "large"), large,
		1<<40); err != nil {
		t.Fatal(err)
	}
	before := s.number(t, "PRAGMA page_count")
	if before < 2*sparePages {
		t.Fatalf("only %d pages are used", before)
	}
	deleteCollection(t, s, "large")
	waitSwept(t, s)
	var free, all int64
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(
		5 * time.Millisecond) {
		free, all = s.number(t, "PRAGMA freelist_count"), s.number(t, "PRAGMA page_count")
		if free < sparePages {
			break
		}
	}
	if free >= sparePages || all >= before/2 {
		t.Errorf("%d of %d pages stay free, of %d before", free, all, before)
	}
	wantIntact(t, s)
}

// Callers get their turns while a large collection is swept.
func TestSweepLetsOthersWrite(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	addFaces(t, s, newCollection(t, s, "large"), 30*sweepFaces)
	c := newCollection(t, s, "c")
	deleteCollection(t, s, "large")
	addFaces(t, s, c, 1)
	if n := s.number(t, "SELECT count(*) FROM doomed"); n != 1 {
		t.Errorf("the face was stored only after the sweep")
	}
}
