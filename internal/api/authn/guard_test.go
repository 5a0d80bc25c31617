package authn_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/sigv4"
)

// burst is how many failures a network or a key has after a rest.
const burst = 200

// attacked is an authenticator behind the proxy 10.0.0.1 that is guarded, with a clock.
type attacked struct {
	*authn.Authenticator
	guard *authn.Guard
	log   bytes.Buffer
	now   time.Time
}

func attack() *attacked {
	a := &attacked{now: time.Now()}
	a.guard = authn.NewGuard(slog.New(slog.NewTextHandler(&a.log, nil)))
	proxies := clientaddr.Resolver{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}}
	a.Authenticator = authn.New(keys{}, "rekognition", []string{"us-east-1"}, proxies).
		Guarded(a.guard)
	return a
}

// sign sends a request of a client, who is an address or an address behind the proxy, and returns
// what the client is told.
func (a *attacked) sign(t *testing.T, client, id, secret, token string) error {
	t.Helper()
	r := signed(t, id, secret, token, "us-east-1", a.now)
	r.RemoteAddr = client
	if behind, ok := strings.CutPrefix(client, "proxy "); ok {
		r.RemoteAddr = "10.0.0.1:80"
		r.Header.Set("X-Forwarded-For", behind)
	}
	claim, err := a.Read(r, a.now)
	if err == nil {
		_, err = claim.Verify(r, sha256.Sum256(nil))
	}
	return err
}

// fail sends requests with wrong signatures.
func (a *attacked) fail(t *testing.T, n int, client, id string) {
	t.Helper()
	for i := range n {
		err := a.sign(t, client, id, "a wrong secret", "")
		if _, ok := errors.AsType[*sigv4.Error](err); !ok {
			t.Fatalf("failure %d of %d of %s with %s: %v", i, n, client, id, err)
		}
	}
}

