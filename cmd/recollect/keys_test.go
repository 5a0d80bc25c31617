package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

func recollectKeys(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(append([]string{"keys"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// A store has the data folder open during the test, as a running server has.
func TestKeysBesideAServer(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := sqlite.Open(t.Context(), dir, sqlite.Options{}); !errors.Is(err, sqlite.ErrInUse) {
		t.Fatalf("a second server: %v, want ErrInUse", err)
	}
	sealer, err := iam.OpenSealer(t.Context(), dir, store.Identities())
	if err != nil {
		t.Fatal(err)
	}
	server := iam.NewService(store.Identities(), sealer, iam.AccessKey{})
	may := func(id, action string) bool {
		t.Helper()
		key, ok, err := server.AccessKey(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return ok &&
			server.Authorize(t.Context(),
				&iam.Request{Principal: key.Principal, Action: action, Resource: "*"}) == nil
	}

	out, err := recollectKeys(t, "create", "anna", "--policy", "read-only", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(
		`^\[default\]\naws_access_key_id = (\w{20})\naws_secret_access_key = (\S{40})\n$`).
		FindStringSubmatch(out)
	if match == nil {
		t.Fatalf("create printed %d bytes of another format", len(out))
	}
	id, secret := match[1], match[2]
	if key, ok, err := server.AccessKey(t.Context(), id); err != nil || !ok ||
		key.Secret != secret {
		t.Errorf("the server does not know the key that was printed (%v)", err)
	}
	if !may(id, "rekognition:ListCollections") || may(id, "rekognition:CreateCollection") {
		t.Error("a reader must be able to list and not to create")
	}
	for _, file := range []string{sqlite.DatabaseName, sqlite.DatabaseName + "-wal"} {
		if data, err := os.ReadFile(filepath.Join(dir, file)); err != nil ||
			bytes.Contains(data, []byte(secret)) {
			t.Errorf("the secret is in %s as it stands (%v)", file, err)
		}
	}

	policy := filepath.Join(dir, "camera.json")
	if err := os.WriteFile(policy,
		[]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
			`"Action":"rekognition:Create*","Resource":"*"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recollectKeys(t, "create", "anna", "--policy", policy, "--data", dir); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the server's cache expires within a second
	if !may(id, "rekognition:CreateCollection") {
		t.Error("a new policy has no effect on the user's older key")
	}
	list, err := recollectKeys(t, "list", "--data", dir)
	if err != nil || strings.Count(list, "camera,read-only") != 2 || !strings.Contains(list, id) ||
		strings.Contains(list, secret) {
		t.Errorf("list (%v):\n%s", err, list)
	}
	if _, err := recollectKeys(t, "disable", id, "--data", dir); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if may(id, "rekognition:ListCollections") {
		t.Error("a disabled key still works")
	}
	if _, err := recollectKeys(t, "delete", id, "--data", dir); err != nil {
		t.Fatal(err)
	}
	if list, _ := recollectKeys(t, "list", "--data", dir); strings.Contains(list, id) {
		t.Error("a deleted key is listed")
	}
}

func TestKeysOfAUserThroughItsLife(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	file := filepath.Join(dir, "anna.credentials")
	printed, err := recollectKeys(t, "create", "anna", "--policy", "read-only", "--out", file,
		"--data", dir)
	if err != nil || printed != "" {
		t.Fatalf("create printed %d bytes, %v", len(printed), err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Fatalf("the key's file: %v, %v", info, err)
	}
	if _, err := recollectKeys(t, "create", "bob", "--out", file, "--data", dir); !errors.Is(err,
		os.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
	if _, err := recollectKeys(t, "create", "an na", "--out", file+"2", "--data", dir); err == nil {
		t.Error("a name with a space was accepted")
	} else if _, err := os.Stat(file + "2"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused command left a file behind: %v", err)
	}
	wantList := func(want string) {
		t.Helper()
		list, err := recollectKeys(t, "list", "--data", dir)
		if match, _ := regexp.MatchString(want, list); err != nil || !match {
			t.Errorf("list (%v), want %s:\n%s", err, want, list)
		}
	}
	if _, err := recollectKeys(t, "attach", "anna", "full-access", "s3-read", "--data",
		dir); err != nil {
		t.Error(err)
	}
	wantList(`anna +full-access,read-only,s3-read +AKIA`)
	if shown, err := recollectKeys(t, "show", "anna", "--data", dir); err != nil ||
		!strings.HasPrefix(shown, "full-access:\n{") &&
			!strings.Contains(shown, "\nfull-access:\n{") {
		t.Errorf("show (%v):\n%s", err, shown)
	}
	if _, err := recollectKeys(t, "detach", "anna", "full-access", "--data", dir); err != nil {
		t.Error(err)
	}
	wantList(`anna +read-only,s3-read +AKIA`)
	for _, args := range [][]string{{"attach", "anna", "s3-read", "absent"},
		{"attach", "bob", "s3-read"}, {"attach", "anna"}, {"detach", "anna", "full-access"},
		{"delete-user", "bob"}} {
		if _, err := recollectKeys(t, append(args, "--data", dir)...); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	if _, err := recollectKeys(t, "delete-user", "anna", "--data", dir); err != nil {
		t.Error(err)
	}
	wantList(`^USER +POLICIES +KEY +STATE +CREATED\n$`)
}

func TestKeysRefuse(t *testing.T) {
	dir := t.TempDir()
	if _, err := recollectKeys(t, "list", "--data", dir); err == nil ||
		!strings.Contains(err.Error(), "--data") {
		t.Errorf("a folder without a server's data: %v", err)
	}
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	misnamed := filepath.Join(dir, "a policy.json")
	if err := os.WriteFile(misnamed,
		[]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"Statement":[{"Effect":"Maybe"}]}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"create", "anna", "--policy", "absent"}, {"create", "anna", "--policy", broken},
		{"create", "an na"}, {"create"}, {"create", "anna", "--policy", misnamed}, {"show", "anna"},
		{"delete", "AKIA"}, {"disable", "AKIA"},
	} {
		if _, err := recollectKeys(t, append(args, "--data", dir)...); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	if list, err := recollectKeys(t, "list", "--data", dir); err != nil ||
		strings.Contains(list, "an") {
		t.Errorf("a refused command left a user behind (%v):\n%s", err, list)
	}
}
