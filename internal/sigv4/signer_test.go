package sigv4_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/recollect-dev/recollect/internal/sigv4"
)

// sign signs r with the SDK's own signer and returns it as a server receives it, by way of the
// wire.
func sign(t testing.TB, r *http.Request, body []byte, secret, token string, scope sigv4.Scope,
	at time.Time) *http.Request {
	t.Helper()
	hash := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: secret,
		SessionToken: token}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(hash[:]),
		scope.Service, scope.Region, at); err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	received, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return received
}

func verify(r *http.Request, body []byte, secret string, scope sigv4.Scope, now time.Time) error {
	s, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	return s.Verify(r, sha256.Sum256(body), secret, scope, now)
}

func random(rng *rand.Rand, alphabet string, least, most int) string {
	letters := []rune(alphabet)
	b := make([]rune, least+rng.IntN(most-least+1))
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	return string(b)
}

// randomRequest makes a request that the SDK's signer signs as the algorithm is documented. It does
// not normalise paths, so there are no empty and no dot segments here, and it sorts parameters
// before it escapes them, so their names are of characters that need no escape, each once.
func randomRequest(t testing.TB, rng *rand.Rand) (*http.Request, []byte) {
	const letters = "aB9-_~!$&'()*+;=:@ %/?#[]\"<>\\^`{|}äሴ😀"
	body := []byte(random(rng, letters, 0, 200))
	target := &url.URL{Scheme: "http", Host: random(rng, "abc", 1, 9) + ".example:7180", Path: "/"}
	for range rng.IntN(4) {
		target.Path += "s" + strings.ReplaceAll(random(rng, letters, 0, 8), "/", "") + "/"
	}
	query := url.Values{}
	for range rng.IntN(5) {
		query.Set(random(rng, "aB9-_.~", 1, 3), random(rng, letters, 0, 9))
	}
	target.RawQuery = query.Encode()
	method := []string{"GET", "POST", "PUT", "DELETE"}[rng.IntN(4)]
	r, err := http.NewRequestWithContext(t.Context(), method, target.String(),
		bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("User-Agent", random(rng, "abc/ .1", 1, 20))
	for range rng.IntN(5) {
		name := []string{"X-Amz-", "X-Amzn-", "Amz-Sdk-", "X-"}[rng.IntN(4)] +
			random(rng, "abcdE-", 1, 6)
		for range 1 + rng.IntN(3) {
			r.Header.Add(name, random(rng, "ab  ,;=\"é", 0, 20))
		}
	}
	return r, body
}

// TestSDKSigner verifies what the SDK signs, and refuses it once any one thing is changed.
func TestSDKSigner(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		request, body := randomRequest(t, rng)
		secret := random(rng, "abc/+", 1, 40)
		token := ""
		if rng.IntN(3) == 0 {
			token = random(rng, "abc/+=", 1, 300)
		}
		scope := sigv4.Scope{Region: random(rng, "abc-1", 1, 12),
			Service: random(rng, "abc", 1, 12)}
		at := time.Unix(rng.Int64N(4e9), 0)
		r := sign(t, request, body, secret, token, scope, at)
		if err := verify(r, body, secret, scope,
			at.Add(time.Duration(rng.IntN(590)-295)*time.Second)); err != nil {
			t.Fatalf("request %d: %v\n%s %s\n%v", i, err, r.Method, r.URL, r.Header)
		}
		if s, _ := sigv4.Parse(r); s.SessionToken != token {
			t.Fatalf("request %d: session token %q, want %q", i, s.SessionToken, token)
		}

		name := "nothing"
		switch changed := r; rng.IntN(10) {
		case 0:
			name, body = "body", append(body, ' ')
		case 1:
			name, changed.Method = "method", "PATCH"
		case 2:
			name, changed.Host = "host", changed.Host+"x"
		case 3:
			name, changed.URL.Path, changed.URL.RawPath = "path", changed.URL.Path+"x", ""
		case 4:
			name, changed.URL.RawQuery = "query", changed.URL.RawQuery+"&x"
		case 5:
			name = "query"
			changed.URL.RawQuery += "&%zz"
		case 6:
			name, secret = "secret", secret+"x"
		case 7:
			name = "header"
			changed.Header.Set("Content-Type", "text/plain")
		case 8:
			name = "date" // a second later, and still current
			changed.Header.Set("X-Amz-Date", at.UTC().Add(time.Second).Format("20060102T150405Z"))
		case 9:
			name = "header" // given a second time
			changed.Header.Add("Content-Type", "application/x-amz-json-1.1")
		}
		if name == "date" && at.UTC().Add(time.Second).YearDay() != at.UTC().YearDay() {
			continue // another error
		}
		if err := verify(r, body, secret, scope, at); err == nil {
			t.Fatalf("request %d verified with another %s", i, name)
		} else {
			wantError(t, err, sigv4.InvalidSignature, "does not match the signature you provided")
		}
	}
}

