// Package sqlite keeps collections, faces and users in one SQLite file. It is the [face.Store] of a
// single machine.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// DatabaseName is the name of the store's file in a data folder.
const DatabaseName = "recollect.db"

const lockName = "lock"

// Store is the system of record in the file recollect.db of a data folder.
//
// There is one writer and there are many readers. All changes go through one goroutine that owns
// the only connection which can write (see [writer]): it puts the changes that wait at that moment
// into one transaction, and acknowledges them once that is synced to disk. Two connections that
// compete for SQLite's write lock would poll for it and time out under load; a queue does neither.
// Readers read the last commit and never wait for the writer, which the write-ahead log makes
// possible.
//
// A deleted collection cannot be found from then on, but its rows are deleted in the background, a
// few at a time, so that a million of them do not keep other changes waiting. That continues after
// a restart.
//
// Freed space is overwritten with zeros (secure_delete), since vectors are biometric data. Deleted
// rows may be in the write-ahead log until it is overwritten, at the latest until Close.
type Store struct {
	path    string // of the database
	lock    *os.File
	readers *sql.DB
	writer  *writer
	log     *slog.Logger

	sweep      chan struct{} // wakes the sweeper
	stopSweeps context.CancelFunc
	sweeper    sync.WaitGroup
	close      func() error
}

var (
	_ face.Store           = (*Store)(nil)
	_ transfer.Snapshotter = (*Store)(nil)
	_ transfer.Viewer      = (*Store)(nil)
	_ transfer.Incoming    = (*Store)(nil)
)

// Options are what a store can be opened with. The zero value is ready to use.
type Options struct {
	Logger *slog.Logger // gets failures of work in the background; nil: they are not logged

	// Beside opens the store also while a server has it open, for a short administrative change:
	// SQLite isolates the two, and the server's cached keys and policies expire within a second.
	// Nothing is done in the background, and the schema must be that of this program.
	Beside bool
}

// Open opens the store in the folder dir and creates both if they do not exist, readable by their
// owner alone. It fails if another process has the folder open, if the file is not a store's, is
// damaged, or was written by a newer version.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	s, err := open(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", dir, err)
	}
	return s, nil
}

func open(ctx context.Context, dir string, o Options) (_ *Store, err error) {
	s := &Store{log: o.Logger, sweep: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s.lock, err = lockFolder(dir)
	if err != nil && !(o.Beside && errors.Is(err, ErrInUse)) {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.unlock())
		}
	}()

	path := filepath.Join(dir, DatabaseName)
	s.path = path
	if err := makeOwnFile(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite3", dsn(path, url.Values{"_cache_size": {"-65536"}}))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := prepareFile(ctx, conn, o.Beside); err != nil {
		return nil, errors.Join(err, conn.Close())
	}

	// The file and its write-ahead log are there now, which read-only connections need.
	s.readers, err = sql.Open("sqlite3",
		dsn(path, url.Values{"mode": {"ro"}, "_query_only": {"true"}, "_cache_size": {"-16384"}}))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	size := max(8, 4*runtime.GOMAXPROCS(0))
	s.readers.SetMaxOpenConns(size)
	s.readers.SetMaxIdleConns(size)

	s.writer = startWriter(conn)
	sweepContext, stop := context.WithCancel(context.Background())
	s.stopSweeps = stop
	if !o.Beside {
		// What was being imported when the last process ended.
		if err := s.wipeHidden(ctx, "true"); err != nil {
			s.writer.stop()
			return nil, errors.Join(err, s.readers.Close(), conn.Close())
		}
		if err := s.giveUpClaims(ctx); err != nil {
			s.writer.stop()
			return nil, errors.Join(err, s.readers.Close(), conn.Close())
		}
		s.sweeper.Go(func() { s.sweepAll(sweepContext) })
	}
	s.close = sync.OnceValue(func() error { return s.shutDown(db) })
	return s, nil
}

// dsn names the database at an absolute path with what every connection needs.
//
// synchronous=FULL syncs the write-ahead log at each commit: an acknowledged change survives a
// power cut. secure_delete overwrites what is freed, which makes deleting faces about a tenth
// slower (BenchmarkDeleteFaces).
func dsn(path string, more url.Values) string {
	query := url.Values{
		// ms; only a foreign program, a backup for example, can be in the way
		"_busy_timeout":    {"10000"},
		"_foreign_keys":    {"true"},
		"_secure_delete":   {"true"},
		"_synchronous":     {"FULL"},
		"_stmt_cache_size": {"64"},
	}
	for name, values := range more {
		query[name] = values
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// makeOwnFile creates the file if it does not exist, readable by its owner alone. SQLite gives
// the files beside it the same mode.
func makeOwnFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// Ping reports whether the store can be read.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	if err := s.readers.QueryRowContext(ctx,
		"SELECT count(*) FROM (SELECT 1 FROM collections LIMIT 1)").Scan(&n); err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	return nil
}

// Close finishes the changes that have begun, rejects new ones, writes the write-ahead log into the
// file and unlocks the folder. The caller ends its own reads first. A second Close does nothing and
// returns what the first did.
func (s *Store) Close() error {
	if err := s.close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// truncateLog writes what is in the write-ahead log into the database and empties the log, so that
// nothing of what was deleted or overwritten is left in either. It fails if another connection
// keeps a part of the log in use for longer than the busy timeout.
func (s *Store) truncateLog(ctx context.Context) error {
	db, err := sql.Open("sqlite3", dsn(s.path, nil))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA checkpoint_fullfsync = ON"); err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", err)
	}
	var busy, frames, moved int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames,
		&moved); err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", err)
	}
	if busy != 0 {
		return errors.New("empty the write-ahead log: it is in use")
	}
	return nil
}

// unlock unlocks the folder, if this store has locked it.
func (s *Store) unlock() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

func (s *Store) shutDown(db *sql.DB) error {
	s.stopSweeps()
	s.sweeper.Wait()
	s.writer.stop()
	errs := []error{s.readers.Close()}
	// A reader that is still active is waited for, but not long: what it keeps in the log is
	// stored.
	ctx := context.Background()
	var busy, frames, moved, timeout int
	errs = append(errs,
		s.writer.conn.QueryRowContext(ctx, "PRAGMA busy_timeout = 1000").Scan(&timeout),
		s.writer.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames,
			&moved),
		s.writer.conn.Close(),
		db.Close(),
		s.unlock(),
	)
	return errors.Join(errs...)
}
