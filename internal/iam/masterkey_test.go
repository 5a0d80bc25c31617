package iam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secrets is a SecretStore that can fail as a process ends: before a commit or after it.
type secrets struct {
	check        []byte
	sealed       map[string][]byte
	before, late error
}

func newSecrets() *secrets { return &secrets{sealed: map[string][]byte{}} }

func (s *secrets) MasterKeyCheck(context.Context) ([]byte, error) { return s.check, nil }

func (s *secrets) SetMasterKeyCheck(_ context.Context, check []byte) error {
	s.check = check
	return nil
}

func (s *secrets) SealedSecrets(context.Context) (map[string][]byte, error) {
	return maps.Clone(s.sealed), nil
}

func (s *secrets) Reseal(_ context.Context, check []byte,
	reseal func(string, []byte) ([]byte, error)) error {
	resealed := map[string][]byte{}
	for id, sealed := range s.sealed {
		b, err := reseal(id, sealed)
		if err != nil {
			return err
		}
		if b != nil {
			resealed[id] = b
		}
	}
	if s.before != nil {
		return s.before
	}
	s.check, s.sealed = check, resealed
	return s.late
}

func keyOf(dir string) string { return filepath.Join(dir, MasterKeyFile) }

// sealedFolder is a folder with a master key, and a store with the secrets of n access keys.
func sealedFolder(t *testing.T, n int) (dir string, store *secrets) {
	t.Helper()
	dir, store = t.TempDir(), newSecrets()
	sealer, err := OpenSealer(t.Context(), dir, store)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		id := fmt.Sprintf("AKIA%d", i)
		store.sealed[id] = sealer.Seal(id, "secret of "+id)
	}
	return dir, store
}

