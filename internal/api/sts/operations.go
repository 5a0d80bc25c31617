package sts

import (
	"context"
	"encoding/xml"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/oidc"
)

// The bounds of durations, in seconds, as on AWS.
const (
	leastDuration   = 900
	mostDuration    = 43200  // of a role's session
	roleDefault     = 3600   // of a role's session
	mostChained     = 3600   // of a session that a role's session begins
	mostUserSession = 129600 // of a user's session
	userDefault     = 43200  // of a user's session
	mostRootSession = 3600
)

const timeFormat = "2006-01-02T15:04:05Z"

// credentials are temporary credentials in an answer.
type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

func credentialsOf(key iam.TemporaryKey) credentials {
	return credentials{key.ID, key.Secret, key.Token, key.ExpiresAt.UTC().Format(timeFormat)}
}

type assumedRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	ARN           string `xml:"Arn"`
}

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string
}

// getCallerIdentity needs no permission, as on AWS.
func (s *Server) getCallerIdentity(_ context.Context, c *call) (any, error) {
	p := c.caller.Principal
	return &callerIdentity{ARN: p.ARN, UserID: p.UserID, Account: p.Account}, nil
}

type sessionToken struct {
	XMLName     xml.Name `xml:"GetSessionTokenResult"`
	Credentials credentials
}

