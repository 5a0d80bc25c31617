package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

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

// CreateMasterKeyCheck implements [iam.SharedStore].
func (i Identities) CreateMasterKeyCheck(ctx context.Context, check []byte) ([]byte, error) {
	return i.store.SettingOrCreate(ctx, record.MasterKeyCheck, func() []byte { return check })
}

// RootKey implements [iam.SharedStore].
func (i Identities) RootKey(ctx context.Context, account string) (id string, sealed []byte,
	err error) {
	s, err := readOne(ctx, i.store, record.ScanSealed, rootKeyOf, account)
	if err != nil {
		return "", nil, fmt.Errorf("read a root key: %w", orNotFound(err))
	}
	return s.KeyID, s.Sealed, nil
}

const rootKeyOf = "SELECT id, sealed_secret FROM iam_root_keys WHERE account = $1"

// CreateRootKey implements [iam.SharedStore].
func (i Identities) CreateRootKey(ctx context.Context, account, id string, sealed []byte) (string,
	[]byte, error) {
	var kept record.SealedSecret
	err := i.store.transact(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if _, err = tx.Exec(ctx, `INSERT INTO iam_root_keys (account, id, sealed_secret)
			VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, account, id, sealed); err != nil {
			return err
		}
		kept, err = record.ScanSealed(tx.QueryRow(ctx, rootKeyOf, account))
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("create a root key: %w", err)
	}
	return kept.KeyID, kept.Sealed, nil
}

// sealedSecrets are those of users' keys and of root keys.
const sealedSecrets = "SELECT id, sealed_secret FROM iam_access_keys " +
	"UNION ALL SELECT id, sealed_secret FROM iam_root_keys"

// SealedSecrets implements [iam.SecretStore]. It has those of the root keys, too.
func (i Identities) SealedSecrets(ctx context.Context) (map[string][]byte, error) {
	secrets, err := readAll(ctx, i.store, record.ScanSealed, sealedSecrets)
	if err != nil {
		return nil, fmt.Errorf("read the secrets of access keys: %w", err)
	}
	return record.SealedByKey(secrets), nil
}

// Reseal implements [iam.SecretStore].
func (i Identities) Reseal(ctx context.Context, check []byte,
	reseal func(keyID string, sealed []byte) ([]byte, error)) error {
	err := i.store.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx,
			"LOCK TABLE iam_access_keys, iam_root_keys IN EXCLUSIVE MODE"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sealedSecrets)
		secrets, err := collect(rows, err, record.ScanSealed)
		if err != nil {
			return err
		}
		for _, s := range secrets {
			sealed, err := reseal(s.KeyID, s.Sealed)
			if err != nil {
				return err
			}
			for _, table := range []string{"iam_access_keys", "iam_root_keys"} {
				if sealed == nil {
					_, err = tx.Exec(ctx, "DELETE FROM "+table+" WHERE id = $1", s.KeyID)
				} else {
					_, err = tx.Exec(ctx, "UPDATE "+table+" SET sealed_secret = $1 WHERE id = $2",
						sealed, s.KeyID)
				}
				if err != nil {
					return err
				}
			}
		}
		return setSetting(ctx, tx, record.MasterKeyCheck, check)
	})
	if err != nil {
		return fmt.Errorf("seal the secrets of access keys anew: %w", err)
	}
	return nil
}