// TestEverySignatureBit refuses a signature that differs in one digit, in length or in case.
func TestEverySignatureBit(t *testing.T) {
	scope := sigv4.Scope{Region: "us-east-1", Service: "rekognition"}
	r := listCollections(t, scope)
	good := r.Header.Get("Authorization")
	head, signature, _ := strings.Cut(good, "Signature=")
	bad := []string{signature[:63], signature + "0", strings.ToUpper(signature), "0",
		strings.Repeat("é", 32)}
	for i := range signature {
		digit := byte('0')
		if signature[i] == digit {
			digit = '1'
		}
		bad = append(bad, signature[:i]+string(digit)+signature[i+1:])
	}
	for _, b := range bad {
		r.Header.Set("Authorization", head+"Signature="+b)
		err := verify(r, []byte("{}"), exampleSecret, scope, exampleTime)
		wantError(t, err, sigv4.InvalidSignature, "does not match the signature you provided")
		if strings.Contains(err.Error(), signature) {
			t.Fatal("the error holds the right signature")
		}
	}
	r.Header.Set("Authorization", good)
	if err := verify(r, []byte("{}"), exampleSecret, scope, exampleTime); err != nil {
		t.Error(err)
	}
}

func listCollections(t testing.TB, scope sigv4.Scope) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:7180/",
		strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "RekognitionService.ListCollections")
	r.Header.Set("Amz-Sdk-Invocation-Id", "b7a3a6a0-6a3b-4a3f-8a7c-0d8a1fb4c2f5")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	return sign(t, r, []byte("{}"), exampleSecret, "", scope, exampleTime)
}

// TestHeaderOrder: neither the order of the request's headers nor headers that are added on the way
// and not signed matter.
func TestHeaderOrder(t *testing.T) {
	scope := sigv4.Scope{Region: "us-east-1", Service: "rekognition"}
	signed := listCollections(t, scope)
	names := slices.Collect(maps.Keys(signed.Header))
	for range 20 {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		head := "POST / HTTP/1.1\nHost: 127.0.0.1:7180\n" +
			"X-Forwarded-For: 10.0.0.1\nX-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678"
		for _, name := range names {
			head += fmt.Sprintf("\n%s: %s", strings.ToLower(name), signed.Header.Get(name))
		}
		if err := verify(readRequest(t, head), []byte("{}"), exampleSecret, scope,
			exampleTime); err != nil {
			t.Fatal(err)
		}
	}
}

