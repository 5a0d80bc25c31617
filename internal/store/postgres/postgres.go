// Package postgres keeps collections, faces and users in a PostgreSQL database. It is the
// [face.Store] of a server that shares its data with others.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// Store is the system of record in the schema recollect of a PostgreSQL database.
//
// A change of a collection locks the collection's row until its commit, so that changes of a
// collection follow one another on all nodes. A node keeps one such transaction in flight for a
// collection, and the changes that wait at that moment share it (see [groups]): nodes compete for
// the lock, and the callers of a node do not.
//
// A deleted collection cannot be found from then on, but its rows are deleted in the background, a
// few at a time, by whichever node comes to it.
type Store struct {
	pool   *pgxpool.Pool
	node   int32 // random; the node holds the advisory lock of this number
	holder *holder
	groups groups
	log    *slog.Logger

	sweep      chan struct{} // wakes the sweeper
	stopSweeps context.CancelFunc
	sweeper    sync.WaitGroup
	closed     atomic.Bool
	close      func() error
}

var (
	_ face.Store           = (*Store)(nil)
	_ transfer.Snapshotter = (*Store)(nil)
	_ transfer.Viewer      = (*Store)(nil)
	_ transfer.Incoming    = (*Store)(nil)
)

var (
	// ErrClosed is the error of a change after Close.
	ErrClosed = errors.New("the store is closed")

	// ErrInUse says that another node has the database open.
	ErrInUse = errors.New("another server has the database open")
)

// Options are what a store can be opened with. The zero value is ready to use.
type Options struct {
	Logger *slog.Logger // gets failures of work in the background; nil: they are not logged

	// Beside opens the store also while servers have it open, for a short administrative change.
	// Nothing is done in the background, and the schema must be that of this program.
	Beside bool

	// Observe is called after each transaction of changes of a collection that was committed, with
	// their number; nil: it is not. It must not block.
	Observe func(changes int)

	// Alone opens the store if no server has it open, and keeps others from opening it.
	Alone bool
}

// Open opens the store in a database, whose URL is one of libpq's, and makes the tables if they are
// not there. Any number of servers can have it open. It fails with [ErrInUse] if one is to be
// alone, if the server is a standby, or if the schema is of another program or a newer version.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	s, err := open(ctx, url, o)
	if err != nil {
		return nil, fmt.Errorf("open the store in PostgreSQL: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, url string, o Options) (_ *Store, err error) {
	cfg, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := &Store{log: o.Logger, sweep: make(chan struct{}, 1), node: newNode()}
	if s.groups.observe = o.Observe; o.Observe == nil {
		s.groups.observe = func(int) {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.pool.Close()
		}
	}()
	if _, err := s.with(ctx, func(conn *pgx.Conn) error {
		return migrate(ctx, conn, o.Beside)
	}); err != nil {
		return nil, err
	}
	s.groups.store = s
	sweeps, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopSweeps = stop
	if !o.Beside {
		if s.holder, err = hold(ctx, cfg.ConnConfig, s.node, o.Alone); err != nil {
			stop()
			return nil, err
		}
		// What was being imported when a node ended.
		if err := s.wipeAbandoned(ctx); err != nil {
			stop()
			//nolint:contextcheck // it is closed although ctx may have ended
			return nil, errors.Join(err, s.holder.close())
		}
		s.sweeper.Go(func() { s.sweepAll(sweeps) })
	}
	s.close = sync.OnceValue(s.shutDown)
	return s, nil
}

func newNode() int32 {
	var b [4]byte
	rand.Read(b[:])
	return int32(binary.NativeEndian.Uint32(b[:]) >> 1)
}

// newStamp returns a random number.
func newStamp() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.NativeEndian.Uint64(b[:]))
}

// Ping reports whether the store can be read, and written as far as that can be told.
func (s *Store) Ping(ctx context.Context) error {
	if s.holder != nil {
		if err := s.holder.held(); err != nil {
			return err
		}
	}
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var standby bool
		err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery() FROM schema_version").Scan(&standby)
		if err == nil && standby {
			err = errors.New("the database server is a standby")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	return nil
}

// Close finishes the changes that have begun, rejects new ones, and closes the connections. The
// caller ends its own reads first. A second Close does nothing and returns what the first did.
func (s *Store) Close() error {
	if err := s.close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

func (s *Store) shutDown() (err error) {
	s.closed.Store(true)
	s.stopSweeps()
	s.sweeper.Wait()
	s.groups.stop()
	if s.holder != nil {
		err = s.holder.close()
	}
	s.pool.Close()
	return err
}

// background is a context for what does not end with a request.
func background(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}
