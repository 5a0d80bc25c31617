package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Setting returns the value kept under a name, and whether there is one.
func (s *Store) Setting(ctx context.Context, name string) (value []byte, ok bool, err error) {
	value, err = readOne(ctx, s, scanValue[[]byte], "SELECT value FROM settings WHERE name = $1",
		name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the setting %s: %w", name, err)
	}
	return value, true, nil
}

// SetSetting keeps a value under a name, in place of an earlier one.
func (s *Store) SetSetting(ctx context.Context, name string, value []byte) error {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return setSetting(ctx, tx, name, value)
	})
	if err != nil {
		return fmt.Errorf("keep the setting %s: %w", name, err)
	}
	return nil
}

func setSetting(ctx context.Context, tx execer, name string, value []byte) error {
	_, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = $2`, name, append([]byte{}, value...))
	return err
}

// SettingOrCreate returns the value kept under a name. If there is none, it keeps what create
// returns; callers that come at the same time, also of other nodes, all get the same.
func (s *Store) SettingOrCreate(ctx context.Context, name string, create func() []byte) ([]byte,
	error) {
	value, ok, err := s.Setting(ctx, name)
	if ok || err != nil {
		return value, err
	}
	created := append([]byte{}, create()...)
	err = s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO NOTHING`, name, created); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT value FROM settings WHERE name = $1", name).Scan(&value)
	})
	if err != nil {
		return nil, fmt.Errorf("create the setting %s: %w", name, err)
	}
	return value, nil
}
