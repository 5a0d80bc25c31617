package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// The classes and numbers of advisory locks, which are the database's.
const (
	lockClass     = 0x52636f6c // "Rcol"
	lockMigration = 1
	lockServer    = 2 // shared by all servers; or held by one that is to be alone

	lockRealm  = lockClass + 1 // and a hash of the realm, whose collections are counted
	lockImport = lockClass + 2 // and the number of a node, which holds it while it runs
)

// holder holds the advisory locks of a node on a connection of its own. If the connection is lost,
// so are the locks, and the node must not go on before it has taken them again.
type holder struct {
	cfg   *pgx.ConnConfig
	node  int32
	alone bool // no other server may have the database open
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu   sync.Mutex
	conn *pgx.Conn
	err  error // why the locks are not held; nil if they are
}

// lockInterval is how often a node makes sure that it holds its locks.
const lockInterval = 2 * time.Second

// hold takes the locks of a node. [ErrInUse] if another server has the database open and one of the
// two is to be alone.
func hold(ctx context.Context, cfg *pgx.ConnConfig, node int32, alone bool) (*holder, error) {
	h := &holder{cfg: cfg, node: node, alone: alone}
	if err := h.take(ctx); err != nil {
		return nil, err
	}
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.done.Go(func() { h.keep(ctx) })
	return h, nil
}

// take connects and takes the locks.
func (h *holder) take(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, h.cfg)
	if err != nil {
		return err
	}
	if err := checkConnection(ctx, conn); err != nil {
		return errors.Join(err, conn.Close(ctx))
	}
	lock := "pg_try_advisory_lock_shared"
	if h.alone {
		lock = "pg_try_advisory_lock"
	}
	var open, mine bool
	err = conn.QueryRow(ctx, "SELECT "+lock+"($1, $2), pg_try_advisory_lock($3, $4)", lockClass,
		lockServer, lockImport, h.node).Scan(&open, &mine)
	if err == nil && !(open && mine) {
		err = ErrInUse
	}
	if err != nil {
		return errors.Join(err, conn.Close(ctx))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn, h.err = conn, nil
	return nil
}

// keep checks the connection once in lockInterval, and replaces it if it is lost.
func (h *holder) keep(ctx context.Context) {
	for {
		select {
		case <-time.After(lockInterval):
		case <-ctx.Done():
			return
		}
		if h.held() == nil {
			ping, cancel := context.WithTimeout(ctx, connectTimeout)
			err := h.conn.Ping(ping)
			cancel()
			if err == nil || ctx.Err() != nil {
				continue
			}
			h.mu.Lock()
			h.err = fmt.Errorf("the connection that holds the server's locks was lost: %w", err)
			h.mu.Unlock()
			_ = h.conn.Close(ctx) // it is of no use
		}
		if err := h.take(ctx); err != nil && ctx.Err() == nil {
			h.mu.Lock()
			h.err = fmt.Errorf("take the server's locks: %w", err)
			h.mu.Unlock()
		}
	}
}

// held returns nil if the node held its locks a moment ago.
func (h *holder) held() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// close releases the locks.
func (h *holder) close() error {
	h.stop()
	h.done.Wait()
	ctx, cancel := background(connectTimeout)
	defer cancel()
	// The server would notice the end of the connection a moment later. If it is lost, so are the
	// locks.
	_, _ = h.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	return h.conn.Close(ctx)
}
