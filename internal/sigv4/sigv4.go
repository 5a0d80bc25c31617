// Package sigv4 verifies AWS Signature Version 4 in the Authorization header of HTTP requests, as
// the services do that are not S3 (the path is normalised and escaped twice, the payload is always
// signed).
//
// Verification is in two steps, so that a request with an unknown key costs little. [Parse] reads
// the headers alone, before the body is read; the server then looks up the secret of
// [Signature.AccessKeyID]; [Signature.Verify] needs that secret and the body's hash.
// [Signature.CheckScope] may be called between the two: it rejects a wrong region or an old request
// before the body is read, and is part of Verify.
//
// Signatures in the query string (presigned URLs) are not supported: such a request has no
// authentication token.
//
// Source of the algorithm: "Create a signed AWS API request" in AWS's IAM user guide.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	basicFormat = "20060102T150405Z" // ISO 8601, basic format, UTC
	dateFormat  = "20060102"

	// maxSkew is how far a request's time may be from the server's, either way.
	maxSkew = 5 * time.Minute

	// maxAuthorization and maxAccessKeyID bound what is parsed, in bytes. Real headers have some
	// 300, real ids 20.
	maxAuthorization = 8 << 10
	maxAccessKeyID   = 128
)

// Signature is the signature in a request's headers, with its access key id, scope and time. It is
// not proven before [Signature.Verify] returns nil.
type Signature struct {
	AccessKeyID   string   // 1 to 128 printable ASCII characters
	Date          string   // of the credential scope, YYYYMMDD if honest
	Region        string   // of the credential scope
	Service       string   // of the credential scope
	SignedHeaders []string // lower case, ascending, no duplicates, host among them
	SessionToken  string   // X-Amz-Security-Token, empty if there is none
	Time          time.Time

	terminator string
	signature  string // hexadecimal, unless it is wrong
}

// Scope is what a server accepts signatures for.
type Scope struct {
	Region  string // for example us-east-1
	Service string // for example rekognition
}

// Parse reads the signature of a request from its headers, in time linear in their size. It reads
// neither r.Body nor a clock. Every error is an [*Error].
func Parse(r *http.Request) (*Signature, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return nil, newError(MissingAuthenticationToken, "Missing Authentication Token")
	}
	if len(values) > 1 {
		return nil, newError(IncompleteSignature, "Authorization header must be given once.")
	}
	header := values[0]
	if len(header) > maxAuthorization {
		return nil, newError(IncompleteSignature,
			"Authorization header must have at most %d bytes.", maxAuthorization)
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm {
		if strings.HasPrefix(scheme, "AWS4-") {
			return nil,
				newError(IncompleteSignature, "Unsupported AWS 'algorithm': '%s'.", excerpt(scheme))
		}
		return nil, newError(MissingAuthenticationToken, "Missing Authentication Token")
	}
	s, err := parseParameters(rest, header, requestDate(r.Header) != "")
	if err != nil {
		return nil, err
	}
	if s.Time, err = parseTime(requestDate(r.Header)); err != nil {
		return nil, err
	}
	if err := s.checkSignedHeaders(r.Header); err != nil {
		return nil, err
	}
	s.SessionToken = r.Header.Get("X-Amz-Security-Token")
	return s, nil
}

// parseParameters reads the comma-separated key=value pairs after the algorithm. The header as a
// whole is shown only as a hash.
func parseParameters(list, header string, haveDate bool) (*Signature, error) {
	var credential, signedHeaders, signature string
	for pair := range strings.SplitSeq(list, ",") {
		key, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok {
			return nil,
				newError(IncompleteSignature,
					"Invalid key=value pair (missing equal-sign) in Authorization header "+
						"(hashed with SHA-256 and encoded with Base64): '%s'.", digest(header))
		}
		var p *string
		switch key {
		case "Credential":
			p = &credential
		case "SignedHeaders":
			p = &signedHeaders
		case "Signature":
			p = &signature
		default:
			continue
		}
		if *p != "" {
			return nil,
				newError(IncompleteSignature, "Authorization header must have one '%s' parameter.",
					key)
		}
		*p = value
	}
	var missing strings.Builder
	for _, p := range []struct{ name, value string }{
		{"Credential", credential}, {"Signature", signature}, {"SignedHeaders", signedHeaders},
	} {
		if p.value == "" {
			fmt.Fprintf(&missing, "Authorization header requires '%s' parameter. ", p.name)
		}
	}
	if !haveDate {
		missing.WriteString(
			"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' " +
				"header. ")
	}
	if missing.Len() > 0 {
		return nil, newError(IncompleteSignature,
			"%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s",
			missing.String(), digest(header))
	}

	// The credential is not repeated: people put the secret where the id belongs, and a secret may
	// have slashes.
	if n := strings.Count(credential, "/") + 1; n != 5 {
		return nil, newError(IncompleteSignature,
			"Credential must have exactly 5 slash-delimited elements, "+
				"e.g. keyid/date/region/service/term, got %d.", n)
	}
	part := strings.Split(credential, "/")
	if !plausibleAccessKeyID(part[0]) {
		return nil, UnrecognizedClientError()
	}
	return &Signature{
		AccessKeyID:   part[0],
		Date:          part[1],
		Region:        part[2],
		Service:       part[3],
		terminator:    part[4],
		SignedHeaders: strings.Split(signedHeaders, ";"),
		signature:     signature,
	}, nil
}

func plausibleAccessKeyID(id string) bool {
	return id != "" && len(id) <= maxAccessKeyID &&
		!strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
}

// requestDate returns the value of X-Amz-Date, or else of Date. Several values come back joined,
// which is no date.
func requestDate(h http.Header) string {
	if v := h.Values("X-Amz-Date"); len(v) > 0 {
		return strings.Join(v, ",")
	}
	return strings.Join(h.Values("Date"), ",")
}

