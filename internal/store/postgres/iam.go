package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// Identities is the store of users, access keys and policies, in the same database.
type Identities struct {
	store *Store
}

var (
	_ iam.Store       = Identities{}
	_ iam.SharedStore = Identities{}
)

// Identities returns the store of users, access keys and policies.
func (s *Store) Identities() Identities { return Identities{s} }

const (
	// keyColumns are what [record.ScanKey] reads.
	keyColumns = "k.id, k.account, u.name, k.sealed_secret, k.active, k.created_ms"

	keysWithUsers = " FROM iam_access_keys k JOIN iam_users u ON u.account = k.account " +
		"AND u.folded = k.user_folded"
)

func scanKey(row record.Row) (iam.KeyRecord, error) { return record.ScanKey(row) }

// CreateUser implements [iam.Store].
func (i Identities) CreateUser(ctx context.Context, u iam.User) error {
	err := i.changeOne(ctx, iam.ErrExists,
		"INSERT INTO iam_users (account, name, id, created_ms) VALUES ($1, $2, $3, $4) "+
			"ON CONFLICT DO NOTHING", u.Account, u.Name, u.ID, u.CreatedAt.UnixMilli())
	if err != nil {
		return fmt.Errorf("create an IAM user: %w", err)
	}
	return nil
}

// User implements [iam.Store].
func (i Identities) User(ctx context.Context, account, name string) (iam.User, error) {
	u, err := readOne(ctx, i.store, record.ScanIdentity, "SELECT "+record.IdentityColumns+
		" FROM iam_users u WHERE account = $1 AND folded = lower($2)", account, name)
	if err != nil {
		return iam.User{}, fmt.Errorf("read an IAM user: %w", orNotFound(err))
	}
	return u, nil
}

// Users implements [iam.Store].
func (i Identities) Users(ctx context.Context, account string) ([]iam.User, error) {
	users, err := readAll(ctx, i.store, record.ScanIdentity, "SELECT "+record.IdentityColumns+
		" FROM iam_users u WHERE account = $1 OR $1 = '' ORDER BY account, folded", account)
	if err != nil {
		return nil, fmt.Errorf("list IAM users: %w", err)
	}
	return users, nil
}

// DeleteUser implements [iam.Store].
func (i Identities) DeleteUser(ctx context.Context, account, name string) error {
	if err := i.changeOne(ctx, iam.ErrNotFound,
		"DELETE FROM iam_users WHERE account = $1 AND folded = lower($2)", account,
		name); err != nil {
		return fmt.Errorf("delete an IAM user: %w", err)
	}
	return nil
}

// PutUserPolicy implements [iam.Store].
func (i Identities) PutUserPolicy(ctx context.Context, account, user string, p iam.PolicyDocument,
	limit int) error {
	err := i.changeUser(ctx, account, user, func(ctx context.Context, tx pgx.Tx) error {
		var others int
		err := tx.QueryRow(ctx, `SELECT count(*) FROM iam_user_policies
			WHERE account = $1 AND user_folded = lower($2) AND folded <> lower($3)`, account, user,
			p.Name).Scan(&others)
		if err != nil {
			return err
		}
		if others >= limit {
			return iam.ErrLimit
		}
		_, err = tx.Exec(ctx,
			`INSERT INTO iam_user_policies (account, user_folded, name, document)
			VALUES ($1, lower($2), $3, $4) ON CONFLICT (account, user_folded, folded)
			DO UPDATE SET name = $3, document = $4`, account, user, p.Name, p.Document)
		return err
	})
	if err != nil {
		return fmt.Errorf("attach an IAM policy: %w", err)
	}
	return nil
}

// UserPolicies implements [iam.Store].
func (i Identities) UserPolicies(ctx context.Context, account, user string) ([]iam.PolicyDocument,
	error) {
	policies, err := readAll(ctx, i.store, record.ScanPolicy,
		`SELECT name, document FROM iam_user_policies
		WHERE account = $1 AND user_folded = lower($2) ORDER BY folded`, account, user)
	if err != nil {
		return nil, fmt.Errorf("list IAM policies: %w", err)
	}
	return policies, nil
}

