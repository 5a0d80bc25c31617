package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/recollect-dev/recollect/internal/face"
)

// groupSize is the most changes that share one transaction.
const groupSize = 64

// groups makes the changes of collections, one transaction at a time for each collection.
//
// While one transaction is being committed, more changes of the collection arrive, and they share
// the next one. Additions of faces are made by a few statements for all of them; each other change
// stands in a savepoint of its own, so that one which fails takes no other with it. Each is
// acknowledged after the commit.
type groups struct {
	store   *Store
	observe func(changes int) // is called with the size of each group that was committed

	mu      sync.Mutex
	waiting map[face.CollectionKey][]*change // an entry for each collection with a worker
	stopped bool
	workers sync.WaitGroup
}

// change is one caller's part of a group: an addition, or a function.
type change struct {
	add   *addition
	apply func(context.Context, *locked) error
	taken atomic.Bool // by the worker, or by a caller that stops waiting, whichever comes first
	done  chan error  // holds one
}

// stop rejects new changes and waits until the others are made.
func (g *groups) stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.workers.Wait()
}

// do applies a change and returns once it is committed, or was not made. A caller whose context
// ends while the change waits gets the context's error; once the change has begun, do returns its
// outcome. The change may be applied again if a transaction was lost. The caller may use what it
// sets after a nil return.
func (g *groups) do(ctx context.Context, key face.CollectionKey, c *change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.done = make(chan error, 1)
	g.mu.Lock()
	if g.stopped {
		g.mu.Unlock()
		return ErrClosed
	}
	if g.waiting == nil {
		g.waiting = make(map[face.CollectionKey][]*change)
	}
	queue, working := g.waiting[key]
	g.waiting[key] = append(queue, c)
	if !working {
		//nolint:contextcheck // changes of many callers share a transaction
		g.workers.Go(func() { g.work(key) })
	}
	g.mu.Unlock()
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

// work makes the changes of a collection until none waits.
func (g *groups) work(key face.CollectionKey) {
	for {
		g.mu.Lock()
		queue := g.waiting[key]
		if len(queue) == 0 {
			delete(g.waiting, key)
			g.mu.Unlock()
			return
		}
		n := min(len(queue), groupSize)
		g.waiting[key] = queue[n:]
		g.mu.Unlock()
		group := make([]*change, 0, n)
		for _, c := range queue[:n] {
			if c.taken.CompareAndSwap(false, true) {
				group = append(group, c)
			}
		}
		if len(group) > 0 {
			g.commit(key, group)
		}
	}
}

// commit makes the changes of a group in one transaction and sends each caller the outcome of its
// own. If the database rejects the data of one, each is made in a transaction of its own.
func (g *groups) commit(key face.CollectionKey, group []*change) {
	errs, err := g.try(key, group)
	if len(group) > 1 && isRejected(err) {
		for _, c := range group {
			g.commit(key, []*change{c})
		}
		return
	}
	if err == nil {
		g.observe(len(group))
	}
	for i, c := range group {
		if errs[i] == nil {
			errs[i] = err
		}
		c.done <- markNoSpace(errs[i])
	}
}

// isRejected reports whether the database rejected the data of a statement.
func isRejected(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23"))
}

// try makes the changes of a group in one transaction. errs[i] is the error of a change that was
// undone by itself; err is the error of all others.
func (g *groups) try(key face.CollectionKey, group []*change) (errs []error, err error) {
	ctx, cancel := background(requestTimeout)
	defer cancel()
	err = g.store.again(ctx, func() (bool, error) {
		errs = make([]error, len(group))
		l := &locked{key: key}
		lost, err := g.store.with(ctx, func(conn *pgx.Conn) error {
			l.conn = conn
			err := l.run(ctx, group, errs)
			if err != nil && !conn.IsClosed() {
				_, rollback := conn.Exec(ctx, "ROLLBACK")
				err = errors.Join(err, rollback)
			}
			return err
		})
		if lost && l.committing {
			return false, fmt.Errorf("%w: %w", errUnknown, err)
		}
		return lost, err
	})
	return errs, err
}

// locked is a collection whose row is locked by the transaction that is open on conn. Its state is
// written back before the commit.
type locked struct {
	conn       *pgx.Conn
	key        face.CollectionKey
	committing bool

	found bool // false: the collection was deleted
	state
}

// state is the part of a collection's row that changes.
type state struct {
	version      int64
	faces, users int64
	dimension    int // 0: there is no vector
}

// nextSeq returns the position of a vector that is added or changed.
func (st *state) nextSeq() int64 {
	st.version++
	return st.version
}

// removed notes that faces were deleted. Users have vectors only where there are faces.
func (st *state) removed(faces int64) {
	if st.faces -= faces; st.faces == 0 {
		st.dimension = 0
	}
}

// run makes the changes and commits.
func (l *locked) run(ctx context.Context, group []*change, errs []error) error {
	var additions []*addition
	var which []int // their places in the group
	for i, c := range group {
		if c.add != nil {
			additions, which = append(additions, c.add), append(which, i)
		}
	}
	before, err := l.lock(ctx, additions)
	if err != nil {
		return err
	}
	begin := l.state
	last := new(pgx.Batch) // is sent with the commit
	if len(additions) > 0 {
		rows := l.decide(additions, before)
		for n, i := range which {
			errs[i] = additions[n].err
		}
		rows.queue(last, l.key)
	}
	if len(additions) < len(group) && last.Len() > 0 { // the others may refer to the faces
		if err := l.conn.SendBatch(ctx, last).Close(); err != nil {
			return err
		}
		last = new(pgx.Batch)
	}
	for i, c := range group {
		if c.add == nil {
			if errs[i], err = l.apply(ctx, c, len(group) > 1); err != nil {
				return err
			}
		}
	}
	if len(group) == 1 && errs[0] != nil {
		_, err := l.conn.Exec(ctx, "ROLLBACK")
		return err
	}
	return l.commit(ctx, last, begin)
}

// lock begins the transaction and locks the collection. It also reads what additions need to know.
func (l *locked) lock(ctx context.Context, additions []*addition) (before known, err error) {
	batch := new(pgx.Batch)
	batch.Queue("BEGIN")
	batch.Queue("SELECT version, face_count, user_count, dimension FROM collections "+
		"WHERE key = $1 FOR NO KEY UPDATE", l.key).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&l.version, &l.faces, &l.users, &l.dimension)
		l.found = err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return err
	})
	if len(additions) > 0 {
		before.queue(batch, l.key, additions) // reads what was committed before the lock was taken
	}
	return before, l.conn.SendBatch(ctx, batch).Close()
}

