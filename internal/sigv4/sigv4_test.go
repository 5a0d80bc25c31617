package sigv4_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/sigv4"
)

// The credentials and the moment of AWS's worked examples.
const (
	exampleID     = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	exampleStamp  = "20150830T123600Z"
)

var (
	exampleScope = sigv4.Scope{Region: "us-east-1", Service: "service"}
	exampleTime  = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
)

// readRequest parses a request as a server would: head is the request line and the headers without
// the final empty line.
func readRequest(t *testing.T, head string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(
		bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func exampleAuthorization(scope sigv4.Scope, signedHeaders, signature string) string {
	return "AWS4-HMAC-SHA256 Credential=" + exampleID + "/20150830/" + scope.Region + "/" +
		scope.Service +
		"/aws4_request, SignedHeaders=" + signedHeaders + ", Signature=" + signature
}

// TestWorkedExamples checks the signatures that AWS published with its description of the
// algorithm.
func TestWorkedExamples(t *testing.T) {
	const host = "\nHost: example.amazonaws.com\nX-Amz-Date: " + exampleStamp
	iam := sigv4.Scope{Region: "us-east-1", Service: "iam"}
	for _, test := range []struct {
		name, head, signedHeaders, body, signature string
		scope                                      sigv4.Scope
	}{
		{name: "get-vanilla", head: "GET / HTTP/1.1" + host, signedHeaders: "host;x-amz-date",
			signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{name: "get-relative", head: "GET /example/.. HTTP/1.1" + host,
			signedHeaders: "host;x-amz-date",
			signature:     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{name: "get-slash-dot-slash", head: "GET /./ HTTP/1.1" + host,
			signedHeaders: "host;x-amz-date",
			signature:     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{name: "get-vanilla-query-order-key-case",
			head:          "GET /?Param2=value2&Param1=value1 HTTP/1.1" + host,
			signedHeaders: "host;x-amz-date",
			signature:     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{name: "get-vanilla-utf8-query", head: "GET /?%E1%88%B4=bar HTTP/1.1" + host,
			signedHeaders: "host;x-amz-date",
			signature:     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{name: "get-header-value-trim",
			head: "GET / HTTP/1.1\nHost: example.amazonaws.com\n" +
				"My-Header1:  value1\nMy-Header2:  \"a   b   c\"  \nX-Amz-Date: " + exampleStamp,
			signedHeaders: "host;my-header1;my-header2;x-amz-date",
			signature:     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{name: "get-header-key-duplicate",
			head: "GET / HTTP/1.1\nHost: example.amazonaws.com\n" +
				"My-Header1: value2\nMy-Header1: value2\nMy-Header1: value1\nX-Amz-Date: " +
				exampleStamp,
			signedHeaders: "host;my-header1;x-amz-date",
			signature:     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{name: "post-vanilla", head: "POST / HTTP/1.1" + host, signedHeaders: "host;x-amz-date",
			signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{name: "post-header-key-sort",
			head: "POST / HTTP/1.1\nHost: example.amazonaws.com\n" +
				"My-Header1: value1\nX-Amz-Date: " + exampleStamp,
			signedHeaders: "host;my-header1;x-amz-date",
			signature:     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		{name: "post-x-www-form-urlencoded", body: "Param1=value1",
			head: "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded" +
				host,
			signedHeaders: "content-type;host;x-amz-date",
			signature:     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{name: "IAM user guide", scope: iam,
			head: "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\n" +
				"Content-Type: application/x-www-form-urlencoded; charset=utf-8" +
				"\nHost: iam.amazonaws.com\nX-Amz-Date: " + exampleStamp,
			signedHeaders: "content-type;host;x-amz-date",
			signature:     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.scope == (sigv4.Scope{}) {
				test.scope = exampleScope
			}
			r := readRequest(t, test.head)
			r.Header.Set("Authorization",
				exampleAuthorization(test.scope, test.signedHeaders, test.signature))
			s, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			body := sha256.Sum256([]byte(test.body))
			if err := s.Verify(r, body, exampleSecret, test.scope, exampleTime); err != nil {
				t.Error(err)
			}
			wantError(t, s.Verify(r, body, exampleSecret+"x", test.scope, exampleTime),
				sigv4.InvalidSignature, "does not match")
		})
	}
}

func wantError(t *testing.T, err error, kind, part string) {
	t.Helper()
	e, ok := errors.AsType[*sigv4.Error](err)
	if !ok {
		t.Fatalf("got %v, want a %s", err, kind)
	}
	if e.Type != kind || !strings.Contains(e.Message, part) {
		t.Errorf("got %q, want %s with %q", e, kind, part)
	}
	if strings.Contains(e.Error(), exampleSecret) {
		t.Errorf("the secret is in %q", e)
	}
}

func TestParseRefuses(t *testing.T) {
	const (
		head       = "POST / HTTP/1.1\nHost: localhost\n"
		date       = "X-Amz-Date: " + exampleStamp + "\n"
		credential = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
		headers    = "SignedHeaders=host;x-amz-date"
		signature  = "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
		list       = credential + ", " + headers + ", " + signature
		auth       = "Authorization: AWS4-HMAC-SHA256 "
	)
	for _, test := range []struct{ name, head, kind, message string }{
		{"none", date, sigv4.MissingAuthenticationToken, "Missing Authentication Token"},
		{"empty", date + "Authorization:", sigv4.MissingAuthenticationToken,
			"Missing Authentication Token"},
		{"basic", date + "Authorization: Basic dTpw", sigv4.MissingAuthenticationToken,
			"Missing Authentication Token"},
		{"bearer", date + "Authorization: Bearer " + list, sigv4.MissingAuthenticationToken,
			"Missing Authentication Token"},
		{"signature version 3", date + "Authorization: AWS3-HTTPS AWSAccessKeyId=x",
			sigv4.MissingAuthenticationToken, ""},
		{"asymmetric", date + "Authorization: AWS4-ECDSA-P256-SHA256 " + list,
			sigv4.IncompleteSignature,
			"Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
		{"no space", date + "Authorization: AWS4-HMAC-SHA256," + list, sigv4.IncompleteSignature,
			"Unsupported AWS 'algorithm'"},
		{"twice", date + auth + list + "\n" + auth + list, sigv4.IncompleteSignature, "once"},
		{"algorithm alone", date + "Authorization: AWS4-HMAC-SHA256", sigv4.IncompleteSignature,
			"missing equal-sign"},
		{"no equal sign", date + auth + "Credential, " + headers, sigv4.IncompleteSignature,
			"missing equal-sign"},
		{"comma at the end", date + auth + list + ",", sigv4.IncompleteSignature,
			"missing equal-sign"},
		{"no credential", date + auth + headers + ", " + signature, sigv4.IncompleteSignature,
			"Authorization header requires 'Credential' parameter. (Hashed"},
		{"no signature", date + auth + credential + ", " + headers, sigv4.IncompleteSignature,
			"Authorization header requires 'Signature' parameter. (Hashed"},
		{"no signed headers", date + auth + credential + ", " + signature,
			sigv4.IncompleteSignature,
			"Authorization header requires 'SignedHeaders' parameter. (Hashed"},
		{"nothing at all", auth + "a=b", sigv4.IncompleteSignature,
			"Authorization header requires 'Credential' parameter. Authorization header requires " +
				"'Signature' parameter. " +
				"Authorization header requires 'SignedHeaders' parameter. Authorization header " +
				"requires existence of either a " +
				"'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) " +
				"Authorization="},
		{"empty parameter", date + auth + "Credential=, " + headers + ", " + signature,
			sigv4.IncompleteSignature, "'Credential'"},
		{"empty signed headers", date + auth + credential + ", SignedHeaders=, " + signature,
			sigv4.IncompleteSignature,
			"Authorization header requires 'SignedHeaders' parameter. (Hashed"},
		{"empty signature", date + auth + credential + ", " + headers + ", Signature=",
			sigv4.IncompleteSignature,
			"Authorization header requires 'Signature' parameter. (Hashed"},
		{"lower-case algorithm", date + "Authorization: aws4-hmac-sha256 " + list,
			sigv4.MissingAuthenticationToken, ""},
		{"a tab behind the algorithm", date + "Authorization: AWS4-HMAC-SHA256\t" + list,
			sigv4.IncompleteSignature, "Unsupported AWS 'algorithm'"},
		{"streaming algorithm", date + "Authorization: AWS4-HMAC-SHA256-PAYLOAD " + list,
			sigv4.IncompleteSignature, "Unsupported AWS 'algorithm'"},
		{"semicolons between", date + auth + credential + "; " + headers + "; " + signature,
			sigv4.IncompleteSignature,
			"Authorization header requires 'Signature' parameter. Authorization header requires " +
				"'SignedHeaders' parameter. (Hashed"},
		{"spaces between", date + auth + credential + " " + headers + " " + signature,
			sigv4.IncompleteSignature,
			"Authorization header requires 'Signature' parameter. Authorization header requires " +
				"'SignedHeaders' parameter. (Hashed"},
		{"a space before the equal sign", date + auth +
			"Credential =AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " + headers + ", " +
			signature,
			sigv4.IncompleteSignature, "'Credential'"},
		{"spaces in the signed headers", date + auth + credential +
			", SignedHeaders=host; x-amz-date, " + signature,
			sigv4.IncompleteSignature, "lower-case header names"},
		{"commas in the signed headers", date + auth + credential +
			", SignedHeaders=host,x-amz-date, " + signature,
			sigv4.IncompleteSignature, "missing equal-sign"},
		{"semicolon at the end", date + auth + credential + ", SignedHeaders=host;x-amz-date;, " +
			signature,
			sigv4.IncompleteSignature, "header names"},
		{"Date in the words of another century", "Date: Sun, 30 Aug 15 12:36:00 GMT\n" + auth +
			credential + ", SignedHeaders=date;host, " + signature,
			sigv4.IncompleteSignature, "ISO-8601"},
		{"content hash not signed", date + "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\n" + auth + list,
			sigv4.InvalidSignature,
			"'x-amz-content-sha256' must"},
		{"parameter twice", date + auth + list + ", " + headers, sigv4.IncompleteSignature,
			"one 'SignedHeaders' parameter"},
		{"lower-case parameter", date + auth + strings.ToLower(credential) + ", " + headers + ", " +
			signature,
			sigv4.IncompleteSignature, "'Credential'"},
		{"credential of four parts", date + auth +
			"Credential=AKIDEXAMPLE/20150830/us-east-1/service, " + headers + ", " + signature,
			sigv4.IncompleteSignature, "exactly 5"},
		{"credential of six parts", date + auth + "Credential=" + exampleSecret +
			"/20150830/us-east-1/service/aws4_request, " +
			headers + ", " + signature, sigv4.IncompleteSignature, "exactly 5"},
		{"no access key id", date + auth + "Credential=/20150830/us-east-1/service/aws4_request, " +
			headers + ", " + signature,
			sigv4.UnrecognizedClient, "security token"},
		{"long access key id", date + auth + "Credential=" + strings.Repeat("A", 129) +
			"/20150830/us-east-1/service/aws4_request, " +
			headers + ", " + signature, sigv4.UnrecognizedClient, "security token"},
		{"odd access key id", date + auth +
			"Credential=A\u00e9/20150830/us-east-1/service/aws4_request, " + headers + ", " +
			signature,
			sigv4.UnrecognizedClient, "security token"},
		{"no date", auth + list, sigv4.IncompleteSignature, "existence of either"},
		{"empty date", "X-Amz-Date:\n" + auth + list, sigv4.IncompleteSignature,
			"existence of either"},
		{"two dates", date + date + auth + list, sigv4.IncompleteSignature, "ISO-8601"},
		{"extended format", "X-Amz-Date: 2015-08-30T12:36:00Z\n" + auth + list,
			sigv4.IncompleteSignature, "'2015-08-30T12:36:00Z'"},
		{"not UTC", "X-Amz-Date: 20150830T123600A\n" + auth + list, sigv4.IncompleteSignature,
			"ISO-8601"},
		{"fraction", "X-Amz-Date: 20150830T123600.1Z\n" + auth + list, sigv4.IncompleteSignature,
			"ISO-8601"},
		{"no such day", "X-Amz-Date: 20150231T123600Z\n" + auth + list, sigv4.IncompleteSignature,
			"ISO-8601"},
		{"long date", "X-Amz-Date: " + strings.Repeat("2", 10000) + "\n" + auth + list,
			sigv4.IncompleteSignature, "222...'"},
		{"host not signed", date + auth + credential + ", SignedHeaders=x-amz-date, " + signature,
			sigv4.InvalidSignature,
			"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"date not signed", date + auth + credential + ", SignedHeaders=host, " + signature,
			sigv4.InvalidSignature, "'x-amz-date' must"},
		{"Date not signed", "Date: " + exampleStamp + "\n" + auth + list, sigv4.InvalidSignature,
			"'date' must"},
		{"target not signed", date + "X-Amz-Target: RekognitionService.ListCollections\n" + auth +
			list, sigv4.InvalidSignature,
			"'x-amz-target' must"},
		{"token not signed", date + "X-Amz-Security-Token: abc\n" + auth + list,
			sigv4.InvalidSignature, "'x-amz-security-token' must"},
		{"first of two not signed", date + "X-Amz-B: 1\nX-Amz-A: 1\n" + auth + list,
			sigv4.InvalidSignature, "'x-amz-a' must"},
		{"upper case", date + auth + credential + ", SignedHeaders=Host;x-amz-date, " + signature,
			sigv4.IncompleteSignature, "lower-case"},
		{"descending", date + auth + credential + ", SignedHeaders=x-amz-date;host, " + signature,
			sigv4.IncompleteSignature, "ascending"},
		{"header twice", date + auth + credential + ", SignedHeaders=host;host;x-amz-date, " +
			signature,
			sigv4.IncompleteSignature, "each once"},
		{"empty name", date + auth + credential + ", SignedHeaders=;host;x-amz-date, " + signature,
			sigv4.IncompleteSignature, "header names"},
		{"too long", date + auth + strings.Repeat("a=b,", 16<<10) + list, sigv4.IncompleteSignature,
			"at most 8192 bytes"},
		{"commas", date + auth + strings.Repeat(",", 8000), sigv4.IncompleteSignature,
			"missing equal-sign"},
		{"presigned", "X-Other: 1", sigv4.MissingAuthenticationToken, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := head
			if test.name == "presigned" {
				request = strings.Replace(head, "/ ",
					"/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00 ", 1)
			}
			s, err := sigv4.Parse(readRequest(t, request+strings.TrimSuffix(test.head, "\n")))
			wantError(t, err, test.kind, test.message)
			if s != nil {
				t.Error("a signature came with the error")
			}
			if len(err.Error()) > 600 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestParse(t *testing.T) {
	r := readRequest(t, "POST / HTTP/1.1\nHost: localhost\nX-Amz-Date: "+exampleStamp+
		"\nX-Amz-Security-Token: abc\nX-Amzn-Trace-Id: 1\n"+
		"Authorization: AWS4-HMAC-SHA256 "+
		"Signature=00,Other=x,SignedHeaders=host;x-amz-date;x-amz-security-token,"+
		"\tCredential=k/d/r/s/t")
	s, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if s.AccessKeyID != "k" || s.Date != "d" || s.Region != "r" || s.Service != "s" ||
		s.SessionToken != "abc" ||
		!s.Time.Equal(exampleTime) ||
		strings.Join(s.SignedHeaders, " ") != "host x-amz-date x-amz-security-token" {
		t.Errorf("got %+v", s)
	}
}

func TestCheckScope(t *testing.T) {
	at := func(d time.Duration) time.Time { return exampleTime.Add(d) }
	for _, test := range []struct {
		name, credential, message string
		now                       time.Time
	}{
		{"right", "20150830/us-east-1/service/aws4_request", "", exampleTime},
		{"five minutes late", "20150830/us-east-1/service/aws4_request", "",
			at(5*time.Minute + 999*time.Millisecond)},
		{"five minutes early", "20150830/us-east-1/service/aws4_request", "", at(-5 * time.Minute)},
		{"another zone", "20150830/us-east-1/service/aws4_request", "",
			exampleTime.In(time.FixedZone("", 7*3600))},
		{"expired", "20150830/us-east-1/service/aws4_request",
			"Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z " +
				"(20150830T124101Z - 5 min.)", at(5*time.Minute + time.Second)},
		{"not yet current", "20150830/us-east-1/service/aws4_request",
			"Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z " +
				"(20150830T123059Z + 5 min.)", at(-5*time.Minute - time.Second)},
		{"long ago", "20150830/us-east-1/service/aws4_request", "Signature expired",
			at(24 * 365 * time.Hour)},
		{"region", "20150830/eu-west-9/service/aws4_request",
			"Credential should be scoped to a valid region, not 'eu-west-9'.", exampleTime},
		{"service", "20150830/us-east-1/s3/aws4_request",
			"Credential should be scoped to correct service: 'service'.", exampleTime},
		{"terminator", "20150830/us-east-1/service/aws5_request",
			"Credential should be scoped with a valid terminator: 'aws4_request', not " +
				"'aws5_request'.", exampleTime},
		{"date", "20150829/us-east-1/service/aws4_request",
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from " +
				"HTTP: '20150829' != '20150830', from '20150830T123600Z'.",
			exampleTime},
		{"everything", "1/2/3/4",
			"not '2'. Credential should be scoped to correct service: 'service'. Credential",
			exampleTime},
		{"long region", "20150830/" + strings.Repeat("r", 1000) + "/service/aws4_request",
			"rrr...'.", exampleTime},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := sigv4.Parse(readRequest(t, "POST / HTTP/1.1\nHost: localhost\nX-Amz-Date: "+
				exampleStamp+
				"\nAuthorization: AWS4-HMAC-SHA256 Credential=k/"+test.credential+
				", SignedHeaders=host;x-amz-date, Signature=00"))
			if err != nil {
				t.Fatal(err)
			}
			err = s.CheckScope(exampleScope, test.now)
			if test.message == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, sigv4.InvalidSignature, test.message)
		})
	}
}

// TestDateHeader signs by the Date header in each of its formats; the string to sign always has the
// basic format.
func TestDateHeader(t *testing.T) {
	for _, date := range []string{exampleStamp, "Sun, 30 Aug 2015 12:36:00 GMT",
		"Sunday, 30-Aug-15 12:36:00 GMT", "Sun Aug 30 12:36:00 2015"} {
		s, err := sigv4.Parse(readRequest(t, "POST / HTTP/1.1\nHost: localhost\nDate: "+date+
			"\nAuthorization: "+
			exampleAuthorization(exampleScope, "date;host", "00")))
		if err != nil {
			t.Errorf("%s: %v", date, err)
		} else if !s.Time.Equal(exampleTime) || s.CheckScope(exampleScope, exampleTime) != nil {
			t.Errorf("%s was read as %v", date, s.Time)
		}
	}
}
