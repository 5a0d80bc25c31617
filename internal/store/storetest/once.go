package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// call is a call with a token at a moment; input tells calls apart.
func call(operation, token, input string, at time.Time) recollect.Once {
	once := recollect.Once{Realm: home(), Operation: operation, Token: token, Now: at,
		Expires: at.Add(time.Hour)}
	copy(once.Digest[:], operation+input)
	return once
}

// A repeated call does nothing and is answered as before.
func testOnce(t *testing.T, s face.Store) {
	ctx, at := t.Context(), now()
	c := create(t, s, home(), "c")
	f := add(t, s, c.Key, NewFace())[0]

	creation := call("CreateUser", "t", "u", at)
	for range 3 {
		must(t, s.CreateUser(ctx, c.Key, newUser("u"), creation, 1))
	}
	if n := userCount(t, s, c); n != 1 {
		t.Errorf("%d users are counted, want 1", n)
	}
	wantCode(t, s.CreateUser(ctx, c.Key, newUser("v"), call("CreateUser", "t", "v", at), unlimited),
		recollect.CodeIdempotentMismatch)
	wantCode(t, s.CreateUser(ctx, c.Key, newUser("u"), call("CreateUser", "t2", "u", at),
		unlimited), recollect.CodeConflict)

	// The same token for another operation, or in another realm, is another call.
	answer, changed, err := give(ctx, s, c.Key, "u", call("AssociateFaces", "t", "a", at), f.ID)
	if err != nil || string(answer) != "added 1" || changed == 0 {
		t.Fatalf("ChangeUser = %q, %d, %v", answer, changed, err)
	}
	answer, changed,
		err = s.ChangeUser(ctx, c.Key, "u", []string{f.ID}, call("AssociateFaces", "t", "a", at),
		func(face.UserState) (face.UserChange, error) {
			t.Error("a repeated call was decided on")
			return face.UserChange{}, nil
		})
	if err != nil || string(answer) != "added 1" || changed != 0 {
		t.Errorf("ChangeUser again = %q, %d, %v", answer, changed, err)
	}
	_, _, err = give(ctx, s, c.Key, "u", call("AssociateFaces", "t", "b", at), f.ID)
	wantCode(t, err, recollect.CodeIdempotentMismatch)
	abroad := call("CreateUser", "t", "v", at)
	abroad.Realm.Region = "eu-west-1"
	must(t, s.CreateUser(ctx, c.Key, newUser("v"), abroad, unlimited))

	// Also when what it was about is gone, or there again.
	deletion := call("DeleteUser", "t", "u", at)
	if key, err := s.DeleteUser(ctx, c.Key, "u", deletion); err != nil || key == 0 {
		t.Fatalf("DeleteUser = %d, %v", key, err)
	}
	if key, err := s.DeleteUser(ctx, c.Key, "u", deletion); err != nil || key != 0 {
		t.Errorf("DeleteUser again = %d, %v", key, err)
	}
	if answer, _, err := give(ctx, s, c.Key, "u", call("AssociateFaces", "t", "a", at),
		f.ID); err != nil || string(answer) != "added 1" {
		t.Errorf("ChangeUser of a deleted user, again = %q, %v", answer, err)
	}
	createUser(t, s, c.Key, "u")
	if key, err := s.DeleteUser(ctx, c.Key, "u", deletion); err != nil || key != 0 {
		t.Errorf("DeleteUser again, of another user = %d, %v", key, err)
	}
	readUser(t, s, c.Key, "u")

	// What failed is not recorded.
	wantCode(t, s.CreateUser(ctx, c.Key, newUser("u"), call("CreateUser", "t3", "u", at),
		unlimited), recollect.CodeConflict)
	must(t, s.CreateUser(ctx, c.Key, newUser("w"), call("CreateUser", "t3", "w", at), unlimited))

	// Without a token nothing is.
	if _, err := s.DeleteUser(ctx, c.Key, "w", recollect.Once{}); err != nil {
		t.Error(err)
	}
	_, err = s.DeleteUser(ctx, c.Key, "w", recollect.Once{})
	wantCode(t, err, recollect.CodeNotFound)
}

func testOnceExpires(t *testing.T, s face.Store) {
	c, at := create(t, s, home(), "c"), now()
	must(t, s.CreateUser(t.Context(), c.Key, newUser("u"), call("CreateUser", "t", "u", at),
		unlimited))
	last := at.Add(time.Hour - time.Millisecond)
	wantCode(t, s.CreateUser(t.Context(), c.Key, newUser("v"), call("CreateUser", "t", "v", last),
		unlimited), recollect.CodeIdempotentMismatch)
	must(t, s.CreateUser(t.Context(), c.Key, newUser("v"),
		call("CreateUser", "t", "v", at.Add(time.Hour)), unlimited))
	// The token stands for the later call now.
	must(t, s.CreateUser(t.Context(), c.Key, newUser("v"),
		call("CreateUser", "t", "v", last.Add(time.Hour)), unlimited))
	if n := userCount(t, s, c); n != 2 {
		t.Errorf("%d users are counted, want 2", n)
	}
}

func testOnceConcurrent(t *testing.T, s face.Store) {
	c, at := create(t, s, home(), "c"), now()
	f := add(t, s, c.Key, NewFace())[0]
	createUser(t, s, c.Key, "u")
	token := uuid.NewString()
	var did atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			answer, changed,
				err := give(t.Context(), s, c.Key, "u", call("AssociateFaces", token, "", at), f.ID)
			if err != nil || string(answer) != "added 1" {
				t.Errorf("answered %q, %v", answer, err)
			}
			if changed != 0 {
				did.Add(1)
			}
		})
	}
	callers.Wait()
	if did.Load() != 1 {
		t.Errorf("done %d times", did.Load())
	}
}

// One token for two calls at the same moment: one is made, and the other is another call.
func testOnceInTwoCollections(t *testing.T, s face.Store) {
	collections := []face.Collection{create(t, s, home(), "a"), create(t, s, home(), "b")}
	for range 20 {
		token, at := uuid.NewString(), now()
		var made, refused atomic.Int32
		var callers sync.WaitGroup
		for i, c := range collections {
			callers.Go(func() {
				err := s.CreateUser(t.Context(), c.Key, newUser(token),
					call("CreateUser", token, fmt.Sprint(i), at), unlimited)
				switch {
				case err == nil:
					made.Add(1)
				case recollect.CodeOf(err) == recollect.CodeIdempotentMismatch:
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if made.Load() != 1 || refused.Load() != 1 {
			t.Errorf("%d calls were made, and %d refused", made.Load(), refused.Load())
		}
	}
}
