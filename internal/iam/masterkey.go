package iam

import (
	"bufio"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// MasterKeyFile is the name, within the data folder, of the file that holds the key which secrets
// are sealed with.
const MasterKeyFile = "master-key"

const (
	masterKeySize      = 32
	masterKeyPrefix    = "recollect-master-key-1:"      // and base64
	masterCheckPurpose = "recollect master key check 1" // HKDF's info
)

// nextMasterKey is the file beside that of a master key which holds a new one while secrets are
// sealed with that.
func nextMasterKey(file string) string { return file + ".next" }

// ErrMasterKeyLost says that access keys are in the store whose secrets the master key in the data
// folder does not open.
var ErrMasterKeyLost = errors.New("the master key is lost")

// SecretStore keeps sealed secrets, and a check value of the master key that they are sealed with.
type SecretStore interface {
	// MasterKeyCheck returns the check value, nil if there is none yet.
	MasterKeyCheck(ctx context.Context) ([]byte, error)
	// SetMasterKeyCheck keeps a check value in place of an earlier one.
	SetMasterKeyCheck(ctx context.Context, check []byte) error
	// SealedSecrets returns the sealed secret of each access key, by the key's id.
	SealedSecrets(ctx context.Context) (map[string][]byte, error)
	// Reseal replaces the sealed secret of each access key by what reseal returns, deletes the key
	// where that is nil, and keeps the check value: all of it or, after an error, nothing.
	Reseal(ctx context.Context, check []byte,
		reseal func(keyID string, sealed []byte) ([]byte, error)) error
}

// OpenSealer returns a sealer with the master key in the data folder dir, after comparing it with
// the check value in the store. If the file is not there, and nothing was sealed, it makes a
// new key and writes it, readable by the owner alone. A rotation that a crash ended after its
// change of the store is completed.
//
// [ErrMasterKeyLost] if the store has secrets and no file has their key. A store from before there
// were check values gets one if any of its secrets opens.
func OpenSealer(ctx context.Context, dir string, store SecretStore) (*Sealer, error) {
	return openSealer(ctx, filepath.Join(dir, MasterKeyFile), store)
}

func openSealer(ctx context.Context, file string, store SecretStore) (*Sealer, error) {
	masterKey, err := openMasterKey(ctx, file, store)
	if err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	return NewSealer(masterKey)
}

func openMasterKey(ctx context.Context, file string, store SecretStore) ([]byte, error) {
	next := nextMasterKey(file)
	masterKey, err := readMasterKey(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	check, err := store.MasterKeyCheck(ctx)
	if err != nil {
		return nil, err
	}
	if check != nil {
		if masterKey != nil && hmac.Equal(check, masterKeyCheck(masterKey)) {
			return masterKey, nil
		}
		nextKey, err := readMasterKey(next)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if nextKey != nil && hmac.Equal(check, masterKeyCheck(nextKey)) {
			return nextKey, renamePrivate(next, file)
		}
	}
	secrets, err := store.SealedSecrets(ctx)
	if err != nil {
		return nil, err
	}
	if len(secrets) > 0 && (check != nil || masterKey == nil || !opensAny(masterKey, secrets)) {
		return nil, lost(file, masterKey == nil, len(secrets))
	}
	if masterKey == nil {
		if masterKey, err = newMasterKey(file); err != nil {
			return nil, err
		}
	}
	return masterKey, store.SetMasterKeyCheck(ctx, masterKeyCheck(masterKey))
}

// lost returns an ErrMasterKeyLost that says what to do.
func lost(file string, missing bool, secrets int) error {
	state := "has another key than"
	if missing {
		state = "is missing, with the key that"
	}
	return fmt.Errorf("%w: %s %s the secrets of %s in the database were sealed with; put the file "+
		"back from a backup, or run: recollect keys reset-master --data %s, which deletes those "+
		"access keys, so that new ones can be made", ErrMasterKeyLost, file, state,
		countKeys(secrets), filepath.Dir(file))
}

func countKeys(n int) string {
	if n == 1 {
		return "1 access key"
	}
	return fmt.Sprintf("%d access keys", n)
}

// opensAny tries a master key on secrets that have no check value.
func opensAny(masterKey []byte, secrets map[string][]byte) bool {
	sealer, err := NewSealer(masterKey)
	if err != nil {
		return false
	}
	for id, sealed := range secrets {
		if _, err := sealer.Open(id, sealed); err == nil {
			return true
		}
	}
	return false
}

// RotateMasterKey makes a new master key in place of the one in a file, seals all secrets with it,
// and returns how many. No process may have a sealer of the file, which would go on with the old
// key.
//
// The new key is in a file of its own before the store changes, and takes the place of the old one
// after that. A process that ends in between leaves both files, and the store's check value says to
// [OpenSealer] which of them is right.
func RotateMasterKey(ctx context.Context, file string, store SecretStore) (secrets int, err error) {
	old, err := openSealer(ctx, file, store)
	if err == nil {
		err = replaceMasterKey(ctx, file, store,
			func(sealer *Sealer, id string, sealed []byte) ([]byte, error) {
				secret, err := old.Open(id, sealed)
				if err != nil {
					return nil, err
				}
				secrets++
				return sealer.Seal(id, secret), nil
			})
	}
	if err != nil {
		return 0, fmt.Errorf("rotate the master key: %w", err)
	}
	return secrets, nil
}

// ResetMasterKey makes a new master key in a file in place of one that is lost, deletes the access
// keys that were sealed with that, and returns how many. It fails if the master key is not lost. It
// leaves the files as [RotateMasterKey] does if its process ends.
func ResetMasterKey(ctx context.Context, file string, store SecretStore) (deleted int, err error) {
	_, err = openSealer(ctx, file, store)
	switch {
	case err == nil:
		err = errors.New("it is there, and opens the secrets that were sealed with it")
	case errors.Is(err, ErrMasterKeyLost):
		err = replaceMasterKey(ctx, file, store, func(*Sealer, string, []byte) ([]byte, error) {
			deleted++
			return nil, nil
		})
	}
	if err != nil {
		return 0, fmt.Errorf("reset the master key: %w", err)
	}
	return deleted, nil
}

func replaceMasterKey(ctx context.Context, file string, store SecretStore,
	reseal func(sealer *Sealer, keyID string, sealed []byte) ([]byte, error)) error {
	next := nextMasterKey(file)
	masterKey, err := newMasterKey(next)
	if err != nil {
		return err
	}
	sealer, err := NewSealer(masterKey)
	if err != nil {
		return err
	}
	err = store.Reseal(ctx, masterKeyCheck(masterKey),
		func(id string, sealed []byte) ([]byte, error) { return reseal(sealer, id, sealed) })
	if err != nil {
		return err // the file stays: the next start finds out whether the commit is on disk
	}
	return renamePrivate(next, file)
}

// masterKeyCheck returns a value that identifies a master key and does not reveal it.
func masterKeyCheck(masterKey []byte) []byte {
	check, err := hkdf.Key(sha256.New, masterKey, nil, masterCheckPurpose, sha256.Size)
	if err != nil {
		panic(err) // only a length beyond what HKDF can give fails
	}
	return check
}

// newMasterKey makes a key and writes it to a file.
func newMasterKey(file string) ([]byte, error) {
	masterKey := make([]byte, masterKeySize)
	rand.Read(masterKey)
	return masterKey, writePrivate(file,
		masterKeyPrefix+base64.StdEncoding.EncodeToString(masterKey)+"\n")
}

// readMasterKey never shows what it read.
func readMasterKey(file string) ([]byte, error) {
	f, err := openPrivate(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return parseMasterKey(lines.Text(), file)
}

// parseMasterKey reads the line of a master key, and never shows it.
func parseMasterKey(line, source string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(line, masterKeyPrefix)
	if !ok {
		return nil, fmt.Errorf(
			"%s does not begin with %s: it is no master key, or that of a newer version", source,
			masterKeyPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != masterKeySize {
		return nil, fmt.Errorf("%s does not hold %d bytes in base64", source, masterKeySize)
	}
	return key, nil
}
