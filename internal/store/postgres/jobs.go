package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
	"github.com/recollect-dev/recollect/internal/videoface"
)

var _ videoface.Store = (*Store)(nil)

// discardedItems is how many items of a job are deleted in one transaction.
const discardedItems = 512

// clock is the time of the database server, which all nodes share: Unix time in milliseconds.
const clock = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

// CreateJob implements [job.Store].
func (s *Store) CreateJob(ctx context.Context, j job.Job, once recollect.Once,
	maxActive int) (id string, err error) {
	err = s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		id = j.ID
		// Others that start one in the realm are counted first, or count this one.
		if err := lockRealmOf(ctx, tx, j.Realm); err != nil {
			return err
		}
		if once.Token != "" {
			answer, repeated, err := recordedAnswer(ctx, tx.Conn(), once)
			if repeated || err != nil {
				id = string(answer)
				return err
			}
		}
		var full bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM jobs WHERE status = 0 AND "+
			"account = $1 AND region = $2 OFFSET $3 LIMIT 1)", j.Realm.Account, j.Realm.Region,
			maxActive-1).Scan(&full); err != nil {
			return err
		}
		if full {
			return record.TooManyJobsError()
		}
		if _, err := tx.Exec(ctx, `INSERT INTO jobs (id, account, region, kind, tag, topic,
			bucket, name, version, input, created_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, j.ID, j.Realm.Account,
			j.Realm.Region, j.Kind, j.Tag, j.Topic, j.Source.Bucket, j.Source.Name,
			j.Source.Version, append([]byte{}, j.Input...), j.Created.UnixMilli()); err != nil {
			return err
		}
		if once.Token == "" {
			return nil
		}
		return recordAnswer(ctx, tx.Conn(), once, []byte(j.ID))
	})
	if err != nil {
		return "", fmt.Errorf("create a job: %w", err)
	}
	return id, nil
}

// RepeatedJob implements [job.Store].
func (s *Store) RepeatedJob(ctx context.Context, once recollect.Once) (id string, ok bool,
	err error) {
	var answer []byte
	err = s.read(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		answer, ok, err = recordedAnswer(ctx, conn, once)
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("look for a repeated job: %w", err)
	}
	return string(answer), ok, nil
}

// Job implements [job.Store].
func (s *Store) Job(ctx context.Context, realm recollect.Realm, id string) (job.Job, error) {
	j, err := readOne(ctx, s, func(row record.Row) (job.Job, error) { return record.ScanJob(row) },
		"SELECT "+record.JobColumns+" FROM jobs WHERE id = $1 AND account = $2 AND region = $3", id,
		realm.Account, realm.Region)
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.NoJobError()
	}
	if err != nil {
		return job.Job{}, fmt.Errorf("read a job: %w", err)
	}
	return j, nil
}

// ClaimJob implements [job.Store].
func (s *Store) ClaimJob(ctx context.Context, lease time.Duration) (j job.Job, c job.Claim, ok bool,
	err error) {
	err = s.transact(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		j, err = record.ScanJob(tx.QueryRow(ctx, `UPDATE jobs SET claim = claim + 1,
			failures = failures + claimed, claimed = 1, progress = 0, due_ms = `+clock+` + $1
			WHERE key = (SELECT key FROM jobs WHERE status = 0 AND due_ms <= `+clock+`
				ORDER BY key LIMIT 1 FOR UPDATE SKIP LOCKED)
			RETURNING `+record.JobColumns+", claim, failures", lease.Milliseconds()), &c.Number,
			&c.Failures)
		if ok = !errors.Is(err, pgx.ErrNoRows); !ok {
			return nil
		}
		c.Job = j.Key
		return err
	})
	if err != nil {
		return job.Job{}, job.Claim{}, false, fmt.Errorf("claim a job: %w", err)
	}
	return j, c, ok, nil
}

// isMine holds for the job of a claim that has not ended: $1 is the key of the job and $2 the
// number of the claim.
const isMine = "key = $1 AND claim = $2 AND claimed = 1 AND status = 0"

// changeJob makes a change of the job of a claim: set is what is assigned, of args from $3 on.
func (s *Store) changeJob(ctx context.Context, what string, c job.Claim, set string,
	args ...any) error {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE jobs SET "+set+" WHERE "+isMine,
			append([]any{c.Job, c.Number}, args...)...)
		if err == nil && tag.RowsAffected() == 0 {
			err = job.ErrLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// RenewJob implements [job.Store].
func (s *Store) RenewJob(ctx context.Context, c job.Claim, progress float32,
	lease time.Duration) error {
	return s.changeJob(ctx, "renew the claim on a job", c,
		"progress = $3, due_ms = "+clock+" + $4", progress, lease.Milliseconds())
}

// DescribeJob implements [job.Store].
func (s *Store) DescribeJob(ctx context.Context, c job.Claim, summary []byte) error {
	return s.changeJob(ctx, "describe a job", c, "summary = $3", summary)
}

// ReleaseJob implements [job.Store].
func (s *Store) ReleaseJob(ctx context.Context, c job.Claim, pause time.Duration,
	failed bool) error {
	failures := 0
	if failed {
		failures = 1
	}
	return s.changeJob(ctx, "release a job", c,
		"claimed = 0, failures = failures + $3, due_ms = "+clock+" + $4", failures,
		pause.Milliseconds())
}

// FinishJob implements [job.Store].
func (s *Store) FinishJob(ctx context.Context, c job.Claim, o job.Outcome) error {
	return s.changeJob(ctx, "finish a job", c,
		`claimed = 0, progress = 1, status = $3, message = $4, finished_ms = $5,
		announce_ms = CASE WHEN topic <> '' THEN 0 END`, record.JobStatus(o.Status), o.Message,
		o.At.UnixMilli())
}

// onClaim makes a change for the job of a claim that has not ended, and does not end meanwhile.
func (s *Store) onClaim(ctx context.Context, what string, c job.Claim,
	apply func(context.Context, pgx.Tx) error) error {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var mine int
		err := tx.QueryRow(ctx, "SELECT 1 FROM jobs WHERE "+isMine+" FOR SHARE", c.Job,
			c.Number).Scan(&mine)
		if errors.Is(err, pgx.ErrNoRows) {
			return job.ErrLost
		}
		if err != nil {
			return err
		}
		return apply(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// AddItems implements [job.Store].
func (s *Store) AddItems(ctx context.Context, c job.Claim, items []job.Item) error {
	return s.onClaim(ctx, "store results of a job", c, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"job_items"},
			[]string{"job_key", "seq", "sort_key", "body"},
			pgx.CopyFromSlice(len(items), func(i int) ([]any, error) {
				item := items[i]
				return []any{int64(c.Job), item.Seq, append([]byte{}, item.Key...),
					append([]byte{}, item.Body...)}, nil
			}))
		return err
	})
}

// DiscardItems implements [job.Store].
func (s *Store) DiscardItems(ctx context.Context, c job.Claim) (more bool, err error) {
	err = s.onClaim(ctx, "delete results of a job", c,
		func(ctx context.Context, tx pgx.Tx) (err error) {
			more, err = discardItems(ctx, tx, c.Job)
			return err
		})
	return more, err
}

// discardItems deletes some of what is stored for a job.
func discardItems(ctx context.Context, tx pgx.Tx, k job.Key) (more bool, err error) {
	for _, table := range []string{"job_matches", "job_items"} {
		tag, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE ctid = ANY (ARRAY (SELECT ctid FROM "+
			table+" WHERE job_key = $1 LIMIT $2))", k, discardedItems)
		if err != nil || tag.RowsAffected() == discardedItems {
			return true, err
		}
	}
	return false, nil
}

// Items implements [job.Store].
func (s *Store) Items(ctx context.Context, k job.Key, o job.Order, after int64,
	limit int) ([]job.Item, error) {
	if limit <= 0 {
		return nil, nil
	}
	where, order := "seq > $2", "seq"
	if o == job.ByKey {
		order = "sort_key, seq"
		if after >= 0 {
			where = "(sort_key, seq) > (SELECT sort_key, seq FROM job_items WHERE job_key = $1 " +
				"AND seq = $2)"
		}
	}
	items, err := readAll(ctx, s, record.ScanItem, "SELECT seq, sort_key, body FROM job_items "+
		"WHERE job_key = $1 AND "+where+" ORDER BY "+order+" LIMIT $3", k, max(after, -1), limit)
	if err != nil {
		return nil, fmt.Errorf("read results of a job: %w", err)
	}
	return items, nil
}

// DueAnnouncement implements [job.Store].
func (s *Store) DueAnnouncement(ctx context.Context, pause time.Duration) (j job.Job, attempt int,
	ok bool, err error) {
	err = s.transact(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		j, err = record.ScanJob(tx.QueryRow(ctx, `UPDATE jobs SET announcements = announcements + 1,
			announce_ms = `+clock+` + $1
			WHERE key = (SELECT key FROM jobs WHERE announce_ms <= `+clock+`
				ORDER BY announce_ms, key LIMIT 1 FOR UPDATE SKIP LOCKED)
			RETURNING `+record.JobColumns+", announcements", pause.Milliseconds()), &attempt)
		if ok = !errors.Is(err, pgx.ErrNoRows); !ok {
			return nil
		}
		return err
	})
	if err != nil {
		return job.Job{}, 0, false, fmt.Errorf("look for a job to announce: %w", err)
	}
	return j, attempt, ok, nil
}

// PutOffAnnouncement implements [job.Store].
func (s *Store) PutOffAnnouncement(ctx context.Context, k job.Key, pause time.Duration) error {
	return s.setAnnouncement(ctx, clock+" + $2", k, pause.Milliseconds())
}

// EndAnnouncement implements [job.Store].
func (s *Store) EndAnnouncement(ctx context.Context, k job.Key) error {
	return s.setAnnouncement(ctx, "NULL", k)
}

func (s *Store) setAnnouncement(ctx context.Context, at string, args ...any) error {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE jobs SET announce_ms = "+at+
			" WHERE key = $1 AND announce_ms IS NOT NULL", args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the announcement of a job: %w", err)
	}
	return nil
}

// DeleteFinishedJob implements [job.Store].
func (s *Store) DeleteFinishedJob(ctx context.Context, before time.Time) (more bool, err error) {
	err = s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		more = false
		var k job.Key
		err := tx.QueryRow(ctx, "SELECT key FROM jobs WHERE finished_ms < $1 "+
			"ORDER BY finished_ms, key LIMIT 1 FOR UPDATE SKIP LOCKED",
			before.UnixMilli()).Scan(&k)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		more = true
		if more, err := discardItems(ctx, tx, k); err != nil || more {
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM jobs WHERE key = $1", k)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delete an old job: %w", err)
	}
	return more, nil
}

// AddMatches implements [videoface.Store].
func (s *Store) AddMatches(ctx context.Context, c job.Claim, track int64,
	matches []videoface.Match) error {
	keys, similarities := make([]int64, len(matches)), make([]float32, len(matches))
	for i, m := range matches {
		keys[i], similarities[i] = int64(m.Face), m.Similarity
	}
	return s.onClaim(ctx, "store matches of a job", c, func(ctx context.Context, tx pgx.Tx) error {
		// A face that was deleted meanwhile is left out, and the others are not deleted before the
		// end of the transaction.
		_, err := tx.Exec(ctx, `WITH there AS (SELECT key FROM faces WHERE key = ANY ($3::bigint[])
				ORDER BY key FOR KEY SHARE)
			INSERT INTO job_matches (job_key, track, position, face_key, similarity)
			SELECT $1, $2, position - 1, key, similarity FROM there
			JOIN unnest($3::bigint[], $4::real[]) WITH ORDINALITY
				AS m (face, similarity, position) ON face = key`, c.Job, track, keys, similarities)
		return err
	})
}

// Matches implements [videoface.Store].
func (s *Store) Matches(ctx context.Context, k job.Key,
	tracks []int64) (map[int64][]videoface.Match, error) {
	all, err := readAll(ctx, s, record.ScanTrackMatch,
		"SELECT track, face_key, similarity FROM job_matches WHERE job_key = $1 AND "+
			"track = ANY ($2) ORDER BY track, position", k, tracks)
	if err != nil {
		return nil, fmt.Errorf("read matches of a job: %w", err)
	}
	return record.MatchesByTrack(all), nil
}
