package iam

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// The environment variables that set the root key instead of the credentials file.
const (
	RootAccessKeyIDEnv     = "RECOLLECT_ROOT_ACCESS_KEY_ID"
	RootSecretAccessKeyEnv = "RECOLLECT_ROOT_SECRET_ACCESS_KEY"
)

// CredentialsFile is the name, within the data folder, of the file that holds the root key. It has
// the format of the AWS SDKs' shared credentials files, so that AWS_SHARED_CREDENTIALS_FILE can
// name it.
const CredentialsFile = "credentials"

// RootKey returns the root key of an account: the one that getenv has in [RootAccessKeyIDEnv] and
// [RootSecretAccessKeyEnv], else the one in the credentials file of the data folder dir, else a new
// one, which it writes there, readable by the owner alone. The file's path is empty if the key came
// from the environment.
func RootKey(dir, account string, getenv func(string) string) (key AccessKey, file string,
	err error) {
	key = AccessKey{Principal: rootPrincipal(account)}
	key.ID, key.Secret = getenv(RootAccessKeyIDEnv), getenv(RootSecretAccessKeyEnv)
	if key.ID != "" || key.Secret != "" {
		return key, "",
			key.validate(fmt.Sprintf("the environment (%s, %s)", RootAccessKeyIDEnv,
				RootSecretAccessKeyEnv))
	}
	file = filepath.Join(dir, CredentialsFile)
	key.ID, key.Secret, err = readCredentials(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key.ID, key.Secret = newKeyPair()
		if err := writeCredentials(file, key); err != nil {
			return AccessKey{}, "", fmt.Errorf("write the root key: %w", err)
		}
	case err != nil:
		return AccessKey{}, "", fmt.Errorf("read the root key: %w", err)
	}
	return key, file, key.validate(file)
}

// validate names where the key came from, and never the key.
func (k AccessKey) validate(source string) error {
	var faults []error
	if n := len(k.ID); n < 16 || n > 128 || strings.Trim(k.ID, keyIDCharacters) != "" {
		faults = append(faults,
			fmt.Errorf("the access key id in %s must have 16 to 128 letters, digits or "+
				"underscores",
				source))
	}
	if n := len(k.Secret); n < 16 || n > 256 {
		faults = append(faults,
			fmt.Errorf("the secret access key in %s must have 16 to 256 characters", source))
	}
	return errors.Join(faults...)
}

const keyIDCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

// newKeyPair makes a key pair of the shape of AWS's: 20 and 40 characters, of 80 and 240 random
// bits.
func newKeyPair() (id, secret string) {
	b := make([]byte, 30)
	rand.Read(b)
	return "AKIA" + rand.Text()[:16], base64.StdEncoding.EncodeToString(b)
}

func readCredentials(file string) (id, secret string, err error) {
	f, err := openPrivate(file)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			id = strings.TrimSpace(value)
		case "aws_secret_access_key":
			secret = strings.TrimSpace(value)
		}
	}
	return id, secret, nil
}

func writeCredentials(file string, key AccessKey) error {
	return writePrivate(file,
		fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key.ID,
			key.Secret))
}
