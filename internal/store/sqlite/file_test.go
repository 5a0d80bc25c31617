package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
	"github.com/recollect-dev/recollect/internal/store/storetest"
)

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newCollection(t testing.TB, s *Store, id string) face.CollectionKey {
	t.Helper()
	c, err := s.CreateCollection(t.Context(),
		face.Collection{Realm: recollect.Realm{Account: "123456789012", Region: "us-east-1"},
			ID: id, CreatedAt: time.Now()}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c.Key
}

func newFaces(n int) []face.Face {
	faces := make([]face.Face, n)
	for i := range faces {
		faces[i] = storetest.NewFace()
	}
	return faces
}

func addFaces(t testing.TB, s *Store, c face.CollectionKey, n int) []face.Face {
	t.Helper()
	stored, _, err := s.AddFaces(t.Context(), c, newFaces(n), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// raw runs a statement on the file itself.
func raw(t testing.TB, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", dsn(filepath.Join(dir, DatabaseName), url.Values{}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func (s *Store) number(t testing.TB, query string) (n int64) {
	t.Helper()
	if err := s.readers.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func wantRefused(t *testing.T, dir, because string) {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(err.Error(), because) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %q does not say %q and where", err, because)
	}
}

func TestFileModesAndPragmas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "data folder?#%41") // with what a URI gives a meaning to
	s := mustOpen(t, dir)
	addFaces(t, s, newCollection(t, s, "c"), 1)
	for name, want := range map[string]fs.FileMode{"": 0o700, DatabaseName: 0o600, DatabaseName +
		"-wal": 0o600, lockName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%q has mode %v, want %v", name, info.Mode().Perm(), want)
		}
	}
	writer := func(name string) (n int) {
		t.Helper()
		n, err := pragma(t.Context(), s.writer.conn, name)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, want := range map[string]int{"synchronous": 2, "foreign_keys": 1, "secure_delete": 1,
		"auto_vacuum": 2, "page_size": pageSize, "busy_timeout": 10000} {
		if got := writer(name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if _, err := s.readers.ExecContext(t.Context(), "DELETE FROM faces"); err == nil {
		t.Error("a reader can write")
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	c := newCollection(t, s, "c")
	f := addFaces(t, s, c, 3)[0]
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, DatabaseName+"-wal")); err == nil &&
		info.Size() > 0 {
		t.Errorf("the write-ahead log still has %d bytes", info.Size())
	}
	if _, _, err := s.AddFaces(t.Context(), c, newFaces(1), 100); !errors.Is(err, ErrClosed) {
		t.Errorf("AddFaces after Close: %v", err)
	}
	if _, err := s.Face(t.Context(), c, f.ID); err == nil {
		t.Error("Face after Close: no error")
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("Ping after Close: no error")
	}

	s = mustOpen(t, dir)
	if got, err := s.Face(t.Context(), c, f.ID); err != nil || got.Key != f.Key {
		t.Errorf("after opening again: %v, %v", got.Key, err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Fatalf("opened twice: %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the first one: %v", err)
	}
	s.Close()
	mustOpen(t, dir)
}

func TestForeignFilesAreRefused(t *testing.T) {
	t.Run("not a database", func(t *testing.T) {
		dir := t.TempDir()
		text := []byte(strings.Repeat("this is no database\n", 1000))
		if err := os.WriteFile(filepath.Join(dir, DatabaseName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, dir, "not a database")
		if left, err := os.ReadFile(filepath.Join(dir, DatabaseName)); err != nil ||
			string(left) != string(text) {
			t.Error("the file was changed")
		}
	})
	t.Run("another program's", func(t *testing.T) {
		dir := t.TempDir()
		raw(t, dir, "CREATE TABLE theirs (x)")
		wantRefused(t, dir, "another program's database")
	})
	t.Run("another application id", func(t *testing.T) {
		dir := t.TempDir()
		raw(t, dir, "PRAGMA application_id = 7")
		wantRefused(t, dir, "another program's database")
	})
	t.Run("newer", func(t *testing.T) {
		dir := t.TempDir()
		mustOpen(t, dir).Close()
		raw(t, dir, "PRAGMA user_version = 1000")
		wantRefused(t, dir, "schema version 1000")
	})
	t.Run("damaged", func(t *testing.T) {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		addFaces(t, s, newCollection(t, s, "c"), 100)
		s.Close()
		f, err := os.OpenFile(filepath.Join(dir, DatabaseName), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		// the schema's page
		if _, err := f.WriteAt([]byte(strings.Repeat("\xff", pageSize-100)), 100); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, dir, "malformed")
	})
	t.Run("cut short at its making", func(t *testing.T) {
		dir := t.TempDir()
		raw(t, dir, "PRAGMA journal_mode = WAL") // has a header, and nothing of ours yet
		s := mustOpen(t, dir)
		addFaces(t, s, newCollection(t, s, "c"), 1)
	})
}

// TestBesideRefusesAnotherSchema: a program of another version must not change the schema of a file
// that a running server has open, whether it is older or newer.
func TestBesideRefusesAnotherSchema(t *testing.T) {
	dir := t.TempDir()
	server := mustOpen(t, dir)
	own := server.number(t, "SELECT user_version FROM pragma_user_version")
	for _, version := range []int64{0, own - 1, own + 1} {
		raw(t, dir, fmt.Sprintf("PRAGMA user_version = %d", version))
		s, err := Open(t.Context(), dir, Options{Beside: true})
		if err == nil {
			s.Close()
			t.Errorf("schema version %d was opened", version)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("schema version %d", version)) ||
			!strings.Contains(err.Error(), "the program of the version that the server runs") {
			t.Errorf("schema version %d: %v", version, err)
		}
		if n := server.number(t, "SELECT user_version FROM pragma_user_version"); n != version {
			t.Errorf("schema version %d became %d", version, n)
		}
	}
	raw(t, dir, fmt.Sprintf("PRAGMA user_version = %d", own))
	s, err := Open(t.Context(), dir, Options{Beside: true})
	if err != nil {
		t.Fatalf("its own version: %v", err)
	}
	s.Close()
}

// A migration that fails leaves the file as it was.
func TestMigrationIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	raw(t, dir, fmt.Sprintf("PRAGMA application_id = %d; CREATE TABLE faces (theirs)",
		applicationID))
	wantRefused(t, dir, "migrate to schema version 1")
	db, err := sql.Open("sqlite3", dsn(filepath.Join(dir, DatabaseName), url.Values{}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tables, version int
	if err := db.QueryRow(
		"SELECT count(*), (SELECT user_version FROM pragma_user_version) FROM sqlite_schema").Scan(
		&tables, &version); err != nil {
		t.Fatal(err)
	}
	if tables != 1 || version != 0 {
		t.Errorf("%d tables and version %d are left", tables, version)
	}
}

// A full disk fails the change that needs space, whole, and the store works again once there is
// some.
func TestFullDisk(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	c := newCollection(t, s, "c")
	faces := addFaces(t, s, c, 10)
	pages := s.number(t, "PRAGMA page_count")
	limit := func(pages int64) {
		t.Helper()
		err := s.writer.do(t.Context(), func(t tx) error {
			var n int64
			return t.queryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(pages + 20)
	if _, _, err := s.AddFaces(t.Context(), c, newFaces(5000), 1<<40); err == nil ||
		recollect.CodeOf(err) != recollect.CodeInternal {
		t.Fatalf("on a full disk: %v", err)
	}
	if n := s.number(t, "SELECT count(*) FROM faces"); n != 10 {
		t.Errorf("%d faces are stored", n)
	}
	if n := s.number(t, "SELECT count(*) FROM embeddings"); n != 10 {
		t.Errorf("%d embeddings are stored", n)
	}
	addFaces(t, s, c, 1) // a small change still fits
	if deleted, _, err := s.DeleteFaces(t.Context(), c, []string{faces[0].ID}); err != nil ||
		len(deleted) != 1 {
		t.Errorf("deleted %d faces: %v", len(deleted), err)
	}
	limit(1 << 30)
	addFaces(t, s, c, 5000)
	if n := s.number(t, "SELECT face_count FROM collections"); n != 5010 {
		t.Errorf("%d faces are counted", n)
	}
	wantIntact(t, s)
}

func wantIntact(t testing.TB, s *Store) {
	t.Helper()
	var verdict string
	if err := s.readers.QueryRowContext(context.Background(),
		"PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %s, %v", verdict, err)
	}
	if n := s.number(t,
		"SELECT count(*) FROM faces LEFT JOIN embeddings ON face_key = key WHERE "+
			"face_key IS NULL"); n != 0 {
		t.Errorf("%d faces have no embedding", n)
	}
	if n := s.number(t,
		"SELECT count(*) FROM collections c WHERE face_count <> (SELECT count(*) FROM faces WHERE "+
			"collection_key = c.key)"); n != 0 {
		t.Errorf("%d collections are miscounted", n)
	}
	if n := s.number(t,
		"SELECT count(*) FROM collections c WHERE user_count <> (SELECT count(*) FROM users WHERE "+
			"collection_key = c.key)"); n != 0 {
		t.Errorf("the users of %d collections are miscounted", n)
	}
	if n := s.number(t,
		"SELECT count(*) FROM users u WHERE face_count <> (SELECT count(*) FROM faces WHERE "+
			"user_key = u.key)"); n != 0 {
		t.Errorf("the faces of %d users are miscounted", n)
	}
	if n := s.number(t,
		"SELECT count(*) FROM users u WHERE (face_count > 0) <> EXISTS (SELECT 1 FROM "+
			"user_vectors WHERE user_key = u.key)"); n != 0 {
		t.Errorf("%d users have a vector too many or too few", n)
	}
}

// Queries go by an index: their cost does not grow with what they pass over.
func TestQueryPlans(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	for query, want := range map[string]string{
		"SELECT * FROM collections WHERE account = 1 AND region = 2 AND id > 3 ORDER BY id LIMIT " +
			"4": "(account=? AND region=? AND id>?)",
		"SELECT * FROM faces WHERE collection_key = :c AND " + thereIs +
			" AND face_id > 1 ORDER BY face_id LIMIT 2": "(collection_key=? AND face_id>?)",
		"SELECT * FROM faces WHERE collection_key = :c AND " + thereIs +
			" ORDER BY face_id LIMIT 2": "sqlite_autoindex_faces_1 (collection_key=?)",
		"SELECT " + faceColumns +
			" FROM faces WHERE collection_key = :c AND face_id > 1 ORDER BY face_id " +
			"LIMIT 2": "(collection_key=? AND face_id>?)",
		"SELECT * FROM faces WHERE +collection_key = :c AND " + thereIs +
			" AND user_key = (SELECT key FROM users WHERE collection_key = :c AND user_id = 'u') " +
			"AND face_id > 1 ORDER BY face_id": "faces_by_user (user_key=? AND face_id>?)",
		"SELECT * FROM users WHERE collection_key = :c AND " + thereIs +
			" AND system_id > 1 ORDER BY system_id LIMIT 2": "(collection_key=? AND system_id>?)",
		"SELECT user_key, vector FROM users JOIN user_vectors ON user_key = key WHERE " +
			"collection_key = :c ORDER BY key": "users_by_collection",
		"DELETE FROM users WHERE collection_key = :c AND user_id = 'u'": "faces_by_user",
		"DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE expires_ms <= 1 " +
			"ORDER BY expires_ms LIMIT 4)": "answers_by_expiry",
		"SELECT * FROM faces WHERE collection_key = 1 AND image_id = 2 AND " +
			"external_image_id = ?": "faces_by_image",
		"SELECT face_key, vector FROM faces JOIN embeddings ON face_key = key WHERE " +
			"collection_key = :c ORDER BY key": "faces_by_collection",
		"DELETE FROM faces WHERE key IN (SELECT key FROM faces WHERE collection_key = 1 ORDER BY " +
			"key LIMIT 2)": "faces_by_collection",
		"SELECT * FROM faces WHERE key IN (SELECT value FROM json_each(?)) AND collection_key = " +
			":c AND " + thereIs: "PRIMARY KEY",
		"SELECT * FROM faces WHERE collection_key = :c AND face_id IN (SELECT unhex(value, '-') " +
			"FROM json_each(?)) LIMIT 1": "(collection_key=? AND face_id=?)",
	} {
		rows, err := s.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query,
			sql.Named("c", 1), "x")
		plan, err := collect(rows, err, func(row record.Row) (string, error) {
			var id, parent, unused int
			var detail string
			err := row.Scan(&id, &parent, &unused, &detail)
			return detail, err
		})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		steps := strings.Join(plan, "; ")
		if !strings.Contains(steps, want) || strings.Contains(steps, "TEMP B-TREE") ||
			strings.Contains(steps, "SCAN faces") || strings.Contains(steps, "SCAN users") {
			t.Errorf("%s\nis done by %s\nwant %s", query, steps, want)
		}
	}
}

// TestFacesByCallersIDsUseTheirIndex: among many faces, the few with an id of the caller's are
// found by the index of these ids, on every page.
func TestFacesByCallersIDsUseTheirIndex(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	c := newCollection(t, s, "people")
	addFaces(t, s, c, 1000)
	id := uuid.NewString()
	for want, filter := range map[string]face.FaceFilter{
		"faces_by_external_id (collection_key=? AND external_image_id=?": {
			ExternalImageIDs: []string{"a", "b"}},
		"faces_by_image (collection_key=? AND image_id=?": {ImageIDs: []string{id}},
	} {
		for _, after := range []string{"", id} {
			filter.After = after
			query, args, err := facesQuery(c, filter, 10)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := s.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
			plan, err := collect(rows, err, func(row record.Row) (detail string, err error) {
				var id, parent, unused int
				err = row.Scan(&id, &parent, &unused, &detail)
				return detail, err
			})
			if err != nil {
				t.Fatal(err)
			}
			if steps := strings.Join(plan, "; "); !strings.Contains(steps, want) {
				t.Errorf("after %q: %s, want %s", after, steps, want)
			}
		}
	}
}
