package sqlite

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// hold keeps the writer busy until the returned function is called, so that what comes meanwhile
// makes one group.
func hold(t *testing.T, w *writer) (release func()) {
	t.Helper()
	held, gate := make(chan struct{}), make(chan struct{})
	go w.do(context.Background(), func(tx) error {
		close(held)
		<-gate
		return nil
	})
	<-held
	return sync.OnceFunc(func() { close(gate) })
}

// In a group, a change that fails is undone alone.
func TestGroupMembersAreIndependent(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	release := hold(t, s.writer)
	defer release()
	failure := errors.New("no")
	errs := make([]error, 9)
	var callers sync.WaitGroup
	for i := range errs {
		callers.Go(func() {
			errs[i] = s.writer.do(t.Context(), func(t tx) error {
				if _, err := t.exec("INSERT INTO settings VALUES (?, x'00')", i); err != nil {
					return err
				}
				if i%3 == 0 {
					return failure
				}
				return nil
			})
		})
	}
	// lets the callers queue up; the outcome is the same if they do not
	time.Sleep(20 * time.Millisecond)
	release()
	callers.Wait()
	for i, err := range errs {
		if i%3 == 0 && !errors.Is(err, failure) || i%3 != 0 && err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if n := s.number(t, "SELECT count(*) FROM settings"); n != 6 {
		t.Errorf("%d changes were made, want 6", n)
	}
}

// TestPanicIsTheCallersError: a change that panics is undone and its caller gets the stack, whether
// it is alone or one of a group. The writer goes on, and the others of the group are made.
func TestPanicIsTheCallersError(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	insert := func(name string, then func()) *change {
		return &change{done: make(chan error, 1), apply: func(t tx) error {
			if _, err := t.exec("INSERT INTO settings VALUES (?, x'00')", name); err != nil {
				return err
			}
			then()
			return nil
		}}
	}
	index := 3
	panics := func() { _ = make([]int, 2)[index] }
	s.stopSweeps()
	s.sweeper.Wait() // so that the writer is idle, and its connection the test's
	alone, first, bad, last := insert("alone", panics), insert("first", func() {}),
		insert("bad", panics), insert("last", func() {})
	s.writer.commit([]*change{alone})
	s.writer.commit([]*change{first, bad, last})
	for name, c := range map[string]*change{"alone": alone, "bad": bad} {
		if err := <-c.done; err == nil || !strings.Contains(err.Error(), "index out of range") ||
			!strings.Contains(err.Error(), "writer_test.go") {
			t.Errorf("%s: the caller got %v", name, err)
		}
	}
	for name, c := range map[string]*change{"first": first, "last": last} {
		if err := <-c.done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.number(t, "SELECT count(*) FROM settings WHERE name IN ('first', 'last')"); n != 2 {
		t.Errorf("%d of the two good changes were made", n)
	}
	if n := s.number(t, "SELECT count(*) FROM settings"); n != 2 {
		t.Errorf("%d changes were made, want 2", n)
	}
}

// TestPanicInADecision is returned by the method whose caller's function panicked.
func TestPanicInADecision(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	c := newCollection(t, s, "c")
	if err := s.CreateUser(t.Context(), c, face.User{ID: "u", SystemID: newFaces(1)[0].ID},
		recollect.Once{}, 10); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.ChangeUser(t.Context(), c, "u", nil, recollect.Once{},
		func(face.UserState) (face.UserChange, error) { panic("no decision") })
	if err == nil || !strings.Contains(err.Error(), "panic: no decision") {
		t.Errorf("got %v", err)
	}
	if err := s.SetSetting(t.Context(), "next", nil); err != nil {
		t.Errorf("the next change: %v", err)
	}
}

// If the transaction is lost, every change of the group fails and none is made.
func TestLostTransactionFailsTheGroup(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	good := &change{done: make(chan error, 1), apply: func(t tx) error {
		_, err := t.exec("INSERT INTO settings VALUES ('good', x'00')")
		return err
	}}
	bad := &change{done: make(chan error, 1), apply: func(t tx) error {
		t.exec("ROLLBACK") // as SQLite does by itself on some failures of the disk
		return record.NoCollectionError("a name of another account")
	}}
	late := &change{done: make(chan error, 1), apply: good.apply}
	s.stopSweeps()
	s.sweeper.Wait()
	s.writer.stop()
	s.writer.commit([]*change{good, bad, late})
	for name, c := range map[string]*change{"before": good, "after": late} {
		err := <-c.done
		if err == nil {
			t.Errorf("%s: a change that was lost is acknowledged", name)
			continue
		}
		// The error of one caller is not for the others.
		if recollect.CodeOf(err) == recollect.CodeNotFound ||
			strings.Contains(err.Error(), "another account") {
			t.Errorf("%s: the caller got the error of another: %v", name, err)
		}
	}
	if err := <-bad.done; recollect.CodeOf(err) != recollect.CodeNotFound {
		t.Errorf("the failed change: %v", err)
	}
	if n := s.number(t, "SELECT count(*) FROM settings"); n != 0 {
		t.Errorf("%d changes were made", n)
	}
	again := &change{done: make(chan error, 1), apply: good.apply}
	s.writer.commit([]*change{again})
	if err := <-again.done; err != nil {
		t.Errorf("the next change: %v", err)
	}
	s.readers.Close()
	s.writer.conn.Close()
	s.close = func() error { return s.lock.Close() }
}

// A caller that gives up while it waits changes nothing.
func TestCancelWhileWaiting(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	release := hold(t, s.writer)
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.SetSetting(ctx, "a", []byte("b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	release()
	if err := s.SetSetting(t.Context(), "c", nil); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Setting(t.Context(), "a"); ok || err != nil {
		t.Errorf("the change was made all the same (%v, %v)", ok, err)
	}
}

func TestSettings(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	ctx := t.Context()
	if _, ok, err := s.Setting(ctx, "secret"); ok || err != nil {
		t.Errorf("before: %v, %v", ok, err)
	}
	var callers sync.WaitGroup
	values := make([]string, 8)
	for i := range values {
		callers.Go(func() {
			value, err := s.SettingOrCreate(ctx, "secret", func() []byte { return []byte{byte(i)} })
			if err != nil {
				t.Error(err)
			}
			values[i] = string(value)
		})
	}
	callers.Wait()
	value, ok, err := s.Setting(ctx, "secret")
	if !ok || err != nil {
		t.Fatalf("after: %v, %v", ok, err)
	}
	for i := range values {
		if values[i] != string(value) {
			t.Errorf("caller %d got %q, kept is %q", i, values[i], value)
		}
	}
	for _, want := range []string{"first", "second", ""} {
		if err := s.SetSetting(ctx, "other", []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := s.Setting(ctx, "other"); string(got) != want || !ok || err != nil {
			t.Errorf("got %q, %v, %v; want %q", got, ok, err, want)
		}
	}
}
