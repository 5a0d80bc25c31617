package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const issuerURL = "https://id.example.com/realms/staff"

// signer signs tokens as an issuer does.
type signer struct {
	id        string
	algorithm jose.SignatureAlgorithm
	key       crypto.Signer
}

func rsaSigner(t testing.TB, id string, bits int) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, jose.RS256, key}
}

func ecSigner(t testing.TB, id string, curve elliptic.Curve,
	algorithm jose.SignatureAlgorithm) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, algorithm, key}
}

func (s signer) sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	options := new(jose.SignerOptions)
	if s.id != "" {
		options.WithHeader("kid", s.id)
	}
	with, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: s.key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := with.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func keySetOf(t testing.TB, signers ...signer) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, s := range signers {
		set.Keys = append(set.Keys, jose.JSONWebKey{KeyID: s.id, Key: s.key.Public(),
			Algorithm: string(s.algorithm), Use: "sig"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func valid(now time.Time) map[string]any {
	return map[string]any{"iss": issuerURL, "sub": "anna", "aud": "recollect",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
}

func with(claims map[string]any, name string, value any) map[string]any {
	claims = maps.Clone(claims)
	if value == nil {
		delete(claims, name)
	} else {
		claims[name] = value
	}
	return claims
}

// configured returns issuers with one, whose keys are in a file.
func configured(t testing.TB, keys []byte) *Issuers {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"keys.json": string(keys),
		"issuers.json": `{"issuers":[{"issuer":"` + issuerURL +
			`","audiences":["other","recollect"],"jwks":"keys.json"}]}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(filepath.Join(dir, "issuers.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerify(t *testing.T) {
	now := time.Now()
	r, e := rsaSigner(t, "r", 2048), ecSigner(t, "e", elliptic.P256(), jose.ES256)
	s := configured(t, keySetOf(t, r, e))
	for name, with := range map[string]signer{"RS256": r, "ES256": e,
		"no key id": {"", jose.ES256, e.key}} {
		id, err := s.Verify(t.Context(), with.sign(t, valid(now)))
		want := &Identity{Provider: "id.example.com/realms/staff", Issuer: issuerURL,
			Subject: "anna", Audiences: []string{"recollect"}, Audience: "recollect"}
		if err != nil || !reflect.DeepEqual(id, want) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	claims := valid(now)
	claims["aud"] = []string{"recollect", "third"}
	claims["azp"], claims["amr"] = "app", []string{"mfa"}
	claims["https://aws.amazon.com/tags"] = map[string]any{
		"principal_tags":      map[string]any{"team": []string{"doors"}},
		"transitive_tag_keys": []string{"team"}}
	id, err := s.Verify(t.Context(), r.sign(t, claims))
	if err != nil || id.Party != "app" || id.Audience != "recollect" || len(id.Audiences) != 2 ||
		!reflect.DeepEqual(id.Methods, []string{"mfa"}) || id.Tags["team"] != "doors" ||
		!reflect.DeepEqual(id.Transitive, []string{"team"}) {
		t.Errorf("with all claims: %+v, %v", id, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	now := time.Now()
	r, e := rsaSigner(t, "r", 2048), ecSigner(t, "e", elliptic.P256(), jose.ES256)
	s := configured(t, keySetOf(t, r, e))
	good := r.sign(t, valid(now))
	part := strings.Split(good, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	// The public key as the secret of a MAC.
	public, err := json.Marshal(jose.JSONWebKey{Key: r.key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	mac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: public}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(valid(now))
	signed, err := mac.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	macToken, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"empty":             {"", ErrInvalid},
		"too long":          {strings.Repeat("a", MaxToken+1), ErrInvalid},
		"none":              {unsigned + "." + part[1] + ".", ErrInvalid},
		"a MAC":             {macToken, ErrInvalid},
		"truncated":         {good[:len(good)-10], ErrInvalid},
		"without signature": {part[0] + "." + part[1] + ".", ErrInvalid},
		"claims of another": {part[0] + "." + strings.Split(r.sign(t,
			with(valid(now), "sub", "berta")), ".")[1] + "." + part[2], ErrInvalid},
		"key of nobody": {rsaSigner(t, "x", 2048).sign(t, valid(now)), ErrInvalid},
		"another's key": {rsaSigner(t, "r", 2048).sign(t, valid(now)), ErrInvalid},
		"wrong kind": {ecSigner(t, "r", elliptic.P256(), jose.ES256).sign(t, valid(now)),
			ErrInvalid},
		"ES384": {ecSigner(t, "e", elliptic.P384(), jose.ES384).sign(t, valid(now)),
			ErrInvalid},
		"RS512":        {signer{"r", jose.RS512, r.key}.sign(t, valid(now)), ErrInvalid},
		"other issuer": {r.sign(t, with(valid(now), "iss", "https://id.example.com")), ErrInvalid},
		"no issuer":    {r.sign(t, with(valid(now), "iss", nil)), ErrInvalid},
		"audience":     {r.sign(t, with(valid(now), "aud", "somebody")), ErrInvalid},
		"no audience":  {r.sign(t, with(valid(now), "aud", nil)), ErrInvalid},
		"no subject":   {r.sign(t, with(valid(now), "sub", nil)), ErrInvalid},
		"long subject": {r.sign(t, with(valid(now), "sub", strings.Repeat("a", 256))), ErrInvalid},
		"no end":       {r.sign(t, with(valid(now), "exp", nil)), ErrInvalid},
		"expired": {r.sign(t, with(valid(now), "exp", now.Add(-time.Second).Unix())),
			ErrExpired},
		"not yet": {r.sign(t, with(valid(now), "nbf", now.Add(time.Hour).Unix())), ErrInvalid},
		"future":  {r.sign(t, with(valid(now), "iat", now.Add(time.Hour).Unix())), ErrInvalid},
		"two values of a tag": {r.sign(t, with(valid(now), "https://aws.amazon.com/tags",
			map[string]any{"principal_tags": map[string]any{"a": []string{"b", "c"}}})),
			ErrInvalid},
	} {
		if id, err := s.Verify(t.Context(), c.token); !errors.Is(err, c.want) || id != nil {
			t.Errorf("%s: %+v, %v, want %v", name, id, err, c.want)
		}
	}
	var none *Issuers
	if _, err := none.Verify(t.Context(), good); !errors.Is(err, ErrInvalid) {
		t.Errorf("without issuers: %v", err)
	}
}

func TestKeysThatAreLeftOut(t *testing.T) {
	good := ecSigner(t, "good", elliptic.P256(), jose.ES256)
	weak := rsaSigner(t, "weak", 1024)
	set := string(keySetOf(t, good, weak, ecSigner(t, "p384", elliptic.P384(), jose.ES384)))
	set = strings.Replace(set, `{"keys":[`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"oct"},`+
		`{"kty":"unknown"},`, 1)
	keys, err := parseKeys([]byte(set))
	if err != nil || len(keys) != 1 || keys[0].KeyID != "good" {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for _, text := range []string{"", "{}", `{"keys":[]}`, "not JSON", string(keySetOf(t, weak)),
		`{"keys":[` + strings.Repeat(`{},`, maxKeys) + `{}]}`} {
		if _, err := parseKeys([]byte(text)); err == nil {
			t.Errorf("a key set of %.60q was accepted", text)
		}
	}
}

// Keys at an URL are read when they are needed, and again for a key that is new, but not at every
// token of an unknown key.
func TestKeysAtAnURL(t *testing.T) {
	first, second := ecSigner(t, "1", elliptic.P256(), jose.ES256),
		ecSigner(t, "2", elliptic.P256(), jose.ES256)
	answer, status, reads := keySetOf(t, first), http.StatusOK, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reads++
		w.WriteHeader(status)
		w.Write(answer)
	}))
	defer server.Close()
	s, err := parse([]byte(`{"issuers":[{"issuer":"`+issuerURL+
		`","audiences":["recollect"],"jwks":"`+server.URL+`/keys"}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s.now = func() time.Time { return now }
	verify := func(doing string, by signer, want error, wantReads int) {
		t.Helper()
		claims := valid(now)
		if _, err := s.Verify(context.Background(), by.sign(t, claims)); !errors.Is(err, want) ||
			want == nil && err != nil {
			t.Errorf("%s: %v, want %v", doing, err, want)
		}
		if reads != wantReads {
			t.Errorf("%s: %d reads of the keys, want %d", doing, reads, wantReads)
		}
	}
	verify("the first token", first, nil, 1)
	verify("the second", first, nil, 1)
	answer = keySetOf(t, first, second)
	verify("a new key at once", second, ErrInvalid, 1)
	now = now.Add(betweenLoads)
	verify("a new key", second, nil, 2)
	for range 10 {
		verify("an unknown key", ecSigner(t, "3", elliptic.P256(), jose.ES256), ErrInvalid, 2)
	}
	answer = keySetOf(t, second)
	now = now.Add(freshKeys)
	verify("a key that was withdrawn", first, ErrInvalid, 3)

	status = http.StatusInternalServerError
	now = now.Add(freshKeys)
	verify("keys that cannot be read again", second, nil, 4)
	now = now.Add(usableKeys)
	verify("keys that are too old", second, ErrUnreachable, 5)
	verify("again", second, ErrUnreachable, 5)
	status = http.StatusOK
	now = now.Add(betweenLoads)
	verify("keys that can be read again", second, nil, 6)
}

func TestLoadReportsEveryFault(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`{}`, []string{"issuers: there is none"}},
		{`{"issuers":[{"issuer":"id","audiences":[],"jwks":""},` +
			`{"issuer":"https://a","audiences":[""],"jwks":"http://id.example.com/keys"},` +
			`{"issuer":"https://a","audiences":["a"],"jwks":"ftp://127.0.0.1/keys"}]}`,
			[]string{`issuers[0].issuer: "id"`, "issuers[0].audiences", "issuers[0].jwks",
				"issuers[1].audiences", "issuers[1].jwks", "issuers[2].issuer", "issuers[2].jwks"}},
		{`{"issuers":[{"issuer":"https://a","audiences":["a"],"jwks":"missing.json"}]}`,
			[]string{"missing.json"}},
		{`{"issuers":[{"issuer":"https://a","audience":["a"]}]}`, []string{"audience"}},
	} {
		_, err := parse([]byte(c.text), t.TempDir())
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.text, err, want)
			}
		}
	}
}

// A redirection does not lead to an address where keys could be changed on their way.
func TestRedirectedKeys(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://id.example.com/keys", http.StatusFound)
	}))
	defer server.Close()
	_, err := get(t.Context(), newClient(), server.URL)
	if err == nil || !strings.Contains(err.Error(), "not followed") {
		t.Errorf("%v", err)
	}
}

func FuzzVerify(f *testing.F) {
	e := ecSigner(f, "e", elliptic.P256(), jose.ES256)
	s := configured(f, keySetOf(f, e))
	good := e.sign(f, with(valid(time.Now()), "exp", time.Now().Add(1000*time.Hour).Unix()))
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := s.Verify(t.Context(), token)
		if err == nil && (id.Subject != "anna" || strings.Split(token, ".")[1] !=
			strings.Split(good, ".")[1]) {
			t.Errorf("token %q proves %+v", token, id)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(keySetOf(f, ecSigner(f, "e", elliptic.P256(), jose.ES256)))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeys(text)
		for _, key := range keys {
			if algorithmOf(key) == "" {
				t.Errorf("a key of no algorithm is kept: %v", key.KeyID)
			}
		}
		if err == nil && len(keys) == 0 {
			t.Error("no keys and no error")
		}
	})
}
