package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// groupSize is the most changes that share one transaction.
const groupSize = 64

// ErrClosed is the error of a change after Close.
var ErrClosed = errors.New("the store is closed")

// errLost is the error of the other callers of a group if one change made the whole transaction
// fail. It has nothing of that change, whose error may have names of another account.
var errLost = errors.New("the transaction that the change was a part of was lost")

// writer makes all changes to the database, on a goroutine of its own.
//
// It commits in groups: while one transaction is synced to disk, more changes arrive, and they
// share the next one. Each stands in a savepoint of its own, so that one which fails takes no other
// with it, and each is acknowledged after the commit. At 64 callers this makes about five times as
// many changes a second as one commit for each (BenchmarkAddFaces).
type writer struct {
	conn  *sql.Conn
	queue chan *change
	quit  chan struct{}
	done  chan struct{}
}

// change is one caller's part of a group.
type change struct {
	apply func(tx) error
	taken atomic.Bool // by the writer, or by a caller that gives up; the first one has it
	done  chan error  // holds one
}

func startWriter(conn *sql.Conn) *writer {
	w := &writer{conn: conn, queue: make(chan *change), quit: make(chan struct{}),
		done: make(chan struct{})}
	go w.run()
	return w
}

// stop ends the writer after the group at hand. It is called once.
func (w *writer) stop() {
	close(w.quit)
	<-w.done
}

// do applies a change and returns once it is on disk, or was not made. A caller whose context ends
// while the change is in the queue gets the context's error; once the change has begun, do returns
// its outcome. The caller may use what apply sets after a nil return.
func (w *writer) do(ctx context.Context, apply func(tx) error) error {
	c := &change{apply: apply, done: make(chan error, 1)}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return ErrClosed
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		if c.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-c.done
	}
}

func (w *writer) run() {
	defer close(w.done)
	group := make([]*change, 0, groupSize)
	for {
		group = group[:0]
		select {
		case c := <-w.queue:
			group = append(group, c)
		case <-w.quit:
			return
		}
	gather:
		for len(group) < groupSize {
			select {
			case c := <-w.queue:
				group = append(group, c)
			default:
				break gather
			}
		}
		w.commit(group)
	}
}

// commit makes the changes of a group in one transaction and sends each caller the outcome of its
// own.
func (w *writer) commit(group []*change) {
	errs := make([]error, len(group))
	err := w.transact(group, errs)
	for i, c := range group {
		if errs[i] == nil {
			errs[i] = err
		}
		c.done <- markNoSpace(errs[i])
	}
}

// run applies the change. A panic of its caller's code becomes the error of that caller alone, with
// the stack: on the writer's goroutine it would end the process.
func (c *change) run(t tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.apply(t)
}

// transact sets errs[i] for a change that was undone alone. The error it returns is that of all the
// others, and has nothing of errs in it: a disk that is full or fails can make SQLite abandon the
// whole transaction, and then none of them was made.
func (w *writer) transact(group []*change, errs []error) (err error) {
	t := tx{w.conn}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = t.exec("ROLLBACK") // an error means that SQLite has rolled back by itself
		}
	}()
	if len(group) == 1 { // the transaction is its savepoint
		if c := group[0]; c.taken.CompareAndSwap(false, true) {
			if errs[0] = c.run(t); errs[0] != nil {
				return errs[0]
			}
		}
		return t.commit()
	}
	for i, c := range group {
		if !c.taken.CompareAndSwap(false, true) {
			continue
		}
		if _, err := t.exec("SAVEPOINT change"); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if errs[i] = c.run(t); errs[i] != nil {
			if _, err := t.exec("ROLLBACK TO change"); err != nil {
				return fmt.Errorf("%w: undo a change: %w", errLost, err)
			}
		}
		if _, err := t.exec("RELEASE change"); err != nil {
			return fmt.Errorf("end: %w", err)
		}
	}
	return t.commit()
}

// tx is the write transaction that is open. Its statements cannot be interrupted, which would undo
// the rest of the group: a change that takes long checks its caller's context between statements.
type tx struct {
	conn *sql.Conn
}

func (t tx) commit() error {
	if _, err := t.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (t tx) exec(query string, args ...any) (sql.Result, error) {
	return t.conn.ExecContext(context.Background(), query, args...)
}

func (t tx) query(query string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(context.Background(), query, args...)
}

func (t tx) queryRow(query string, args ...any) *sql.Row {
	return t.conn.QueryRowContext(context.Background(), query, args...)
}
