package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// A role through its life, beside a server that has its data folder open.
func TestRolesBesideAServer(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	sealer, err := iam.OpenSealer(t.Context(), dir, store.Identities())
	if err != nil {
		t.Fatal(err)
	}
	server := iam.NewService(store.Identities(), sealer, iam.AccessKey{})
	trust := filepath.Join(dir, "trust.json")
	writeFile(t, trust, []byte(`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole",`+
		`"Principal":{"AWS":"123456789012"}}}`))
	is := func(status int, want string, args ...string) {
		t.Helper()
		out, log, got := program(t, append(args, "--data", dir)...)
		if got != status || !regexp.MustCompile(want).MatchString(out+log) {
			t.Errorf("recollect %s: status %d, want %d, and %s of:\n%s%s", strings.Join(args, " "),
				got, status, want, out, log)
		}
	}
	is(statusUsage, `"trust" not set`, "roles", "create", "camera")
	is(statusFailed, `no such file`, "roles", "create", "camera", "--trust", trust+"x")
	is(statusFailed, `1h to 12h`, "roles", "create", "camera", "--trust", trust, "--max-session",
		"13h")
	is(0, `^arn:aws:iam::123456789012:role/camera\n$`, "roles", "create", "camera", "--trust",
		trust, "--policy", "read-only", "--max-session", "2h")
	is(statusFailed, `exists already`, "roles", "create", "CAMERA", "--trust", trust)
	is(0, `(?s)ROLE.*camera +read-only +2h0m0s`, "roles", "list")
	is(0, `(?s)trust policy:\n\{"Statement".*read-only:\n`, "roles", "show", "camera")
	is(0, `^$`, "roles", "attach", "camera", "full-access", "s3-read")
	is(0, `camera +full-access,read-only,s3-read`, "roles", "list")
	is(0, `^$`, "roles", "detach", "camera", "read-only")
	is(statusFailed, `there is none`, "roles", "detach", "camera", "read-only")

	begin := func() iam.TemporaryKey {
		t.Helper()
		user, err := server.CreateAccessKey(t.Context(), "123456789012", "anna")
		if err != nil {
			t.Fatal(err)
		}
		role, err := server.Role(t.Context(), "123456789012", "camera")
		if err != nil {
			t.Fatal(err)
		}
		key, err := server.BeginRoleSession(t.Context(), iam.RoleSession{Role: role,
			Name: "lobby", Caller: user, Lasts: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	// What the server has in memory is out of date within a second.
	ended := func(key iam.TemporaryKey) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for time.Now().Before(deadline) {
			_, err := server.SessionKey(t.Context(), key.ID, key.Token)
			if errors.Is(err, iam.ErrNoSession) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("the session goes on")
	}
	is(0, ``, "keys", "create", "anna")
	key := begin()
	is(0, `^$`, "roles", "revoke-sessions", "camera")
	ended(key)
	key = begin()
	is(0, `^$`, "keys", "revoke-sessions", "anna")
	ended(key)
	is(statusUsage, `either a user or --root`, "keys", "revoke-sessions")
	is(statusUsage, `either a user or --root`, "keys", "revoke-sessions", "anna", "--root")
	is(0, `^$`, "keys", "revoke-sessions", "--root")
	is(statusFailed, `there is none`, "keys", "revoke-sessions", "nobody")

	writeFile(t, trust, []byte(`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole",`+
		`"Principal":{"AWS":"arn:aws:iam::123456789012:user/anna"}}}`))
	is(0, `^$`, "roles", "trust", "camera", trust)
	is(0, `user/anna`, "roles", "show", "camera")
	writeFile(t, trust, []byte(`{}`))
	is(statusFailed, `Statement is missing`, "roles", "trust", "camera", trust)
	key = begin()
	is(0, `^$`, "roles", "delete", "camera")
	ended(key)
	is(statusFailed, `there is none`, "roles", "delete", "camera")
}