// parseTime reads ISO 8601's basic format, or one of the formats of HTTP's Date header.
func parseTime(v string) (time.Time, error) {
	// time.Parse would let a fraction of a second through.
	if len(v) == len(basicFormat) {
		if t, err := time.Parse(basicFormat, v); err == nil {
			return t, nil
		}
	}
	if len(v) <= len(time.RFC850)+len("Wednesday") {
		if t, err := http.ParseTime(v); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{},
		newError(IncompleteSignature, "Date must be in ISO-8601 'basic format'. Got '%s'. "+
			"See http://en.wikipedia.org/wiki/ISO_8601", excerpt(v))
}

// checkSignedHeaders checks that the header names are in their one canonical form, and that
// host, the date and each X-Amz- header of the request are signed.
func (s *Signature) checkSignedHeaders(h http.Header) error {
	for i, name := range s.SignedHeaders {
		if name == "" || name != strings.ToLower(name) || i > 0 && name <= s.SignedHeaders[i-1] {
			return newError(IncompleteSignature,
				"Authorization header requires 'SignedHeaders' to be lower-case header names in "+
					"ascending order, each once, got '%s'.", excerpt(name))
		}
	}
	if !s.signs("host") {
		return newError(InvalidSignature,
			"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	unsigned := ""
	for key := range h {
		// The least name, so that the answer does not depend on the map's order.
		if name := strings.ToLower(key); strings.HasPrefix(name, "x-amz-") && !s.signs(name) &&
			(unsigned == "" || name < unsigned) {
			unsigned = name
		}
	}
	if h.Get("X-Amz-Date") == "" && !s.signs("date") {
		unsigned = "date"
	}
	if unsigned != "" {
		return newError(InvalidSignature, "'%s' must be a 'SignedHeader' in the AWS "+
			"Authorization.",
			excerpt(unsigned))
	}
	return nil
}

func (s *Signature) signs(name string) bool {
	_, ok := slices.BinarySearch(s.SignedHeaders, name)
	return ok
}

// CheckScope reports, as an [*Error], a signature that is for another region, service or day, or is
// more than five minutes from now. It needs no secret and proves nothing.
func (s *Signature) CheckScope(scope Scope, now time.Time) error {
	stamp := s.Time.Format(basicFormat)
	var wrong []string
	if s.Region != scope.Region {
		wrong = append(wrong,
			fmt.Sprintf("Credential should be scoped to a valid region, not '%s'.",
				excerpt(s.Region)))
	}
	if s.Service != scope.Service {
		wrong = append(wrong,
			fmt.Sprintf("Credential should be scoped to correct service: '%s'.", scope.Service))
	}
	if s.terminator != terminator {
		wrong = append(wrong,
			fmt.Sprintf("Credential should be scoped with a valid terminator: '%s', not '%s'.",
				terminator, excerpt(s.terminator)))
	}
	if date := stamp[:len(dateFormat)]; s.Date != date {
		wrong = append(wrong,
			fmt.Sprintf(
				"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "+
					"from HTTP: "+
					"'%s' != '%s', from '%s'.", excerpt(s.Date), date, stamp))
	}
	if wrong != nil {
		return newError(InvalidSignature, "%s", strings.Join(wrong, " "))
	}

	now = now.UTC().Truncate(time.Second)
	if least := now.Add(-maxSkew); s.Time.Before(least) {
		return newError(InvalidSignature,
			"Signature expired: %s is now earlier than %s (%s - 5 min.)",
			stamp, least.Format(basicFormat), now.Format(basicFormat))
	}
	if most := now.Add(maxSkew); s.Time.After(most) {
		return newError(InvalidSignature,
			"Signature not yet current: %s is still later than %s (%s + 5 min.)",
			stamp, most.Format(basicFormat), now.Format(basicFormat))
	}
	return nil
}

// Verify reports, as an [*Error], why the request r, which s was parsed from, was not signed with
// secret for this scope at about this time, or nil if it was. bodySHA256 is the hash of the body as
// it was received, and now the time when the request arrived. Errors hold neither the secret nor
// anything derived from it.
func (s *Signature) Verify(r *http.Request, bodySHA256 [sha256.Size]byte, secret string,
	scope Scope, now time.Time) error {
	if err := s.CheckScope(scope, now); err != nil {
		return err
	}
	payload := hex.EncodeToString(bodySHA256[:])
	// UNSIGNED-PAYLOAD and STREAMING-... are S3's alone, and differ from every hash.
	for _, v := range r.Header.Values("X-Amz-Content-Sha256") {
		if v != payload {
			return newError(InvalidSignature,
				"The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
	}
	request, ok := s.canonicalRequest(r, payload)
	if !ok || !hmac.Equal([]byte(s.expected(secret, request)), []byte(s.signature)) {
		return newError(InvalidSignature,
			"The request signature we calculated does not match the signature you provided. "+
				"Check your AWS Secret Access Key and signing method. Consult the service "+
				"documentation for details.")
	}
	return nil
}

// expected returns the signature, in hexadecimal, that the holder of secret makes of a canonical
// request.
func (s *Signature) expected(secret string, canonicalRequest []byte) string {
	hash := sha256.Sum256(canonicalRequest)
	scope := s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
	stringToSign := algorithm + "\n" + s.Time.Format(basicFormat) + "\n" + scope + "\n" +
		hex.EncodeToString(hash[:])

	// A signing key changes once a day and could be kept, but the four steps take only 2
	// microseconds.
	key := []byte("AWS4" + secret)
	for _, step := range []string{s.Date, s.Region, s.Service, terminator, stringToSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(step))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}
