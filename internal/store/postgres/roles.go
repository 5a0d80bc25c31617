package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/record"
)

var _ iam.RoleStore = Identities{}

const selectRole = "SELECT " + record.RoleColumns +
	" FROM iam_roles WHERE account = $1 AND folded = lower($2)"

// CreateRole implements [iam.RoleStore].
func (i Identities) CreateRole(ctx context.Context, r iam.Role) error {
	policies, err := record.EncodePolicies(r.Policies)
	if err == nil {
		err = i.changeOne(ctx, iam.ErrExists, "INSERT INTO iam_roles ("+record.RoleColumns+
			") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING", r.Account, r.Name,
			r.ID, r.TrustPolicy, policies, int64(r.MaxSession/time.Second),
			r.CreatedAt.UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("create a role: %w", err)
	}
	return nil
}

// Role implements [iam.RoleStore].
func (i Identities) Role(ctx context.Context, account, name string) (iam.Role, error) {
	r, err := readOne(ctx, i.store, record.ScanRole, selectRole, account, name)
	if err != nil {
		return iam.Role{}, fmt.Errorf("read a role: %w", orNotFound(err))
	}
	return r, nil
}

// Roles implements [iam.RoleStore].
func (i Identities) Roles(ctx context.Context, account string) ([]iam.Role, error) {
	roles, err := readAll(ctx, i.store, record.ScanRole, "SELECT "+record.RoleColumns+
		" FROM iam_roles WHERE account = $1 OR $1 = '' ORDER BY account, folded", account)
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return roles, nil
}

// UpdateRole implements [iam.RoleStore].
func (i Identities) UpdateRole(ctx context.Context, account, name string,
	change func(*iam.Role) error) error {
	err := i.store.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		r, err := record.ScanRole(tx.QueryRow(ctx, selectRole+" FOR UPDATE", account, name))
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
		_, err = tx.Exec(ctx, `UPDATE iam_roles SET trust_policy = $1, policies = $2,
			max_session_s = $3 WHERE account = $4 AND folded = lower($5)`, r.TrustPolicy, policies,
			int64(r.MaxSession/time.Second), account, name)
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
		"DELETE FROM iam_roles WHERE account = $1 AND folded = lower($2)", account,
		name); err != nil {
		return fmt.Errorf("delete a role: %w", err)
	}
	return nil
}

// RevokeSessions implements [iam.RoleStore].
func (i Identities) RevokeSessions(ctx context.Context, id string, issuedUpTo time.Time) error {
	err := i.store.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO iam_revocations (id, issued_up_to_ms) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET issued_up_to_ms =
			greatest(iam_revocations.issued_up_to_ms, excluded.issued_up_to_ms)`, id,
			issuedUpTo.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke sessions: %w", err)
	}
	return nil
}

// SessionsRevoked implements [iam.RoleStore].
func (i Identities) SessionsRevoked(ctx context.Context, id string) (time.Time, error) {
	millis, err := readOne(ctx, i.store, scanValue[int64],
		"SELECT issued_up_to_ms FROM iam_revocations WHERE id = $1", id)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read which sessions are revoked: %w", err)
	}
	return time.UnixMilli(millis).UTC(), nil
}
