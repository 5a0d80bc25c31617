// Package trail writes the records of calls to the audit log. Every handler of signed requests uses
// it, so that what a record says of a call is decided in one place.
package trail

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Log takes records.
type Log interface {
	// Required reports whether no call may be answered without a record.
	Required() bool
	// Write writes a record. If the log is required, [audit.ErrNotWritten] if it is not written.
	Write(ctx context.Context, r *audit.Record) error
}

// Trail writes the records of calls. It is safe for concurrent use, and the nil Trail writes none.
type Trail struct {
	log    Log
	region string // of calls whose region is not known
}

// New returns a trail to a log. Region is the server's first.
func New(log Log, region string) *Trail { return &Trail{log: log, region: region} }

// Call is what a handler knows of a call.
type Call struct {
	RequestID string
	Request   *http.Request
	Start     time.Time
	Source    string // a value of [audit.Record.EventSource]
	Operation string // empty if the request names none that exists
	ReadOnly  bool

	Client authn.Client
	KeyID  string       // that the request names, whether its signature is valid or not
	Caller authn.Caller // zero before the signature is verified
	// WebIdentity is the user of an identity provider, and the provider, of a call that needs no
	// signature.
	WebIdentity, Provider string

	Parameters map[string]any // see [Parameters]; nil: not known, or none
	Response   map[string]any // see [Response]
	Resources  []string       // ARNs
	Data       map[string]any // additionalEventData

	ErrorCode, ErrorMessage string // of the answer; empty if the call succeeded
}

// Required reports whether no call may be answered without a record.
func (t *Trail) Required() bool { return t != nil && t.log.Required() }

// Begin is called before a call changes anything, or begins to send what it reads. If the log is
// required, it writes that the call is about to be made, so that no change is without a record even
// if the server ends before the call does. [audit.ErrNotWritten] if the call must not be made.
func (t *Trail) Begin(ctx context.Context, c *Call) error {
	if !t.Required() {
		return nil
	}
	r := t.record(audit.TypeIntent, c)
	r.ResponseElements, r.ErrorCode, r.ErrorMessage = nil, "", ""
	return t.log.Write(ctx, r)
}

// End is called before a call is answered. [audit.ErrNotWritten] if the log is required and the
// call must not be answered with what it returned. A request that names neither an operation nor an
// access key is no call.
func (t *Trail) End(ctx context.Context, c *Call) error {
	if t == nil || c.Operation == "" && c.KeyID == "" {
		return nil
	}
	return t.log.Write(ctx, t.record(audit.TypeCall, c))
}

// Event writes a record of what the server does by itself in a realm: [audit.TypeIntent] before it,
// or [audit.TypeEvent] after it. The error is as for End.
func (t *Trail) Event(ctx context.Context, eventType, name string, realm recollect.Realm,
	at time.Time, resources []string, data map[string]any) error {
	if t == nil {
		return nil
	}
	r := audit.New(eventType, audit.SourceRecollect, name, at)
	r.UserIdentity = audit.Identity{Type: "AWSService", InvokedBy: audit.SourceRecollect}
	r.SourceIPAddress, r.UserAgent = audit.SourceRecollect, audit.SourceRecollect
	r.Region, r.RecipientAccountID = realm.Region, realm.Account
	r.Resources = resourcesOf(resources)
	r.AdditionalEventData = data
	return t.log.Write(ctx, r)
}

const (
	maxAgent   = 1024 // bytes of a user agent, as CloudTrail has them
	maxMessage = 1024 // bytes of an error's message
)

