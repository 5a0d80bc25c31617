package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"

	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
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
	_, err = recollectProgram(t, "keys", "list", "--store", url, "--data", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "does not have the master key") {
		t.Errorf("without the master key: %v", err)
	}

	// A backup that the server makes, and one of the database.
	dir := t.TempDir()
	byServer, byCommand := filepath.Join(dir, "server.zip"), filepath.Join(dir, "command.zip")
	run("backup", byServer)
	run("backup", byCommand, "--store", url, "--data", data)
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
