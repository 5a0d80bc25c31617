package iam

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
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

// Sealer encrypts the secrets of access keys for storage. The server must know the secrets
// themselves, since Signature Version 4 is a MAC that both sides compute; sealed, a copy of the
// database alone does not tell them.
//
// A sealed secret is a version byte, then nonce, ciphertext and tag of AES-256-GCM with a random
// nonce of 96 bits. The key is derived from the master key by HKDF-SHA256 (RFC 5869). The id of the
// access key is associated data: a sealed secret that is moved to another key does not open.
type Sealer struct {
	aead cipher.AEAD
}

const (
	masterKeySize    = 32
	masterKeyPrefix  = "recollect-master-key-1:"        // and base64
	secretKeyPurpose = "recollect access key secrets 1" // HKDF's info
	sealedVersion    = 1
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
	key, err := hkdf.Key(sha256.New, masterKey, nil, secretKeyPurpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of secrets: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of secrets: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// OpenSealer returns a sealer with the master key in the data folder dir. If the file is not there,
// it makes a new key and writes it, readable by the owner alone.
func OpenSealer(dir string) (*Sealer, error) {
	file := filepath.Join(dir, MasterKeyFile)
	masterKey, err := readMasterKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		masterKey = make([]byte, masterKeySize)
		rand.Read(masterKey)
		err = writePrivate(file, masterKeyPrefix+base64.StdEncoding.EncodeToString(masterKey)+"\n")
	}
	if err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	return NewSealer(masterKey)
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
	encoded, ok := strings.CutPrefix(lines.Text(), masterKeyPrefix)
	if !ok {
		return nil, fmt.Errorf(
			"%s does not begin with %s: it is no master key, or that of a newer version", file,
			masterKeyPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != masterKeySize {
		return nil, fmt.Errorf("%s does not hold %d bytes in base64", file, masterKeySize)
	}
	return key, nil
}

// Seal encrypts the secret of an access key.
func (s *Sealer) Seal(keyID, secret string) []byte {
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