// apply makes one change. failed is the error of that change, which was undone; err is one of the
// transaction.
func (l *locked) apply(ctx context.Context, c *change, savepoint bool) (failed, err error) {
	begin := l.state
	for range tries {
		if savepoint {
			if _, err := l.conn.Exec(ctx, "SAVEPOINT change"); err != nil {
				return nil, err
			}
		}
		failed = c.run(ctx, l)
		if failed == nil {
			return nil, nil
		}
		l.state = begin
		if l.conn.IsClosed() || mayRepeat(failed) {
			return nil, failed // the transaction has failed as well
		}
		if !savepoint && errors.Is(failed, errRepeat) {
			return nil, failed
		}
		if !savepoint {
			return failed, nil
		}
		if _, err := l.conn.Exec(ctx, "ROLLBACK TO change"); err != nil {
			return nil, err
		}
		if !errors.Is(failed, errRepeat) {
			return failed, nil
		}
	}
	return failed, nil
}

// errRepeat says that a change has to be made once more, since what it had read has changed.
var errRepeat = errors.New("the answer to the same call was recorded meanwhile")

// run applies the change. A panic of its caller's code becomes the error of that caller alone, with
// the stack: on the worker's goroutine it would end the process.
func (c *change) run(ctx context.Context, l *locked) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.apply(ctx, l)
}

// commit writes the collection's row, if it has changed, and commits.
func (l *locked) commit(ctx context.Context, last *pgx.Batch, begin state) error {
	if l.state != begin {
		last.Queue(`UPDATE collections SET version = $2, face_count = $3, user_count = $4,
			dimension = $5, stamp = CASE WHEN version = $2 THEN stamp ELSE $6 END WHERE key = $1`,
			l.key, l.version, l.faces, l.users, l.dimension, newStamp())
	}
	last.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return fmt.Errorf("the transaction was ended by %s", tag)
		}
		return nil
	})
	l.committing = true
	return l.conn.SendBatch(ctx, last).Close()
}