// getSessionToken needs no permission, as on AWS.
func (s *Server) getSessionToken(ctx context.Context, c *call) (any, error) {
	var v checks
	seconds := v.seconds(c.form, leastDuration, mostUserSession, userDefault)
	if err := v.err(); err != nil {
		return nil, err
	}
	if c.caller.Principal.Session != nil {
		return nil, accessDenied("Cannot call GetSessionToken with session credentials")
	}
	if err := withoutMFA(c.form); err != nil {
		return nil, err
	}
	if c.caller.Principal.IsRoot() {
		seconds = min(seconds, mostRootSession)
	}
	key, err := s.Identities.BeginUserSession(ctx, c.caller.Key(),
		time.Duration(seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return &sessionToken{Credentials: credentialsOf(key)}, nil
}

// withoutMFA rejects the code of an MFA device, since users have none.
func withoutMFA(f form) error {
	if f.has("SerialNumber") || f.has("TokenCode") {
		return accessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
	}
	return nil
}

type assumedRole struct {
	XMLName          xml.Name `xml:"AssumeRoleResult"`
	AssumedRoleUser  assumedRoleUser
	Credentials      credentials
	PackedPolicySize int `xml:",omitempty"`
}

func (s *Server) assumeRole(ctx context.Context, c *call) (any, error) {
	input, err := roleInputOf(c.form)
	if err != nil {
		return nil, err
	}
	if err := withoutMFA(c.form); err != nil {
		return nil, err
	}
	if c.caller.Principal.IsRoot() {
		return nil, accessDenied("Roles may not be assumed by root accounts.")
	}
	session := iam.RoleSession{Caller: c.caller.Key()}
	inherited := c.caller.Principal.Session.TransitiveTags()
	for key := range input.tags {
		if hasKey(inherited, key) {
			return nil, &fault{400, "InvalidParameterValue", "One of the specified transitive " +
				"tag keys can't be set because it conflicts with a transitive tag key from the " +
				"calling session."}
		}
	}
	request := c.caller.PolicyRequest(c.r, "sts:AssumeRole", input.arn, c.at)
	request.Context = map[string][]string{"sts:rolesessionname": {input.name}}
	if externalID := c.form.text("ExternalId"); externalID != "" {
		request.Context["sts:externalid"] = []string{externalID}
	}
	parent := c.caller.Principal.Session
	chained := parent != nil && parent.RoleName != ""
	key, packed, err := s.begin(ctx, request, input, session, inherited, chained)
	if err != nil {
		return nil, err
	}
	return &assumedRole{AssumedRoleUser: userOf(key), Credentials: credentialsOf(key),
		PackedPolicySize: packed}, nil
}

func userOf(key iam.TemporaryKey) assumedRoleUser {
	return assumedRoleUser{key.Principal.UserID, key.Principal.ARN}
}

type webIdentityRole struct {
	XMLName          xml.Name `xml:"AssumeRoleWithWebIdentityResult"`
	AssumedRoleUser  assumedRoleUser
	Credentials      credentials
	Provider         string
	Audience         string
	Subject          string `xml:"SubjectFromWebIdentityToken"`
	PackedPolicySize int    `xml:",omitempty"`
}

// assumeRoleWithWebIdentity is called without a signature: the token of the identity provider says
// who the caller is.
func (s *Server) assumeRoleWithWebIdentity(ctx context.Context, c *call) (any, error) {
	var v checks
	token := v.required(c.form, "WebIdentityToken", 4, oidc.MaxToken, nil)
	if err := v.err(); err != nil {
		return nil, err
	}
	if c.form.has("ProviderId") {
		return nil, validation("ProviderId is for OAuth 2.0 access tokens, which are not supported")
	}
	input, err := roleInputOf(c.form)
	if err != nil {
		return nil, err
	}
	id, err := s.Providers.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	c.identity = id
	if len(input.tags) > 0 {
		return nil, validation("the tags of a web identity's session are in its token")
	}
	if input.tags, err = checkedTags(id.Tags, id.Transitive); err != nil {
		return nil, err
	}
	input.transitive = id.Transitive

	anonymous := c.caller
	anonymous.Principal = iam.Principal{} // a signature counts for nothing
	request := anonymous.PolicyRequest(c.r, "sts:AssumeRoleWithWebIdentity", input.arn, c.at)
	request.Provider = id.Provider
	prefix := strings.ToLower(id.Provider) + ":"
	request.Context = map[string][]string{
		"sts:rolesessionname": {input.name},
		prefix + "sub":        {id.Subject},
		prefix + "aud":        id.Audiences,
	}
	if id.Party != "" {
		request.Context[prefix+"azp"] = []string{id.Party}
	}
	if len(id.Methods) > 0 {
		request.Context[prefix+"amr"] = id.Methods
	}
	key, packed, err := s.begin(ctx, request, input, iam.RoleSession{Provider: id.Provider}, nil,
		false)
	if denied, ok := errors.AsType[*iam.DeniedError](err); ok {
		return nil, accessDenied("Not authorized to perform " + denied.Action)
	}
	if err != nil {
		return nil, err
	}
	return &webIdentityRole{AssumedRoleUser: userOf(key), Credentials: credentialsOf(key),
		Provider: id.Issuer, Audience: id.Audience, Subject: id.Subject,
		PackedPolicySize: packed}, nil
}

// begin authorizes a request for a role and begins the session. packed is the share of the space
// for policy and tags that the session takes, in percent.
func (s *Server) begin(ctx context.Context, request *iam.Request, input *roleInput,
	session iam.RoleSession, inherited map[string]string, chained bool) (key iam.TemporaryKey,
	packed int, err error) {
	request.RequestTags = input.tags
	if len(input.tags) > 0 {
		request.TagKeys = slices.Sorted(maps.Keys(input.tags))
		if len(input.transitive) > 0 {
			request.Context["sts:transitivetagkeys"] = input.transitive
		}
	}
	role, err := s.Identities.AuthorizeRole(ctx, request)
	if err != nil {
		return key, 0, err
	}
	if len(input.tags) > 0 {
		tagging := *request
		tagging.Action = "sts:TagSession"
		if _, err := s.Identities.AuthorizeRole(ctx, &tagging); err != nil {
			return key, 0, err
		}
	}
	lasts := time.Duration(input.seconds) * time.Second
	switch {
	case chained && input.seconds > mostChained:
		return key, 0, validation("The requested DurationSeconds exceeds the 1 hour session " +
			"limit for roles assumed by role chaining")
	case lasts > role.MaxSession:
		return key, 0, validation(
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	session.Role, session.Name, session.Policy = role, input.name, input.policy
	session.Lasts = lasts
	session.Tags = maps.Clone(inherited)
	if session.Tags == nil {
		session.Tags = map[string]string{}
	}
	maps.Copy(session.Tags, input.tags)
	session.Transitive = slices.Concat(slices.Sorted(maps.Keys(inherited)), input.transitive)
	if size := session.PackedSize(); size > 0 {
		packed = (size*100 + iam.MaxPackedSize - 1) / iam.MaxPackedSize
	}
	if packed > 100 {
		return key, 0, &fault{400, "PackedPolicyTooLarge",
			"Serialized token too large for session: its policy and tags take more than 100 " +
				"percent of the allotted space"}
	}
	key, err = s.Identities.BeginRoleSession(ctx, session)
	return key, packed, err
}

// roleInput is what both operations on roles take.
type roleInput struct {
	arn, name, policy string
	seconds           int
	tags              map[string]string
	transitive        []string
}

var (
	// The service has this pattern for names of sessions.
	sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:\/-]*$`)
	tagKey      = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`)
	tagValue    = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

func roleInputOf(f form) (*roleInput, error) {
	var v checks
	input := &roleInput{
		arn:     v.required(f, "RoleArn", 20, 2048, nil),
		name:    v.required(f, "RoleSessionName", 2, 64, sessionName),
		policy:  f.text("Policy"),
		seconds: v.seconds(f, leastDuration, mostDuration, roleDefault),
	}
	if input.policy != "" {
		v.text(input.policy, "policy", 1, iam.MaxSessionPolicySize, nil)
	}
	if f.has("ExternalId") {
		v.text(f.text("ExternalId"), "externalId", 2, 1224, externalID)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	for _, name := range []string{"SourceIdentity", "PolicyArns", "ProvidedContexts"} {
		members, err := f.list(name)
		if err != nil {
			return nil, err
		}
		if f.has(name) || len(members) > 0 {
			return nil, validation("%s is not supported", name)
		}
	}
	if _, _, ok := iam.ParseRoleARN(input.arn); !ok {
		return nil, validation("%.128s is invalid", input.arn)
	}
	return input, input.readTags(f)
}

// readTags reads the tags of the session.
func (input *roleInput) readTags(f form) error {
	members, err := f.list("Tags")
	if err != nil {
		return err
	}
	tags := map[string]string{}
	for _, member := range members {
		key := member.text("Key")
		if hasKey(tags, key) {
			return errTagTwice
		}
		tags[key] = member.text("Value")
	}
	if members, err = f.list("TransitiveTagKeys"); err != nil {
		return err
	}
	for _, member := range members {
		input.transitive = append(input.transitive, member.text(""))
	}
	input.tags, err = checkedTags(tags, input.transitive)
	return err
}

var errTagTwice = &fault{400, "InvalidParameterValue",
	"Duplicate tag keys found. Please note that Tag keys are case insensitive."}

// hasKey reports whether there is a tag with this key, in upper or lower case.
func hasKey(tags map[string]string, key string) bool {
	for k := range tags {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}

// checkedTags returns the tags of a session if they are valid, and so are the keys of those that
// later sessions inherit.
func checkedTags(tags map[string]string, transitive []string) (map[string]string, error) {
	var v checks
	if len(tags) > iam.MaxSessionTags {
		v.violated("'[Tag]'", "tags", "Member must have length less than or equal to 50")
	}
	checked := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if hasKey(checked, key) {
			return nil, errTagTwice
		}
		checked[key] = tags[key]
		v.text(key, "tags.member.key", 1, iam.MaxSessionTagKey, tagKey)
		v.text(tags[key], "tags.member.value", 0, iam.MaxSessionTagValue, tagValue)
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			v.violated(quoted(key), "tags.member.key", "Member must not begin with aws:")
		}
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	for _, key := range transitive {
		if _, ok := checked[key]; !ok {
			return nil, &fault{400, "InvalidParameterValue",
				"One of the specified transitive tag keys can't be found in the tags of the " +
					"session."}
		}
	}
	return checked, nil
}
