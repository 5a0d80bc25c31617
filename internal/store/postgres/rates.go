package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// takeFromBucket takes $4 tokens, or as many as there are, from the bucket $1 of $3 tokens that
// gets $2 a second. A bucket that is not there is full. It returns how many were taken, and in how
// many seconds the bucket is full.
//
// The time is that of the transaction's begin, so that all of the statement has the same. Who
// waited for the row may have an earlier time than the row has, which greatest sees to. As a
// timestamp has microseconds, a thousandth of a token may be missing.
const takeFromBucket = `INSERT INTO rate_buckets AS b (name, full_at, taken)
	VALUES ($1, now() + least($4::int, $3::int) / $2::float8 * interval '1 second',
		least($4::int, $3::int))
	ON CONFLICT (name) DO UPDATE SET
		full_at = greatest(b.full_at, now()) +
			` + inBucket + ` / $2::float8 * interval '1 second',
		taken = ` + inBucket + `
	RETURNING taken, extract(epoch FROM full_at - now())::float8`

const inBucket = `greatest(0, least($4::int, floor($3::int + 0.001 -
	$2::float8 * extract(epoch FROM greatest(b.full_at - now(), interval '0')))))::int`

// TakeTokens takes up to want tokens, 1 or more, from the bucket of this name, which holds at most
// burst tokens and gets perSecond, over 0, each second. It returns how many it took, and if none,
// after how long one will be there. The clock is the database's, and all servers share the bucket.
func (s *Store) TakeTokens(ctx context.Context, bucket string, perSecond float64, burst,
	want int) (taken int, wait time.Duration, err error) {
	var untilFull float64 // seconds
	// If the connection is lost after the commit, the repetition takes other tokens.
	err = s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, takeFromBucket, bucket, perSecond, burst, want).Scan(&taken,
			&untilFull)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("take tokens of a rate: %w", err)
	}
	if taken == 0 {
		missing := 1 - (float64(burst) - perSecond*untilFull) // tokens
		wait = time.Duration(max(0, missing/perSecond) * float64(time.Second))
	}
	return taken, wait, nil
}

// ForgetFullBuckets deletes the buckets that are full, which are equal to new ones.
func (s *Store) ForgetFullBuckets(ctx context.Context) error {
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DELETE FROM rate_buckets WHERE full_at < now()")
		return err
	})
	if err != nil {
		return fmt.Errorf("forget rates that are not used: %w", err)
	}
	return nil
}