func TestContentSHA256Header(t *testing.T) {
	scope := sigv4.Scope{Region: "us-east-1", Service: "rekognition"}
	body := []byte(`{"CollectionId":"c"}`)
	hash := sha256.Sum256(body)
	for _, test := range []struct {
		value string
		ok    bool
	}{
		{hex.EncodeToString(hash[:]), true},
		{strings.ToUpper(hex.EncodeToString(hash[:])), false},
		{"UNSIGNED-PAYLOAD", false},
		{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false},
		{"", false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:7180/",
			bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Content-Sha256", test.value)
		err = verify(sign(t, r, body, exampleSecret, "", scope, exampleTime), body, exampleSecret,
			scope, exampleTime)
		if test.ok && err != nil {
			t.Errorf("%q: %v", test.value, err)
		}
		if !test.ok {
			wantError(t, err, sigv4.InvalidSignature,
				"'x-amz-content-sha256' header does not match")
		}
	}
	// As S3 is signed: the header's word in the place of the hash.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:7180/",
		bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	credentials := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, "UNSIGNED-PAYLOAD",
		scope.Service, scope.Region, exampleTime); err != nil {
		t.Fatal(err)
	}
	wantError(t, verify(r, body, exampleSecret, scope, exampleTime), sigv4.InvalidSignature,
		"does not match")
}

