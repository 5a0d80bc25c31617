package authn_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/sigv4"
)

const (
	keyID  = "AKIAEXAMPLE000000001"
	secret = "an example of a secret"
	empty  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

var anna = iam.User{Account: "123456789012", Name: "anna", ID: "AIDAEXAMPLE"}.Principal()

// keys has one key, and fails if it is asked to.
type keys struct{ err error }

func (k keys) AccessKey(_ context.Context, id string) (iam.AccessKey, bool, error) {
	return iam.AccessKey{ID: keyID, Secret: secret, Principal: anna}, id == keyID, k.err
}

// sessionID is the id of keys' temporary key, which has the same secret, and whose tokens are
// "token" and, too old, "old".
const sessionID = "ASIAEXAMPLE000000001"

var annaInSession = iam.Principal{Account: anna.Account, ARN: anna.ARN, UserName: anna.UserName,
	UserID: anna.UserID, Session: &iam.Session{}}

func (k keys) SessionKey(_ context.Context, id, token string) (iam.AccessKey, error) {
	switch {
	case k.err != nil:
		return iam.AccessKey{}, k.err
	case id == sessionID && token == "old":
		return iam.AccessKey{}, iam.ErrSessionExpired
	case id == sessionID && token == "token":
		return iam.AccessKey{ID: sessionID, Secret: secret, Principal: annaInSession}, nil
	}
	return iam.AccessKey{}, iam.ErrNoSession
}

// signed returns a request without a body, signed by the AWS SDK.
func signed(t *testing.T, id, secret, token, region string, at time.Time) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", strings.NewReader(""))
	err := v4.NewSigner().SignHTTP(t.Context(),
		aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token},
		r, empty, "rekognition", region, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCaller(t *testing.T) {
	at := time.Now()
	a := authn.New(keys{}, "rekognition", []string{"us-east-1", "eu-west-1"},
		clientaddr.Resolver{})
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		r := signed(t, keyID, secret, "", region, at)
		r.RemoteAddr = "[::ffff:192.0.2.1]:4711"
		claim, err := a.Read(r, at)
		if err != nil {
			t.Fatal(err)
		}
		caller, err := claim.Verify(r, sha256.Sum256(nil))
		want := authn.Caller{Principal: anna, KeyID: keyID,
			Client: authn.Client{Address: netip.MustParseAddr("192.0.2.1")},
			Realm:  recollect.Realm{Account: anna.Account, Region: region}}
		if err != nil || caller != want {
			t.Errorf("%s: %+v, %v", region, caller, err)
		}
		asked := caller.PolicyRequest(r, "rekognition:IndexFaces", "*", at)
		if asked.SourceIP.String() != "192.0.2.1" || asked.Region != region ||
			asked.Principal != anna || asked.Action != "rekognition:IndexFaces" ||
			asked.SecureTransport {
			t.Errorf("policies are asked about %+v", asked)
		}
	}
}

// A request that is rejected before its body is read costs a lookup at most, and leaves the id of
// the key that it named for the log.
func TestRejectedByHeadersAlone(t *testing.T) {
	at := time.Now()
	for name, test := range map[string]struct {
		r    *http.Request
		err  string // type of the error
		logs string
	}{
		"no signature": {httptest.NewRequest(http.MethodPost, "/", nil),
			"MissingAuthenticationTokenException", ""},
		"unknown key": {signed(t, "AKIAEXAMPLE000000002", secret, "", "us-east-1", at),
			"UnrecognizedClientException", "AKIAEXAMPLE000000002"},
		"long-lived key with a token": {signed(t, keyID, secret, "token", "us-east-1", at),
			"UnrecognizedClientException", keyID},
		"temporary key without": {signed(t, sessionID, secret, "", "us-east-1", at),
			"UnrecognizedClientException", sessionID},
		"another token": {signed(t, sessionID, secret, "other", "us-east-1", at),
			"UnrecognizedClientException", sessionID},
		"old token": {signed(t, sessionID, secret, "old", "us-east-1", at),
			"ExpiredTokenException", sessionID},
		"unsigned token": {withToken(signed(t, sessionID, secret, "", "us-east-1", at)),
			"InvalidSignatureException", ""},
		"other region": {signed(t, keyID, secret, "", "ap-south-1", at),
			"InvalidSignatureException", keyID},
		"long ago": {signed(t, keyID, secret, "", "us-east-1", at.Add(-time.Hour)),
			"InvalidSignatureException", keyID},
	} {
		a := authn.New(keys{}, "rekognition", []string{"us-east-1"}, clientaddr.Resolver{})
		claim, err := a.Read(test.r, at)
		if e, ok := errors.AsType[*sigv4.Error](err); !ok || e.Type != test.err {
			t.Errorf("%s: %v, want %s", name, err, test.err)
		}
		if claim.KeyID() != test.logs {
			t.Errorf("%s: the log gets %q, want %q", name, claim.KeyID(), test.logs)
		}
	}
}

