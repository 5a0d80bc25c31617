package sqlite

import (
	"context"
	"fmt"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// MasterKeyCheck implements [iam.SecretStore].
func (i Identities) MasterKeyCheck(ctx context.Context) ([]byte, error) {
	check, _, err := i.store.Setting(ctx, record.MasterKeyCheck)
	return check, err
}

// SetMasterKeyCheck implements [iam.SecretStore].
func (i Identities) SetMasterKeyCheck(ctx context.Context, check []byte) error {
	return i.store.SetSetting(ctx, record.MasterKeyCheck, check)
}

// OpenSecrets opens the store in the folder dir for its sealed secrets. The caller closes it.
func OpenSecrets(ctx context.Context, dir string) (iam.SecretStore, func() error, error) {
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		return nil, nil, err
	}
	return s.Identities(), s.Close, nil
}

//nolint:gosec // a query, no secret
const sealedSecrets = "SELECT id, sealed_secret FROM iam_access_keys"

// SealedSecrets implements [iam.SecretStore].
func (i Identities) SealedSecrets(ctx context.Context) (map[string][]byte, error) {
	rows, err := i.store.readers.QueryContext(ctx, sealedSecrets)
	secrets, err := collect(rows, err, record.ScanSealed)
	if err != nil {
		return nil, fmt.Errorf("read the secrets of access keys: %w", err)
	}
	return record.SealedByKey(secrets), nil
}

// Reseal implements [iam.SecretStore].
func (i Identities) Reseal(ctx context.Context, check []byte,
	reseal func(keyID string, sealed []byte) ([]byte, error)) error {
	err := i.store.writer.do(ctx, func(t tx) error {
		rows, err := t.query(sealedSecrets)
		secrets, err := collect(rows, err, record.ScanSealed)
		if err != nil {
			return err
		}
		for _, s := range secrets {
			sealed, err := reseal(s.KeyID, s.Sealed)
			if err != nil {
				return err
			}
			if sealed == nil {
				_, err = t.exec("DELETE FROM iam_access_keys WHERE id = ?", s.KeyID)
			} else {
				_, err = t.exec("UPDATE iam_access_keys SET sealed_secret = ? WHERE id = ?",
					sealed, s.KeyID)
			}
			if err != nil {
				return err
			}
		}
		_, err = t.exec("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
			record.MasterKeyCheck, check)
		return err
	})
	if err != nil {
		return fmt.Errorf("seal the secrets of access keys anew: %w", err)
	}
	return nil
}
