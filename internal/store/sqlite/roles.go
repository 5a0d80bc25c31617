package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/record"
)

var _ iam.RoleStore = Identities{}

const selectRole = "SELECT " + roleColumns +
	" FROM iam_roles WHERE account = ? AND name = ?"

// CreateRole implements [iam.RoleStore].
func (i Identities) CreateRole(ctx context.Context, r iam.Role) error {
	policies, err := record.EncodePolicies(r.Policies)
	if err == nil {
		err = i.changeOne(ctx, iam.ErrExists,
			"INSERT INTO iam_roles ("+roleColumns+
				") VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			r.Account, r.Name, r.ID, r.TrustPolicy, policies, int64(r.MaxSession/time.Second),
			r.CreatedAt.UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("create a role: %w", err)
	}
	return nil
}

// Role implements [iam.RoleStore].
func (i Identities) Role(ctx context.Context, account, name string) (iam.Role, error) {
	r, err := record.ScanRole(i.store.readers.QueryRowContext(ctx, selectRole, account, name))
	if err != nil {
		return iam.Role{}, fmt.Errorf("read a role: %w", orNotFound(err))
	}
	return r, nil
}

// Roles implements [iam.RoleStore].
func (i Identities) Roles(ctx context.Context, account string) ([]iam.Role, error) {
	rows, err := i.store.readers.QueryContext(ctx,
		"SELECT "+roleColumns+
			" FROM iam_roles WHERE account = ?1 OR ?1 = '' ORDER BY account, name", account)
	roles, err := collect(rows, err, record.ScanRole)
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return roles, nil
}

// UpdateRole implements [iam.RoleStore].
func (i Identities) UpdateRole(ctx context.Context, account, name string,
	change func(*iam.Role) error) error {
	err := i.store.writer.do(ctx, func(t tx) error {
		r, err := record.ScanRole(t.queryRow(selectRole, account, name))
		if err != nil {
			return orNotFound(err)
		}
		if err := change(&r); err != nil {
			return err
		}
		policies, err := record.EncodePolicies(r.Policies)
		if err != nil {
			return err
		}
		_, err = t.exec(
			"UPDATE iam_roles SET trust_policy = ?, policies = ?, max_session_s = ? WHERE "+
				"account = ? AND name = ?",
			r.TrustPolicy, policies, int64(r.MaxSession/time.Second), account, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("change a role: %w", err)
	}
	return nil
}

// DeleteRole implements [iam.RoleStore].
func (i Identities) DeleteRole(ctx context.Context, account, name string) error {
	if err := i.changeOne(ctx, iam.ErrNotFound,
		"DELETE FROM iam_roles WHERE account = ? AND name = ?", account, name); err != nil {
		return fmt.Errorf("delete a role: %w", err)
	}
	return nil
}

// RevokeSessions implements [iam.RoleStore].
func (i Identities) RevokeSessions(ctx context.Context, id string, issuedUpTo time.Time) error {
	err := i.store.writer.do(ctx, func(t tx) error {
		_, err := t.exec(
			`INSERT INTO iam_revocations (id, issued_up_to_ms) VALUES (?, ?)
			ON CONFLICT (id) DO UPDATE SET
			issued_up_to_ms = max(issued_up_to_ms, excluded.issued_up_to_ms)`,
			id, issuedUpTo.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke sessions: %w", err)
	}
	return nil
}

// SessionsRevoked implements [iam.RoleStore].
func (i Identities) SessionsRevoked(ctx context.Context, id string) (time.Time, error) {
	var millis int64
	err := i.store.readers.QueryRowContext(ctx,
		"SELECT issued_up_to_ms FROM iam_revocations WHERE id = ?", id).Scan(&millis)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read which sessions are revoked: %w", err)
	}
	return time.UnixMilli(millis).UTC(), nil
}
