package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
)

const (
	// sweepFaces is how many faces, or users, of a deleted collection are wiped in one transaction:
	// some milliseconds of work.
	sweepFaces = 256

	// sweepPages is how many free pages are given back to the file system in one transaction.
	sweepPages = 256

	// spareFraction of the pages, and at least sparePages, may stay free in the file: new faces
	// will fill them.
	spareFraction = 4
	sparePages    = 1024

	sweepRetry = 10 * time.Second
)

// wakeSweeper makes the sweeper look for rows to delete and space to free.
func (s *Store) wakeSweeper() {
	select {
	case s.sweep <- struct{}{}:
	default: // it will run anyway
	}
}

// sweepAll deletes the rows of deleted collections and returns free space to the file system, until
// ctx ends. It pauses after each step for as long as the step took, so that at least half of the
// writer's time is for the store's callers.
func (s *Store) sweepAll(ctx context.Context) {
	for {
		started := time.Now()
		more, err := s.sweepOnce(ctx)
		rest := time.Since(started)
		if err != nil && ctx.Err() == nil {
			s.log.Error("wiping deleted faces failed, and will be tried again", "error", err,
				"after", sweepRetry)
			more, rest = true, sweepRetry
		}
		if more {
			select {
			case <-time.After(rest):
			case <-ctx.Done():
				return
			}
			continue
		}
		select {
		case <-s.sweep:
		case <-ctx.Done():
			return
		}
	}
}

// sweepOnce takes one step and reports whether there is more to do.
func (s *Store) sweepOnce(ctx context.Context) (more bool, err error) {
	err = s.writer.do(ctx, func(t tx) error {
		more, err = wipeDoomed(t)
		if err != nil || more {
			return err
		}
		more, err = giveBackPages(t)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("sweep: %w", err)
	}
	return more, nil
}

// wipeDoomed deletes some faces of the first deleted collection, then some of its users, and with
// the last of those its tags and its row in doomed.
func wipeDoomed(t tx) (more bool, err error) {
	var c face.CollectionKey
	err = t.queryRow("SELECT collection_key FROM doomed ORDER BY collection_key LIMIT 1").Scan(&c)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, table := range []string{"faces", "users"} {
		result, err := t.exec("DELETE FROM "+table+" WHERE key IN (SELECT key FROM "+table+
			" WHERE collection_key = ? ORDER BY key LIMIT ?)", c, sweepFaces)
		if err != nil {
			return false, err
		}
		n, err := result.RowsAffected()
		if err != nil || n == sweepFaces {
			return true, err
		}
	}
	// A collection has few tags.
	if _, err := t.exec("DELETE FROM tags WHERE collection_key = ?", c); err != nil {
		return false, err
	}
	_, err = t.exec("DELETE FROM doomed WHERE collection_key = ?", c)
	return true, err
}

// giveBackPages truncates the file by some pages if too many are free.
func giveBackPages(t tx) (more bool, err error) {
	var free, all int
	if err := t.queryRow(
		"SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count").Scan(
		&free, &all); err != nil {
		return false, err
	}
	if free < sparePages || free < all/spareFraction {
		return false, nil
	}
	// It frees a page at each step and has to be read to its end.
	rows, err := t.query(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", sweepPages))
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return true, rows.Err()
}