// DeleteUserPolicy implements [iam.Store].
func (i Identities) DeleteUserPolicy(ctx context.Context, account, user, name string) error {
	err := i.changeOne(ctx, iam.ErrNotFound, `DELETE FROM iam_user_policies
		WHERE account = $1 AND user_folded = lower($2) AND folded = lower($3)`, account, user, name)
	if err != nil {
		return fmt.Errorf("detach an IAM policy: %w", err)
	}
	return nil
}

// CreateKey implements [iam.Store].
func (i Identities) CreateKey(ctx context.Context, k iam.KeyRecord, limit int) error {
	err := i.changeUser(ctx, k.Account, k.UserName, func(ctx context.Context, tx pgx.Tx) error {
		var keys int
		err := tx.QueryRow(ctx, "SELECT count(*) FROM iam_access_keys "+
			"WHERE account = $1 AND user_folded = lower($2)", k.Account, k.UserName).Scan(&keys)
		if err != nil {
			return err
		}
		if keys >= limit {
			return iam.ErrLimit
		}
		tag, err := tx.Exec(ctx, `INSERT INTO iam_access_keys
			(id, account, user_folded, sealed_secret, active, created_ms)
			VALUES ($1, $2, lower($3), $4, $5, $6) ON CONFLICT DO NOTHING`, k.ID, k.Account,
			k.UserName, k.SealedSecret, k.Active, k.CreatedAt.UnixMilli())
		return changedOne(tag, err, iam.ErrExists)
	})
	if err != nil {
		return fmt.Errorf("create an access key: %w", err)
	}
	return nil
}

// Key implements [iam.Store].
func (i Identities) Key(ctx context.Context, id string) (iam.KeyRecord, iam.User, error) {
	found, err := readOne(ctx, i.store, record.ScanOwnedKey, "SELECT "+keyColumns+", "+
		record.IdentityColumns+keysWithUsers+" WHERE k.id = $1", id)
	if err != nil {
		return iam.KeyRecord{}, iam.User{}, fmt.Errorf("read an access key: %w", orNotFound(err))
	}
	return found.Key, found.Owner, nil
}

// Keys implements [iam.Store].
func (i Identities) Keys(ctx context.Context, account, user string) ([]iam.KeyRecord, error) {
	keys, err := readAll(ctx, i.store, scanKey, "SELECT "+keyColumns+keysWithUsers+
		" WHERE u.account = $1 AND u.folded = lower($2) ORDER BY k.created_ms, k.id", account, user)
	if err != nil {
		return nil, fmt.Errorf("list access keys: %w", err)
	}
	return keys, nil
}

// SetKeyActive implements [iam.Store].
func (i Identities) SetKeyActive(ctx context.Context, id string, active bool) error {
	if err := i.changeOne(ctx, iam.ErrNotFound,
		"UPDATE iam_access_keys SET active = $1 WHERE id = $2", active, id); err != nil {
		return fmt.Errorf("change an access key: %w", err)
	}
	return nil
}

// DeleteKey implements [iam.Store].
func (i Identities) DeleteKey(ctx context.Context, id string) error {
	if err := i.changeOne(ctx, iam.ErrNotFound, "DELETE FROM iam_access_keys WHERE id = $1",
		id); err != nil {
		return fmt.Errorf("delete an access key: %w", err)
	}
	return nil
}

// changeOne runs a statement that changes one row, and returns otherwise if it changes none.
func (i Identities) changeOne(ctx context.Context, otherwise error, statement string,
	args ...any) error {
	return i.store.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, statement, args...)
		return changedOne(tag, err, otherwise)
	})
}

func changedOne(tag pgconn.CommandTag, err, otherwise error) error {
	if err == nil && tag.RowsAffected() == 0 {
		err = otherwise
	}
	return err
}

// changeUser calls change in a transaction that has locked a user, so that what the user has can be
// counted. iam.ErrNotFound if there is no such user.
func (i Identities) changeUser(ctx context.Context, account, name string,
	change func(context.Context, pgx.Tx) error) error {
	return i.store.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var one int
		err := tx.QueryRow(ctx, "SELECT 1 FROM iam_users WHERE account = $1 "+
			"AND folded = lower($2) FOR NO KEY UPDATE", account, name).Scan(&one)
		if err != nil {
			return orNotFound(err)
		}
		return change(ctx, tx)
	})
}

func orNotFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return iam.ErrNotFound
	}
	return err
}
