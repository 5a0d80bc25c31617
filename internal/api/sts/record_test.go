package sts_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/iam"
)

// records is an audit log in memory.
type records struct {
	mu      sync.Mutex
	all     []*audit.Record
	refuses bool
}

func (l *records) Required() bool { return true }

func (l *records) Write(_ context.Context, r *audit.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses {
		return audit.ErrNotWritten
	}
	l.all = append(l.all, r)
	return nil
}

// one returns the only record since the last call, and its JSON.
func (l *records) one(t *testing.T) (*audit.Record, string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) != 1 {
		t.Fatalf("there are %d records", len(l.all))
	}
	text, err := json.Marshal(l.all[0])
	if err != nil {
		t.Fatal(err)
	}
	r := l.all[0]
	l.all = nil
	return r, string(text)
}

// A record says for whom credentials are, and has no secret.
func TestRecords(t *testing.T) {
	d := open(t)
	role := d.role(t, "camera", trustingAccount(), allowAll)
	assumed, err := d.client(d.anna).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: aws.String(cameraARN), RoleSessionName: aws.String("lobby"),
		DurationSeconds: aws.Int32(900), ExternalId: aws.String("door")})
	if err != nil {
		t.Fatal(err)
	}
	r, text := d.records.one(t)
	if r.EventSource != "sts.amazonaws.com" || r.EventName != "AssumeRole" || !r.ReadOnly ||
		r.UserIdentity.Type != "IAMUser" || r.UserIdentity.UserName != "anna" ||
		r.Region != "eu-west-1" || r.RequestParameters["roleArn"] != cameraARN ||
		r.RequestParameters["externalId"] != "door" ||
		r.RequestParameters["durationSeconds"] != "900" ||
		len(r.Resources) != 1 || r.Resources[0].Type != "AWS::IAM::Role" {
		t.Errorf("%s", text)
	}
	if c := assumed.Credentials; !strings.Contains(text, *c.AccessKeyId) ||
		strings.Contains(text, *c.SecretAccessKey) || strings.Contains(text, *c.SessionToken) {
		t.Errorf("%s", text)
	}

	if _, err := d.session(assumed.Credentials).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r, text = d.records.one(t)
	who := r.UserIdentity
	if who.Type != "AssumedRole" || who.ARN !=
		"arn:aws:sts::"+account+":assumed-role/camera/lobby" || who.SessionContext == nil ||
		who.SessionContext.SessionIssuer == nil ||
		*who.SessionContext.SessionIssuer != (audit.SessionIssuer{Type: "Role",
			PrincipalID: role.ID, ARN: cameraARN, AccountID: account, UserName: "camera"}) {
		t.Errorf("%s", text)
	}

	_, err = d.client(iam.AccessKey{ID: d.anna.ID, Secret: "a guess"}).
		GetCallerIdentity(t.Context(), nil)
	wantError(t, "a guess", err, "SignatureDoesNotMatch", "")
	if r, text = d.records.one(t); r.ErrorCode != "SignatureDoesNotMatch" ||
		r.UserIdentity != (audit.Identity{Type: "Unknown", AccessKeyID: d.anna.ID}) {
		t.Errorf("%s", text)
	}
}

// The token of an identity provider is in no record, and its user is.
func TestRecordOfAWebIdentity(t *testing.T) {
	d := open(t)
	d.podRole(t)
	token := d.webToken(t, unchanged)
	got, err := d.anonymous().AssumeRoleWithWebIdentity(t.Context(),
		&sdk.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(cameraARN),
			RoleSessionName: aws.String("lobby"), WebIdentityToken: &token})
	if err != nil {
		t.Fatal(err)
	}
	r, text := d.records.one(t)
	if r.EventName != "AssumeRoleWithWebIdentity" || r.ErrorCode != "" ||
		r.UserIdentity.Type != "WebIdentityUser" || r.UserIdentity.Provider != provider ||
		r.UserIdentity.UserName != "pod:a" || strings.Contains(text, token) ||
		strings.Contains(text, *got.Credentials.SessionToken) {
		t.Errorf("%s", text)
	}
}

// Credentials are not issued without a record if the log is required.
func TestRequiredRecord(t *testing.T) {
	d := open(t)
	d.records.refuses = true
	_, err := d.client(d.anna).GetSessionToken(t.Context(), nil)
	wantError(t, "without a log", err, "InternalFailure", "")
}
