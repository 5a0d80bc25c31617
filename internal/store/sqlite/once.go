package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// purgeAnswers is how many expired answers go with each one that is recorded. As it is more than
// one, they do not pile up.
const purgeAnswers = 4

// doOnce applies a change and records its answer, in one transaction. If the call is repeated, it
// does neither and returns the answer recorded. What apply sets is the caller's after a nil error.
func (s *Store) doOnce(ctx context.Context, once recollect.Once,
	apply func(tx) (answer []byte, err error)) (answer []byte, err error) {
	err = s.writer.do(ctx, func(t tx) (err error) {
		if once.Token == "" {
			answer, err = apply(t)
			return err
		}
		var repeated bool
		if answer, repeated, err = recordedAnswer(t, once); repeated || err != nil {
			return err
		}
		if answer, err = apply(t); err != nil {
			return err
		}
		return recordAnswer(t, once, answer)
	})
	return answer, err
}

// recordedAnswerQuery reads what answerOf takes.
const recordedAnswerQuery = "SELECT digest, answer FROM answers WHERE account = ? AND region = ? " +
	"AND operation = ? AND token = ? AND expires_ms > ?"

func recordedAnswerArgs(once recollect.Once) []any {
	return []any{once.Realm.Account, once.Realm.Region, once.Operation, once.Token,
		once.Now.UnixMilli()}
}

// recordedAnswer returns the answer of the call, if it has been made.
func recordedAnswer(t tx, once recollect.Once) (answer []byte, ok bool, err error) {
	return answerOf(t.queryRow(recordedAnswerQuery, recordedAnswerArgs(once)...), once)
}

// answerOf returns the answer of a row of recordedAnswerQuery, if there is one.
func answerOf(row record.Row, once recollect.Once) (answer []byte, ok bool, err error) {
	var digest []byte
	err = row.Scan(&digest, &answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case !bytes.Equal(digest, once.Digest[:]):
		return nil, false, once.MismatchError()
	}
	return answer, true, nil
}

// recordAnswer keeps the answer of a call, in place of one with the same token that has expired.
func recordAnswer(t tx, once recollect.Once, answer []byte) error {
	_, err := t.exec(
		"DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE expires_ms <= ? "+
			"ORDER BY expires_ms LIMIT ?)",
		once.Now.UnixMilli(), purgeAnswers)
	if err != nil {
		return err
	}
	_, err = t.exec(
		`INSERT OR REPLACE INTO answers
		(account, region, operation, token, digest, answer, expires_ms)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		once.Realm.Account, once.Realm.Region, once.Operation, once.Token, once.Digest[:],
		append([]byte{}, answer...), once.Expires.UnixMilli())
	return err
}
