package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Setting returns the value kept under a name, and whether there is one.
func (s *Store) Setting(ctx context.Context, name string) (value []byte, ok bool, err error) {
	err = s.readers.QueryRowContext(ctx, "SELECT value FROM settings WHERE name = ?",
		name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the setting %s: %w", name, err)
	}
	return value, true, nil
}

// SetSetting keeps a value under a name, in place of an earlier one.
func (s *Store) SetSetting(ctx context.Context, name string, value []byte) error {
	err := s.writer.do(ctx, func(t tx) error {
		_, err := t.exec("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name,
			append([]byte{}, value...))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the setting %s: %w", name, err)
	}
	return nil
}

// SettingOrCreate returns the value kept under a name. If there is none, it keeps what create
// returns; callers that come at the same time all get the same.
func (s *Store) SettingOrCreate(ctx context.Context, name string, create func() []byte) ([]byte,
	error) {
	value, ok, err := s.Setting(ctx, name)
	if ok || err != nil {
		return value, err
	}
	err = s.writer.do(ctx, func(t tx) error {
		if _, err := t.exec("INSERT OR IGNORE INTO settings (name, value) VALUES (?, ?)", name,
			append([]byte{}, create()...)); err != nil {
			return err
		}
		return t.queryRow("SELECT value FROM settings WHERE name = ?", name).Scan(&value)
	})
	if err != nil {
		return nil, fmt.Errorf("create the setting %s: %w", name, err)
	}
	return value, nil
}
