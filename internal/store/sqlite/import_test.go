package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// TestAnImportThatEndedWithItsProcess is wiped by the next one, and one that was published is not.
func TestAnImportThatEndedWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	realm := recollect.Realm{Account: "123456789012", Region: "us-east-1"}
	begin := func(id string) transfer.Import {
		t.Helper()
		i, err := store.NewImport(t.Context(),
			face.Collection{Realm: realm, ID: id, FaceModelVersion: "1.0"},
			map[string]string{"a": "b"})
		if err == nil {
			err = i.AddFaces(t.Context(),
				[]face.Face{{ID: uuid.NewString(), ImageID: uuid.NewString(),
					Vector: []float32{1}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	published, rival := begin("people"), begin("people")
	begin("lost")
	if c, err := published.Publish(t.Context(), 1); err != nil || c.FaceCount != 1 ||
		c.ID != "people" || c.Realm != realm {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := published.Abandon(); err != nil {
		t.Error(err)
	}
	if _, err := rival.Publish(t.Context(),
		0); recollect.CodeOf(err) != recollect.CodeAlreadyExists {
		t.Errorf("a second of the name: %v", err)
	}
	if _, err := begin("more").Publish(t.Context(),
		1); recollect.CodeOf(err) != recollect.CodeQuota {
		t.Errorf("one more than there may be: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if store, err = sqlite.Open(t.Context(), dir, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	hidden, err := store.Collections(t.Context(), recollect.Realm{Region: realm.Region}, "", 10)
	if err != nil || len(hidden) > 0 {
		t.Errorf("hidden after a start: %v, %v", hidden, err)
	}
	if c, err := store.Collection(t.Context(), realm, "people"); err != nil || c.FaceCount != 1 {
		t.Errorf("what was published: %+v, %v", c, err)
	}
	// Their faces go in the background.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		snapshot := filepath.Join(t.TempDir(), "snapshot.db")
		if err := store.Snapshot(t.Context(), snapshot); err != nil {
			t.Fatal(err)
		}
		if n := countFaces(t, snapshot); n == 1 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d faces are left", n)
		}
	}
}

func countFaces(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM faces").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