func (t *Trail) record(eventType string, c *Call) *audit.Record {
	name := c.Operation
	if name == "" {
		name = "Unknown"
	}
	r := audit.New(eventType, c.Source, name, c.Start)
	r.UserIdentity = identityOf(c)
	r.Region = c.Caller.Realm.Region
	if r.Region == "" {
		r.Region = t.region
	}
	if c.Client.Address.IsValid() {
		r.SourceIPAddress = c.Client.Address.String()
	}
	r.UserAgent = cut(c.Request.UserAgent(), maxAgent)
	r.ErrorCode, r.ErrorMessage = c.ErrorCode, cut(c.ErrorMessage, maxMessage)
	r.RequestParameters, r.ResponseElements = c.Parameters, c.Response
	r.AdditionalEventData = c.Data
	r.RequestID, r.ReadOnly = c.RequestID, c.ReadOnly
	r.Resources = resourcesOf(c.Resources)
	r.RecipientAccountID = c.Caller.Principal.Account
	if state := c.Request.TLS; state != nil {
		r.TLS = &audit.TLSDetails{Version: tlsVersion(state.Version),
			Cipher: tls.CipherSuiteName(state.CipherSuite), Host: cut(c.Request.Host, maxAgent)}
	}
	return r
}

// tlsVersion is the name that CloudTrail has for a version.
func tlsVersion(version uint16) string {
	return strings.Replace(tls.VersionName(version), "TLS ", "TLSv", 1)
}

// plainID is an id that is no secret. People put the secret where the id belongs, and secrets have
// lower-case letters.
var plainID = regexp.MustCompile(`^[0-9A-Z_]{1,64}$`)

// identityOf is who called, as CloudTrail says it.
func identityOf(c *Call) audit.Identity {
	p := c.Caller.Principal
	if c.WebIdentity != "" {
		return audit.Identity{Type: "WebIdentityUser",
			PrincipalID: c.Provider + ":" + c.WebIdentity, UserName: c.WebIdentity,
			Provider: c.Provider}
	}
	if p.ARN == "" {
		id := audit.Identity{Type: "Unknown"}
		if plainID.MatchString(c.KeyID) {
			id.AccessKeyID = c.KeyID
		}
		return id
	}
	id := audit.Identity{Type: "IAMUser", PrincipalID: p.UserID, ARN: p.ARN,
		AccountID: p.Account, AccessKeyID: c.KeyID, UserName: p.UserName}
	if p.IsRoot() {
		id.Type = "Root"
	}
	if s := p.Session; s != nil {
		id.SessionContext = &audit.SessionContext{Attributes: audit.SessionAttributes{
			CreationDate:     s.IssuedAt.UTC().Format("2006-01-02T15:04:05Z"),
			MFAAuthenticated: "false"}}
		if s.RoleName != "" {
			id.Type = "AssumedRole"
			roleID, _, _ := strings.Cut(p.UserID, ":")
			id.SessionContext.SessionIssuer = &audit.SessionIssuer{Type: "Role",
				PrincipalID: roleID, AccountID: p.Account, UserName: s.RoleName,
				ARN: "arn:aws:iam::" + p.Account + ":role/" + s.RoleName}
		}
	}
	return id
}

// resourcesOf describes ARNs, of which * names nothing.
func resourcesOf(arns []string) []audit.Resource {
	var all []audit.Resource
	for _, arn := range arns {
		if arn == "*" {
			continue
		}
		r := audit.Resource{ARN: cut(arn, maxText)}
		// arn:partition:service:region:account:type/name
		if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
			r.AccountID = parts[4]
			kind, _, _ := strings.Cut(parts[5], "/")
			r.Type = map[string]string{
				"rekognition:collection":      "AWS::Rekognition::Collection",
				"rekognition:project":         "AWS::Rekognition::Project",
				"rekognition:streamprocessor": "AWS::Rekognition::StreamProcessor",
				"iam:role":                    "AWS::IAM::Role",
			}[parts[2]+":"+kind]
		}
		all = append(all, r)
	}
	return all
}

// cut returns valid UTF-8 of at most so many bytes of a text, and marks where more was.
func cut(text string, most int) string {
	if len(text) > most {
		text = fmt.Sprintf("%s... (%d bytes)", text[:most], len(text))
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
