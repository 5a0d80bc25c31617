package iam

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestRootKeyIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	first, file, err := RootKey(dir, "123456789012", env())
	if err != nil {
		t.Fatal(err)
	}
	if len(first.ID) != 20 || !strings.HasPrefix(first.ID, "AKIA") || len(first.Secret) != 40 {
		t.Errorf("a key of an unusual shape: id of %d characters, secret of %d", len(first.ID),
			len(first.Secret))
	}
	if want := "arn:aws:iam::123456789012:root"; first.Principal.ARN != want {
		t.Errorf("ARN %q, want %q", first.Principal.ARN, want)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the credentials file has mode %v, want 0600", info.Mode().Perm())
	}
	second, _, err := RootKey(dir, "123456789012", env())
	if err != nil || second != first {
		t.Errorf("the second start has another key (%v)", err)
	}
	other, _, err := RootKey(t.TempDir(), "123456789012", env())
	if err != nil || other.Secret == first.Secret {
		t.Errorf("two servers have the same key (%v)", err)
	}
}

func TestRootKeyFromTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	key, file, err := RootKey(dir, "1",
		env(RootAccessKeyIDEnv, "AKIDEXAMPLE00000", RootSecretAccessKeyEnv,
			"a secret of some length"))
	if err != nil || key.ID != "AKIDEXAMPLE00000" || key.Secret != "a secret of some length" ||
		file != "" {
		t.Errorf("RootKey = %v, %q, %v", key, file, err)
	}
	if _, err := os.Stat(filepath.Join(dir, CredentialsFile)); err == nil {
		t.Error("a key from the environment was written to the data folder")
	}
	for _, pairs := range [][]string{
		{RootAccessKeyIDEnv, "AKIDEXAMPLE00000"},
		{RootSecretAccessKeyEnv, "a secret of some length"},
		{RootAccessKeyIDEnv, "short", RootSecretAccessKeyEnv, "a secret of some length"},
		{RootAccessKeyIDEnv, "AKIDEXAMPLE/0000", RootSecretAccessKeyEnv, "a secret of some length"},
		{RootAccessKeyIDEnv, "AKIDEXAMPLE00000", RootSecretAccessKeyEnv, "short-secret"},
	} {
		_, _, err := RootKey(dir, "1", env(pairs...))
		if err == nil {
			t.Errorf("%q: accepted", pairs)
		} else if strings.Contains(err.Error(), "secret of some length") ||
			strings.Contains(err.Error(), "short-secret") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestRootKeyFileFaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, CredentialsFile)
	if err := os.WriteFile(file, []byte("[default]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RootKey(dir, "1", env()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file without a key: %v", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := RootKey(dir, "1", env()); err == nil ||
		!strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read: %v", err)
	}
	if _, _, err := RootKey(filepath.Join(dir, "absent"), "1", env()); err == nil {
		t.Error("a folder that is not there was accepted")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	key := AccessKey{ID: "AKIDEXAMPLE00000", Secret: "do-not-print-this"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "pointer", &key)
	for _, s := range []string{fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s", key, key, key, key),
		log.String()} {
		if strings.Contains(s, key.Secret) {
			t.Errorf("the secret is in %q", s)
		}
	}
}
