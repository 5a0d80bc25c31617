package iam_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
)

const (
	trustAccount = `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}}`
	cameraARN = "arn:aws:iam::" + account + ":role/camera"
)

func mustUser(t testing.TB, s *iam.Service, name string, policies ...string) iam.AccessKey {
	t.Helper()
	if _, err := s.CreateUser(t.Context(), account, name); err != nil {
		t.Fatal(err)
	}
	for i, document := range policies {
		p := iam.PolicyDocument{Name: "p" + string(rune('0'+i)), Document: document}
		if err := s.PutUserPolicy(t.Context(), account, name, p); err != nil {
			t.Fatal(err)
		}
	}
	key, err := s.CreateAccessKey(t.Context(), account, name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustRole(t testing.TB, s *iam.Service, name, trust string, policies ...string) iam.Role {
	t.Helper()
	r := iam.Role{Account: account, Name: name, TrustPolicy: trust, MaxSession: time.Hour}
	for i, document := range policies {
		r.Policies = append(r.Policies,
			iam.PolicyDocument{Name: "p" + string(rune('0'+i)), Document: document})
	}
	r, err := s.CreateRole(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func beginRole(t testing.TB, s *iam.Service, r iam.RoleSession) iam.TemporaryKey {
	t.Helper()
	if r.Name == "" {
		r.Name = "lobby"
	}
	if r.Lasts == 0 {
		r.Lasts = time.Hour
	}
	key, err := s.BeginRoleSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// opened is what the server reads in a token.
func opened(t testing.TB, s *iam.Service, key iam.TemporaryKey) iam.AccessKey {
	t.Helper()
	found, err := s.SessionKey(t.Context(), key.ID, key.Token)
	if err != nil {
		t.Fatal(err)
	}
	if found.Secret != key.Secret || found.ID != key.ID {
		t.Error("the token has another key than the one that was issued")
	}
	return found
}

func wantNoSession(t testing.TB, doing string, s *iam.Service, key iam.TemporaryKey, want error) {
	t.Helper()
	if _, err := s.SessionKey(t.Context(), key.ID, key.Token); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", doing, err, want)
	}
}

func TestSessionOfAUser(t *testing.T) {
	s, _ := newService(t)
	anna := mustUser(t, s, "anna", allowAll)
	key, err := s.BeginUserSession(t.Context(), anna, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(key.ID) != 20 || !strings.HasPrefix(key.ID, "ASIA") || len(key.Secret) != 40 ||
		key.Secret == anna.Secret {
		t.Errorf("key %s with %d characters of secret", key.ID, len(key.Secret))
	}
	p := opened(t, s, key).Principal
	if p.ARN != anna.Principal.ARN || p.UserID != anna.Principal.UserID || p.Session == nil {
		t.Errorf("the session's principal is %+v", p)
	}
	wantAllowed(t, s, p)
	if _, err := s.BeginUserSession(t.Context(), key.AccessKey, time.Hour); err == nil {
		t.Error("a session begins a session of its user")
	}
}

func TestSessionOfARole(t *testing.T) {
	s, _ := newService(t)
	anna := mustUser(t, s, "anna")
	role := mustRole(t, s, "camera", trustAccount, allowAll)
	key := beginRole(t, s, iam.RoleSession{Role: role, Caller: anna, Tags: map[string]string{
		"team": "doors"}})
	p := opened(t, s, key).Principal
	if p.ARN != "arn:aws:sts::"+account+":assumed-role/camera/lobby" ||
		p.UserID != role.ID+":lobby" || p.Account != account || p.UserName != "" || p.IsRoot() {
		t.Errorf("the session's principal is %+v", p)
	}
	wantAllowed(t, s, p)

	for _, c := range []struct {
		policy string
		want   iam.Decision
	}{
		{denyAll, iam.SessionExplicitDeny},
		{`{"Statement":{"Effect":"Allow","Action":"rekognition:List*","Resource":"*"}}`,
			iam.SessionImplicitDeny},
	} {
		key := beginRole(t, s, iam.RoleSession{Role: role, Caller: anna, Policy: c.policy})
		wantDenied(t, s, opened(t, s, key).Principal, c.want)
	}
	powerless := mustRole(t, s, "nobody", trustAccount)
	key = beginRole(t, s, iam.RoleSession{Role: powerless, Caller: anna, Policy: allowAll})
	wantDenied(t, s, opened(t, s, key).Principal, iam.ImplicitDeny)
}

// Conditions and variables see the session.
func TestContextKeysOfASession(t *testing.T) {
	s, _ := newService(t)
	anna := mustUser(t, s, "anna")
	for name, c := range map[string]struct {
		condition string
		want      bool
	}{
		"ARN of the role":    {`"ArnEquals":{"aws:PrincipalArn":"` + cameraARN + `"}`, true},
		"ARN of the session": {`"ArnEquals":{"aws:PrincipalArn":"arn:aws:sts::*:*"}`, false},
		"type":               {`"StringEquals":{"aws:PrincipalType":"AssumedRole"}`, true},
		"tag":                {`"StringEquals":{"aws:PrincipalTag/Team":"doors"}`, true},
		"other tag":          {`"StringEquals":{"aws:PrincipalTag/Team":"windows"}`, false},
		"no user name":       {`"Null":{"aws:username":"true"}`, true},
		"issue time":         {`"DateGreaterThan":{"aws:TokenIssueTime":"2020-01-01"}`, true},
		"user id":            {`"StringLike":{"aws:userid":"AROA*:lobby"}`, true},
		"no provider":        {`"Null":{"aws:FederatedProvider":"true"}`, true},
	} {
		role := mustRole(t, s, "camera", trustAccount, `{"Version":"2012-10-17","Statement":{
			"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+c.condition+`}}}`)
		key := beginRole(t, s, iam.RoleSession{Role: role, Caller: anna,
			Tags: map[string]string{"team": "doors"}})
		err := s.Authorize(t.Context(), index(opened(t, s, key).Principal))
		if (err == nil) != c.want {
			t.Errorf("%s: %v, want allowed %v", name, err, c.want)
		}
		if err := s.DeleteRole(t.Context(), account, "camera"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatEndsSessions(t *testing.T) {
	s, _ := newService(t)
	ctx := t.Context()
	begin := func(t *testing.T) (user, session iam.AccessKey, keys map[string]iam.TemporaryKey) {
		user = mustUser(t, s, "anna")
		first := mustRole(t, s, "first", trustAccount)
		second := mustRole(t, s, "second", trustAccount)
		own, err := s.BeginUserSession(ctx, user, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		one := beginRole(t, s, iam.RoleSession{Role: first, Caller: opened(t, s, own)})
		two := beginRole(t, s, iam.RoleSession{Role: second, Caller: opened(t, s, one)})
		web := beginRole(t, s, iam.RoleSession{Role: first, Provider: "id.example.com"})
		return user, own.AccessKey,
			map[string]iam.TemporaryKey{"own": own, "first": one, "second": two, "web": web}
	}
	role := func(name string) error {
		// of the same name, for the sessions of the deleted one not to come back
		if err := s.DeleteRole(ctx, account, name); err != nil {
			return err
		}
		_, err := s.CreateRole(ctx, iam.Role{Account: account, Name: name,
			TrustPolicy: trustAccount, MaxSession: time.Hour})
		return err
	}
	for name, c := range map[string]struct {
		change func(user iam.AccessKey) error
		ended  string
	}{
		"nothing": {func(iam.AccessKey) error { return nil }, ""},
		"key disabled": {func(user iam.AccessKey) error {
			return s.SetAccessKeyActive(ctx, user.ID, false)
		}, "own first second"},
		"key deleted": {func(user iam.AccessKey) error {
			return s.DeleteAccessKey(ctx, user.ID)
		}, "own first second"},
		"user deleted": {func(iam.AccessKey) error {
			if err := s.DeleteUser(ctx, account, "anna"); err != nil {
				return err
			}
			_, err := s.CreateUser(ctx, account, "anna")
			return err
		}, "own first second"},
		"user revoked": {func(iam.AccessKey) error {
			return s.RevokeUserSessions(ctx, account, "anna")
		}, "own first second"},
		"first role replaced": {func(iam.AccessKey) error { return role("first") },
			"first second web"},
		"second role replaced": {func(iam.AccessKey) error { return role("second") }, "second"},
		"first role revoked": {func(iam.AccessKey) error {
			return s.RevokeRoleSessions(ctx, account, "first")
		}, "first second web"},
		"root revoked": {func(iam.AccessKey) error {
			return s.RevokeRootSessions(ctx, account)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			user, _, keys := begin(t)
			for _, key := range keys {
				opened(t, s, key)
			}
			if err := c.change(user); err != nil {
				t.Fatal(err)
			}
			for which, key := range keys {
				if strings.Contains(c.ended, which) {
					wantNoSession(t, which, s, key, iam.ErrNoSession)
				} else {
					opened(t, s, key)
				}
			}
			for _, err := range []error{s.DeleteUser(ctx, account, "anna"),
				s.DeleteRole(ctx, account, "first"), s.DeleteRole(ctx, account, "second")} {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestSessionsBegunAfterARevocation(t *testing.T) {
	s, _ := newService(t)
	anna := mustUser(t, s, "anna")
	if err := s.RevokeUserSessions(t.Context(), account, "anna"); err != nil {
		t.Fatal(err)
	}
	// A session of the millisecond of the revocation is revoked too.
	for {
		key, err := s.BeginUserSession(t.Context(), anna, time.Hour)
		if err == nil {
			opened(t, s, key)
			return
		}
		if !errors.Is(err, iam.ErrNoSession) {
			t.Fatal(err)
		}
	}
}

// stillStore has one role and no keys, so that no goroutine of a database is in a bubble of time.
type stillStore struct {
	iam.Stores
	role iam.Role
}

func (s stillStore) Role(context.Context, string, string) (iam.Role, error) { return s.role, nil }

func (s stillStore) SessionsRevoked(context.Context, string) (time.Time, error) {
	return time.Time{}, nil
}

var stillRole = iam.Role{Account: account, Name: "camera", ID: "AROA1",
	TrustPolicy: trustAccount}

func testSealer(t testing.TB, key byte) *iam.Sealer {
	t.Helper()
	sealer, err := iam.NewSealer([]byte(strings.Repeat(string(rune(key)), 32)))
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func stillService(t testing.TB, key byte) *iam.Service {
	return iam.NewService(stillStore{role: stillRole}, testSealer(t, key), iam.AccessKey{})
}

func stillSession(t testing.TB, s *iam.Service) iam.TemporaryKey {
	return beginRole(t, s, iam.RoleSession{
		Role: stillRole, Provider: "id.example.com", Lasts: 15 * time.Minute})
}

func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stillService(t, 'a')
		key := stillSession(t, s)
		time.Sleep(15*time.Minute - time.Millisecond)
		opened(t, s, key)
		time.Sleep(time.Millisecond)
		wantNoSession(t, "at its end", s, key, iam.ErrSessionExpired)
	})
}

// A token is of use with its own access key id, whole and unchanged, and under its own master key.
func TestAlteredTokens(t *testing.T) {
	s := stillService(t, 'a')
	key := stillSession(t, s)
	opened(t, s, key)
	opened(t, stillService(t, 'a'), key) // of another node with the same master key
	wantNoSession(t, "of another server", stillService(t, 'b'), key, iam.ErrNoSession)

	altered := func(id, token string) iam.TemporaryKey {
		return iam.TemporaryKey{AccessKey: iam.AccessKey{ID: id}, Token: token}
	}
	for n := range len(key.Token) {
		wantNoSession(t, "truncated", s, altered(key.ID, key.Token[:n]), iam.ErrNoSession)
		changed := []byte(key.Token)
		changed[n] ^= 1
		wantNoSession(t, "changed", s, altered(key.ID, string(changed)), iam.ErrNoSession)
	}
	for _, suffix := range []string{"A", "=", "\n", " ", key.Token} {
		wantNoSession(t, "extended", s, altered(key.ID, key.Token+suffix), iam.ErrNoSession)
	}
	other := stillSession(t, s)
	wantNoSession(t, "of another key", s, altered(other.ID, key.Token), iam.ErrNoSession)
	wantNoSession(t, "of a long-lived key", s,
		altered("AKIA"+key.ID[4:], key.Token), iam.ErrNoSession)
	wantNoSession(t, "too long", s,
		altered(key.ID, key.Token[:5]+strings.Repeat("A", iam.MaxSessionToken)), iam.ErrNoSession)
}

// Whoever has a backup has the master key and the secrets of users, but not the root key.
func TestMasterKeyMakesNoSessionOfTheRoot(t *testing.T) {
	root := func(secret string) iam.AccessKey {
		return iam.AccessKey{ID: "AKIAROOT000000000000", Secret: secret,
			Principal: iam.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root"}}
	}
	server := iam.NewService(stillStore{}, testSealer(t, 'a'), root("the real secret"))
	forger := iam.NewService(stillStore{}, testSealer(t, 'a'), root("a guess"))
	forged, err := forger.BeginUserSession(t.Context(), root("a guess"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	opened(t, forger, forged)
	wantNoSession(t, "a forged session of the root", server, forged, iam.ErrNoSession)
	own, err := server.BeginUserSession(t.Context(), root(""), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	opened(t, server, own)
}

func TestSessionsThatAreRefused(t *testing.T) {
	s, _ := newService(t)
	anna := mustUser(t, s, "anna")
	role := mustRole(t, s, "camera", trustAccount)
	long := map[string]string{"tag": strings.Repeat("x", iam.MaxPackedSize)}
	deep := anna
	for range 8 {
		deep = opened(t, s, beginRole(t, s, iam.RoleSession{Role: role, Caller: deep}))
	}
	for name, c := range map[string]struct {
		session iam.RoleSession
		want    error
	}{
		"tags": {iam.RoleSession{Caller: anna, Name: "lobby", Tags: long},
			iam.ErrSessionTooLarge},
		"long chain": {iam.RoleSession{Caller: deep, Name: "lobby"}, iam.ErrSessionTooLarge},
	} {
		c.session.Role = role
		if _, err := s.BeginRoleSession(t.Context(), c.session); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, err := s.BeginRoleSession(t.Context(),
		iam.RoleSession{Role: role, Caller: anna, Name: "lobby", Policy: "{}"})
	if _, ok := errors.AsType[*iam.PolicyError](err); !ok {
		t.Errorf("a policy that is none: %v", err)
	}
	if _, err := s.BeginRoleSession(t.Context(),
		iam.RoleSession{Role: role, Caller: anna, Name: "a/b"}); err == nil {
		t.Error("a name with a slash was accepted")
	}
}

// FuzzSessionToken runs in several processes, each with a master key of its own, so that the tokens
// of the others are not valid either.
func FuzzSessionToken(f *testing.F) {
	masterKey := make([]byte, 32)
	rand.Read(masterKey)
	sealer, err := iam.NewSealer(masterKey)
	if err != nil {
		f.Fatal(err)
	}
	s := iam.NewService(stillStore{role: stillRole}, sealer, iam.AccessKey{})
	key := stillSession(f, s)
	f.Add(key.ID, key.Token)
	f.Add("ASIA", "RcS1.")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, id, token string) {
		_, err := s.SessionKey(t.Context(), id, token)
		if (err == nil) != (id == key.ID && token == key.Token) {
			t.Errorf("key %q with token %q: %v", id, token, err)
		}
	})
}
