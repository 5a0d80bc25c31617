package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
)

// schema is the schema of the database that has the store's tables. It is the first word of the
// search path of all connections.
const schema = "recollect"

// migrations holds one file a schema version, in order; the nth leads from version n-1 to n.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the database to the newest schema, or leaves it as it was. Nodes that start at
// the same moment do it one after the other. With beside it changes nothing, and fails if the
// schema is another one: nodes of another version may be running.
func migrate(ctx context.Context, conn *pgx.Conn, beside bool) error {
	newest, err := newestVersion()
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		version, err := lockSchema(ctx, tx)
		switch {
		case err != nil:
			return err
		case version > newest || version < 0:
			return fmt.Errorf("the database has schema version %d, and this program knows "+
				"versions up to %d: use the newer program that wrote it", version, newest)
		case beside && version != newest:
			return fmt.Errorf("the database has schema version %d, and this program works with "+
				"version %d: use the program of the version that the server runs, or, if this one "+
				"is newer, start its server once, which brings the schema up to date", version,
				newest)
		}
		return runScripts(ctx, tx, version, newest)
	})
}

// newestVersion is the schema version that this program works with.
func newestVersion() (int, error) {
	scripts, err := fs.Glob(migrations, "migrations/*.sql")
	return len(scripts), err
}

// lockSchema makes others that change the schema wait until the transaction ends, waits for them,
// and returns the version that the schema has, 0 if it is not there.
func lockSchema(ctx context.Context, tx pgx.Tx) (version int, err error) {
	// A long migration of another node is waited for, and none of one's own is cut short.
	if _, err := tx.Exec(ctx,
		"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockClass,
		lockMigration); err != nil {
		return 0, err
	}
	return readVersion(ctx, tx)
}

// runScripts leads from one version to another.
func runScripts(ctx context.Context, tx pgx.Tx, from, to int) error {
	scripts, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for i, name := range scripts[from:to] {
		if err := runScript(ctx, tx, name, from+i+1); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", from+i+1, err)
		}
	}
	return nil
}

// readVersion returns the version of the schema, 0 if it is not there. A schema of this name that
// has no version is another program's.
func readVersion(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var there, versioned bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
		to_regclass($1 || '.schema_version') IS NOT NULL`, schema).Scan(&there,
		&versioned); err != nil {
		return 0, err
	}
	if !there {
		return 0, nil
	}
	if versioned {
		err = tx.QueryRow(ctx, "SELECT version FROM schema_version").Scan(&version)
		return version, err
	}
	var objects int
	if err := tx.QueryRow(ctx,
		"SELECT count(*) FROM pg_class WHERE relnamespace = $1::regnamespace",
		schema).Scan(&objects); err != nil {
		return 0, err
	}
	if objects > 0 {
		return 0, errors.New("the database's schema " + schema + " is another program's")
	}
	return 0, nil
}

// runScript runs one script and records the version that it leads to.
func runScript(ctx context.Context, tx pgx.Tx, name string, version int) error {
	script, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	if version == 1 {
		script = append([]byte("CREATE SCHEMA IF NOT EXISTS "+schema+";\n"+
			"CREATE TABLE schema_version (version int NOT NULL);\n"+
			"INSERT INTO schema_version VALUES (0);\n"), script...)
	}
	if _, err := tx.Exec(ctx, string(script)); err != nil { // without arguments: many statements
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE schema_version SET version = $1", version)
	return err
}
