package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
)

const (
	// sweepFaces is how many faces, or users, of a deleted collection are wiped in one transaction:
	// some milliseconds of work.
	sweepFaces = 256

	// sweepInterval is how often a node looks for what others have left.
	sweepInterval = time.Minute

	sweepRetry = 10 * time.Second
)

// wakeSweeper makes the sweeper look for rows to delete.
func (s *Store) wakeSweeper() {
	select {
	case s.sweep <- struct{}{}:
	default: // it will run anyway
	}
}

// sweepAll deletes the rows of deleted collections, until ctx ends. It pauses after each step for
// as long as the step took.
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
		wake := s.sweep
		if more {
			wake = nil
		} else {
			rest = sweepInterval
		}
		select {
		case <-time.After(rest):
			if !more {
				if err := s.wipeAbandoned(ctx); err != nil && ctx.Err() == nil {
					s.log.Error("wiping imports that ended failed", "error", err)
				}
				if err := s.ForgetFullBuckets(ctx); err != nil && ctx.Err() == nil {
					s.log.Error("cleaning up the rates failed", "error", err)
				}
			}
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

// sweepOnce deletes some faces of a deleted collection, then some of its users, and with the last
// of those its tags and its row in doomed. Several nodes work on different collections.
func (s *Store) sweepOnce(ctx context.Context) (more bool, err error) {
	err = s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		more = false
		var c face.CollectionKey
		err := tx.QueryRow(ctx, "SELECT collection_key FROM doomed ORDER BY collection_key "+
			"LIMIT 1 FOR UPDATE SKIP LOCKED").Scan(&c)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		more = true
		for _, table := range []string{"faces", "users"} {
			tag, err := tx.Exec(ctx, "DELETE FROM "+table+
				" WHERE key = ANY (ARRAY (SELECT key FROM "+table+
				" WHERE collection_key = $1 LIMIT $2))", c, sweepFaces)
			if err != nil || tag.RowsAffected() == sweepFaces {
				return err
			}
		}
		// A collection has few tags.
		if _, err := tx.Exec(ctx, "DELETE FROM tags WHERE collection_key = $1", c); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM doomed WHERE collection_key = $1", c)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("sweep: %w", err)
	}
	return more, nil
}
