package iam_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

const (
	account = "123456789012"
	people  = "arn:aws:rekognition:us-east-1:123456789012:collection/people"
)

func newService(t testing.TB) (*iam.Service, iam.Stores) {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	sealer, err := iam.OpenSealer(t.Context(), dir, db.Identities())
	if err != nil {
		t.Fatal(err)
	}
	root := iam.AccessKey{ID: "AKIAROOT", Secret: "s",
		Principal: iam.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root"}}
	return iam.NewService(db.Identities(), sealer, root), db.Identities()
}

func index(p iam.Principal) *iam.Request {
	return &iam.Request{Principal: p, Action: "rekognition:IndexFaces", Resource: people}
}

func wantDenied(t *testing.T, s *iam.Service, p iam.Principal, d iam.Decision) {
	t.Helper()
	err := s.Authorize(context.Background(), index(p))
	if e, ok := errors.AsType[*iam.DeniedError](err); !ok || e.Decision != d {
		t.Errorf("Authorize = %v, want decision %v", err, d)
	}
}

func wantAllowed(t *testing.T, s *iam.Service, p iam.Principal) {
	t.Helper()
	if err := s.Authorize(context.Background(), index(p)); err != nil {
		t.Error(err)
	}
}

func TestWhatChangesTakesEffectAtOnce(t *testing.T) {
	s, _ := newService(t)
	ctx := t.Context()
	if _, err := s.CreateUser(ctx, account, "anna"); err != nil {
		t.Fatal(err)
	}
	key, err := s.CreateAccessKey(ctx, account, "ANNA")
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:iam::" + account + ":user/anna"; key.Principal.ARN != want {
		t.Errorf("ARN %q, want %q", key.Principal.ARN, want)
	}
	found, ok, err := s.AccessKey(ctx, key.ID)
	if err != nil || !ok || found != key {
		t.Fatalf("AccessKey = %v, %v, %v", found, ok, err)
	}
	wantDenied(t, s, key.Principal, iam.ImplicitDeny)

	full, _ := iam.BuiltinPolicy("full-access")
	put := func(p iam.PolicyDocument) {
		t.Helper()
		if err := s.PutUserPolicy(ctx, account, "anna", p); err != nil {
			t.Fatal(err)
		}
	}
	put(full)
	wantAllowed(t, s, key.Principal)
	put(iam.PolicyDocument{Name: "not-people",
		Document: `{"Statement":{"Effect":"Deny","Action":"*","Resource":"` + people + `"}}`})
	wantDenied(t, s, key.Principal, iam.ExplicitDeny)
	if err := s.DeleteUserPolicy(ctx, account, "anna", "not-people"); err != nil {
		t.Fatal(err)
	}
	wantAllowed(t, s, key.Principal)

	for _, active := range []bool{false, true} {
		if err := s.SetAccessKeyActive(ctx, key.ID, active); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.AccessKey(ctx, key.ID); ok != active || err != nil {
			t.Errorf("active %v: %v, %v", active, ok, err)
		}
	}
	if err := s.DeleteUser(ctx, account, "anna"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.AccessKey(ctx, key.ID); ok || err != nil {
		t.Errorf("a deleted user's key: %v, %v", ok, err)
	}
	wantDenied(t, s, key.Principal, iam.ImplicitDeny) // of a request under way
}

func TestRoot(t *testing.T) {
	s, _ := newService(t)
	key, ok, err := s.AccessKey(t.Context(), "AKIAROOT")
	if !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	wantAllowed(t, s, key.Principal)
	if _, ok, err := s.AccessKey(t.Context(), "AKIAROOT2"); ok || err != nil {
		t.Errorf("an unknown key: %v, %v", ok, err)
	}
	if _, ok, err := s.AccessKey(t.Context(), ""); ok || err != nil {
		t.Errorf("no key: %v, %v", ok, err)
	}
}

// slowStore is what another process changes, and what a request reads while it does.
type slowStore struct {
	iam.Stores
	mu       sync.Mutex
	document string
	reads    int
	reading  chan struct{} // if not nil, a read of policies has begun
	proceed  chan struct{} // and ends when this is closed
}

func (s *slowStore) UserPolicies(context.Context, string, string) ([]iam.PolicyDocument, error) {
	s.mu.Lock()
	document := s.document
	s.reads++
	s.mu.Unlock()
	if s.reading != nil {
		s.reading <- struct{}{}
		<-s.proceed
	}
	return []iam.PolicyDocument{{Name: "p", Document: document}}, nil
}

func (s *slowStore) DeleteUser(context.Context, string, string) error { return nil }

func (s *slowStore) set(document string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.document = document
}

const (
	allowAll = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	denyAll  = `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
)

func TestWhatOthersChangeTakesEffectWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{document: allowAll}
		s := iam.NewService(store, nil, iam.AccessKey{})
		p := iam.User{Account: account, Name: "anna"}.Principal()
		for range 1000 {
			wantAllowed(t, s, p)
		}
		if store.reads != 1 {
			t.Errorf("%d reads for 1000 requests of one moment", store.reads)
		}
		store.set(denyAll)
		time.Sleep(time.Second)
		wantDenied(t, s, p, iam.ExplicitDeny)
		store.set("not a policy")
		time.Sleep(time.Second)
		err := s.Authorize(t.Context(), index(p))
		if _, ok := errors.AsType[*iam.PolicyError](err); !ok {
			t.Errorf("a policy that does not compile: %v", err)
		}
	})
}

func TestAReadThatAChangeOvertakesIsNotKept(t *testing.T) {
	store := &slowStore{document: allowAll, reading: make(chan struct{}),
		proceed: make(chan struct{})}
	s := iam.NewService(store, nil, iam.AccessKey{})
	p := iam.User{Account: account, Name: "anna"}.Principal()
	done := make(chan error)
	go func() { done <- s.Authorize(context.Background(), index(p)) }()
	<-store.reading
	store.set(denyAll)
	// any change through the service
	if err := s.DeleteUser(t.Context(), account, "berta"); err != nil {
		t.Fatal(err)
	}
	close(store.proceed)
	if err := <-done; err != nil {
		t.Errorf("the request that came before the change: %v", err)
	}
	store.reading = nil
	wantDenied(t, s, p, iam.ExplicitDeny)
}

func TestManagementRefuses(t *testing.T) {
	s, _ := newService(t)
	ctx := t.Context()
	for _, c := range []struct{ account, name string }{{"1", "anna"}, {account, ""},
		{account, "anna/b"}, {account, "änna"}, {account, strings.Repeat("a", 65)},
		{account, "a\n"}} {
		if _, err := s.CreateUser(ctx, c.account, c.name); err == nil {
			t.Errorf("user %q of account %q is accepted", c.name, c.account)
		}
	}
	if _, err := s.CreateUser(ctx, account, "anna"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUser(ctx, account, "Anna"); !errors.Is(err, iam.ErrExists) {
		t.Errorf("a user that is there: %v", err)
	}
	err := s.PutUserPolicy(ctx, account, "anna",
		iam.PolicyDocument{Name: "p", Document: `{"Statement":{"Effect":"Allow"}}`})
	if _, ok := errors.AsType[*iam.PolicyError](err); !ok {
		t.Errorf("a malformed policy: %v", err)
	}
	if err := s.PutUserPolicy(ctx, account, "anna",
		iam.PolicyDocument{Name: "a b", Document: allowAll}); err == nil {
		t.Error("a policy of a bad name is accepted")
	}
	for i := range iam.MaxPoliciesPerUser + 1 {
		err = s.PutUserPolicy(ctx, account, "anna",
			iam.PolicyDocument{Name: fmt.Sprint("p", i), Document: allowAll})
		if (err == nil) != (i < iam.MaxPoliciesPerUser) {
			t.Errorf("policy %d: %v", i, err)
		}
	}
	if !errors.Is(err, iam.ErrLimit) {
		t.Errorf("too many policies: %v", err)
	}
	for i := range iam.MaxKeysPerUser + 1 {
		if _, err = s.CreateAccessKey(ctx, account,
			"anna"); (err == nil) != (i < iam.MaxKeysPerUser) {
			t.Errorf("key %d: %v", i, err)
		}
	}
	if keys, err := s.AccessKeys(ctx, account, "anna"); err != nil ||
		len(keys) != iam.MaxKeysPerUser {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if users, err := s.Users(ctx, ""); err != nil || len(users) != 1 {
		t.Errorf("users %v, %v", users, err)
	}
	for doing, err := range map[string]error{
		"a key for nobody":   second(s.CreateAccessKey(ctx, account, "berta")),
		"the keys of nobody": second(s.AccessKeys(ctx, account, "berta")),
		"the policies":       second(s.UserPolicies(ctx, account, "berta")),
		"a policy for nobody": s.PutUserPolicy(ctx, account, "berta",
			iam.PolicyDocument{Name: "p", Document: allowAll}),
		"a policy that is none": s.DeleteUserPolicy(ctx, account, "anna", "none"),
		"deleting nobody":       s.DeleteUser(ctx, account, "berta"),
		"turning off no key":    s.SetAccessKeyActive(ctx, "AKIANONE", false),
		"deleting no key":       s.DeleteAccessKey(ctx, "AKIANONE"),
	} {
		if !errors.Is(err, iam.ErrNotFound) {
			t.Errorf("%s: %v", doing, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAnotherMasterKeyIsSaid(t *testing.T) {
	s, store := newService(t)
	if _, err := s.CreateUser(t.Context(), account, "anna"); err != nil {
		t.Fatal(err)
	}
	key, err := s.CreateAccessKey(t.Context(), account, "anna")
	if err != nil {
		t.Fatal(err)
	}
	other, err := iam.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := iam.NewService(store, other, iam.AccessKey{}).AccessKey(t.Context(),
		key.ID); !errors.Is(err, iam.ErrWrongMasterKey) {
		t.Errorf("AccessKey: %v", err)
	}
}

func BenchmarkAuthorize(b *testing.B) {
	s, _ := newService(b)
	ctx := b.Context()
	if _, err := s.CreateUser(ctx, account, "anna"); err != nil {
		b.Fatal(err)
	}
	key, err := s.CreateAccessKey(ctx, account, "anna")
	if err != nil {
		b.Fatal(err)
	}
	full, _ := iam.BuiltinPolicy("full-access")
	if err := s.PutUserPolicy(ctx, account, "anna", full); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			found, _, err := s.AccessKey(ctx, key.ID)
			if err != nil {
				b.Error(err)
				return
			}
			if err := s.Authorize(ctx, index(found.Principal)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Tags of a resource cost a read, which only a policy that asks for one is worth.
func TestTagsOfTheResourceAreReadWhenAPolicyAsks(t *testing.T) {
	const all = `"Effect":"Allow","Action":"*","Resource":"*"`
	failure := errors.New("the disk is gone")
	for name, c := range map[string]struct {
		statement string
		reads     int
		allowed   bool
	}{
		"no policy asks": {all, 0, true},
		"a condition": {all +
			`,"Condition":{"StringEquals":{"aws:ResourceTag/Team":"Blue"}}`, 1, true},
		"a condition on its being": {all + `,"Condition":{"Null":{"AWS:resourcetag/x":"true"}}`, 1,
			true},
		"a variable of a condition": {all +
			`,"Condition":{"StringEquals":{"aws:username":"${aws:ResourceTag/Owner}"}}`, 1, true},
		"a variable of a resource": {
			`"Effect":"Allow","Action":"*",` +
				`"Resource":"arn:aws:rekognition:*:*:collection/${aws:ResourceTag/Team}"`,
			1, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newService(t)
			ctx := t.Context()
			user, err := s.CreateUser(ctx, account, "anna")
			if err != nil {
				t.Fatal(err)
			}
			document := `{"Version":"2012-10-17","Statement":{` + c.statement + `}}`
			if err := s.PutUserPolicy(ctx, account, "anna",
				iam.PolicyDocument{Name: "p", Document: document}); err != nil {
				t.Fatal(err)
			}
			reads, fails := 0, error(nil)
			r := index(user.Principal())
			r.LoadResourceTags = func(context.Context) (map[string]string, error) {
				reads++
				return map[string]string{"Team": "Blue", "Owner": "anna"}, fails
			}
			if err := s.Authorize(ctx, r); (err == nil) != c.allowed || reads != c.reads {
				t.Errorf("%v after %d reads, want allowed: %v after %d", err, reads, c.allowed,
					c.reads)
			}
			fails = failure
			if err := s.Authorize(ctx, r); c.reads > 0 && !errors.Is(err, failure) {
				t.Errorf("tags cannot be read: %v", err)
			}
			r.Principal = iam.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root"}
			if err := s.Authorize(ctx, r); err != nil {
				t.Errorf("the root, for whom no tag counts: %v", err)
			}
		})
	}
}
