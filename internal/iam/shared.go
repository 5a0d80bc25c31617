package iam

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MasterKeyEnv is the environment variable that has the master key of servers that share a store,
// in the form of the file's line, in place of the file.
const MasterKeyEnv = "RECOLLECT_MASTER_KEY"

// ErrOtherMasterKey says that a server does not have the master key of those that share its store.
var ErrOtherMasterKey = errors.New("the server does not have the master key of this store")

// SharedStore is the store of several servers. Each method is one transaction.
type SharedStore interface {
	SecretStore

	// CreateMasterKeyCheck keeps a check value if there is none, and returns the one that is kept.
	CreateMasterKeyCheck(ctx context.Context, check []byte) ([]byte, error)

	// RootKey returns the id and the sealed secret of an account's root key. ErrNotFound if there
	// is none.
	RootKey(ctx context.Context, account string) (id string, sealed []byte, err error)

	// CreateRootKey keeps the root key of an account if there is none, and returns the one that is
	// kept.
	CreateRootKey(ctx context.Context, account, id string, sealed []byte) (keptID string,
		keptSealed []byte, err error)
}

// MasterKeySource says where a server that shares its store has the master key.
type MasterKeySource struct {
	// Given is the line of the key's file, as [MasterKeyEnv] has it. It excludes File.
	Given string

	// File is the path of a file that has the key, and has to be there.
	File string

	// Dir is the data folder. Its [MasterKeyFile] has the key if neither Given nor File is set. The
	// first server of a store makes it there.
	Dir string
}

// Path returns the file that has the key, empty if it is given.
func (s MasterKeySource) Path() string {
	switch {
	case s.Given != "":
		return ""
	case s.File != "":
		return s.File
	}
	return filepath.Join(s.Dir, MasterKeyFile)
}

// OpenSharedSealer returns a sealer with the master key that all servers of a store have. The first
// server of a store that is given none makes one and writes it to its folder. [ErrOtherMasterKey]
// if another server's is wanted.
func OpenSharedSealer(ctx context.Context, source MasterKeySource, store SharedStore) (*Sealer,
	error) {
	masterKey, err := openSharedMasterKey(ctx, source, store)
	if err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	return NewSealer(masterKey)
}

func openSharedMasterKey(ctx context.Context, source MasterKeySource, store SharedStore) ([]byte,
	error) {
	if source.Given != "" && source.File != "" {
		return nil, fmt.Errorf("it is given twice: in the environment (%s) and in the file %s",
			MasterKeyEnv, source.File)
	}
	if source.Given != "" {
		masterKey, err := parseMasterKey(strings.TrimSpace(source.Given), MasterKeyEnv)
		if err != nil {
			return nil, err
		}
		return masterKey, createCheck(ctx, store, masterKey, MasterKeyEnv)
	}
	file := source.Path()
	next := nextMasterKey(file)
	masterKey, err := readMasterKey(file)
	if err == nil {
		err := createCheck(ctx, store, masterKey, file)
		if !errors.Is(err, ErrOtherMasterKey) {
			return masterKey, err
		}
		// A rotation may have ended after its change of the store.
		nextKey, nextErr := readMasterKey(next)
		if nextErr != nil || createCheck(ctx, store, nextKey, next) != nil {
			return nil, err
		}
		return nextKey, renamePrivate(next, file)
	}
	if source.File != "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; make one for all servers with: (umask 077; echo "+
			"%s$(openssl rand -base64 %d) > %s)", err, masterKeyPrefix, masterKeySize, file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	check, err := store.MasterKeyCheck(ctx)
	if err != nil {
		return nil, err
	}
	if check != nil {
		return nil, otherMasterKey(file + " is not there")
	}
	if masterKey, err = newMasterKey(file); err != nil {
		return nil, err
	}
	err = createCheck(ctx, store, masterKey, file)
	if errors.Is(err, ErrOtherMasterKey) { // another server came first; nothing is sealed with this
		err = errors.Join(err, os.Remove(file))
	}
	return masterKey, err
}

// createCheck compares a master key with the check value in the store, or keeps its check value if
// there is none.
func createCheck(ctx context.Context, store SharedStore, masterKey []byte, source string) error {
	check := masterKeyCheck(masterKey)
	kept, err := store.CreateMasterKeyCheck(ctx, check)
	if err == nil && !hmac.Equal(check, kept) {
		err = otherMasterKey(source + " has another")
	}
	return err
}

func otherMasterKey(state string) error {
	return fmt.Errorf("%w: %s; copy the file %s from the data folder of a server that has it, or "+
		"name the file of all servers with --master-key-file, or put its content into the "+
		"environment as %s", ErrOtherMasterKey, state, MasterKeyFile, MasterKeyEnv)
}

// SharedRootKey returns the root key that all servers of a store have: the one of the environment
// (see [RootKey]), else the one in the store, else the one in the credentials file of the data
// folder dir, else a new one. The last two are kept in the store, sealed. The credentials file is
// written if it is not there; it is an error if it has another key than the store.
func SharedRootKey(ctx context.Context, dir, account string, getenv func(string) string,
	sealer *Sealer, store SharedStore) (key AccessKey, file string, err error) {
	if getenv(RootAccessKeyIDEnv) != "" || getenv(RootSecretAccessKeyEnv) != "" {
		return RootKey(dir, account, getenv)
	}
	key = AccessKey{Principal: rootPrincipal(account)}
	file = filepath.Join(dir, CredentialsFile)
	local := key
	local.ID, local.Secret, err = readCredentials(file)
	written := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return AccessKey{}, "", fmt.Errorf("read the root key: %w", err)
	}
	if !written {
		local.ID, local.Secret = newKeyPair()
	}
	if err := local.validate(file); err != nil {
		return AccessKey{}, "", err
	}
	id, sealed, err := store.RootKey(ctx, account)
	if errors.Is(err, ErrNotFound) {
		id, sealed, err = store.CreateRootKey(ctx, account, local.ID,
			sealer.Seal(local.ID, local.Secret))
	}
	if err != nil {
		return AccessKey{}, "", fmt.Errorf("read the root key: %w", err)
	}
	key.ID = id
	if key.Secret, err = sealer.Open(id, sealed); err != nil {
		return AccessKey{}, "", fmt.Errorf("read the root key: %w", err)
	}
	switch {
	case !written:
		if err := writeCredentials(file, key); err != nil {
			return AccessKey{}, "", fmt.Errorf("write the root key: %w", err)
		}
	case key != local:
		return AccessKey{}, "", fmt.Errorf("%s has another root key than the store, which all its "+
			"servers use: move the file away, and the next start writes it anew", file)
	}
	return key, file, nil
}
