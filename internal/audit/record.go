// Package audit keeps a log of who called what: JSON lines in the form of CloudTrail's records,
// each of which is chained to the one before by a hash, in files that are rotated, and at syslog
// servers.
//
// A [Log] takes records and writes them in the order in which they came. [Verify] reads the files
// of a log and finds the first line that was changed, removed or moved.
package audit

import (
	"time"

	"github.com/google/uuid"
)

// Names of a record's members that have few values.
const (
	// SourceRekognition, SourceSTS and SourceRecollect are values of [Record.EventSource].
	SourceRekognition = "rekognition.amazonaws.com"
	SourceSTS         = "sts.amazonaws.com"
	SourceRecollect   = "recollect"

	// TypeCall is the [Record.EventType] of a call that was answered, TypeIntent that of one that
	// is about to be made, TypeEvent that of what the server does by itself, and TypeNotice that
	// of what happened to the log itself.
	TypeCall   = "AwsApiCall"
	TypeIntent = "RecollectApiIntent"
	TypeEvent  = "RecollectServiceEvent"
	TypeNotice = "RecollectAuditNotice"

	eventVersion = "1.11"
	category     = "Management"
	timeFormat   = "2006-01-02T15:04:05Z"
)

// Record is what the log says of one call, in the form of CloudTrail's records of version 1.11. A
// member that is nil, and has no omitzero, is null.
type Record struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        Identity       `json:"userIdentity"`
	EventTime           string         `json:"eventTime"` // UTC, in seconds
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	Region              string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitzero"`
	ErrorMessage        string         `json:"errorMessage,omitzero"`
	RequestParameters   map[string]any `json:"requestParameters"`
	ResponseElements    map[string]any `json:"responseElements"`
	AdditionalEventData map[string]any `json:"additionalEventData,omitzero"`
	RequestID           string         `json:"requestID"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	Resources           []Resource     `json:"resources,omitzero"`
	EventType           string         `json:"eventType"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	EventCategory       string         `json:"eventCategory"`
	TLS                 *TLSDetails    `json:"tlsDetails,omitzero"`
}

// New returns a record of an event at a time, with the members that all records have.
func New(eventType, source, name string, at time.Time) *Record {
	return &Record{EventVersion: eventVersion, EventTime: at.UTC().Format(timeFormat),
		EventSource: source, EventName: name, EventID: uuid.NewString(), EventType: eventType,
		ManagementEvent: true, EventCategory: category}
}

// Identity is who called.
type Identity struct {
	// Root, IAMUser, AssumedRole, WebIdentityUser, AWSService for the server itself, or Unknown
	// where no signature proves who it was.
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitzero"`
	ARN            string          `json:"arn,omitzero"`
	AccountID      string          `json:"accountId,omitzero"`
	AccessKeyID    string          `json:"accessKeyId,omitzero"`
	UserName       string          `json:"userName,omitzero"`
	Provider       string          `json:"identityProvider,omitzero"`
	InvokedBy      string          `json:"invokedBy,omitzero"`
	SessionContext *SessionContext `json:"sessionContext,omitzero"`
}

// SessionContext is what temporary credentials are of.
type SessionContext struct {
	SessionIssuer *SessionIssuer    `json:"sessionIssuer,omitzero"`
	Attributes    SessionAttributes `json:"attributes"`
}

// SessionIssuer is the role of a session.
type SessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

// SessionAttributes are of a session's begin.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

// Resource is what a call acted on.
type Resource struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId,omitzero"`
	Type      string `json:"type,omitzero"`
}

// TLSDetails are of the client's connection to the server.
type TLSDetails struct {
	Version string `json:"tlsVersion"`
	Cipher  string `json:"cipherSuite"`
	Host    string `json:"clientProvidedHostHeader"`
}

// notice is a record of what happened to the log.
func notice(name string, at time.Time, data map[string]any) *Record {
	r := New(TypeNotice, SourceRecollect, name, at)
	r.UserIdentity = Identity{Type: "AWSService", InvokedBy: SourceRecollect}
	r.SourceIPAddress, r.UserAgent = SourceRecollect, SourceRecollect
	r.AdditionalEventData = data
	return r
}