// TestServer verifies inside net/http's own server, where Host and Content-Length are kept apart
// from the headers.
func TestServer(t *testing.T) {
	scope := sigv4.Scope{Region: "us-east-1", Service: "rekognition"}
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verify(r, body, exampleSecret, scope, time.Now())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	for _, path := range []string{"/", "/a%20b/c", "/a%2Fb/", "/%E1%88%B4?b=2&a=1&a=0&c",
		"/?x=a+b%2B%20"} {
		body := []byte(`{"Bytes":"äöü"}`)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+path,
			bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(body)
		credentials := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret,
			SessionToken: "token"}
		if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(hash[:]),
			scope.Service, scope.Region, time.Now()); err != nil {
			t.Fatal(err)
		}
		if a := r.Header.Get("Authorization"); !strings.Contains(a, "content-length;host") {
			t.Fatalf("the signer no longer signs the length: %s", a)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// TestOtherSpellings verifies requests that say the same as a signed one in another way, as proxies
// and other clients do.
func TestOtherSpellings(t *testing.T) {
	scope := sigv4.Scope{Region: "us-east-1", Service: "rekognition"}
	body := []byte("{}")
	signed := func(t *testing.T, target string, headers ...string) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://127.0.0.1:7180"+target, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		return sign(t, r, body, exampleSecret, "", scope, exampleTime)
	}
	authorization := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization",
				strings.ReplaceAll(r.Header.Get("Authorization"), from, to))
		}
	}
	query := func(raw string) func(
		*http.Request) {
		return func(r *http.Request) { r.URL.RawQuery = raw }
	}
	for _, test := range []struct {
		name    string
		request *http.Request
		change  func(*http.Request)
		ok      bool
	}{
		{"no space behind commas", signed(t, "/"), authorization(", ", ","), true},
		{"tabs behind commas", signed(t, "/"), authorization(", ", ",\t "), true},
		{"two spaces behind the algorithm", signed(t, "/"),
			authorization("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256  "), true},
		{"other order of parameters", signed(t, "/"), func(r *http.Request) {
			algorithm, list, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			parts := strings.Split(list, ", ")
			slices.Reverse(parts)
			r.Header.Set("Authorization", algorithm+" "+strings.Join(parts, ","))
		}, true},
		{"lower-case escapes", signed(t, "/?a=%E1%88%B4&b=%2F"), query("a=%e1%88%b4&b=%2f"), true},
		{"bare UTF-8", signed(t, "/?a=%E1%88%B4"), query("a=\u1234"), true},
		{"plus for a space", signed(t, "/?a=b%20c"), query("a=b+c"), true},
		{"needless escapes", signed(t, "/?abc=1"), query("%61bc=%31"), true},
		{"other order of the query", signed(t, "/?a=1&b=2"), query("b=2&a=1"), true},
		{"a name without equal sign", signed(t, "/?a="), query("a"), true},
		{"ampersands too many", signed(t, "/?a=1&b=2"), query("&a=1&&b=2&"), true},
		{"a plus that is one", signed(t, "/?a=b%2Bc"), query("a=b+c"), false},
		{"a name more", signed(t, "/?a=1"), query("a=1&a=1"), false},
		{"no query", signed(t, "/?a=1"), query(""), false},
		{"a query more", signed(t, "/"), query("a=1"), false},
		{"half an escape", signed(t, "/?a=1"), query("a=1&b=%e"), false},
		{"spaces around and within", signed(t, "/", "X-Amz-Meta", "a b \u00e9"),
			func(r *http.Request) { r.Header.Set("X-Amz-Meta", "  a    b  \u00e9\t") }, true},
		{"spaces left out", signed(t, "/", "X-Amz-Meta", "a b"),
			func(r *http.Request) { r.Header.Set("X-Amz-Meta", "ab") }, false},
		{"a tab for a space", signed(t, "/", "X-Amz-Meta", "a b"),
			func(r *http.Request) { r.Header.Set("X-Amz-Meta", "a\tb") }, false},
		{"other UTF-8 of the same letter", signed(t, "/", "X-Amz-Meta", "\u00e9"),
			func(r *http.Request) { r.Header.Set("X-Amz-Meta", "e\u0301") }, false},
		{"a repeated header as one", signed(t, "/", "X-Amz-Meta", "a", "X-Amz-Meta", "b"),
			func(r *http.Request) { r.Header["X-Amz-Meta"] = []string{"a,b"} }, true},
		{"a repeated header turned round", signed(t, "/", "X-Amz-Meta", "a", "X-Amz-Meta", "b"),
			func(r *http.Request) { r.Header["X-Amz-Meta"] = []string{"b", "a"} }, false},
		{"a repeated header cut short", signed(t, "/", "X-Amz-Meta", "a", "X-Amz-Meta", "b"),
			func(r *http.Request) { r.Header["X-Amz-Meta"] = []string{"a"} }, false},
		{"a signed header lost", signed(t, "/", "X-Amz-Meta", "a"),
			func(r *http.Request) { r.Header.Del("X-Amz-Meta") }, false},
		// both are empty
		{"a signed header emptied and lost", signed(t, "/", "X-Amz-Meta", ""),
			func(r *http.Request) { r.Header.Del("X-Amz-Meta") }, true},
		{"a Date beside X-Amz-Date", signed(t, "/"),
			func(r *http.Request) { r.Header.Set("Date", "Mon, 01 Jan 2001 00:00:00 GMT") }, true},
		{"the length as a header", signed(t, "/"),
			func(r *http.Request) { r.Header.Set("Content-Length", "2") }, true},
		{"another length", signed(t, "/"),
			func(r *http.Request) { r.Header.Set("Content-Length", "3") }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := verify(test.request, body, exampleSecret, scope, exampleTime); err != nil {
				t.Fatalf("as it was signed: %v", err)
			}
			test.change(test.request)
			err := verify(test.request, body, exampleSecret, scope, exampleTime)
			if test.ok && err != nil {
				t.Error(err)
			}
			if !test.ok {
				wantError(t, err, sigv4.InvalidSignature,
					"does not match the signature you provided")
			}
		})
	}
}

// TestSessionToken: a token is a part of what is signed.
func TestSessionToken(t *testing.T) {
	scope := sigv4.Scope{Region: "us-east-1", Service: "rekognition"}
	const name = "X-Amz-Security-Token"
	for _, test := range []struct {
		name, message string
		change        func(http.Header)
	}{
		{"as signed", "", func(http.Header) {}},
		{"another", "does not match the signature", func(h http.Header) { h.Set(name, "other") }},
		{"none", "does not match the signature", func(h http.Header) { h.Del(name) }},
		{"twice", "does not match the signature", func(h http.Header) { h.Add(name, "token") }},
		{"not signed", "'x-amz-security-token' must be a 'SignedHeader'", func(h http.Header) {
			h.Set("Authorization",
				strings.Replace(h.Get("Authorization"), ";x-amz-security-token", "", 1))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
				"http://127.0.0.1:7180/", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r = sign(t, r, []byte("{}"), exampleSecret, "token", scope, exampleTime)
			test.change(r.Header)
			err = verify(r, []byte("{}"), exampleSecret, scope, exampleTime)
			if test.message != "" {
				wantError(t, err, sigv4.InvalidSignature, test.message)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
