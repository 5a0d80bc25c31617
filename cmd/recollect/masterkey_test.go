package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// newDataFolder makes a folder like that of a stopped server, with a key of the user anna.
func newDataFolder(t *testing.T) (dir, keyID, secret string) {
	t.Helper()
	dir = t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := recollectKeys(t, "create", "anna", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`_id = (\S+)\n\S+ = (\S+)\n`).FindStringSubmatch(out)
	if match == nil {
		t.Fatal("no key was printed")
	}
	return dir, match[1], match[2]
}

func mustReadFile(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// secretOf returns the secret of a key as a server with the folder has it, "" if there is no such
// key.
func secretOf(t *testing.T, dir, keyID string) (secret string) {
	t.Helper()
	err := withIdentities(t.Context(), location{data: dir}, func(identities *iam.Service) error {
		key, _, err := identities.AccessKey(t.Context(), keyID)
		secret = key.Secret
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// TestALostMasterKeyIsSaid: if a new master key could not decrypt the users' keys, a command does
// not make one, and its error says what to do.
func TestALostMasterKeyIsSaid(t *testing.T) {
	dir, keyID, secret := newDataFolder(t)
	file := filepath.Join(dir, iam.MasterKeyFile)
	kept := mustReadFile(t, file)
	other, _, _ := newDataFolder(t)
	for _, contents := range []string{"", mustReadFile(t, filepath.Join(other,
		iam.MasterKeyFile))} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if contents != "" {
			if err := os.WriteFile(file, []byte(contents), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := recollectKeys(t, "list", "--data", dir)
		if err == nil {
			t.Fatalf("with %d bytes: no error", len(contents))
		}
		for _, part := range []string{file, "backup", "keys reset-master"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the error does not say %q: %v", part, err)
			}
		}
		if _, err := recollectKeys(t, "rotate-master", "--data", dir); err == nil {
			t.Error("the lost master key was rotated")
		}
		if err := os.WriteFile(file, []byte(kept), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := secretOf(t, dir, keyID); got != secret {
			t.Error("with the file from a backup the key is another one")
		}
	}
}

func TestRotateMaster(t *testing.T) {
	dir, keyID, secret := newDataFolder(t)
	file := filepath.Join(dir, iam.MasterKeyFile)
	before := mustReadFile(t, file)
	out, err := recollectKeys(t, "rotate-master", "--data", dir)
	if err != nil || !strings.Contains(out, "1 access key") {
		t.Fatalf("%v: %s", err, out)
	}
	if mustReadFile(t, file) == before {
		t.Error("the file has the old master key")
	}
	if got := secretOf(t, dir, keyID); got != secret {
		t.Error("the key's secret is another one")
	}
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recollectKeys(t, "list", "--data", dir); err == nil {
		t.Error("the old master key is accepted")
	}
}

// A running server has the old master key in memory.
func TestRotateMasterUnderAServer(t *testing.T) {
	dir, _, _ := newDataFolder(t)
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, command := range []string{"rotate-master", "reset-master"} {
		if _, err := recollectKeys(t, command, "--data", dir); err == nil ||
			!strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestResetMaster(t *testing.T) {
	dir, keyID, _ := newDataFolder(t)
	if _, err := recollectKeys(t, "reset-master", "--data", dir); err == nil {
		t.Error("keys that open were deleted")
	}
	if err := os.Remove(filepath.Join(dir, iam.MasterKeyFile)); err != nil {
		t.Fatal(err)
	}
	out, err := recollectKeys(t, "reset-master", "--data", dir)
	if err != nil || !strings.Contains(out, "1 access key") {
		t.Fatalf("%v: %s", err, out)
	}
	list, err := recollectKeys(t, "list", "--data", dir)
	if err != nil || !strings.Contains(list, "anna") || strings.Contains(list, keyID) {
		t.Errorf("%v:\n%s", err, list)
	}
	if _, err := recollectKeys(t, "create", "anna", "--data", dir); err != nil {
		t.Error(err)
	}
}