// wantAllOpen starts on the folder, and opens every secret.
func wantAllOpen(t *testing.T, dir string, store *secrets, n int) {
	t.Helper()
	sealer, err := OpenSealer(t.Context(), dir, store)
	if err != nil {
		t.Fatal(err)
	}
	if len(store.sealed) != n {
		t.Errorf("there are %d secrets, want %d", len(store.sealed), n)
	}
	for id, sealed := range store.sealed {
		if got, err := sealer.Open(id, sealed); err != nil || got != "secret of "+id {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRotationSurvivesACrash: wherever a rotation ends, the next start opens every secret, and a
// later rotation succeeds.
func TestRotationSurvivesACrash(t *testing.T) {
	crash := errors.New("the process ended")
	for name, c := range map[string]struct {
		end     func(t *testing.T, dir string, store *secrets)
		rotated bool
	}{
		"before the new key is written": {end: func(*testing.T, string, *secrets) {}},
		"while the new key is written": {end: func(t *testing.T, dir string, _ *secrets) {
			// writePrivate gives a file its name at the end only.
			if err := os.WriteFile(filepath.Join(dir, ".master-key.next-1"), []byte("recoll"),
				0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"before the commit": {end: func(t *testing.T, dir string, store *secrets) {
			store.before = crash
			if _, err := RotateMasterKey(t.Context(), keyOf(dir), store); !errors.Is(err, crash) {
				t.Fatal(err)
			}
		}},
		"before the rename": {rotated: true, end: func(t *testing.T, dir string, store *secrets) {
			store.late = crash
			if _, err := RotateMasterKey(t.Context(), keyOf(dir), store); !errors.Is(err, crash) {
				t.Fatal(err)
			}
		}},
		"after all": {rotated: true, end: func(t *testing.T, dir string, store *secrets) {
			if n, err := RotateMasterKey(t.Context(), keyOf(dir), store); n != 3 || err != nil {
				t.Fatal(n, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, store := sealedFolder(t, 3)
			file := filepath.Join(dir, MasterKeyFile)
			old := mustRead(t, file)
			c.end(t, dir, store)
			store.before, store.late = nil, nil
			wantAllOpen(t, dir, store, 3)
			if rotated := !bytes.Equal(mustRead(t, file), old); rotated != c.rotated {
				t.Errorf("the file has a new key: %v, want %v", rotated, c.rotated)
			}
			before := mustRead(t, file)
			if n, err := RotateMasterKey(t.Context(), keyOf(dir), store); n != 3 || err != nil {
				t.Errorf("the next rotation: %d, %v", n, err)
			}
			wantAllOpen(t, dir, store, 3)
			if bytes.Equal(mustRead(t, file), before) {
				t.Error("the next rotation changed nothing")
			}
			if _, err := os.Stat(nextMasterKey(keyOf(dir))); err == nil {
				t.Error("the new key's own file is still there")
			}
		})
	}
}

// A reset that ends before its rename is completed by the next start, although there is no file of
// the master key.
func TestResetSurvivesACrash(t *testing.T) {
	dir, store := sealedFolder(t, 2)
	if _, err := ResetMasterKey(t.Context(), keyOf(dir), store); err == nil {
		t.Fatal("secrets that open were deleted")
	}
	if err := os.Remove(filepath.Join(dir, MasterKeyFile)); err != nil {
		t.Fatal(err)
	}
	store.before = errors.New("the process ended")
	if _, err := ResetMasterKey(t.Context(), keyOf(dir), store); !errors.Is(err, store.before) {
		t.Fatal(err)
	}
	if _, err := OpenSealer(t.Context(), dir, store); !errors.Is(err, ErrMasterKeyLost) {
		t.Errorf("before the commit: %v", err)
	}
	store.before, store.late = nil, store.before
	if _, err := ResetMasterKey(t.Context(), keyOf(dir), store); !errors.Is(err, store.late) {
		t.Fatal(err)
	}
	wantAllOpen(t, dir, store, 0)
}

// TestDamagedSecretStopsARotation, which would lose it.
func TestDamagedSecretStopsARotation(t *testing.T) {
	dir, store := sealedFolder(t, 2)
	store.sealed["AKIA0"][20] ^= 1
	if _, err := RotateMasterKey(t.Context(), keyOf(dir),
		store); !errors.Is(err, ErrWrongMasterKey) ||
		!strings.Contains(err.Error(), "AKIA0") {
		t.Errorf("got %v", err)
	}
	delete(store.sealed, "AKIA0")
	wantAllOpen(t, dir, store, 1)
}

// TestMasterKeyOfAnEarlierVersion: a store without a check value gets one if a secret opens.
func TestMasterKeyOfAnEarlierVersion(t *testing.T) {
	dir, store := sealedFolder(t, 2)
	check := store.check
	store.check = nil
	store.sealed["AKIA0"][20] ^= 1 // one damaged secret does not condemn the key
	if _, err := OpenSealer(t.Context(), dir, store); err != nil {
		t.Error(err)
	}
	if check == nil || !bytes.Equal(store.check, check) {
		t.Errorf("the check value is %x, want %x", store.check, check)
	}
	store.check = nil
	store.sealed["AKIA1"][20] ^= 1
	file := filepath.Join(dir, MasterKeyFile)
	for _, missing := range []bool{false, true} {
		if missing {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		_, err := OpenSealer(t.Context(), dir, store)
		if !errors.Is(err, ErrMasterKeyLost) || !strings.Contains(err.Error(), file) ||
			!strings.Contains(err.Error(), "2 access keys") {
			t.Errorf("missing: %v: %v", missing, err)
		}
		if store.check != nil {
			t.Error("a wrong master key got a check value")
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a new master key was made")
	}
	// With nothing sealed no key is lost.
	clear(store.sealed)
	wantAllOpen(t, dir, store, 0)
}

func TestMasterKeyFile(t *testing.T) {
	dir, store := t.TempDir(), newSecrets()
	first, err := OpenSealer(t.Context(), dir, store)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, MasterKeyFile)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	second, err := OpenSealer(t.Context(), dir, store)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Open("AKIA1", first.Seal("AKIA1", "x")); err != nil || got != "x" {
		t.Errorf("the second start has another key: %v", err)
	}

	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealer(t.Context(), dir, store); err == nil ||
		!strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read: %v", err)
	}
	const hidden = "c2hvcnQ="
	for _, contents := range []string{"", "x\n", hidden + "\n", masterKeyPrefix + hidden + "\n",
		masterKeyPrefix + "?" + hidden, "recollect-master-key-2:" + hidden} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSealer(t.Context(), dir, store); err == nil ||
			!strings.Contains(err.Error(), file) ||
			strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: %v", contents, err)
		}
	}
	if _, err := NewSealer(make([]byte, 16)); err == nil {
		t.Error("a short master key is accepted")
	}
}
