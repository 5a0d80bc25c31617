package sts

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/oidc"
	"github.com/recollect-dev/recollect/internal/sigv4"
)

// fault is an error as the wire shows it.
type fault struct {
	status  int
	code    string
	message string
}

func (f *fault) Error() string { return f.code + ": " + f.message }

var (
	errThrottled = &fault{http.StatusBadRequest, "Throttling", "Rate exceeded"}
	errTooLarge  = &fault{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
		"The request is larger than 64 KiB."}
	errBodyTimeout = &fault{http.StatusRequestTimeout, "RequestTimeout",
		"The request body did not arrive in time."}
	errBrokenBody = &fault{http.StatusBadRequest, "MalformedQueryString",
		"The request body could not be read."}
	errMalformed = &fault{http.StatusBadRequest, "MalformedQueryString",
		"The query string contains a syntax error."}
	errNoToken = &fault{http.StatusForbidden, "MissingAuthenticationToken",
		"Request is missing Authentication Token"}
	errUnavailable = &fault{http.StatusServiceUnavailable, "ServiceUnavailable",
		"Service is unable to handle request."}
	errInternal = &fault{http.StatusInternalServerError, "InternalFailure",
		"The request processing has failed because of an unknown error, exception or failure."}
)

func errNoOperation(name string) *fault {
	return &fault{http.StatusBadRequest, "InvalidAction",
		fmt.Sprintf("Could not find operation %.64q for version %s", name, version)}
}

func errNoVersion(requested string) *fault {
	return &fault{http.StatusBadRequest, "NoSuchVersion",
		fmt.Sprintf("The requested version ( %.64q ) is not valid.", requested)}
}

func validation(format string, args ...any) *fault {
	return &fault{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

func accessDenied(message string) *fault {
	return &fault{http.StatusForbidden, "AccessDenied", message}
}

// faultOf maps every error to what is returned of it. The text of an unknown error is not returned.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return signatureFault(e)
	}
	if e, ok := errors.AsType[*iam.DeniedError](err); ok {
		return accessDenied(e.Error())
	}
	if e, ok := errors.AsType[*iam.PolicyError](err); ok {
		return &fault{http.StatusBadRequest, "MalformedPolicyDocument", e.Error()}
	}
	switch {
	case errors.Is(err, authn.ErrTooManyFailures):
		return errThrottled
	case errors.Is(err, oidc.ErrExpired):
		return &fault{http.StatusBadRequest, "ExpiredTokenException", err.Error()}
	case errors.Is(err, oidc.ErrUnreachable):
		return &fault{http.StatusBadRequest, "IDPCommunicationError",
			"The keys of the identity provider could not be read."}
	case errors.Is(err, oidc.ErrInvalid):
		return &fault{http.StatusBadRequest, "InvalidIdentityToken", err.Error()}
	case errors.Is(err, iam.ErrSessionTooLarge):
		return &fault{http.StatusBadRequest, "PackedPolicyTooLarge",
			"The session's policy, tags and chain of roles exceed the allotted space."}
	case errors.Is(err, iam.ErrNoSession): // what the caller's key depends on was just deleted
		return signatureFault(sigv4.UnrecognizedClientError())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errUnavailable
	}
	return errInternal
}

// signatureFault gives an error of a signature the name and the status that this protocol has for
// it.
func signatureFault(e *sigv4.Error) *fault {
	switch e.Type {
	case sigv4.MissingAuthenticationToken:
		return errNoToken
	case sigv4.IncompleteSignature:
		return &fault{http.StatusBadRequest, "IncompleteSignature", e.Message}
	case sigv4.InvalidSignature:
		return &fault{http.StatusForbidden, "SignatureDoesNotMatch", e.Message}
	case sigv4.ExpiredToken:
		return &fault{http.StatusForbidden, "ExpiredToken", e.Message}
	}
	return &fault{http.StatusForbidden, "InvalidClientTokenId", e.Message}
}

// envelope is the answer that has the fault.
func (f *fault) envelope(requestID string) any {
	type body struct {
		Type, Code, Message string
	}
	kind := "Sender"
	if f.status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	return &struct {
		XMLName   xml.Name
		Error     body
		RequestID string `xml:"RequestId"`
	}{xml.Name{Space: namespace, Local: "ErrorResponse"}, body{kind, f.code, f.message},
		requestID}
}
