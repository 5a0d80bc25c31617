package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
)

// Identities is a store of users of the API, their keys and policies, and roles.
type Identities interface {
	iam.Store
	iam.RoleStore
	iam.SecretStore
}

// RunIdentities runs the suite of [iam.Store], [iam.RoleStore] and [iam.SecretStore]. Each test
// gets a store of its own from open, which is empty and closed by open's cleanup.
func RunIdentities(t *testing.T, open func(t *testing.T) Identities) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Identities)
	}{
		{"Users", testIdentityUsers},
		{"Policies", testIdentityPolicies},
		{"Keys", testIdentityKeys},
		{"LimitHoldsUnderConcurrency", testIdentityLimitHoldsUnderConcurrency},
		{"Secrets", testSecrets},
		{"Roles", testRoles},
		{"Revocations", testRevocations},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

const iamAccount = "123456789012"

func newIdentity(t testing.TB, s iam.Store, account, name string) iam.User {
	t.Helper()
	u := iam.User{Account: account, Name: name, ID: "AIDA" + account + name,
		CreatedAt: time.UnixMilli(1_700_000_000_123).UTC()}
	if err := s.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

func newAccessKey(t testing.TB, s iam.Store, u iam.User, id string) iam.KeyRecord {
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

func testIdentityUsers(t *testing.T, s Identities) {
	berta := newIdentity(t, s, iamAccount, "berta")
	anna := newIdentity(t, s, iamAccount, "Anna")
	other := newIdentity(t, s, "210987654321", "anna")

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

	newAccessKey(t, s, anna, "AKIAANNA")
	newAccessKey(t, s, other, "AKIAOTHER")
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
	newIdentity(t, s, iamAccount, "anna")
	if p, err := s.UserPolicies(t.Context(), iamAccount, "anna"); err != nil || len(p) != 0 {
		t.Errorf("policies of the new user: %v, %v", p, err)
	}
}

func testIdentityPolicies(t *testing.T, s Identities) {
	newIdentity(t, s, iamAccount, "anna")
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

func testIdentityKeys(t *testing.T, s Identities) {
	anna := newIdentity(t, s, iamAccount, "anna")
	k := newAccessKey(t, s, anna, "AKIA1")
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

	newAccessKey(t, s, anna, "AKIA0")
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

func testIdentityLimitHoldsUnderConcurrency(t *testing.T, s Identities) {
	newIdentity(t, s, iamAccount, "anna")
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

func testSecrets(t *testing.T, s Identities) {
	ctx := t.Context()
	if check, err := s.MasterKeyCheck(ctx); err != nil || check != nil {
		t.Errorf("a new store has the check value %q, %v", check, err)
	}
	for _, check := range []string{"first", "second"} {
		must(t, s.SetMasterKeyCheck(ctx, []byte(check)))
		if got, err := s.MasterKeyCheck(ctx); err != nil || string(got) != check {
			t.Errorf("the check value is %q, %v, want %s", got, err, check)
		}
	}
	anna := newIdentity(t, s, iamAccount, "anna")
	for _, id := range []string{"AKIA0", "AKIA1", "AKIA2"} {
		newAccessKey(t, s, anna, id)
	}
	// A change that fails half-way leaves everything as it was.
	broken := errors.New("broken")
	done := 0
	err := s.Reseal(ctx, []byte("third"), func(id string, sealed []byte) ([]byte, error) {
		if done++; done == 3 {
			return nil, broken
		}
		return []byte("new"), nil
	})
	wantIs(t, "a change that fails", err, broken)
	want := map[string]string{"AKIA0": "\x01\x00\xff", "AKIA1": "\x01\x00\xff",
		"AKIA2": "\x01\x00\xff"}
	wantSecrets := func(check string) {
		t.Helper()
		secrets, err := s.SealedSecrets(ctx)
		must(t, err)
		got := map[string]string{}
		for id, sealed := range secrets {
			got[id] = string(sealed)
		}
		if !maps.Equal(got, want) {
			t.Errorf("the secrets are %q, want %q", got, want)
		}
		if got, err := s.MasterKeyCheck(ctx); err != nil || string(got) != check {
			t.Errorf("the check value is %q, %v, want %s", got, err, check)
		}
	}
	wantSecrets("second")
	var seen []string
	must(t, s.Reseal(ctx, []byte("third"), func(id string, sealed []byte) ([]byte, error) {
		seen = append(seen, id)
		if id == "AKIA1" {
			return nil, nil
		}
		return append([]byte("new "), id...), nil
	}))
	if slices.Sort(seen); !slices.Equal(seen, []string{"AKIA0", "AKIA1", "AKIA2"}) {
		t.Errorf("sealed anew: %v", seen)
	}
	want = map[string]string{"AKIA0": "new AKIA0", "AKIA2": "new AKIA2"}
	wantSecrets("third")
	_, _, err = s.Key(ctx, "AKIA1")
	wantIs(t, "the key without a secret", err, iam.ErrNotFound)
}
