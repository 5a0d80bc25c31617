package postgres_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
	"github.com/recollect-dev/recollect/internal/store/storetest"
	"github.com/recollect-dev/recollect/internal/transfer/transfertest"
)

// TestSnapshot: a database that is restored has all that there was when the snapshot was made, and
// gives no key again.
func TestSnapshot(t *testing.T) {
	ctx := t.Context()
	server := postgrestest.Start(t)
	source := server.NewDatabase(t)
	s := openStore(t, source)
	c := transfertest.Fill(t, s, home, "people", 300)
	was := transfertest.Contents(t, s, home, "people")
	shown := storetest.NewFaceOf(4)
	shown.Thumbnail = []byte("a picture")
	small, err := s.CreateCollection(ctx, face.Collection{Realm: home, ID: "small"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.AddFaces(ctx, small.Key, []face.Face{shown}, 10); err != nil {
		t.Fatal(err)
	}
	anna := iam.User{Account: home.Account, Name: "Anna", ID: "AIDAANNA",
		CreatedAt: time.UnixMilli(1_700_000_000_123).UTC()}
	err = errors.Join(s.Identities().CreateUser(ctx, anna),
		s.Identities().PutUserPolicy(ctx, home.Account, "anna",
			iam.PolicyDocument{Name: "P", Document: "{}"}, 10),
		s.Identities().CreateKey(ctx, iam.KeyRecord{ID: "AKIA1", Account: home.Account,
			UserName: "anna", SealedSecret: []byte{0, 1, 255}, Active: true}, 10),
		s.SetSetting(ctx, "name", []byte("value")))
	if err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(t.TempDir(), "snapshot")
	if err := s.Snapshot(ctx, file); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshot(ctx, file); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	highest, err := s.HighestFaceKey(ctx)
	if err != nil {
		t.Fatal(err)
	}

	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	// Those that a crash of the database may empty are not in it.
	if n := postgrestest.Number(t, source, `SELECT count(*) FROM pg_class
		WHERE relnamespace = 'recollect'::regnamespace AND relkind = 'r' AND relpersistence = 'p'
		AND relname <> 'schema_version'`); n != len(z.File)-1 {
		t.Errorf("the snapshot has %d of %d tables", len(z.File)-1, n)
	}

	url := server.NewDatabase(t)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{nil, content[:len(content)/2],
		regexp.MustCompile(`"SchemaVersion":\d`).ReplaceAll(content, []byte(`"SchemaVersion":9`)),
		[]byte(strings.Replace(string(content), "PGCOPY", "PGCOPI", 2))} {
		path := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := postgres.Restore(ctx, url, path); err == nil {
			t.Errorf("a damaged snapshot of %d bytes was restored", len(damaged))
		}
		if n := postgrestest.Number(t, url,
			"SELECT count(*) FROM pg_namespace WHERE nspname = 'recollect'"); n != 0 {
			t.Fatal("a restore that failed left tables")
		}
	}
	if err := postgres.Restore(ctx, url, file); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Restore(ctx, url,
		file); recollect.CodeOf(err) != recollect.CodeAlreadyExists {
		t.Errorf("over a store that is there: %v", err)
	}
	restored := openStore(t, url)
	if is := transfertest.Contents(t, restored, home, "people"); is != was {
		t.Errorf("there was\n%.2000s\nand is\n%.2000s", was, is)
	}
	if jpeg, err := restored.Thumbnail(ctx, small.Key, shown.ID); err != nil ||
		string(jpeg) != "a picture" {
		t.Errorf("the thumbnail is %q, %v", jpeg, err)
	}
	key, user, err := restored.Identities().Key(ctx, "AKIA1")
	if err != nil || user != anna || fmt.Sprint(key.SealedSecret) != "[0 1 255]" {
		t.Errorf("the key is of %+v, %v", user, err)
	}
	if p, err := restored.Identities().UserPolicies(ctx, home.Account, "ANNA"); err != nil ||
		len(p) != 1 || p[0].Name != "P" {
		t.Errorf("the policies are %v, %v", p, err)
	}
	if value, _, err := restored.Setting(ctx, "name"); err != nil || string(value) != "value" {
		t.Errorf("the setting is %q, %v", value, err)
	}
	added, _, err := restored.AddFaces(ctx, c.Key, []face.Face{storetest.NewFaceOf(4)}, 1000)
	if err != nil || face.VectorKey(added[0].Key) <= highest {
		t.Errorf("a new face has the key %d after %d, %v", added[0].Key, highest, err)
	}
	more, err := restored.CreateCollection(ctx, face.Collection{Realm: home, ID: "more"}, nil, 0)
	if err != nil || more.Key <= small.Key {
		t.Errorf("a new collection has the key %d after %d, %v", more.Key, small.Key, err)
	}
}

// A snapshot of the schema's first version, which had no jobs, is restored, and the store that is
// opened then has them.
func TestSnapshotOfTheFirstVersion(t *testing.T) {
	ctx := t.Context()
	server := postgrestest.Start(t)
	s := openStore(t, server.NewDatabase(t))
	transfertest.Fill(t, s, home, "people", 3)
	was := transfertest.Contents(t, s, home, "people")
	file := filepath.Join(t.TempDir(), "snapshot")
	if err := s.Snapshot(ctx, file); err != nil {
		t.Fatal(err)
	}
	old := file + ".old"
	withoutTables(t, file, old, `"SchemaVersion":1`, "jobs", "job_items", "job_matches")
	url := server.NewDatabase(t)
	if err := postgres.Restore(ctx, url, old); err != nil {
		t.Fatal(err)
	}
	restored := openStore(t, url)
	if is := transfertest.Contents(t, restored, home, "people"); is != was {
		t.Errorf("there was\n%.2000s\nand is\n%.2000s", was, is)
	}
	if _, err := restored.CreateJob(ctx, job.Job{ID: job.NewID(), Realm: home},
		recollect.Once{}, 1); err != nil {
		t.Errorf("create a job: %v", err)
	}
}

// withoutTables writes a snapshot without some tables, with another version.
func withoutTables(t *testing.T, from, to, version string, tables ...string) {
	t.Helper()
	source, err := zip.OpenReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var text bytes.Buffer
	target := zip.NewWriter(&text)
	for _, f := range source.File {
		if slices.Contains(tables, f.Name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == "manifest.json" {
			content = regexp.MustCompile(`"SchemaVersion":\d+`).ReplaceAll(content,
				[]byte(version))
			for _, table := range tables {
				content = regexp.MustCompile(`,\{"Name":"`+table+`"[^}]*\}`).ReplaceAll(content,
					nil)
			}
		}
		w, err := target.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
