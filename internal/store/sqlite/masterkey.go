package sqlite

import (
	"context"
	"fmt"

	"github.com/recollect-dev/recollect/internal/iam"
)

// masterKeyCheck is the setting that holds the check value of the master key.
const masterKeyCheck = "master-key-check"

// MasterKeyCheck implements [iam.SecretStore].
func (i Identities) MasterKeyCheck(ctx context.Context) ([]byte, error) {
	check, _, err := i.store.Setting(ctx, masterKeyCheck)
	return check, err
}

// SetMasterKeyCheck implements [iam.SecretStore].
func (i Identities) SetMasterKeyCheck(ctx context.Context, check []byte) error {
	return i.store.SetSetting(ctx, masterKeyCheck, check)
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

type sealedSecret struct {
	id     string
	sealed []byte
}

func scanSealed(row scanner) (s sealedSecret, err error) {
	err = row.Scan(&s.id, &s.sealed)
	return s, err
}

// SealedSecrets implements [iam.SecretStore].
func (i Identities) SealedSecrets(ctx context.Context) (map[string][]byte, error) {
	rows, err := i.store.readers.QueryContext(ctx, sealedSecrets)
	secrets, err := collect(rows, err, scanSealed)
	if err != nil {
		return nil, fmt.Errorf("read the secrets of access keys: %w", err)
	}
	byID := make(map[string][]byte, len(secrets))
	for _, s := range secrets {
		byID[s.id] = s.sealed
	}
	return byID, nil
}

// Reseal implements [iam.SecretStore].
func (i Identities) Reseal(ctx context.Context, check []byte,
	reseal func(keyID string, sealed []byte) ([]byte, error)) error {
	err := i.store.writer.do(ctx, func(t tx) error {
		rows, err := t.query(sealedSecrets)
		secrets, err := collect(rows, err, scanSealed)
		if err != nil {
			return err
		}
		for _, s := range secrets {
			sealed, err := reseal(s.id, s.sealed)
			if err != nil {
				return err
			}
			if sealed == nil {
				_, err = t.exec("DELETE FROM iam_access_keys WHERE id = ?", s.id)
			} else {
				_, err = t.exec("UPDATE iam_access_keys SET sealed_secret = ? WHERE id = ?",
					sealed, s.id)
			}
			if err != nil {
				return err
			}
		}
		_, err = t.exec("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
			masterKeyCheck, check)
		return err
	})
	if err != nil {
		return fmt.Errorf("seal the secrets of access keys anew: %w", err)
	}
	return nil
}
