package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
	"github.com/recollect-dev/recollect/internal/store/storetest"
	"github.com/recollect-dev/recollect/internal/transfer"
	"github.com/recollect-dev/recollect/internal/transfer/transfertest"
)

// TestLostCommits: a database that returns to an earlier state gives versions and keys anew. All
// nodes then have exactly what it has.
func TestLostCommits(t *testing.T) {
	for _, again := range []int{1, 5, 9} { // fewer changes than were lost, as many, more
		t.Run(fmt.Sprint(again), func(t *testing.T) {
			server := postgrestest.Start(t)
			nodes := startNodes(t, server.NewDatabase(t), 3, enginetest.Engine("1"))
			if _, err := nodes[0].CreateCollection(t.Context(), face.CreateCollectionRequest{
				Realm: home, CollectionID: "c"}); err != nil {
				t.Fatal(err)
			}
			index := func(n *node, person int) {
				t.Helper()
				err := again3(func() error {
					_, err := n.IndexFaces(t.Context(), face.IndexFacesRequest{Realm: home,
						CollectionID: "c", Picture: recollect.Bytes(
							enginetest.Picture(enginetest.Face{Person: person, Size: 1}))})
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			count := func(n *node, person int) (found int) {
				t.Helper()
				err := again3(func() error {
					result, err := n.SearchFacesByImage(t.Context(),
						face.SearchFacesByImageRequest{Realm: home, CollectionID: "c",
							Threshold: 80, MaxFaces: 100, Picture: recollect.Bytes(
								enginetest.Picture(enginetest.Face{Person: person, Size: 1}))})
					if err == nil {
						found = len(result.Matches)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return found
			}
			for range 3 {
				index(nodes[0], 1)
			}
			server.Save(t)
			for range 5 {
				index(nodes[1], 2)
			}
			for _, n := range nodes {
				if a, b := count(n, 1), count(n, 2); a != 3 || b != 5 {
					t.Fatalf("before the loss there are %d and %d", a, b)
				}
			}
			server.Return(t)
			for range again {
				index(nodes[2], 3)
			}
			for i, n := range nodes {
				if a, b, c := count(n, 1), count(n, 2), count(n, 3); a != 3 || b != 0 ||
					c != again {
					t.Errorf("node %d finds %d, %d and %d, want 3, 0 and %d", i, a, b, c, again)
				}
			}
		})
	}
}

// TestLostConnections: what reads much does not fail because a connection was lost while nobody
// used it.
func TestLostConnections(t *testing.T) {
	ctx := t.Context()
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	s := openStore(t, url)
	c := transfertest.Fill(t, s, home, "people", 3)
	drain := func(vectors iter.Seq2[face.Embedding, error]) (err error) {
		for _, e := range vectors {
			err = errors.Join(err, e)
		}
		return err
	}
	for name, read := range map[string]func() error{
		"Embeddings":  func() error { return drain(s.Embeddings(ctx, c.Key)) },
		"UserVectors": func() error { return drain(s.UserVectors(ctx, c.Key)) },
		"All": func() error {
			return drain(s.FaceVectors().All(ctx, c.Key, func(face.Position) {}))
		},
		"Since": func() error {
			_, err := s.FaceVectors().Since(ctx, c.Key, face.Position{},
				func(face.Embedding) error { return nil })
			return err
		},
		"View": func() error {
			return s.View(ctx, home, "people", func(transfer.View) error { return nil })
		},
		"Snapshot": func() error { return s.Snapshot(ctx, filepath.Join(t.TempDir(), "copy")) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := read(); err != nil { // with a connection that is then kept
				t.Fatal(err)
			}
			server.Exec(t, url, `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
				WHERE application_name = 'recollect'`)
			if err := read(); err != nil {
				t.Error(err)
			}
		})
	}
}

// again3 tries something that fails while lost connections are noticed.
func again3(try func() error) (err error) {
	for range 3 {
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

// TestNodesStartTogether: nodes that start at one moment on an empty database make one schema, one
// root key and one identity.
func TestNodesStartTogether(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	given := iam.MasterKeySource{Given: "recollect-master-key-1:" + strings.Repeat("A", 43) + "="}
	nothing := func(string) string { return "" }
	const nodes = 8
	roots, identities := make([]iam.AccessKey, nodes), make([]string, nodes)
	var starting sync.WaitGroup
	for i := range nodes {
		starting.Go(func() {
			s, err := postgres.Open(t.Context(), url, postgres.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			dir := t.TempDir()
			sealer, err := iam.OpenSharedSealer(t.Context(), given, s.Identities())
			if err != nil {
				t.Error(err)
				return
			}
			roots[i], _, err = iam.SharedRootKey(t.Context(), dir, "123456789012", nothing, sealer,
				s.Identities())
			if err != nil {
				t.Error(err)
			}
			identity, err := s.SettingOrCreate(t.Context(), "identity",
				func() []byte { return []byte(uuid.NewString()) })
			if err != nil {
				t.Error(err)
			}
			identities[i] = string(identity)
		})
	}
	starting.Wait()
	for i := range nodes {
		if roots[i] != roots[0] || roots[i].Secret == "" || identities[i] != identities[0] {
			t.Errorf("node %d has another root key or identity", i)
		}
	}
}

// TestMasterKeyOfNodes: one node makes a master key, and the others say that they need it.
func TestMasterKeyOfNodes(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	nothing := func(string) string { return "" }
	open := func(dir string) error {
		s, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sealer, err := iam.OpenSharedSealer(t.Context(), iam.MasterKeySource{Dir: dir},
			s.Identities())
		if err == nil {
			_, _, err = iam.SharedRootKey(t.Context(), dir, "123456789012", nothing, sealer,
				s.Identities())
		}
		return err
	}
	first, second := t.TempDir(), t.TempDir()
	if err := open(first); err != nil {
		t.Fatal(err)
	}
	if err := open(second); !errors.Is(err, iam.ErrOtherMasterKey) {
		t.Errorf("a node without the master key: %v", err)
	}
	if err := open(first); err != nil {
		t.Errorf("the first node again: %v", err)
	}

	// Its rotation seals the root key anew.
	s, err := postgres.Open(t.Context(), url, postgres.Options{Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := iam.RotateMasterKey(t.Context(),
		filepath.Join(first, iam.MasterKeyFile), s.Identities()); err != nil || n != 1 {
		t.Errorf("%d secrets were sealed anew, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := open(first); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
}

// TestMasterKeyFile: a file that is named has to be there and to have the key of all nodes, and the
// error says what to do.
func TestMasterKeyFile(t *testing.T) {
	server := postgrestest.Start(t)
	s := openStore(t, server.NewDatabase(t))
	file := filepath.Join(t.TempDir(), "key")
	open := func() (*iam.Sealer, error) {
		return iam.OpenSharedSealer(t.Context(), iam.MasterKeySource{File: file,
			Dir: t.TempDir()}, s.Identities())
	}
	write := func(letter string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("recollect-master-key-1:"+
			strings.Repeat(letter, 43)+"=\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open(); !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "openssl rand -base64 32") {
		t.Errorf("without the file: %v", err)
	}
	write("A")
	first, err := open()
	if err != nil {
		t.Fatal(err)
	}
	again, err := open()
	if err != nil || !bytes.Equal(first.PageKey(), again.PageKey()) {
		t.Errorf("a second node has another key of pages, %v", err)
	}
	write("B")
	if _, err := open(); !errors.Is(err, iam.ErrOtherMasterKey) ||
		!strings.Contains(err.Error(), "--master-key-file") {
		t.Errorf("with another master key: %v", err)
	}

	// A rotation changes the file.
	write("A")
	if _, err := iam.RotateMasterKey(t.Context(), file, s.Identities()); err != nil {
		t.Fatal(err)
	}
	rotated, err := open()
	if err != nil || bytes.Equal(first.PageKey(), rotated.PageKey()) {
		t.Errorf("after the rotation pages have the former key, %v", err)
	}
}

func TestAlone(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	one, two := openStore(t, url), openStore(t, url)
	alone := postgres.Options{Alone: true}
	if _, err := postgres.Open(t.Context(), url, alone); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("alone beside two: %v", err)
	}
	if err := errors.Join(one.Close(), two.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), url, alone)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); !errors.Is(err,
		postgres.ErrInUse) {
		t.Errorf("beside one that is alone: %v", err)
	}
	beside, err := postgres.Open(t.Context(), url, postgres.Options{Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	beside.Close()
}

// TestForeignDatabases are rejected, and stay as they are.
func TestForeignDatabases(t *testing.T) {
	server := postgrestest.Start(t)
	want := func(url, message string, o postgres.Options) {
		t.Helper()
		if s, err := postgres.Open(t.Context(), url, o); err == nil {
			s.Close()
			t.Errorf("it was opened, want %q", message)
		} else if !strings.Contains(err.Error(), message) {
			t.Errorf("got %v, want %q", err, message)
		}
	}
	other := server.NewDatabase(t)
	server.Exec(t, other, "CREATE SCHEMA recollect; CREATE TABLE recollect.faces (x int)")
	want(other, "another program's", postgres.Options{})

	newer := server.NewDatabase(t)
	openStore(t, newer).Close()
	server.Exec(t, newer, "UPDATE recollect.schema_version SET version = 99")
	want(newer, "version 99", postgres.Options{})

	older := server.NewDatabase(t)
	openStore(t, older).Close()
	server.Exec(t, older, "UPDATE recollect.schema_version SET version = 0")
	want(older, "schema version 0", postgres.Options{Beside: true})
	want(older, "migrate to schema version 1", postgres.Options{})

	empty := server.NewDatabase(t)
	want(empty, "schema version 0", postgres.Options{Beside: true})
	openStore(t, empty)
}

// TestStandbyIsRejected: it may be behind.
func TestStandbyIsRejected(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	s := openStore(t, url)
	server.BecomeStandby(t)
	if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "standby") &&
		!strings.Contains(err.Error(), "lost") {
		t.Errorf("an open store whose server became a standby: %v", err)
	}
	_, err := s.Collection(t.Context(), home, "c")
	if err == nil || recollect.CodeOf(err) == recollect.CodeNotFound {
		t.Errorf("a read from a standby: %v", err)
	}
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); err == nil ||
		!strings.Contains(err.Error(), "standby") {
		t.Errorf("opened on a standby: %v", err)
	}
}

// TestPlainRole: the owner of a database needs no more rights.
func TestPlainRole(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	server.Exec(t, url, "CREATE ROLE plain LOGIN; ALTER DATABASE test1 OWNER TO plain")
	s := openStore(t, strings.Replace(url, "postgres@", "plain@", 1))
	c, err := s.CreateCollection(t.Context(), face.Collection{Realm: home, ID: "c"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.AddFaces(t.Context(), c.Key, []face.Face{storetest.NewFace()},
		10); err != nil {
		t.Error(err)
	}
}

// TestImportOfANodeThatEnded is wiped, and that of a node which runs is not.
func TestImportOfANodeThatEnded(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	ends, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	runs := openStore(t, url)
	begin := func(s *postgres.Store, id string) func(context.Context) (face.Collection, error) {
		t.Helper()
		i, err := s.NewImport(t.Context(), face.Collection{Realm: home, ID: id}, nil)
		if err == nil {
			err = i.AddFaces(t.Context(), []face.Face{storetest.NewFace()})
		}
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) (face.Collection, error) { return i.Publish(ctx, 0) }
	}
	begin(ends, "lost")
	publish := begin(runs, "kept")
	if err := ends.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, url)
	hidden, err := runs.Collections(t.Context(), recollect.Realm{Region: home.Region}, "", 10)
	if err != nil || len(hidden) != 1 {
		t.Errorf("%d imports are left, %v", len(hidden), err)
	}
	if _, err := publish(t.Context()); err != nil {
		t.Errorf("the import of the node that runs: %v", err)
	}
	waitForRows(t, url, "faces", 1)
}

// waitForRows waits until a table has so many rows.
func waitForRows(t *testing.T, url, table string, want int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n := postgrestest.Number(t, url, "SELECT count(*) FROM recollect."+table)
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has %d rows, want %d", table, n, want)
		}
	}
}

// TestDeletedCollectionIsSwept with all that it had, and no other.
func TestDeletedCollectionIsSwept(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	s := openStore(t, url)
	for _, id := range []string{"doomed", "kept"} {
		c, err := s.CreateCollection(t.Context(), face.Collection{Realm: home, ID: id},
			map[string]string{"a": "b"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		faces := make([]face.Face, 600)
		for i := range faces {
			faces[i] = storetest.NewFace()
			faces[i].Thumbnail = []byte("x")
		}
		if _, _, err := s.AddFaces(t.Context(), c.Key, faces, 1000); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateUser(t.Context(), c.Key, face.User{ID: "u", SystemID: uuid.NewString()},
			recollect.Once{}, 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.DeleteCollection(t.Context(), home, "doomed"); err != nil {
		t.Fatal(err)
	}
	waitForRows(t, url, "doomed", 0)
	for table, want := range map[string]int{"faces": 600, "embeddings": 600, "thumbnails": 600,
		"users": 1, "tags": 1} {
		waitForRows(t, url, table, want)
	}
	if n, err := s.DeleteThumbnails(t.Context()); err != nil || n != 600 {
		t.Errorf("%d thumbnails were deleted, %v", n, err)
	}
}
