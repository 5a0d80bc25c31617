package storetest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
)

func newRole(t testing.TB, s iam.RoleStore, account, name string) iam.Role {
	t.Helper()
	r := iam.Role{Account: account, Name: name, ID: "AROA" + account + name,
		TrustPolicy: "{}", MaxSession: 90 * time.Minute,
		Policies:  []iam.PolicyDocument{{Name: "a", Document: `{"x":"y"}`}},
		CreatedAt: time.UnixMilli(1_700_000_000_123).UTC()}
	if err := s.CreateRole(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func testRoles(t *testing.T, s Identities) {
	camera := newRole(t, s, iamAccount, "camera")
	admin := newRole(t, s, iamAccount, "Admin")
	other := newRole(t, s, "210987654321", "admin")

	again := admin
	again.Name, again.ID = "ADMIN", "AROAOTHER"
	wantIs(t, "a name that differs in case alone", s.CreateRole(t.Context(), again), iam.ErrExists)
	again.Name, again.ID = "carla", admin.ID
	wantIs(t, "an id that is taken", s.CreateRole(t.Context(), again), iam.ErrExists)
	if r, err := s.Role(t.Context(), iamAccount, "aDMin"); err != nil ||
		!reflect.DeepEqual(r, admin) {
		t.Errorf("Role = %+v, %v, want %+v", r, err, admin)
	}
	_, err := s.Role(t.Context(), "000000000000", "admin")
	wantIs(t, "a role of another account", err, iam.ErrNotFound)
	if all, err := s.Roles(t.Context(), ""); err != nil ||
		!reflect.DeepEqual(all, []iam.Role{admin, camera, other}) {
		t.Errorf("Roles of all = %+v, %v", all, err)
	}
	if mine, err := s.Roles(t.Context(), iamAccount); err != nil ||
		!reflect.DeepEqual(mine, []iam.Role{admin, camera}) {
		t.Errorf("Roles of one account = %+v, %v", mine, err)
	}

	err = s.UpdateRole(t.Context(), iamAccount, "ADMIN", func(r *iam.Role) error {
		r.TrustPolicy, r.MaxSession, r.Policies = `{"a":1}`, 2*time.Hour, nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Role(t.Context(), iamAccount, "Admin")
	if err != nil || r.TrustPolicy != `{"a":1}` || r.MaxSession != 2*time.Hour ||
		len(r.Policies) != 0 || r.ID != admin.ID || r.Name != "Admin" {
		t.Errorf("a changed role is %+v, %v", r, err)
	}
	refused := errors.New("refused")
	wantIs(t, "a refused change", s.UpdateRole(t.Context(), iamAccount, "camera",
		func(r *iam.Role) error { r.TrustPolicy = "other"; return refused }), refused)
	if r, err := s.Role(t.Context(), iamAccount, "camera"); err != nil ||
		!reflect.DeepEqual(r, camera) {
		t.Errorf("after a refused change the role is %+v, %v", r, err)
	}
	wantIs(t, "a change of no role", s.UpdateRole(t.Context(), iamAccount, "nobody",
		func(*iam.Role) error { return nil }), iam.ErrNotFound)

	if err := s.DeleteRole(t.Context(), iamAccount, "CAMERA"); err != nil {
		t.Fatal(err)
	}
	wantIs(t, "a second deletion", s.DeleteRole(t.Context(), iamAccount, "camera"),
		iam.ErrNotFound)
}

func testRevocations(t *testing.T, s Identities) {
	if at, err := s.SessionsRevoked(t.Context(), "AIDA1"); err != nil || !at.IsZero() {
		t.Errorf("before a revocation: %v, %v", at, err)
	}
	first := time.UnixMilli(1_700_000_000_123).UTC()
	for _, at := range []time.Time{first, first.Add(time.Hour), first.Add(time.Minute)} {
		if err := s.RevokeSessions(t.Context(), "AIDA1", at); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := s.SessionsRevoked(t.Context(), "AIDA1"); err != nil ||
		!at.Equal(first.Add(time.Hour)) {
		t.Errorf("the latest revocation counts: %v, %v", at, err)
	}
	if at, err := s.SessionsRevoked(t.Context(), "AIDA2"); err != nil || !at.IsZero() {
		t.Errorf("of another: %v, %v", at, err)
	}
}
