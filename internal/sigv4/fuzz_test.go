package sigv4_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/recollect-dev/recollect/internal/sigv4"
)

func newServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// FuzzParse: no request makes Parse or Verify panic, none verifies without the secret, and every
// error is fit to be shown.
func FuzzParse(f *testing.F) {
	good := exampleAuthorization(exampleScope, "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
	f.Add(good, exampleStamp, "/", "")
	f.Add(good, "Sun, 30 Aug 2015 12:36:00 GMT", "/a/../b//c/?a=b&a=a", "token")
	f.Add(strings.ReplaceAll(good, ", ", ","), exampleStamp, "/%E1%88%B4?%zz", "token")
	f.Add(strings.Replace(good, "host;", "content-length;host;", 1), exampleStamp, "http://h/?+",
		"")
	f.Add("AWS4-HMAC-SHA256 Credential=////,Signature==,SignedHeaders=;", "", "*", "")
	f.Add("AWS4-HMAC-SHA256 "+strings.Repeat(",", 100), "20150230T250000Z", "/?&&=&", " ")
	f.Add("Bearer \xff", "99991231T235959Z", "/\xff", "\x7f")
	f.Fuzz(func(t *testing.T, authorization, date, target, token string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST " + target +
			" HTTP/1.1\r\nHost: example.amazonaws.com\r\n\r\n")))
		if err != nil {
			t.Skip()
		}
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		if token != "" {
			r.Header.Set("X-Amz-Security-Token", token)
		}
		check := func(err error) {
			e, ok := errors.AsType[*sigv4.Error](err)
			if !ok {
				t.Fatalf("not a *sigv4.Error: %v", err)
			}
			if !utf8.ValidString(e.Message) || len(e.Message) > 1000 ||
				strings.Contains(e.Message, exampleSecret) {
				t.Fatalf("message %q", e.Message)
			}
		}
		s, err := sigv4.Parse(r)
		if err != nil {
			check(err)
			return
		}
		if s.AccessKeyID == "" || len(s.SignedHeaders) == 0 || s.SessionToken != token {
			t.Fatalf("parsed %+v", s)
		}
		// At the request's own time and scope, so that it gets as far as the signature.
		for _, scope := range []sigv4.Scope{exampleScope, {Region: s.Region, Service: s.Service}} {
			err = s.Verify(r, sha256.Sum256([]byte("another body")), exampleSecret, scope, s.Time)
			if err == nil {
				t.Fatal("verified")
			}
			check(err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	scope := sigv4.Scope{Region: "us-east-1", Service: "rekognition"}
	r := listCollections(b, scope)
	body := sha256.Sum256([]byte("{}"))
	b.ReportAllocs()
	for b.Loop() {
		s, err := sigv4.Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Verify(r, body, exampleSecret, scope, exampleTime); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkParseHostile shows what a caller without a key can cost: the longest header there may
// be.
func BenchmarkParseHostile(b *testing.B) {
	for _, size := range []int{1 << 10, 8000, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := &http.Request{Header: http.Header{
				"Authorization": {"AWS4-HMAC-SHA256 " + strings.Repeat("a=,", size/3)},
				"X-Amz-Date":    {exampleStamp}}}
			for b.Loop() {
				if _, err := sigv4.Parse(r); err == nil {
					b.Fatal("parsed")
				}
			}
		})
	}
}
