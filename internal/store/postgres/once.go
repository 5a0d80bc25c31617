package postgres

import (
	"bytes"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// purgeAnswers is how many expired answers go with each one that is recorded. As it is more than
// one, they do not pile up.
const purgeAnswers = 4

// doOnce applies a change of a collection and records its answer, in one transaction. If the call
// is repeated, it does neither and returns the answer recorded. What apply sets is the caller's
// after a nil error.
func (s *Store) doOnce(ctx context.Context, c face.CollectionKey, once recollect.Once,
	apply func(context.Context, *locked) (answer []byte, err error)) (answer []byte, err error) {
	err = s.groups.do(ctx, c, &change{apply: func(ctx context.Context, l *locked) (err error) {
		if once.Token == "" {
			answer, err = apply(ctx, l)
			return err
		}
		var repeated bool
		if answer, repeated, err = recordedAnswer(ctx, l.conn, once); repeated || err != nil {
			return err
		}
		if answer, err = apply(ctx, l); err != nil {
			return err
		}
		return recordAnswer(ctx, l.conn, once, answer)
	}})
	return answer, err
}

// recordedAnswer returns the answer of the call, if it has been made.
func recordedAnswer(ctx context.Context, conn *pgx.Conn, once recollect.Once) (answer []byte,
	ok bool, err error) {
	var digest []byte
	err = conn.QueryRow(ctx, `SELECT digest, answer FROM answers WHERE account = $1 AND region = $2
		AND operation = $3 AND token = $4 AND expires_ms > $5`, once.Realm.Account,
		once.Realm.Region, once.Operation, once.Token, once.Now.UnixMilli()).Scan(&digest, &answer)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case !bytes.Equal(digest, once.Digest[:]):
		return nil, false, once.MismatchError()
	}
	return answer, true, nil
}

// recordAnswer keeps the answer of a call, in place of one with the same token that has expired.
// errRepeat if one that has not is there: a call on another collection recorded it meanwhile.
func recordAnswer(ctx context.Context, conn *pgx.Conn, once recollect.Once, answer []byte) error {
	_, err := conn.Exec(ctx, `DELETE FROM answers WHERE ctid = ANY (ARRAY (SELECT ctid FROM answers
		WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2 FOR UPDATE SKIP LOCKED))`,
		once.Now.UnixMilli(), purgeAnswers)
	if err != nil {
		return err
	}
	tag, err := conn.Exec(ctx, `INSERT INTO answers
		(account, region, operation, token, digest, answer, expires_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, region, operation, token)
		DO UPDATE SET digest = $5, answer = $6, expires_ms = $7 WHERE answers.expires_ms <= $8`,
		once.Realm.Account, once.Realm.Region, once.Operation, once.Token, once.Digest[:],
		append([]byte{}, answer...), once.Expires.UnixMilli(), once.Now.UnixMilli())
	if err == nil && tag.RowsAffected() == 0 {
		err = errRepeat
	}
	return err
}