func (a *attacked) expect(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

const (
	eve   = "198.51.100.7:4711"
	other = "203.0.113.9:4711"
)

// Guesses of a key from one address end, and so do those with other keys from there. A client
// elsewhere, who had signed rightly, is served, as one is who signed rightly from the same address.
func TestGuessesFromAnAddress(t *testing.T) {
	a := attack()
	a.expect(t, "the owner, before", a.sign(t, other, keyID, secret, ""), nil)
	a.fail(t, burst, eve, keyID)
	a.expect(t, "one guess more", a.sign(t, eve, keyID, "a wrong secret", ""),
		authn.ErrTooManyFailures)
	a.expect(t, "the right one", a.sign(t, eve, keyID, secret, ""), authn.ErrTooManyFailures)
	a.expect(t, "another id", a.sign(t, eve, "AKIAEXAMPLE000000002", secret, ""),
		authn.ErrTooManyFailures)
	a.expect(t, "the owner", a.sign(t, other, keyID, secret, ""), nil)
	a.expect(t, "a temporary key from the address", a.sign(t, eve, sessionID, secret, "token"),
		nil)

	// A failure is given back each second, and is one for the attacker too.
	a.now = a.now.Add(time.Second)
	a.fail(t, 1, eve, keyID)
	a.expect(t, "at once", a.sign(t, eve, keyID, secret, ""), authn.ErrTooManyFailures)
	a.now = a.now.Add(time.Second)
	a.expect(t, "a second later", a.sign(t, eve, keyID, secret, ""), nil)
	a.expect(t, "proven", a.sign(t, eve, keyID, secret, ""), nil)

	if got := a.guard.Failures(authn.WrongSignature); got != burst+1 {
		t.Errorf("%d wrong signatures are counted", got)
	}
	if got := a.guard.Refused(authn.ByNetwork); got != 4 {
		t.Errorf("%d refused requests are counted", got)
	}
	if n := strings.Count(a.log.String(), "too many failed signatures"); n != 1 ||
		!strings.Contains(a.log.String(), "limit=address address=198.51.100.7") ||
		strings.Contains(a.log.String(), secret) {
		t.Errorf("the log has %d lines: %s", n, a.log.String())
	}
}

// A key is guarded from guesses that come from many addresses.
func TestGuessesFromManyAddresses(t *testing.T) {
	a := attack()
	a.expect(t, "the owner, before", a.sign(t, other, keyID, secret, ""), nil)
	for i := range burst {
		a.fail(t, 1, fmt.Sprintf("[2001:db8:0:%x::1]:1", i), keyID)
	}
	a.expect(t, "another address", a.sign(t, eve, keyID, secret, ""), authn.ErrTooManyFailures)
	a.expect(t, "the owner", a.sign(t, other, keyID, secret, ""), nil)
	if a.guard.Refused(authn.ByKey) != 1 {
		t.Error("the refused request is not counted")
	}
	a.now = a.now.Add(24*time.Hour + time.Minute) // the owner was away for a day
	a.expect(t, "the owner, later", a.sign(t, other, keyID, secret, ""), nil)
}

// A program with an old secret beside the owner's program slows it down only when it is fast.
func TestFailuresBesideTheOwner(t *testing.T) {
	a := attack()
	a.expect(t, "the owner, before", a.sign(t, other, keyID, secret, ""), nil)
	for range 100 {
		a.now = a.now.Add(time.Second)
		a.fail(t, 9, other, keyID)
		a.expect(t, "the owner", a.sign(t, other, keyID, secret, ""), nil)
	}
	a.now = a.now.Add(time.Second)
	a.fail(t, burst, other, keyID)
	a.expect(t, "guesses", a.sign(t, other, keyID, secret, ""), authn.ErrTooManyFailures)
	a.expect(t, "another client there", a.sign(t, other, sessionID, secret, "token"), nil)
	if a.guard.Refused(authn.ByKeyInNetwork) != 1 || a.guard.Refused(authn.ByNetwork) != 0 {
		t.Error("the refused request is counted elsewhere")
	}
	a.now = a.now.Add(100 * time.Millisecond)
	a.expect(t, "the owner", a.sign(t, other, keyID, secret, ""), nil)
}

// Clients behind a trusted proxy are told apart, and one who claims to be a proxy is not believed.
func TestFailuresBehindAProxy(t *testing.T) {
	a := attack()
	a.fail(t, burst, "proxy 198.51.100.7", keyID)
	a.expect(t, "the attacker", a.sign(t, "proxy 198.51.100.7", "AKIAEXAMPLE000000002", "", ""),
		authn.ErrTooManyFailures)
	err := a.sign(t, "proxy 198.51.100.8", "AKIAEXAMPLE000000002", secret, "")
	if e, ok := errors.AsType[*sigv4.Error](err); !ok || e.Type != sigv4.UnrecognizedClient {
		t.Errorf("the neighbour: %v", err)
	}
	for i := range burst + 1 {
		r := signed(t, "AKIAEXAMPLE000000002", secret, "", "us-east-1", a.now)
		r.RemoteAddr = other
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
		_, err = a.Read(r, a.now)
	}
	a.expect(t, "a false proxy", err, authn.ErrTooManyFailures)
}

// What teaches an attacker nothing is not counted: a wrong region, a wrong clock, no signature, a
// session token that does not exist or is too old.
func TestHarmlessFailures(t *testing.T) {
	a := attack()
	for range 2 * burst {
		for _, r := range []*http.Request{
			signed(t, keyID, secret, "", "ap-south-1", a.now),
			signed(t, keyID, secret, "", "us-east-1", a.now.Add(-time.Hour)),
			signed(t, sessionID, secret, "old", "us-east-1", a.now),
			signed(t, sessionID, secret, "none", "us-east-1", a.now),
			{RemoteAddr: eve, Header: http.Header{}},
		} {
			r.RemoteAddr = eve
			if _, err := a.Read(r, a.now); errors.Is(err, authn.ErrTooManyFailures) || err == nil {
				t.Fatal(err)
			}
		}
	}
	a.expect(t, "a client there", a.sign(t, eve, keyID, secret, ""), nil)
}

// Neither networks nor keys fill the memory, and those that were proven stay served when others
// share a count.
func TestManyOrigins(t *testing.T) {
	g := authn.NewGuard(slog.New(slog.DiscardHandler))
	a := authn.New(anyKey{}, "rekognition", []string{"us-east-1"}, clientaddr.Resolver{}).
		Guarded(g)
	now := time.Now()
	r := signed(t, keyID, secret, "", "us-east-1", now)
	send := func(address string, now time.Time) error {
		r.RemoteAddr = address
		_, err := a.Read(r, now)
		return err
	}
	const most = 64 << 10
	for i := range most + burst {
		err := send(fmt.Sprintf("[2001:db8:%x:%x::1]:1", i>>16, i&0xffff), now)
		if _, ok := errors.AsType[*sigv4.Error](err); !ok {
			t.Fatalf("network %d: %v", i, err)
		}
	}
	if n := g.Size(); n > most {
		t.Errorf("%d networks are kept", n)
	}
	if err := send("192.0.2.1:1", now); !errors.Is(err, authn.ErrTooManyFailures) {
		t.Errorf("a network without a count of its own: %v", err)
	}
	later := now.Add(4 * time.Minute) // the full counts are forgotten
	if err := send("192.0.2.1:1", later); errors.Is(err, authn.ErrTooManyFailures) {
		t.Error(err)
	}
	if n := g.Size(); n > 2 {
		t.Errorf("%d networks are kept, long after", n)
	}
}

// anyKey has no key.
type anyKey struct{ keys }

func (anyKey) AccessKey(_ context.Context, _ string) (iam.AccessKey, bool, error) {
	return iam.AccessKey{}, false, nil
}
