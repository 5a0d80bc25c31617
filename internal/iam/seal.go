package iam

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Sealer encrypts the secrets of access keys for storage. The server needs the secrets
// themselves, since Signature Version 4 is a MAC that both sides compute; sealed, they cannot be
// read from a copy of the database alone.
//
// A sealed secret is a version byte, then nonce, ciphertext and tag of AES-256-GCM with a random
// nonce of 96 bits. The key is derived from the master key by HKDF-SHA256 (RFC 5869). The id of the
// access key is associated data: a sealed secret that is moved to another key does not open.
//
// It also seals the tokens of sessions, under another key that is derived in the same way.
type Sealer struct {
	aead     cipher.AEAD
	sessions cipher.AEAD
	pages    []byte
}

const (
	// HKDF's info
	secretKeyPurpose  = "recollect access key secrets 1"
	sessionKeyPurpose = "recollect session tokens 1"
	pageKeyPurpose    = "recollect pagination tokens 1"

	sealedVersion = 1
)

// ErrWrongMasterKey says that a secret cannot be opened: it was sealed with another master key, for
// another access key, or is damaged.
var ErrWrongMasterKey = errors.New("the secret does not open: it was sealed with another " +
	MasterKeyFile + " file, or is damaged")

// NewSealer returns a sealer with a master key of 32 random bytes.
func NewSealer(masterKey []byte) (*Sealer, error) {
	if len(masterKey) != masterKeySize {
		return nil, fmt.Errorf("the master key has %d bytes, not %d", len(masterKey), masterKeySize)
	}
	secrets, err := newAEAD(masterKey, secretKeyPurpose)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of secrets: %w", err)
	}
	sessions, err := newAEAD(masterKey, sessionKeyPurpose)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of session tokens: %w", err)
	}
	pages, err := hkdf.Key(sha256.New, masterKey, nil, pageKeyPurpose, 32)
	if err != nil {
		return nil, fmt.Errorf("make the key of pagination tokens: %w", err)
	}
	return &Sealer{aead: secrets, sessions: sessions, pages: pages}, nil
}

// PageKey returns a secret of 32 bytes for the MAC of pagination tokens, derived from the master
// key: all servers with that have the same, and none of them keeps it.
func (s *Sealer) PageKey() []byte { return bytes.Clone(s.pages) }

// newAEAD returns AES-256-GCM with random nonces, under a key derived for one purpose.
func newAEAD(masterKey []byte, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, masterKey, nil, purpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts the secret of an access key.
func (s *Sealer) Seal(keyID, secret string) []byte {
	//nolint:gosec // G407: the AEAD makes a random nonce itself
	return s.aead.Seal([]byte{sealedVersion}, nil, []byte(secret), []byte(keyID))
}

// Open decrypts what Seal returned for the same access key. [ErrWrongMasterKey] if it is not that.
func (s *Sealer) Open(keyID string, sealed []byte) (secret string, err error) {
	if len(sealed) == 0 || sealed[0] != sealedVersion {
		return "", fmt.Errorf("open the secret of access key %s: its encoding is unknown", keyID)
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], []byte(keyID))
	if err != nil {
		return "", fmt.Errorf("open the secret of access key %s: %w", keyID, ErrWrongMasterKey)
	}
	return string(plain), nil
}
