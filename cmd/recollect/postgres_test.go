package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/store/storetest"
	"github.com/recollect-dev/recollect/internal/transfer/transfertest"
)

// TestCommandsOnPostgres: keys, the master key, backup and restore of servers that share a
// database.
func TestCommandsOnPostgres(t *testing.T) {
	database := postgrestest.Start(t)
	url, data := database.NewDatabase(t), t.TempDir()
	stop := startServer(t, data, func(cfg *serveConfig) { cfg.Store = url })
	if _, err := newClient(t).CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := recollectProgram(t, args...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	key := filepath.Join(t.TempDir(), "anna")
	run("keys", "create", "anna", "--policy", "read-only", "--out", key, "--store", url, "--data",
		data)
	if out := run("keys", "list", "--store", url, "--data", data); !strings.Contains(out, "anna") {
		t.Errorf("the list of keys is %s", out)
	}
	_, err := recollectProgram(t, "keys", "rotate-master", "--store", url, "--data", data)
	if err == nil || !strings.Contains(err.Error(), "stop the server") {
		t.Errorf("the master key beside a server: %v", err)
	}
	masterKey := filepath.Join(t.TempDir(), "key")
	copyFile(t, filepath.Join(data, "master-key"), masterKey)
	if err := os.Chmod(masterKey, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run("keys", "list", "--store", url, "--data", t.TempDir(), "--master-key-file",
		masterKey); !strings.Contains(out, "anna") {
		t.Errorf("with the file of the master key the list of keys is %s", out)
	}
	if _, err := recollectProgram(t, "keys", "list", "--data", data, "--master-key-file",
		masterKey); err == nil || !strings.Contains(err.Error(), "needs --store") {
		t.Errorf("the file of the master key without a database: %v", err)
	}
	_, err = recollectProgram(t, "keys", "list", "--store", url, "--data", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "does not have the master key") {
		t.Errorf("without the master key: %v", err)
	}

	// The list of servers, to which one is added that says nothing.
	if out := run("cluster", "status"); !regexp.MustCompile(
		`(?m)^HOST .*\n.* http://127\.0\.0\.1:\d+ .* alive `).MatchString(out) {
		t.Errorf("the servers are %s", out)
	}
	database.Exec(t, url, `INSERT INTO recollect.nodes VALUES ('gone', 'zzz', 'http://gone:1', '1',
		0, now() - interval '1 minute', 1, 2, 3145728, 4, 5)`)
	out, log, status := program(t, "cluster", "status")
	if status != statusNo || !regexp.MustCompile(
		`(?m)^zzz +http://gone:1 +1 +1970-01-01 00:00 +silent +6\d\.\d s ago +1 +2 +3\.0 +4$`).
		MatchString(out) {
		t.Errorf("with one that says nothing: %d, %s%s", status, out, log)
	}
	out, _, _ = program(t, "cluster", "status", "--output", "json")
	if servers := jsonLines(t, out); len(servers) != 2 || servers[0]["Answering"] != true ||
		servers[1]["Alive"] != false || servers[1]["VectorsBehind"] != 4.0 {
		t.Errorf("in JSON the servers are %v", servers)
	}

	// A backup that the server makes, and one of the database.
	dir := t.TempDir()
	byServer, byCommand := filepath.Join(dir, "server.zip"), filepath.Join(dir, "command.zip")
	run("backup", byServer)
	run("backup", byCommand, "--store", url, "--master-key-file", masterKey)
	stop()
	run("keys", "rotate-master", "--store", url, "--data", data)
	run("keys", "list", "--store", url, "--data", data)

	for _, backup := range []string{byServer, byCommand} {
		url, data := database.NewDatabase(t), filepath.Join(t.TempDir(), "data")
		run("restore", backup, "--store", url, "--data", data)
		if _, err := recollectProgram(t, "restore", backup, "--store", url, "--data",
			data); err == nil {
			t.Error("a database that has a store was restored to")
		}
		stop := startServer(t, data, func(cfg *serveConfig) { cfg.Store = url })
		// The root key is that of before, and so is the user's.
		for _, credentials := range []string{"", key} {
			if credentials != "" {
				t.Setenv("AWS_SHARED_CREDENTIALS_FILE", credentials)
			}
			list, err := newClient(t).ListCollections(t.Context(),
				&rekognition.ListCollectionsInput{})
			if err != nil || len(list.CollectionIds) != 1 || list.CollectionIds[0] != "people" {
				t.Errorf("after the restore of %s: %v, %v", filepath.Base(backup), list, err)
			}
		}
		stop()
		if _, err := os.Stat(filepath.Join(data, "recollect.db")); err == nil {
			t.Error("the folder has a database of SQLite's")
		}
	}
}

// TestMove: a database has what the folder of a server has, again after an interruption, and
// nothing is overwritten.
func TestMove(t *testing.T) {
	ctx := t.Context()
	database := postgrestest.Start(t)
	from, url := t.TempDir(), database.NewDatabase(t)
	home := recollect.Realm{Account: "123456789012", Region: "us-east-1"}
	source, err := sqlite.Open(ctx, from, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	transfertest.Fill(t, source, home, "people", 700)
	transfertest.Fill(t, source, recollect.Realm{Account: "210987654321", Region: "eu-west-1"},
		"people", 3)
	shown := storetest.NewFaceOf(4)
	shown.Thumbnail = []byte("a picture")
	small, err := source.CreateCollection(ctx, face.Collection{Realm: home, ID: "small",
		CreatedAt: time.UnixMilli(5)}, nil, 0)
	if err == nil {
		_, _, err = source.AddFaces(ctx, small.Key, []face.Face{shown}, 10)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := transfertest.Contents(t, source, home, "people")
	sealer, err := iam.OpenSealer(ctx, from, source.Identities())
	if err != nil {
		t.Fatal(err)
	}
	identities := iam.NewService(source.Identities(), sealer, iam.AccessKey{})
	if _, err := identities.CreateUser(ctx, home.Account, "anna"); err != nil {
		t.Fatal(err)
	}
	key, err := identities.CreateAccessKey(ctx, home.Account, "anna")
	if err != nil {
		t.Fatal(err)
	}
	role := iam.Role{Account: home.Account, Name: "camera", ID: "AROACAMERA", TrustPolicy: "{}",
		MaxSession: time.Hour, CreatedAt: time.UnixMilli(5).UTC(),
		Policies: []iam.PolicyDocument{{Name: "p", Document: "{}"}}}
	revoked := time.UnixMilli(1_700_000_000_000).UTC()
	if err := errors.Join(source.Identities().CreateRole(ctx, role),
		source.Identities().RevokeSessions(ctx, home.Account, revoked)); err != nil {
		t.Fatal(err)
	}
	if _, err := recollectProgram(t, "move", "--from", from, "--to", url); err == nil ||
		!strings.Contains(err.Error(), "stop the server") {
		t.Errorf("from a folder in use: %v", err)
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}

	for _, state := range []string{"moved", "was there"} {
		out, err := recollectProgram(t, "move", "--from", from, "--to", url)
		if err != nil || strings.Count(out, state) != 3 ||
			!strings.Contains(out, "3 collections with 704 faces") {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	target, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := transfertest.Contents(t, target, home, "people"); got != want {
		t.Errorf("there was\n%.2000s\nand is\n%.2000s", want, got)
	}
	c, err := target.Collection(ctx, home, "small")
	if err != nil {
		t.Fatal(err)
	}
	if jpeg, err := target.Thumbnail(ctx, c.Key, shown.ID); err != nil ||
		string(jpeg) != "a picture" {
		t.Errorf("the thumbnail is %q, %v", jpeg, err)
	}
	got, ok, err := iam.NewService(target.Identities(), sealer, iam.AccessKey{}).AccessKey(ctx,
		key.ID)
	if err != nil || !ok || got.Secret != key.Secret {
		t.Errorf("the key after the move: %v, %v", ok, err)
	}

	if r, err := target.Identities().Role(ctx, home.Account, "camera"); err != nil ||
		!reflect.DeepEqual(r, role) {
		t.Errorf("the role after the move: %+v, %v", r, err)
	}
	if at, err := target.Identities().SessionsRevoked(ctx, home.Account); err != nil ||
		!at.Equal(revoked) {
		t.Errorf("the root's sessions are revoked up to %v, %v", at, err)
	}

	// A collection that is another is left as it is, and said.
	if _, _, err := target.DeleteFaces(ctx, c.Key, []string{shown.ID}); err != nil {
		t.Fatal(err)
	}
	other := shown
	other.Confidence = 1
	if _, _, err := target.AddFaces(ctx, c.Key, []face.Face{other}, 10); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := recollectProgram(t, "move", "--from", from, "--to", url); err == nil ||
		!strings.Contains(err.Error(), "small") {
		t.Errorf("over another collection: %v", err)
	}
}
