package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// applicationID marks the file as a store's; the letters are "Rcol" (see SQLite's PRAGMA
// application_id).
const applicationID = 0x52636f6c

// pageSize in bytes. An embedding of 512 numbers takes a little over 2 KiB: a page of SQLite's
// usual 4 KiB holds one and wastes the rest, one of 8 KiB holds three: 2.9 KiB a face in all
// instead of 4.3. Larger pages save little more and make each commit write more.
const pageSize = 8192

// migrations holds one file a schema version, in order; the nth leads from version n-1 to n.
//
//go:embed migrations/*.sql
var migrations embed.FS

// prepareFile makes sure that conn is open on a store's file of the newest schema, in WAL mode.
// With beside it migrates nothing, and fails if the schema is another one: a server of another
// version may have the file open.
func prepareFile(ctx context.Context, conn *sql.Conn, beside bool) error {
	id, err := pragma(ctx, conn, "application_id")
	if err != nil {
		return err
	}
	if id == 0 {
		// New, or another program's.
		var objects int
		if err := conn.QueryRowContext(ctx,
			"SELECT count(*) FROM sqlite_schema").Scan(&objects); err != nil {
			return err
		}
		if objects > 0 {
			return fmt.Errorf("%s is another program's database", DatabaseName)
		}
	} else if id != applicationID {
		return fmt.Errorf("%s is another program's database (application id %#x)", DatabaseName, id)
	}
	version, err := pragma(ctx, conn, "user_version")
	if err != nil {
		return err
	}
	scripts, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	if beside && version != len(scripts) {
		return fmt.Errorf(
			"%s has schema version %d, and this program works with version %d: use the program of "+
				"the version that the server runs, or, if this one is newer, start its server on "+
				"the folder once, which brings the schema up to date",
			DatabaseName, version, len(scripts))
	}
	if version < 0 || version > len(scripts) {
		return fmt.Errorf(
			"%s has schema version %d, and this program knows versions up to %d: use the newer "+
				"program that wrote it",
			DatabaseName, version, len(scripts))
	}

	// Page size and auto_vacuum take effect only while the file is empty. auto_vacuum keeps free
	// pages findable, so that space can be given back in steps. fullfsync is what a sync to disk is
	// called on macOS.
	for _, statement := range []string{
		fmt.Sprintf("PRAGMA page_size = %d", pageSize),
		"PRAGMA auto_vacuum = INCREMENTAL",
		"PRAGMA journal_size_limit = 67108864",
		"PRAGMA fullfsync = ON",
		"PRAGMA checkpoint_fullfsync = ON",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return fmt.Errorf("turn on the write-ahead log: %w", err)
	}
	if mode != "wal" {
		return errors.New("turn on the write-ahead log: the file system does not support it")
	}

	for i, name := range scripts {
		if i < version {
			continue
		}
		if err := migrate(ctx, conn, name, i+1); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", i+1, err)
		}
	}
	return nil
}

// migrate runs one script and records the version it leads to, both or neither.
func migrate(ctx context.Context, conn *sql.Conn, name string, version int) error {
	script, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // of no effect after Commit
	for _, statements := range []string{
		string(script),
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", version),
	} {
		if _, err := tx.ExecContext(ctx, statements); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// pragma reads a number of the database's header.
func pragma(ctx context.Context, conn *sql.Conn, name string) (int, error) {
	var value int
	if err := conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value); err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	return value, nil
}
