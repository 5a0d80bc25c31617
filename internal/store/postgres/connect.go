package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recollect-dev/recollect/internal/recollect"
)

const (
	// requestTimeout is how long one call of the store may take. Calls that read whole collections
	// have no limit.
	requestTimeout = 20 * time.Second

	connectTimeout = 5 * time.Second
)

// runtimeParams are the settings of each connection, where the URL has no others. A transaction
// whose node hangs ends by itself, so that it does not keep its locks: soon enough that changes of
// others, which wait for a lock meanwhile, are made and do not fail.
var runtimeParams = map[string]string{ // never changed
	"application_name":                    "recollect",
	"statement_timeout":                   "15s",
	"lock_timeout":                        "10s",
	"idle_in_transaction_session_timeout": "5s",
	"tcp_user_timeout":                    "15s",
	"default_transaction_isolation":       "read committed",
}

// historyKey is where a connection keeps the history of its commits (see [face.Position]).
const historyKey = "recollect.history"

// parseURL reads the URL of a database. Its errors do not have the URL, which may have a password.
func parseURL(text string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil {
		// Only the innermost error: the outer ones quote the URL.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		} else if e, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
			if err = e.Unwrap(); err == nil {
				err = errors.New("it is malformed")
			}
		}
		return nil, fmt.Errorf("the database's URL cannot be used: %w", err)
	}
	for name, value := range runtimeParams {
		if _, ok := cfg.ConnConfig.RuntimeParams[name]; !ok {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	cfg.ConnConfig.RuntimeParams["search_path"] = schema
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	cfg.MaxConns = max(cfg.MaxConns, 16, int32(4*runtime.GOMAXPROCS(0)))
	cfg.AfterConnect = checkConnection
	return cfg, nil
}

// checkConnection rejects a server that is not the primary, and notes the history of its commits.
func checkConnection(ctx context.Context, conn *pgx.Conn) error {
	var standby bool
	if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return fmt.Errorf("ask whether the server is the primary: %w", err)
	}
	if standby {
		return errors.New("the database server is a standby, and not the primary")
	}
	var history string
	var readOnly bool
	var commit string
	// The first eight digits of a log file's name are the timeline.
	err := conn.QueryRow(ctx, `SELECT
		(SELECT system_identifier FROM pg_control_system()) || '/' ||
		(SELECT oid FROM pg_database WHERE datname = current_database()) || '/' ||
		left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' ||
		extract(epoch FROM pg_postmaster_start_time()),
		current_setting('transaction_read_only')::bool,
		current_setting('synchronous_commit')`).Scan(&history, &readOnly, &commit)
	if err != nil {
		return fmt.Errorf("read the timeline of the server: %w", err)
	}
	if readOnly {
		return errors.New("the database cannot be written")
	}
	if commit == "off" { // acknowledged changes are on disk
		if _, err := conn.Exec(ctx, "SET synchronous_commit = on"); err != nil {
			return err
		}
	}
	conn.PgConn().CustomData()[historyKey] = history
	return nil
}

// historyOf returns the history that [checkConnection] noted for a connection.
func historyOf(conn *pgx.Conn) string {
	history, _ := conn.PgConn().CustomData()[historyKey].(string)
	return history
}

// tries is the most attempts of a call whose connection was lost, or that has to be repeated.
const tries = 3

// read calls do with a connection, and again with another if that was lost.
func (s *Store) read(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.again(ctx, func() (bool, error) {
		return s.with(ctx, func(conn *pgx.Conn) error { return do(ctx, conn) })
	})
}

// again calls try until it succeeds or must not be repeated.
func (s *Store) again(ctx context.Context, try func() (lost bool, err error)) error {
	for n := 1; ; n++ {
		lost, err := try()
		if lost {
			s.pool.Reset() // the others were probably lost with it
		}
		if err == nil || n == tries || ctx.Err() != nil || !lost && !mayRepeat(err) {
			return markNoSpace(err)
		}
	}
}

// long calls do once, with a connection that answers: what do reads is too long to be read again.
func (s *Store) long(ctx context.Context, do func(*pgx.Conn) error) error {
	var failed error
	err := s.again(ctx, func() (bool, error) {
		return s.with(ctx, func(conn *pgx.Conn) error {
			if err := conn.Ping(ctx); err != nil {
				return err
			}
			failed = do(conn)
			return nil
		})
	})
	if err != nil {
		return err
	}
	return markNoSpace(failed)
}

// beginMoment begins a transaction that reads as of one moment. It has no limit of its time: its
// reader may be a slow client.
func beginMoment(ctx context.Context, conn *pgx.Conn) (pgx.Tx, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead,
		AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0; "+
		"SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return nil, errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}
	return tx, nil
}

// with calls do with a connection and reports whether it was lost meanwhile.
func (s *Store) with(ctx context.Context, do func(*pgx.Conn) error) (lost bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Release()
	err = do(conn.Conn())
	return err != nil && conn.Conn().IsClosed(), err
}

// mayRepeat reports whether a transaction that failed with this error was rolled back, and may
// succeed if it is repeated.
func mayRepeat(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return errors.Is(err, errRepeat) ||
		ok && (e.Code == "40001" || e.Code == "40P01") // serialization failure, deadlock
}

// errUnknown says that a connection was lost while a transaction was being committed.
var errUnknown = errors.New("whether the change was made is not known")

// transact calls do in a transaction. It may call it again: if the connection was lost before the
// commit, or the database asks for that.
func (s *Store) transact(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if s.closed.Load() {
		return ErrClosed
	}
	return s.again(ctx, func() (bool, error) {
		committing := false
		lost, err := s.with(ctx, func(conn *pgx.Conn) error {
			tx, err := conn.Begin(ctx)
			if err != nil {
				return err
			}
			defer tx.Rollback(context.WithoutCancel(ctx)) // of no effect after Commit
			if err := do(ctx, tx); err != nil {
				return err
			}
			committing = true
			// The outcome is waited for, even if the caller has disconnected.
			return tx.Commit(context.WithoutCancel(ctx))
		})
		if lost && committing {
			return false, fmt.Errorf("%w: %w", errUnknown, err)
		}
		return lost, err
	})
}

// markNoSpace wraps [recollect.ErrNoSpace] around PostgreSQL's error of a full disk, and returns
// other errors as they are.
func markNoSpace(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "53100" {
		return fmt.Errorf("%w: %w", recollect.ErrNoSpace, err)
	}
	return err
}
