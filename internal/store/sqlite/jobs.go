package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
	"github.com/recollect-dev/recollect/internal/videoface"
)

var _ videoface.Store = (*Store)(nil)

// discardedItems is how many items of a job are deleted in one transaction, which takes some
// milliseconds.
const discardedItems = 512

// CreateJob implements [job.Store].
func (s *Store) CreateJob(ctx context.Context, j job.Job, once recollect.Once,
	maxActive int) (string, error) {
	id, err := s.doOnce(ctx, once, func(t tx) ([]byte, error) {
		var full bool
		if err := t.queryRow("SELECT EXISTS (SELECT 1 FROM jobs WHERE status = 0 AND account = ? "+
			"AND region = ? LIMIT 1 OFFSET ?)", j.Realm.Account, j.Realm.Region,
			maxActive-1).Scan(&full); err != nil {
			return nil, err
		}
		if full {
			return nil, record.TooManyJobsError()
		}
		_, err := t.exec(`INSERT INTO jobs (id, account, region, kind, tag, topic, bucket, name,
			version, input, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, j.ID,
			j.Realm.Account, j.Realm.Region, j.Kind, j.Tag, j.Topic, j.Source.Bucket, j.Source.Name,
			j.Source.Version, append([]byte{}, j.Input...), j.Created.UnixMilli())
		return []byte(j.ID), err
	})
	if err != nil {
		return "", fmt.Errorf("create a job: %w", err)
	}
	return string(id), nil
}

// RepeatedJob implements [job.Store].
func (s *Store) RepeatedJob(ctx context.Context, once recollect.Once) (id string, ok bool,
	err error) {
	answer, ok, err := answerOf(s.readers.QueryRowContext(ctx, recordedAnswerQuery,
		recordedAnswerArgs(once)...), once)
	if err != nil {
		return "", false, fmt.Errorf("look for a repeated job: %w", err)
	}
	return string(answer), ok, nil
}

// Job implements [job.Store].
func (s *Store) Job(ctx context.Context, realm recollect.Realm, id string) (job.Job, error) {
	j, err := record.ScanJob(s.readers.QueryRowContext(ctx, "SELECT "+record.JobColumns+
		" FROM jobs WHERE id = ? AND account = ? AND region = ?", id, realm.Account, realm.Region))
	if errors.Is(err, sql.ErrNoRows) {
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
	// Most of the time there is none, which a reader sees.
	const due = "FROM jobs WHERE status = 0 AND due_ms <= ?"
	if ok, err = s.exists(ctx, due); err != nil || !ok {
		return job.Job{}, job.Claim{}, false, err
	}
	err = s.writer.do(ctx, func(t tx) (err error) {
		now := time.Now()
		j, err = record.ScanJob(t.queryRow(`UPDATE jobs SET claim = claim + 1,
			failures = failures + claimed, claimed = 1, progress = 0, due_ms = ?
			WHERE key = (SELECT key `+due+" ORDER BY key LIMIT 1) RETURNING "+record.JobColumns+
			", claim, failures", now.Add(lease).UnixMilli(), now.UnixMilli()), &c.Number,
			&c.Failures)
		if ok = !errors.Is(err, sql.ErrNoRows); !ok {
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

// exists reports whether there is a row of a query that has the present time as its argument.
func (s *Store) exists(ctx context.Context, from string) (ok bool, err error) {
	err = s.readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 "+from+")",
		time.Now().UnixMilli()).Scan(&ok)
	if err != nil {
		return false, fmt.Errorf("look for a job: %w", err)
	}
	return ok, nil
}

// giveUpClaims makes the jobs that were run by a process which ended due: no other process can run
// them, since the folder is locked.
func (s *Store) giveUpClaims(ctx context.Context) error {
	return s.writer.do(ctx, func(t tx) error {
		_, err := t.exec("UPDATE jobs SET due_ms = 0 WHERE status = 0 AND claimed = 1")
		return err
	})
}

// isMine holds for the job of a claim that has not ended. Its arguments are the key of the job and
// the number of the claim.
const isMine = "key = ? AND claim = ? AND claimed = 1 AND status = 0"

// changeJob makes a change of the job of a claim: set is what is assigned.
func (s *Store) changeJob(ctx context.Context, what string, c job.Claim, set string,
	args ...any) error {
	err := s.writer.do(ctx, func(t tx) error {
		result, err := t.exec("UPDATE jobs SET "+set+" WHERE "+isMine,
			append(args, c.Job, c.Number)...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return job.ErrLost
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// RenewJob implements [job.Store].
func (s *Store) RenewJob(ctx context.Context, c job.Claim, progress float32,
	lease time.Duration) error {
	return s.changeJob(ctx, "renew the claim on a job", c, "progress = ?, due_ms = ?",
		float64(progress), time.Now().Add(lease).UnixMilli())
}

// DescribeJob implements [job.Store].
func (s *Store) DescribeJob(ctx context.Context, c job.Claim, summary []byte) error {
	return s.changeJob(ctx, "describe a job", c, "summary = ?", summary)
}

// ReleaseJob implements [job.Store].
func (s *Store) ReleaseJob(ctx context.Context, c job.Claim, pause time.Duration,
	failed bool) error {
	return s.changeJob(ctx, "release a job", c, "claimed = 0, failures = failures + ?, due_ms = ?",
		failed, time.Now().Add(pause).UnixMilli())
}

// FinishJob implements [job.Store].
func (s *Store) FinishJob(ctx context.Context, c job.Claim, o job.Outcome) error {
	return s.changeJob(ctx, "finish a job", c,
		`claimed = 0, progress = 1, status = ?, message = ?, finished_ms = ?,
		announce_ms = CASE WHEN topic <> '' THEN 0 END`, record.JobStatus(o.Status), o.Message,
		o.At.UnixMilli())
}

// onClaim makes a change for the job of a claim that has not ended.
func (s *Store) onClaim(ctx context.Context, what string, c job.Claim,
	apply func(tx) error) error {
	err := s.writer.do(ctx, func(t tx) error {
		var mine bool
		if err := t.queryRow("SELECT EXISTS (SELECT 1 FROM jobs WHERE "+isMine+")", c.Job,
			c.Number).Scan(&mine); err != nil {
			return err
		}
		if !mine {
			return job.ErrLost
		}
		return apply(t)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// AddItems implements [job.Store].
func (s *Store) AddItems(ctx context.Context, c job.Claim, items []job.Item) error {
	return s.onClaim(ctx, "store results of a job", c, func(t tx) error {
		for _, item := range items {
			_, err := t.exec("INSERT INTO job_items (job_key, seq, sort_key, body) VALUES "+
				"(?, ?, ?, ?)", c.Job, item.Seq, append([]byte{}, item.Key...),
				append([]byte{}, item.Body...))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DiscardItems implements [job.Store].
func (s *Store) DiscardItems(ctx context.Context, c job.Claim) (more bool, err error) {
	err = s.onClaim(ctx, "delete results of a job", c, func(t tx) (err error) {
		more, err = discardItems(t, c.Job)
		return err
	})
	return more, err
}

// discardItems deletes some of what is stored for a job.
func discardItems(t tx, k job.Key) (more bool, err error) {
	for _, rows := range []struct{ table, columns string }{
		{"job_matches", "track, position"},
		{"job_items", "seq"},
	} {
		result, err := t.exec(fmt.Sprintf("DELETE FROM %[1]s WHERE job_key = ?1 AND (%[2]s) IN "+
			"(SELECT %[2]s FROM %[1]s WHERE job_key = ?1 LIMIT ?2)", rows.table, rows.columns), k,
			discardedItems)
		if err != nil {
			return false, err
		}
		if n, err := result.RowsAffected(); err != nil || n == discardedItems {
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
	where, order := "seq > ?2", "seq"
	if o == job.ByKey {
		order = "sort_key, seq"
		if after >= 0 {
			where = "(sort_key, seq) > (SELECT sort_key, seq FROM job_items WHERE job_key = ?1 " +
				"AND seq = ?2)"
		}
	}
	rows, err := s.readers.QueryContext(ctx, "SELECT seq, sort_key, body FROM job_items WHERE "+
		"job_key = ?1 AND "+where+" ORDER BY "+order+" LIMIT ?3", k, max(after, -1), limit)
	items, err := collect(rows, err, record.ScanItem)
	if err != nil {
		return nil, fmt.Errorf("read results of a job: %w", err)
	}
	return items, nil
}

// DueAnnouncement implements [job.Store].
func (s *Store) DueAnnouncement(ctx context.Context, pause time.Duration) (j job.Job, attempt int,
	ok bool, err error) {
	const due = "FROM jobs WHERE announce_ms <= ?"
	if ok, err = s.exists(ctx, due); err != nil || !ok {
		return job.Job{}, 0, false, err
	}
	err = s.writer.do(ctx, func(t tx) (err error) {
		now := time.Now()
		j, err = record.ScanJob(t.queryRow("UPDATE jobs SET announcements = announcements + 1, "+
			"announce_ms = ? WHERE key = (SELECT key "+due+" ORDER BY announce_ms, key LIMIT 1) "+
			"RETURNING "+record.JobColumns+", announcements", now.Add(pause).UnixMilli(),
			now.UnixMilli()), &attempt)
		if ok = !errors.Is(err, sql.ErrNoRows); !ok {
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
	return s.setAnnouncement(ctx, k, time.Now().Add(pause).UnixMilli())
}

// EndAnnouncement implements [job.Store].
func (s *Store) EndAnnouncement(ctx context.Context, k job.Key) error {
	return s.setAnnouncement(ctx, k, nil)
}

func (s *Store) setAnnouncement(ctx context.Context, k job.Key, at any) error {
	err := s.writer.do(ctx, func(t tx) error {
		_, err := t.exec("UPDATE jobs SET announce_ms = ? WHERE key = ? AND announce_ms IS NOT "+
			"NULL", at, k)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the announcement of a job: %w", err)
	}
	return nil
}

// DeleteFinishedJob implements [job.Store].
func (s *Store) DeleteFinishedJob(ctx context.Context, before time.Time) (more bool, err error) {
	const old = "FROM jobs WHERE finished_ms < ? ORDER BY finished_ms, key LIMIT 1"
	err = s.readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 "+old+")",
		before.UnixMilli()).Scan(&more)
	if err == nil && more {
		err = s.writer.do(ctx, func(t tx) error {
			var k job.Key
			err := t.queryRow("SELECT key "+old, before.UnixMilli()).Scan(&k)
			if errors.Is(err, sql.ErrNoRows) {
				more = false
				return nil
			}
			if err != nil {
				return err
			}
			if more, err := discardItems(t, k); err != nil || more {
				return err
			}
			_, err = t.exec("DELETE FROM jobs WHERE key = ?", k)
			return err
		})
	}
	if err != nil {
		return false, fmt.Errorf("delete an old job: %w", err)
	}
	if more {
		s.wakeSweeper() // pages may be free
	}
	return more, nil
}

// AddMatches implements [videoface.Store].
func (s *Store) AddMatches(ctx context.Context, c job.Claim, track int64,
	matches []videoface.Match) error {
	return s.onClaim(ctx, "store matches of a job", c, func(t tx) error {
		for i, m := range matches {
			// A face that was deleted meanwhile is left out.
			_, err := t.exec(`INSERT INTO job_matches (job_key, track, position, face_key,
				similarity) SELECT ?, ?, ?, key, ? FROM faces WHERE key = ?`, c.Job, track, i,
				float64(m.Similarity), m.Face)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Matches implements [videoface.Store].
func (s *Store) Matches(ctx context.Context, k job.Key,
	tracks []int64) (map[int64][]videoface.Match, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT track, face_key, similarity FROM job_matches "+
		"WHERE job_key = ? AND track IN (SELECT value FROM json_each(?)) ORDER BY track, position",
		k, toJSON(tracks))
	all, err := collect(rows, err, record.ScanTrackMatch)
	if err != nil {
		return nil, fmt.Errorf("read matches of a job: %w", err)
	}
	return record.MatchesByTrack(all), nil
}
