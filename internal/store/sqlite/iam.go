package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// Identities is the store of users, access keys and policies, in the same file.
type Identities struct {
	store *Store
}

var (
	_ iam.Store       = Identities{}
	_ iam.SecretStore = Identities{}
)

// Identities returns the store of users, access keys and policies.
func (s *Store) Identities() Identities { return Identities{s} }

// keyColumns are what [record.ScanKey] reads.
const keyColumns = "k.id, k.account, k.user_name, k.sealed_secret, k.active, k.created_ms"

func scanKey(row record.Row) (iam.KeyRecord, error) { return record.ScanKey(row) }

// CreateUser implements [iam.Store].
func (i Identities) CreateUser(ctx context.Context, u iam.User) error {
	err := i.changeOne(ctx, iam.ErrExists,
		"INSERT INTO iam_users (account, name, id, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO "+
			"NOTHING",
		u.Account, u.Name, u.ID, u.CreatedAt.UnixMilli())
	if err != nil {
		return fmt.Errorf("create an IAM user: %w", err)
	}
	return nil
}

// User implements [iam.Store].
func (i Identities) User(ctx context.Context, account, name string) (iam.User, error) {
	u, err := record.ScanIdentity(i.store.readers.QueryRowContext(ctx,
		"SELECT "+identityColumns+" FROM iam_users u WHERE account = ? AND name = ?",
		account, name))
	if err != nil {
		return iam.User{}, fmt.Errorf("read an IAM user: %w", orNotFound(err))
	}
	return u, nil
}

// Users implements [iam.Store].
func (i Identities) Users(ctx context.Context, account string) ([]iam.User, error) {
	rows, err := i.store.readers.QueryContext(ctx,
		"SELECT "+identityColumns+
			" FROM iam_users u WHERE account = ?1 OR ?1 = '' ORDER BY account, name", account)
	users, err := collect(rows, err, record.ScanIdentity)
	if err != nil {
		return nil, fmt.Errorf("list IAM users: %w", err)
	}
	return users, nil
}

// DeleteUser implements [iam.Store].
func (i Identities) DeleteUser(ctx context.Context, account, name string) error {
	if err := i.changeOne(ctx, iam.ErrNotFound,
		"DELETE FROM iam_users WHERE account = ? AND name = ?", account, name); err != nil {
		return fmt.Errorf("delete an IAM user: %w", err)
	}
	return nil
}

// PutUserPolicy implements [iam.Store].
func (i Identities) PutUserPolicy(ctx context.Context, account, user string, p iam.PolicyDocument,
	limit int) error {
	err := i.store.writer.do(ctx, func(t tx) error {
		if err := t.userExists(account, user); err != nil {
			return err
		}
		var others int
		err := t.queryRow(
			"SELECT count(*) FROM iam_user_policies WHERE account = ? AND user_name = ? AND name "+
				"<> ?",
			account, user, p.Name).Scan(&others)
		if err != nil {
			return err
		}
		if others >= limit {
			return iam.ErrLimit
		}
		_, err = t.exec(
			"INSERT OR REPLACE INTO iam_user_policies (account, user_name, name, document) VALUES "+
				"(?, ?, ?, ?)",
			account, user, p.Name, p.Document)
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
	rows, err := i.store.readers.QueryContext(ctx,
		"SELECT name, document FROM iam_user_policies WHERE account = ? AND user_name = ? ORDER "+
			"BY name", account, user)
	policies, err := collect(rows, err, record.ScanPolicy)
	if err != nil {
		return nil, fmt.Errorf("list IAM policies: %w", err)
	}
	return policies, nil
}

// DeleteUserPolicy implements [iam.Store].
func (i Identities) DeleteUserPolicy(ctx context.Context, account, user, name string) error {
	err := i.changeOne(ctx, iam.ErrNotFound,
		"DELETE FROM iam_user_policies WHERE account = ? AND user_name = ? AND name = ?", account,
		user, name)
	if err != nil {
		return fmt.Errorf("detach an IAM policy: %w", err)
	}
	return nil
}

// CreateKey implements [iam.Store].
func (i Identities) CreateKey(ctx context.Context, k iam.KeyRecord, limit int) error {
	err := i.store.writer.do(ctx, func(t tx) error {
		if err := t.userExists(k.Account, k.UserName); err != nil {
			return err
		}
		var keys int
		err := t.queryRow(
			"SELECT count(*) FROM iam_access_keys WHERE account = ? AND user_name = ?", k.Account,
			k.UserName).Scan(&keys)
		if err != nil {
			return err
		}
		if keys >= limit {
			return iam.ErrLimit
		}
		result, err := t.exec(
			`INSERT INTO iam_access_keys
			(id, account, user_name, sealed_secret, active, created_ms)
			VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`,
			k.ID, k.Account, k.UserName, k.SealedSecret, k.Active, k.CreatedAt.UnixMilli())
		return changedOne(result, err, iam.ErrExists)
	})
	if err != nil {
		return fmt.Errorf("create an access key: %w", err)
	}
	return nil
}

// Key implements [iam.Store].
func (i Identities) Key(ctx context.Context, id string) (iam.KeyRecord, iam.User, error) {
	found, err := record.ScanOwnedKey(i.store.readers.QueryRowContext(ctx,
		"SELECT "+keyColumns+", "+identityColumns+
			" FROM iam_access_keys k JOIN iam_users u ON u.account = k.account AND u.name = "+
			"k.user_name WHERE k.id = ?", id))
	if err != nil {
		return iam.KeyRecord{}, iam.User{}, fmt.Errorf("read an access key: %w", orNotFound(err))
	}
	return found.Key, found.Owner, nil
}

// Keys implements [iam.Store].
func (i Identities) Keys(ctx context.Context, account, user string) ([]iam.KeyRecord, error) {
	rows, err := i.store.readers.QueryContext(ctx,
		"SELECT "+keyColumns+
			" FROM iam_access_keys k WHERE account = ? AND user_name = ? ORDER BY created_ms, id",
		account, user)
	keys, err := collect(rows, err, scanKey)
	if err != nil {
		return nil, fmt.Errorf("list access keys: %w", err)
	}
	return keys, nil
}

// SetKeyActive implements [iam.Store].
func (i Identities) SetKeyActive(ctx context.Context, id string, active bool) error {
	if err := i.changeOne(ctx, iam.ErrNotFound,
		"UPDATE iam_access_keys SET active = ? WHERE id = ?", active, id); err != nil {
		return fmt.Errorf("change an access key: %w", err)
	}
	return nil
}

// DeleteKey implements [iam.Store].
func (i Identities) DeleteKey(ctx context.Context, id string) error {
	if err := i.changeOne(ctx, iam.ErrNotFound, "DELETE FROM iam_access_keys WHERE id = ?",
		id); err != nil {
		return fmt.Errorf("delete an access key: %w", err)
	}
	return nil
}

// changeOne runs a statement that changes one row, and returns otherwise if it changes none.
func (i Identities) changeOne(ctx context.Context, otherwise error, statement string,
	args ...any) error {
	return i.store.writer.do(ctx, func(t tx) error {
		result, err := t.exec(statement, args...)
		return changedOne(result, err, otherwise)
	})
}

func changedOne(result sql.Result, err, otherwise error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = otherwise
	}
	return err
}

// userExists returns iam.ErrNotFound if there is no such user.
func (t tx) userExists(account, name string) error {
	var one int
	return orNotFound(t.queryRow("SELECT 1 FROM iam_users WHERE account = ? AND name = ?", account,
		name).Scan(&one))
}

func orNotFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return iam.ErrNotFound
	}
	return err
}
