package sts

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
)

// record writes a request's record before its answer, and returns the error that the client gets.
func (s *Server) record(r *http.Request, x *exchange.Exchange, c *call, result any,
	err error) error {
	if s.Trail == nil {
		return err
	}
	call := &trail.Call{
		RequestID: x.ID,
		Request:   r,
		Start:     x.Start,
		Source:    audit.SourceSTS,
		ReadOnly:  true, // credentials are kept nowhere
		Client:    x.Client,
		KeyID:     x.KeyID,
		Caller:    x.Caller,
		Response:  responseOf(result),
	}
	if c.form != nil {
		call.Parameters = parametersOf(c.form)
		if name := c.form.text("Action"); s.operations[name].run != nil {
			call.Operation = name
		}
		if arn := c.form.text("RoleArn"); arn != "" {
			call.Resources = []string{arn}
		}
		if c.identity != nil {
			call.WebIdentity, call.Provider = c.identity.Subject, c.identity.Provider
		}
	}
	if err != nil {
		f := faultOf(err)
		call.ErrorCode, call.ErrorMessage = f.code, f.message
		call.Response = nil
	}
	unwritten := s.Trail.End(r.Context(), call)
	if unwritten == nil {
		return err
	}
	if err != nil {
		unwritten = fmt.Errorf("%w; the request failed: %s", unwritten, err.Error())
	}
	if errors.Is(err, exchange.ErrUnread) {
		return exchange.Unread(unwritten)
	}
	return unwritten
}

// recorded are the parameters that a record has. Unlike those of the API they have no types, so
// that what is not known to be harmless is left out: tokens of identity providers and codes of
// devices are secrets.
var recorded = []string{"RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId"}

// parametersOf returns what a record says of a request's parameters.
func parametersOf(f form) map[string]any {
	text := map[string]string{}
	for _, name := range recorded {
		if f.has(name) {
			text[strings.ToLower(name[:1])+name[1:]] = f.text(name)
		}
	}
	for name := range f {
		if strings.HasPrefix(name, "Tags.member.") ||
			strings.HasPrefix(name, "TransitiveTagKeys.member.") {
			text[strings.ToLower(name[:1])+name[1:]] = f.text(name)
		}
	}
	if len(text) == 0 {
		return nil
	}
	return trail.Parameters(&struct{ Text map[string]string }{text})["text"].(map[string]any)
}

// responseOf returns what a record says of a result: for whom credentials are, and not what they
// are.
func responseOf(result any) map[string]any {
	of := func(c credentials) map[string]any {
		return map[string]any{"accessKeyId": c.AccessKeyID, "expiration": c.Expiration}
	}
	user := func(u assumedRoleUser) map[string]any {
		return map[string]any{"assumedRoleId": u.AssumedRoleID, "arn": u.ARN}
	}
	switch r := result.(type) {
	case *sessionToken:
		return map[string]any{"credentials": of(r.Credentials)}
	case *assumedRole:
		return map[string]any{"credentials": of(r.Credentials),
			"assumedRoleUser": user(r.AssumedRoleUser)}
	case *webIdentityRole:
		return map[string]any{"credentials": of(r.Credentials),
			"assumedRoleUser": user(r.AssumedRoleUser), "provider": r.Provider,
			"audience": r.Audience, "subjectFromWebIdentityToken": r.Subject}
	}
	return nil
}
