package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// The exceptions that an [Error] can be, by the names that go on the wire.
const (
	MissingAuthenticationToken = "MissingAuthenticationTokenException"
	IncompleteSignature        = "IncompleteSignatureException"
	InvalidSignature           = "InvalidSignatureException"
	UnrecognizedClient         = "UnrecognizedClientException"
	ExpiredToken               = "ExpiredTokenException"
)

// Error is the reason why a request is not authenticated. Both members may be returned to the
// caller: they hold no secret, and of the request at most short excerpts.
type Error struct {
	Type    string // one of this package's constants
	Message string
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// UnrecognizedClientError returns the error of a request whose access key id or session token does
// not exist.
func UnrecognizedClientError() *Error {
	return newError(UnrecognizedClient, "The security token included in the request is invalid.")
}

// ExpiredTokenError returns the error of a request whose session token is too old.
func ExpiredTokenError() *Error {
	return newError(ExpiredToken, "The security token included in the request is expired")
}

func newError(kind, format string, args ...any) *Error {
	return &Error{Type: kind, Message: fmt.Sprintf(format, args...)}
}

// excerpt returns valid UTF-8 of at most some 64 bytes of a text that the caller sent.
func excerpt(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// digest returns the SHA-256, in base64, of a header that must not be returned in clear.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}
