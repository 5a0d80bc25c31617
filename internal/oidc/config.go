package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
)

// file is the form of the configuration.
type file struct {
	Issuers []struct {
		Issuer    string   `json:"issuer"`
		Audiences []string `json:"audiences"`
		JWKS      string   `json:"jwks"`
	} `json:"issuers"`
}

// Load reads a JSON file of issuers:
//
//	{"issuers": [{
//	  "issuer": "https://id.example.com/realms/staff",
//	  "audiences": ["recollect"],
//	  "jwks": "https://id.example.com/realms/staff/keys"
//	}]}
//
// The issuer is the claim iss of its tokens. The key set, jwks, is a URL with https (or with http
// on a loopback address), or a file, in the folder of the configuration if its path is relative. A
// file has to be there; the keys at a URL are read when the first token arrives. It reports every
// fault at once.
func Load(path string) (*Issuers, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the OpenID Connect issuers: %w", err)
	}
	s, err := parse(text, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read the OpenID Connect issuers of %s:\n%w", path, err)
	}
	return s, nil
}

func parse(text []byte, dir string) (*Issuers, error) {
	var f file
	if err := json.Unmarshal(text, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	s := &Issuers{byURL: map[string]*issuer{}, now: time.Now}
	client := newClient()
	var faults []error
	for n, configured := range f.Issuers {
		at := fmt.Sprintf("issuers[%d]", n)
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("%s.%s", at, fmt.Sprintf(format, args...)))
		}
		if !isWebURL(configured.Issuer) {
			fault("issuer: %q is no URL with https or http", configured.Issuer)
		}
		if s.byURL[configured.Issuer] != nil {
			fault("issuer: %s is configured twice", configured.Issuer)
		}
		if len(configured.Audiences) == 0 {
			fault("audiences: there is none")
		}
		for _, audience := range configured.Audiences {
			if audience == "" {
				fault("audiences: one is empty")
			}
		}
		keys, err := newKeySet(configured.JWKS, dir, client)
		if err != nil {
			fault("jwks: %v", err)
		}
		s.byURL[configured.Issuer] = &issuer{url: configured.Issuer,
			provider: providerOf(configured.Issuer), audiences: configured.Audiences, keys: keys}
	}
	if len(f.Issuers) == 0 {
		faults = append(faults, errors.New("issuers: there is none"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return s, nil
}

// isWebURL reports whether text is a URL with a host, and without a query and a fragment.
func isWebURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// isSafe reports whether nobody on the network can change the answers of a URL.
func isSafe(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	if u.Scheme != "http" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
}

// newClient returns a client that follows redirections to safe URLs alone.
func newClient() *http.Client {
	return &http.Client{
		Timeout: loadTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || !isSafe(r.URL) {
				return errors.New("the redirection is not followed")
			}
			return nil
		},
	}
}
