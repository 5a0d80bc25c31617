package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
)

const iamAccount = "123456789012"

func newUser(t testing.TB, s iam.Store, account, name string) iam.User {
	t.Helper()
	u := iam.User{Account: account, Name: name, ID: "AIDA" + account + name,
		CreatedAt: time.UnixMilli(1_700_000_000_123).UTC()}
	if err := s.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

func newKey(t testing.TB, s iam.Store, u iam.User, id string) iam.KeyRecord {
	t.Helper()
	k := iam.KeyRecord{ID: id, Account: u.Account, UserName: u.Name,
		SealedSecret: []byte{1, 0, 255}, Active: true,
		CreatedAt: time.UnixMilli(1_700_000_000_456).UTC()}
	if err := s.CreateKey(t.Context(), k, 10); err != nil {
		t.Fatal(err)
	}
	return k
}

func wantIs(t *testing.T, doing string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", doing, err, target)
	}
}

func TestIAMUsers(t *testing.T) {
	s := mustOpen(t, t.TempDir()).Identities()
	berta := newUser(t, s, iamAccount, "berta")
	anna := newUser(t, s, iamAccount, "Anna")
	other := newUser(t, s, "210987654321", "anna")

	again := anna
	again.Name, again.ID = "ANNA", "AIDAOTHER"
	wantIs(t, "a name that differs in case alone", s.CreateUser(t.Context(), again), iam.ErrExists)
	again.Name, again.ID = "carla", anna.ID
	wantIs(t, "an id that is taken", s.CreateUser(t.Context(), again), iam.ErrExists)
	if u, err := s.User(t.Context(), iamAccount, "aNNa"); err != nil || u != anna {
		t.Errorf("User = %+v, %v, want %+v", u, err, anna)
	}
	_, err := s.User(t.Context(), "000000000000", "anna")
	wantIs(t, "a user of another account", err, iam.ErrNotFound)
	for account, want := range map[string]string{iamAccount: fmt.Sprint([]iam.User{anna, berta}),
		"": fmt.Sprint([]iam.User{anna, berta, other}), "000000000000": "[]"} {
		if users, err := s.Users(t.Context(), account); err != nil || fmt.Sprint(users) != want {
			t.Errorf("Users(%q) = %v, %v, want %v", account, users, err, want)
		}
	}

	newKey(t, s, anna, "AKIAANNA")
	newKey(t, s, other, "AKIAOTHER")
	if err := s.PutUserPolicy(t.Context(), iamAccount, "anna",
		iam.PolicyDocument{Name: "p", Document: "{}"}, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser(t.Context(), iamAccount, "ANNA"); err != nil {
		t.Fatal(err)
	}
	wantIs(t, "deleted again", s.DeleteUser(t.Context(), iamAccount, "ANNA"), iam.ErrNotFound)
	_, _, err = s.Key(t.Context(), "AKIAANNA")
	wantIs(t, "a deleted user's key", err, iam.ErrNotFound)
	if _, u, err := s.Key(t.Context(), "AKIAOTHER"); err != nil || u != other {
		t.Errorf("the namesake's key: %+v, %v", u, err)
	}
	// A user who is made again has nothing of the former one.
	newUser(t, s, iamAccount, "anna")
	if p, err := s.UserPolicies(t.Context(), iamAccount, "anna"); err != nil || len(p) != 0 {
		t.Errorf("policies of the new user: %v, %v", p, err)
	}
}

func TestIAMPolicies(t *testing.T) {
	s := mustOpen(t, t.TempDir()).Identities()
	newUser(t, s, iamAccount, "anna")
	put := func(name, document string, limit int) error {
		return s.PutUserPolicy(t.Context(), iamAccount, "anna",
			iam.PolicyDocument{Name: name, Document: document}, limit)
	}
	for _, err := range []error{put("b", "1", 2), put("a", "2", 2), put("b", "3", 2)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantIs(t, "one too many", put("c", "4", 2), iam.ErrLimit)
	wantIs(t, "of nobody",
		s.PutUserPolicy(t.Context(), iamAccount, "berta", iam.PolicyDocument{Name: "a"}, 2),
		iam.ErrNotFound)
	want := fmt.Sprint([]iam.PolicyDocument{{Name: "a", Document: "2"}, {Name: "b", Document: "3"}})
	if p, err := s.UserPolicies(t.Context(), iamAccount, "ANNA"); err != nil ||
		fmt.Sprint(p) != want {
		t.Errorf("UserPolicies = %v, %v, want %v", p, err, want)
	}
	if err := s.DeleteUserPolicy(t.Context(), iamAccount, "anna", "a"); err != nil {
		t.Error(err)
	}
	wantIs(t, "detached again", s.DeleteUserPolicy(t.Context(), iamAccount, "anna", "a"),
		iam.ErrNotFound)
	if p, err := s.UserPolicies(t.Context(), iamAccount, "anna"); err != nil || len(p) != 1 {
		t.Errorf("UserPolicies = %v, %v", p, err)
	}
}

func TestIAMKeys(t *testing.T) {
	s := mustOpen(t, t.TempDir()).Identities()
	anna := newUser(t, s, iamAccount, "anna")
	k := newKey(t, s, anna, "AKIA1")
	got, u, err := s.Key(t.Context(), "AKIA1")
	if err != nil || fmt.Sprint(got) != fmt.Sprint(k) || u != anna {
		t.Errorf("Key = %+v, %+v, %v, want %+v, %+v", got, u, err, k, anna)
	}
	wantIs(t, "an id that is taken", s.CreateKey(t.Context(), k, 10), iam.ErrExists)
	k.ID = "AKIA2"
	wantIs(t, "one too many", s.CreateKey(t.Context(), k, 1), iam.ErrLimit)
	k.UserName = "berta"
	wantIs(t, "of nobody", s.CreateKey(t.Context(), k, 10), iam.ErrNotFound)
	_, _, err = s.Key(t.Context(), "akia1")
	wantIs(t, "an id in another case", err, iam.ErrNotFound)

	newKey(t, s, anna, "AKIA0")
	if err := s.SetKeyActive(t.Context(), "AKIA1", false); err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys(t.Context(), iamAccount, "anna")
	if err != nil || len(keys) != 2 || keys[0].ID != "AKIA0" || !keys[0].Active ||
		keys[1].ID != "AKIA1" || keys[1].Active {
		t.Errorf("Keys = %v, %v", keys, err)
	}
	if err := s.DeleteKey(t.Context(), "AKIA1"); err != nil {
		t.Error(err)
	}
	wantIs(t, "deleted again", s.DeleteKey(t.Context(), "AKIA1"), iam.ErrNotFound)
	wantIs(t, "turned on after it was deleted", s.SetKeyActive(t.Context(), "AKIA1", true),
		iam.ErrNotFound)
}

func TestIAMLimitHoldsUnderConcurrency(t *testing.T) {
	s := mustOpen(t, t.TempDir()).Identities()
	newUser(t, s, iamAccount, "anna")
	var made, refused atomic.Int32
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			err := s.CreateKey(t.Context(),
				iam.KeyRecord{ID: fmt.Sprint("AKIA", i), Account: iamAccount, UserName: "anna",
					SealedSecret: []byte{1}}, 10)
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, iam.ErrLimit):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if made.Load() != 10 || refused.Load() != 30 {
		t.Errorf("%d keys made, %d refused", made.Load(), refused.Load())
	}
}

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
