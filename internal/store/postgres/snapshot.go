package postgres

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// SnapshotName is the name of a snapshot in a backup.
const SnapshotName = "recollect.pgcopy"

// manifestName is the file of a snapshot that says what it is.
const manifestName = "manifest.json"

// manifest says what a snapshot has: a file for each table, in the order in which they can be
// filled, in PostgreSQL's binary COPY format.
type manifest struct {
	SchemaVersion int
	FaceKeys      int64 // the highest that was given, or a higher one
	Tables        []table
}

// table is a table's file, which has the name of the table.
type table struct {
	Name    string
	Columns []string
}

// tables are those that a snapshot has, referenced ones first.
const tables = "collections users faces embeddings user_vectors thumbnails tags doomed imports " +
	"answers settings iam_users iam_user_policies iam_access_keys iam_root_keys iam_roles " +
	"iam_revocations jobs job_items job_matches"

// Snapshot writes the whole store, as of one moment, to a new file that its owner alone can read:
// a zip file of the tables. Others can change the store meanwhile.
func (s *Store) Snapshot(ctx context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(path)
			err = fmt.Errorf("copy the store: %w", markNoSpace(err))
		}
	}()
	return s.long(ctx, func(conn *pgx.Conn) error { return writeSnapshot(ctx, conn, f) })
}

func writeSnapshot(ctx context.Context, conn *pgx.Conn, w io.Writer) error {
	tx, err := beginMoment(ctx, conn)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	var m manifest
	if m.SchemaVersion, err = readVersion(ctx, tx); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, "SELECT last_value FROM face_keys").Scan(&m.FaceKeys); err != nil {
		return err
	}
	for name := range strings.FieldsSeq(tables) {
		rows, err := tx.Query(ctx, `SELECT attname FROM pg_attribute
			WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
			AND attgenerated = '' ORDER BY attnum`, name)
		columns, err := collect(rows, err, scanValue[string])
		if err != nil {
			return err
		}
		m.Tables = append(m.Tables, table{name, columns})
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	file, err := create(z, manifestName)
	if err != nil {
		return err
	}
	if _, err := file.Write(text); err != nil {
		return err
	}
	for _, t := range m.Tables {
		if file, err = create(z, t.Name); err != nil {
			return err
		}
		if _, err := conn.PgConn().CopyTo(ctx, file, fmt.Sprintf(
			"COPY (SELECT %s FROM %s) TO STDOUT (FORMAT binary)", strings.Join(t.Columns, ", "),
			t.Name)); err != nil {
			return fmt.Errorf("copy the table %s: %w", t.Name, err)
		}
	}
	return z.Close()
}

// create adds a file that is not compressed, which vectors cannot be.
func create(z *zip.Writer, name string) (io.Writer, error) {
	return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
}

// Restore makes the tables in a database that does not have them, with what a snapshot has: all of
// it or, after an error, nothing. A snapshot of a newer program is rejected.
func Restore(ctx context.Context, url, path string) error {
	if err := restore(ctx, url, path); err != nil {
		return fmt.Errorf("restore the store in PostgreSQL: %w", err)
	}
	return nil
}

func restore(ctx context.Context, url, path string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close()
	m, err := readManifest(&z.Reader)
	if err != nil {
		return err
	}
	cfg, err := parseURL(url)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := checkConnection(ctx, conn); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		version, err := lockSchema(ctx, tx)
		if err != nil {
			return err
		}
		if version != 0 {
			return recollect.Errorf(recollect.CodeAlreadyExists,
				"the database has a store already: name an empty database")
		}
		if err := runScripts(ctx, tx, 0, m.SchemaVersion); err != nil {
			return err
		}
		for _, t := range m.Tables {
			if err := fill(ctx, conn, &z.Reader, t); err != nil {
				return fmt.Errorf("fill the table %s: %w", t.Name, err)
			}
		}
		// The next keys are higher than all that were given.
		_, err = tx.Exec(ctx, `SELECT setval('face_keys', $1),
			setval(pg_get_serial_sequence('collections', 'key'), greatest(1, (SELECT max(key)
				FROM (SELECT key FROM collections UNION ALL SELECT collection_key FROM doomed)
					AS all_collections))),
			setval(pg_get_serial_sequence('users', 'key'),
				greatest(1, (SELECT max(key) FROM users)))`, m.FaceKeys)
		hasJobs := slices.ContainsFunc(m.Tables, func(t table) bool { return t.Name == "jobs" })
		if err == nil && hasJobs { // the first versions had none
			_, err = tx.Exec(ctx, `SELECT setval(pg_get_serial_sequence('jobs', 'key'),
				greatest(1, (SELECT max(key) FROM jobs)))`)
		}
		return err
	})
}

// readManifest reads and checks the manifest of a snapshot.
func readManifest(z *zip.Reader) (m manifest, err error) {
	f, err := z.Open(manifestName)
	if err != nil {
		return m, fmt.Errorf("it is no snapshot: %w", err)
	}
	defer f.Close()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return m, err
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&m); err != nil {
		return m, fmt.Errorf("read its manifest: %w", err)
	}
	if newest, err := newestVersion(); err != nil || m.SchemaVersion > newest ||
		m.SchemaVersion < 1 {
		return m, errors.Join(err, fmt.Errorf("it has schema version %d, and this program knows "+
			"versions up to %d: use the newer program that wrote it", m.SchemaVersion, newest))
	}
	known := " " + tables + " "
	for _, t := range m.Tables {
		if !strings.Contains(known, " "+t.Name+" ") {
			return m, fmt.Errorf("it has a table %q, which this program does not know", t.Name)
		}
	}
	return m, nil
}

// fill copies a table's file into the table. The database checks the names of the columns.
func fill(ctx context.Context, conn *pgx.Conn, z *zip.Reader, t table) error {
	f, err := z.Open(t.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	_, err = conn.PgConn().CopyFrom(ctx, f, fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)",
		t.Name, strings.Join(columns, ", ")))
	return err
}
