package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/iam"
)

const iamAccount = "123456789012"

func TestIAMSurvivesAndHidesSecrets(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	sealer, err := iam.OpenSealer(t.Context(), dir, s.Identities())
	if err != nil {
		t.Fatal(err)
	}
	service := iam.NewService(s.Identities(), sealer, iam.AccessKey{})
	if _, err := service.CreateUser(t.Context(), iamAccount, "anna"); err != nil {
		t.Fatal(err)
	}
	key, err := service.CreateAccessKey(t.Context(), iamAccount, "anna")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(file), key.ID) || strings.Contains(string(file), key.Secret) {
		t.Error("the file does not hold the key's id, or holds its secret")
	}
	s = mustOpen(t, dir)
	if sealer, err = iam.OpenSealer(t.Context(), dir, s.Identities()); err != nil {
		t.Fatal(err)
	}
	service = iam.NewService(s.Identities(), sealer, iam.AccessKey{})
	if got, ok, err := service.AccessKey(context.Background(), key.ID); !ok || err != nil ||
		got != key {
		t.Errorf("after a restart: %v, %v, %v", got, ok, err)
	}
}
