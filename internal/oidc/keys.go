package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// freshKeys is how long keys are used without reading them again.
	freshKeys = time.Hour
	// usableKeys is how long keys are used if reading them again fails.
	usableKeys = 24 * time.Hour
	// betweenLoads is the least time between two reads of a key set.
	betweenLoads = 30 * time.Second
	loadTimeout  = 5 * time.Second

	maxKeySet = 1 << 20 // bytes
	maxKeys   = 64      // of a key set
	maxTried  = 8       // keys for a token that names none

	leastRSABits = 2048
	mostRSABits  = 8192
)

// keySet is the keys of an issuer. Its lock is a channel, so that a caller whose request has ended
// does not wait.
type keySet struct {
	load func(ctx context.Context) ([]byte, error)

	lock   chan struct{}
	keys   []jose.JSONWebKey
	loaded time.Time // the last read that succeeded; zero: none did
	tried  time.Time // the last read
}

// newKeySet returns the key set at a URL or in a file, which has to be there.
func newKeySet(source, dir string, client *http.Client) (*keySet, error) {
	k := &keySet{lock: make(chan struct{}, 1)}
	if !strings.Contains(source, "://") {
		if source == "" {
			return nil, errors.New("names neither a file nor a URL")
		}
		if !filepath.IsAbs(source) {
			source = filepath.Join(dir, source)
		}
		k.load = func(context.Context) ([]byte, error) { return readFile(source) }
		text, err := readFile(source)
		if err == nil {
			_, err = parseKeys(text)
		}
		return k, err
	}
	u, err := url.Parse(source)
	if err != nil || u.Host == "" || !isSafe(u) {
		return nil, fmt.Errorf("%q is no URL with https, nor with http on a loopback address",
			source)
	}
	k.load = func(ctx context.Context) ([]byte, error) { return get(ctx, client, source) }
	return k, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

func get(ctx context.Context, client *http.Client, source string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", source, resp.Status)
	}
	return readBounded(resp.Body)
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err == nil && len(text) > maxKeySet {
		err = fmt.Errorf("the key set has more than %d bytes", maxKeySet)
	}
	return text, err
}

// parseKeys returns the keys of a key set that can verify a signature; others are left out.
func parseKeys(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("read a JSON Web Key Set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("read a JSON Web Key Set: it has more than %d keys", maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		// A key of an unknown kind does not make the others unusable.
		if key.UnmarshalJSON(text) == nil && (key.Use == "" || key.Use == "sig") &&
			algorithmOf(key) != "" {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New(
			"read a JSON Web Key Set: it has no public key for RS256 or ES256")
	}
	return keys, nil
}

// algorithmOf returns the algorithm that a key is for; empty if it is neither RS256 nor ES256.
func algorithmOf(key jose.JSONWebKey) jose.SignatureAlgorithm {
	var algorithm jose.SignatureAlgorithm
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits >= leastRSABits && bits <= mostRSABits {
			algorithm = jose.RS256
		}
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			algorithm = jose.ES256
		}
	}
	if key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return ""
	}
	return algorithm
}

// find returns the keys that a token with this header may have been signed with.
func (k *keySet) find(ctx context.Context, header jose.Header, now time.Time) ([]jose.JSONWebKey,
	error) {
	select {
	case k.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-k.lock }()
	found := k.matching(header)
	if len(found) > 0 && now.Sub(k.loaded) < freshKeys {
		return found, nil
	}
	err := k.reload(ctx, now)
	found = k.matching(header)
	switch usable := !k.loaded.IsZero() && now.Sub(k.loaded) < usableKeys; {
	case usable && len(found) > 0:
		return found, nil
	case err != nil:
		return nil, err
	case !usable:
		return nil, fmt.Errorf("%w: it failed a moment ago", ErrUnreachable)
	}
	return nil, fmt.Errorf("%w: its issuer has no such key", ErrInvalid)
}

// reload reads the keys, unless that was tried a moment ago. The caller holds the lock.
func (k *keySet) reload(ctx context.Context, now time.Time) error {
	if !k.tried.IsZero() && now.Sub(k.tried) < betweenLoads {
		return nil
	}
	k.tried = now
	// All callers wait for this read, so it does not end with the request of the first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	text, err := k.load(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	k.keys, k.loaded = keys, now
	return nil
}

// matching returns the keys of a header's algorithm with the id that it names. The caller holds the
// lock.
func (k *keySet) matching(header jose.Header) (found []jose.JSONWebKey) {
	for _, key := range k.keys {
		if string(algorithmOf(key)) == header.Algorithm &&
			(header.KeyID == "" || header.KeyID == key.KeyID) && len(found) < maxTried {
			found = append(found, key)
		}
	}
	return found
}