func withToken(r *http.Request) *http.Request {
	r.Header.Set("X-Amz-Security-Token", "token")
	return r
}

func TestSessionToken(t *testing.T) {
	at := time.Now()
	a := authn.New(keys{}, "rekognition", []string{"us-east-1"}, clientaddr.Resolver{})
	r := signed(t, sessionID, secret, "token", "us-east-1", at)
	claim, err := a.Read(r, at)
	if err != nil {
		t.Fatal(err)
	}
	caller, err := claim.Verify(r, sha256.Sum256(nil))
	if err != nil || caller.Principal != annaInSession || caller.KeyID != sessionID {
		t.Errorf("%+v, %v", caller, err)
	}
	r = signed(t, sessionID, "another secret than hers", "token", "us-east-1", at)
	if claim, err = a.Read(r, at); err != nil {
		t.Fatal(err)
	}
	if _, err := claim.Verify(r, sha256.Sum256(nil)); err == nil {
		t.Error("a valid token with another secret was accepted")
	}
}

func TestRejectedByTheSignature(t *testing.T) {
	at := time.Now()
	a := authn.New(keys{}, "rekognition", []string{"us-east-1"}, clientaddr.Resolver{})
	for name, test := range map[string]struct{ secret, body string }{
		"another secret": {"another secret than hers", ""},
		"another body":   {secret, "{}"},
	} {
		r := signed(t, keyID, test.secret, "", "us-east-1", at)
		claim, err := a.Read(r, at)
		if err != nil {
			t.Fatal(name, err)
		}
		caller, err := claim.Verify(r, sha256.Sum256([]byte(test.body)))
		if e, ok := errors.AsType[*sigv4.Error](err); !ok || caller != (authn.Caller{}) {
			t.Errorf("%s: %+v, %v, %v", name, caller, e, err)
		}
	}
}

func TestKeysThatCannotBeRead(t *testing.T) {
	at, broken := time.Now(), errors.New("broken")
	a := authn.New(keys{broken}, "rekognition", []string{"us-east-1"}, clientaddr.Resolver{})
	for _, r := range []*http.Request{signed(t, keyID, secret, "", "us-east-1", at),
		signed(t, sessionID, secret, "token", "us-east-1", at)} {
		_, err := a.Read(r, at)
		if _, ok := errors.AsType[*sigv4.Error](err); ok || !errors.Is(err, broken) {
			t.Errorf("%v, want the server's own error", err)
		}
	}
}

// Policies decide about the client that a trusted proxy reports, and about the peer otherwise.
func TestClientBehindProxy(t *testing.T) {
	at := time.Now()
	proxies := clientaddr.Resolver{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	a := authn.New(keys{}, "rekognition", []string{"us-east-1"}, proxies)
	for peer, want := range map[string]authn.Client{
		"10.1.2.3:4711":    {Address: netip.MustParseAddr("198.51.100.7"), TLS: true},
		"203.0.113.9:4711": {Address: netip.MustParseAddr("203.0.113.9")},
	} {
		r := signed(t, keyID, secret, "", "us-east-1", at)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		r.Header.Set("X-Forwarded-Proto", "https")
		claim, err := a.Read(r, at)
		if err != nil {
			t.Fatal(err)
		}
		caller, err := claim.Verify(r, sha256.Sum256(nil))
		asked := caller.PolicyRequest(r, "rekognition:ListFaces", "*", at)
		if err != nil || a.Client(r) != want || asked.SourceIP != want.Address ||
			asked.SecureTransport != want.TLS {
			t.Errorf("from %s: %+v, and policies decide about %v, %v; %v", peer, caller.Client,
				asked.SourceIP, asked.SecureTransport, err)
		}
	}
}
