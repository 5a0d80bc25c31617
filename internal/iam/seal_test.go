package iam

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mustSealer(t testing.TB) *Sealer {
	t.Helper()
	s, err := NewSealer(bytes.Repeat([]byte{7}, masterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedSecretsOpenAsTheyWere(t *testing.T) {
	s := mustSealer(t)
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	sealed := s.Seal("AKIA1", secret)
	if bytes.Contains(sealed, []byte(secret)) || bytes.Equal(sealed, s.Seal("AKIA1", secret)) {
		t.Error("the secret can be seen, or two sealings are the same")
	}
	if got, err := s.Open("AKIA1", sealed); err != nil || got != secret {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := s.Open("AKIA2", sealed); !errors.Is(err, ErrWrongMasterKey) {
		t.Errorf("for another key: %v", err)
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		if got, err := s.Open("AKIA1", broken); err == nil || got != "" ||
			strings.Contains(err.Error(), secret) {
			t.Fatalf("byte %d altered: %q, %v", i, got, err)
		}
		if _, err := s.Open("AKIA1", sealed[:i]); err == nil {
			t.Fatalf("cut to %d bytes: accepted", i)
		}
	}
	other, err := NewSealer(bytes.Repeat([]byte{8}, masterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open("AKIA1", sealed); !errors.Is(err, ErrWrongMasterKey) {
		t.Errorf("with another master key: %v", err)
	}
}

func FuzzOpenSealed(f *testing.F) {
	s := mustSealer(f)
	f.Add([]byte{})
	f.Add([]byte{1, 2})
	f.Add(s.Seal("AKIA2", "secret"))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if secret, err := s.Open("AKIA1", sealed); err == nil {
			t.Errorf("opened to %q", secret)
		}
	})
}

func TestMasterKeyFile(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenSealer(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, MasterKeyFile)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	second, err := OpenSealer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Open("AKIA1", first.Seal("AKIA1", "x")); err != nil || got != "x" {
		t.Errorf("the second start has another key: %v", err)
	}

	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealer(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
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
		if _, err := OpenSealer(dir); err == nil || !strings.Contains(err.Error(), file) ||
			strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: %v", contents, err)
		}
	}
	if _, err := NewSealer(make([]byte, 16)); err == nil {
		t.Error("a short master key is accepted")
	}
}
