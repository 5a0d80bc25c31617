package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
)

// addThumbnails adds faces with a thumbnail each, whose bytes occur nowhere else.
func addThumbnails(t *testing.T, s *Store, c face.CollectionKey, name string, n int) {
	t.Helper()
	faces := newFaces(n)
	for i := range faces {
		faces[i].Thumbnail = fmt.Appendf(nil, "thumbnail of %s, number %d.", name, i)
	}
	if _, _, err := s.AddFaces(t.Context(), c, faces, 1<<40); err != nil {
		t.Fatal(err)
	}
}

// wantNothingOf asks that no file of the store has any of these faces' thumbnails.
func wantNothingOf(t *testing.T, dir, name string) {
	t.Helper()
	for _, file := range []string{DatabaseName, DatabaseName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // Close leaves no log
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(content, []byte("thumbnail of "+name)); n > 0 {
			t.Errorf("%d deleted thumbnails of %s are still in %s", n, name, file)
		}
	}
}

// TestThumbnailsAreSwept: with a collection go its thumbnails, for good, and no others.
func TestThumbnailsAreSwept(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	addThumbnails(t, s, newCollection(t, s, "doomed"), "doomed", sweepFaces+10)
	addThumbnails(t, s, newCollection(t, s, "kept"), "kept", 5)
	deleteCollection(t, s, "doomed")
	waitSwept(t, s)
	if n := s.number(t, "SELECT count(*) FROM thumbnails"); n != 5 {
		t.Errorf("%d thumbnails are left, want 5", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingOf(t, dir, "doomed")
}

func TestDeleteThumbnails(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	const faces = 2*deletedThumbnails + 10
	addThumbnails(t, s, newCollection(t, s, "a"), "a", faces)
	addFaces(t, s, newCollection(t, s, "b"), 3)
	for _, want := range []int64{faces, 0} {
		if has, err := s.HasThumbnails(t.Context()); err != nil || has != (want > 0) {
			t.Errorf("before %d thumbnails are deleted the store has some: %v (%v)", want, has, err)
		}
		if n, err := s.DeleteThumbnails(t.Context()); err != nil || n != want {
			t.Errorf("%d thumbnails are deleted, want %d (%v)", n, want, err)
		}
	}
	// Nothing of them is left already before the store is closed.
	wantNothingOf(t, dir, "a")
	if thumbnails, left := s.number(t, "SELECT count(*) FROM thumbnails"),
		s.number(t, "SELECT count(*) FROM faces"); thumbnails != 0 || left != faces+3 {
		t.Errorf("%d thumbnails and %d faces are left", thumbnails, left)
	}
	wantIntact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingOf(t, dir, "a")
}

// TestDeleteThumbnailsOfAnInterruptedRun: what an earlier process wrote into the log and did not
// move into the file is deleted as well.
func TestDeleteThumbnailsOfAnInterruptedRun(t *testing.T) {
	dir, crashed := t.TempDir(), t.TempDir()
	s := mustOpen(t, dir)
	addThumbnails(t, s, newCollection(t, s, "a"), "a", 10)
	for _, name := range []string{DatabaseName, DatabaseName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := mustOpen(t, crashed)
	if n, err := again.DeleteThumbnails(t.Context()); err != nil || n != 10 {
		t.Errorf("%d thumbnails are deleted, want 10 (%v)", n, err)
	}
	wantNothingOf(t, crashed, "a")
}
