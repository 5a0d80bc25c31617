package sts_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/go-jose/go-jose/v4"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/sts"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/oidc"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

const (
	account   = "123456789012"
	cameraARN = "arn:aws:iam::" + account + ":role/camera"
	issuer    = "https://id.example.com/realms/staff"
	provider  = "id.example.com/realms/staff"
	allowAll  = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
)

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// outcomes keeps what a server reports.
type outcomes struct {
	mu  sync.Mutex
	all []rekognition.Outcome
}

func (o *outcomes) Observe(outcome rekognition.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, outcome)
}

// testServer is a running server with the user anna, who may assume roles, and an identity
// provider.
type testServer struct {
	url        string
	identities *iam.Service
	root, anna iam.AccessKey
	key        *ecdsa.PrivateKey // of the identity provider
	log        *buffer
	outcomes   *outcomes
}

func open(t testing.TB) *testServer {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	sealer, err := iam.OpenSealer(t.Context(), dir, store.Identities())
	if err != nil {
		t.Fatal(err)
	}
	d := &testServer{log: new(buffer), outcomes: new(outcomes)}
	d.root = iam.AccessKey{ID: "AKIAROOT000000000000", Secret: "the secret of the root",
		Principal: iam.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root",
			UserID: account}}
	d.identities = iam.NewService(store.Identities(), sealer, d.root)
	d.anna = d.user(t, "anna", `{"Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`)

	if d.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{KeyID: "k", Key: d.key.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"keys.json": string(keys),
		"issuers.json": `{"issuers":[{"issuer":"` + issuer +
			`","audiences":["recollect"],"jwks":"keys.json"}]}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issuers, err := oidc.Load(filepath.Join(dir, "issuers.json"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sts.New(sts.Config{
		Identities: d.identities,
		Providers:  issuers,
		Regions:    []string{"eu-west-1"},
		Log:        slog.New(slog.NewJSONHandler(d.log, nil)),
		Observer:   d.outcomes,
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *testServer) user(t testing.TB, name string, policies ...string) iam.AccessKey {
	t.Helper()
	if _, err := d.identities.CreateUser(t.Context(), account, name); err != nil {
		t.Fatal(err)
	}
	for i, p := range policies {
		if err := d.identities.PutUserPolicy(t.Context(), account, name,
			iam.PolicyDocument{Name: fmt.Sprint("p", i), Document: p}); err != nil {
			t.Fatal(err)
		}
	}
	key, err := d.identities.CreateAccessKey(t.Context(), account, name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (d *testServer) role(t testing.TB, name, trust string, policies ...string) iam.Role {
	t.Helper()
	r := iam.Role{Account: account, Name: name, TrustPolicy: trust, MaxSession: 2 * time.Hour}
	for i, p := range policies {
		r.Policies = append(r.Policies,
			iam.PolicyDocument{Name: fmt.Sprint("p", i), Document: p})
	}
	r, err := d.identities.CreateRole(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func trusting(principal, action, more string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal +
		`,"Action":` + action + more + `}}`
}

func trustingAccount() string {
	return trusting(`{"AWS":"`+account+`"}`, `["sts:AssumeRole","sts:TagSession"]`, "")
}

func (d *testServer) client(key iam.AccessKey) *sdk.Client { return d.clientWith(key, "") }

func (d *testServer) clientWith(key iam.AccessKey, token string) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: &d.url,
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider(key.ID, key.Secret, token),
		Retryer:      aws.NopRetryer{},
	})
}

func (d *testServer) session(c *types.Credentials) *sdk.Client {
	return d.clientWith(iam.AccessKey{ID: *c.AccessKeyId, Secret: *c.SecretAccessKey},
		*c.SessionToken)
}

// opened is the principal that the server finds in temporary credentials.
func (d *testServer) opened(t testing.TB, c *types.Credentials) iam.Principal {
	t.Helper()
	key, err := d.identities.SessionKey(t.Context(), *c.AccessKeyId, *c.SessionToken)
	if err != nil || key.Secret != *c.SecretAccessKey {
		t.Fatalf("the credentials are of no use: %v", err)
	}
	return key.Principal
}

func wantError(t testing.TB, doing string, err error, code, message string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		t.Errorf("%s: %v, want %s with %q", doing, err, code, message)
	}
}

func TestGetCallerIdentity(t *testing.T) {
	d := open(t)
	d.role(t, "camera", trustingAccount())
	assumed, err := d.client(d.anna).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: aws.String(cameraARN), RoleSessionName: aws.String("lobby")})
	if err != nil {
		t.Fatal(err)
	}
	own, err := d.client(d.anna).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	anna := "arn:aws:iam::" + account + ":user/anna"
	for name, c := range map[string]struct {
		client *sdk.Client
		arn    string
	}{
		"root":                {d.client(d.root), "arn:aws:iam::" + account + ":root"},
		"user":                {d.client(d.anna), anna},
		"session of the user": {d.session(own.Credentials), anna},
		"session of a role": {d.session(assumed.Credentials),
			"arn:aws:sts::" + account + ":assumed-role/camera/lobby"},
	} {
		who, err := c.client.GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Arn != c.arn || *who.Account != account || *who.UserId == "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	for _, secret := range []string{*own.Credentials.SecretAccessKey,
		*own.Credentials.SessionToken, *assumed.Credentials.SecretAccessKey,
		*assumed.Credentials.SessionToken, d.anna.Secret} {
		if strings.Contains(d.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func TestGetSessionToken(t *testing.T) {
	d := open(t)
	for name, c := range map[string]struct {
		key     iam.AccessKey
		seconds *int32
		want    time.Duration
	}{
		"default":         {d.anna, nil, 12 * time.Hour},
		"short":           {d.anna, aws.Int32(900), 15 * time.Minute},
		"long":            {d.anna, aws.Int32(129600), 36 * time.Hour},
		"root by default": {d.root, nil, time.Hour},
		"root, long":      {d.root, aws.Int32(43200), time.Hour},
		"root, short":     {d.root, aws.Int32(900), 15 * time.Minute},
	} {
		before := time.Now().Add(-time.Second)
		got, err := d.client(c.key).GetSessionToken(t.Context(),
			&sdk.GetSessionTokenInput{DurationSeconds: c.seconds})
		if err != nil {
			t.Fatal(name, err)
		}
		if p := d.opened(t, got.Credentials); p.ARN != c.key.Principal.ARN ||
			p.UserID != c.key.Principal.UserID {
			t.Errorf("%s: %+v", name, p)
		}
		if end := *got.Credentials.Expiration; end.Before(before.Add(c.want)) ||
			end.After(time.Now().Add(c.want)) {
			t.Errorf("%s: expires at %v, want %v from now", name, end, c.want)
		}
	}
	for seconds, want := range map[int32]string{
		899: "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have " +
			"value greater than or equal to 900",
		129601: "Member must have value less than or equal to 129600",
	} {
		_, err := d.client(d.anna).GetSessionToken(t.Context(),
			&sdk.GetSessionTokenInput{DurationSeconds: &seconds})
		wantError(t, fmt.Sprint(seconds, " seconds"), err, "ValidationError", want)
	}
	_, err := d.client(d.anna).GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{
		SerialNumber: aws.String("arn:aws:iam::123456789012:mfa/anna"),
		TokenCode:    aws.String("123456")})
	wantError(t, "with a device", err, "AccessDenied", "MultiFactorAuthentication")
	own, err := d.client(d.anna).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.session(own.Credentials).GetSessionToken(t.Context(), nil)
	wantError(t, "with a session", err, "AccessDenied",
		"Cannot call GetSessionToken with session credentials")
}

func TestAssumeRole(t *testing.T) {
	d := open(t)
	role := d.role(t, "camera", trustingAccount(), allowAll)
	d.role(t, "second", trustingAccount(),
		`{"Statement":{"Effect":"Allow","Action":"rekognition:*","Resource":"*"}}`)
	got, err := d.client(d.anna).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: &[]string{cameraARN}[0], RoleSessionName: aws.String("lobby"),
		DurationSeconds: aws.Int32(7200),
		Policy: aws.String(`{"Statement":{"Effect":"Allow","Action":["rekognition:List*",
			"sts:*"],"Resource":"*"}}`),
		Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("doors")},
			{Key: aws.String("floor"), Value: aws.String("")}},
		TransitiveTagKeys: []string{"Team"},
	})
	if err != nil {
		t.Fatal(err)
	}
	user := got.AssumedRoleUser
	if *user.Arn != "arn:aws:sts::"+account+":assumed-role/camera/lobby" ||
		*user.AssumedRoleId != role.ID+":lobby" || got.PackedPolicySize == nil ||
		*got.PackedPolicySize != 3 ||
		time.Until(*got.Credentials.Expiration).Round(time.Minute) != 2*time.Hour {
		t.Errorf("%+v, %+v, %v", got, user, *got.PackedPolicySize)
	}
	p := d.opened(t, got.Credentials)
	for action, want := range map[string]bool{"rekognition:ListFaces": true,
		"rekognition:IndexFaces": false} {
		err := d.identities.Authorize(t.Context(),
			&iam.Request{Principal: p, Action: action, Resource: "*"})
		if (err == nil) != want {
			t.Errorf("%s: %v", action, err)
		}
	}

	// With the session's own credentials: what is transitive is inherited, and nothing else.
	second := aws.String("arn:aws:iam::" + account + ":role/second")
	chained, err := d.session(got.Credentials).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: second, RoleSessionName: aws.String("door"),
		Tags: []types.Tag{{Key: aws.String("floor"), Value: aws.String("2")}}})
	if err != nil {
		t.Fatal(err)
	}
	tags := d.opened(t, chained.Credentials).Session.Tags
	if len(tags) != 2 || tags["Team"] != "doors" || tags["floor"] != "2" {
		t.Errorf("the tags are %v", tags)
	}
	_, err = d.session(got.Credentials).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: second, RoleSessionName: aws.String("door"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}}})
	wantError(t, "another value of a transitive tag", err, "InvalidParameterValue", "conflicts")
	_, err = d.session(got.Credentials).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: second, RoleSessionName: aws.String("door"), DurationSeconds: aws.Int32(3601)})
	wantError(t, "a long chained session", err, "ValidationError", "1 hour session limit")
}

func TestAssumeRoleRefuses(t *testing.T) {
	d := open(t)
	d.role(t, "camera", trustingAccount())
	d.role(t, "untagged", trusting(`{"AWS":"`+account+`"}`, `"sts:AssumeRole"`, ""))
	d.role(t, "external", trusting(`{"AWS":"`+account+`"}`, `"sts:AssumeRole"`,
		`,"Condition":{"StringEquals":{"sts:ExternalId":"42"}}`))
	plain := d.user(t, "plain")
	arn := func(name string) *string { return aws.String("arn:aws:iam::" + account + ":role/" + name) }
	tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
	many := make([]types.Tag, 51)
	for i := range many {
		many[i] = tag(fmt.Sprint("key", i), "")
	}
	large := make([]types.Tag, 20)
	for i := range large {
		large[i] = tag(fmt.Sprint("key", i), strings.Repeat("x", 256))
	}
	for name, c := range map[string]struct {
		key           iam.AccessKey
		input         sdk.AssumeRoleInput
		code, message string
	}{
		"no such role": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("nobody")}, "AccessDenied",
			"User: arn:aws:iam::123456789012:user/anna is not authorized to perform: " +
				"sts:AssumeRole on resource: arn:aws:iam::123456789012:role/nobody"},
		"no permission": {plain, sdk.AssumeRoleInput{RoleArn: arn("camera")}, "AccessDenied",
			"sts:AssumeRole"},
		"root": {d.root, sdk.AssumeRoleInput{RoleArn: arn("camera")}, "AccessDenied",
			"Roles may not be assumed by root accounts."},
		"no external id": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("external")}, "AccessDenied",
			"sts:AssumeRole"},
		"other external id": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("external"),
			ExternalId: aws.String("43")}, "AccessDenied", "sts:AssumeRole"},
		"tags": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("untagged"),
			Tags: []types.Tag{tag("a", "b")}}, "AccessDenied", "perform: sts:TagSession"},
		"no ARN": {d.anna, sdk.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::1:role/camera")},
			"ValidationError", "arn:aws:iam::1:role/camera is invalid"},
		"short ARN": {d.anna, sdk.AssumeRoleInput{RoleArn: aws.String("camera")},
			"ValidationError", "Value 'camera' at 'roleArn'"},
		"name": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			RoleSessionName: aws.String("a b")}, "ValidationError",
			`Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy ` +
				`regular expression pattern: [\w+=,.@-]*`},
		"longer than the role's": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			DurationSeconds: aws.Int32(7201)}, "ValidationError",
			"exceeds the MaxSessionDuration set for this role"},
		"longer than any": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			DurationSeconds: aws.Int32(43201)}, "ValidationError", "less than or equal to 43200"},
		"policy": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			Policy: aws.String("{}")}, "MalformedPolicyDocument", "Statement is missing"},
		"long policy": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			Policy: aws.String(allowAll + strings.Repeat(" ", 2048))}, "ValidationError",
			"at 'policy'"},
		"managed policy": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			PolicyArns: []types.PolicyDescriptorType{{Arn: arn("x")}}}, "ValidationError",
			"PolicyArns is not supported"},
		"source identity": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			SourceIdentity: aws.String("anna")}, "ValidationError",
			"SourceIdentity is not supported"},
		"two tags": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			Tags: []types.Tag{tag("a", "b"), tag("A", "c")}}, "InvalidParameterValue",
			"Duplicate tag keys"},
		"51 tags": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"), Tags: many},
			"ValidationError", "at 'tags'"},
		"large tags": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"), Tags: large},
			"PackedPolicyTooLarge", "100 percent"},
		"tag of AWS": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			Tags: []types.Tag{tag("aws:x", "b")}}, "ValidationError", "aws:"},
		"transitive without tag": {d.anna, sdk.AssumeRoleInput{RoleArn: arn("camera"),
			TransitiveTagKeys: []string{"a"}}, "InvalidParameterValue", "can't be found"},
	} {
		if c.input.RoleSessionName == nil {
			c.input.RoleSessionName = aws.String("lobby")
		}
		_, err := d.client(c.key).AssumeRole(t.Context(), &c.input)
		wantError(t, name, err, c.code, c.message)
	}
	if _, err := d.client(d.anna).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: arn("external"), RoleSessionName: aws.String("lobby"),
		ExternalId: aws.String("42")}); err != nil {
		t.Errorf("with the external id: %v", err)
	}
}

// webToken is a token of the identity provider.
func (d *testServer) webToken(t testing.TB, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{"iss": issuer, "sub": "pod:a", "aud": "recollect",
		"exp": time.Now().Add(time.Hour).Unix()}
	change(claims)
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	with, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: d.key},
		new(jose.SignerOptions).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := with.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func unchanged(map[string]any) {}

func (d *testServer) anonymous() *sdk.Client {
	return sdk.New(sdk.Options{BaseEndpoint: &d.url, Region: "eu-west-1",
		Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})
}

func (d *testServer) podRole(t testing.TB) {
	d.role(t, "camera", trusting(`{"Federated":"arn:aws:iam::`+account+`:oidc-provider/`+
		provider+`"}`, `["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`,
		`,"Condition":{"StringEquals":{"`+provider+`:sub":"pod:a","`+provider+
			`:aud":"recollect"}}`), allowAll)
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	d := open(t)
	d.podRole(t)
	got, err := d.anonymous().AssumeRoleWithWebIdentity(t.Context(),
		&sdk.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(cameraARN),
			RoleSessionName: aws.String("lobby"),
			WebIdentityToken: aws.String(d.webToken(t, func(claims map[string]any) {
				claims["https://aws.amazon.com/tags"] = map[string]any{
					"principal_tags": map[string]any{"team": []string{"doors"}}}
			}))})
	if err != nil {
		t.Fatal(err)
	}
	if *got.SubjectFromWebIdentityToken != "pod:a" || *got.Audience != "recollect" ||
		*got.Provider != issuer ||
		*got.AssumedRoleUser.Arn != "arn:aws:sts::"+account+":assumed-role/camera/lobby" {
		t.Errorf("%+v", got)
	}
	session := d.opened(t, got.Credentials).Session
	if session.Provider != provider || session.Tags["team"] != "doors" {
		t.Errorf("%+v", session)
	}
}

func TestAssumeRoleWithWebIdentityRefuses(t *testing.T) {
	d := open(t)
	d.podRole(t)
	d.role(t, "untagged", trusting(`{"Federated":"`+provider+`"}`,
		`"sts:AssumeRoleWithWebIdentity"`, ""))
	d.role(t, "people", trustingAccount())
	other := open(t)
	set := func(name string, value any) func(map[string]any) {
		return func(claims map[string]any) { claims[name] = value }
	}
	const notAuthorized = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	for name, c := range map[string]struct {
		role, token   string
		code, message string
	}{
		"subject":        {"camera", d.webToken(t, set("sub", "pod:b")), "AccessDenied", notAuthorized},
		"no such role":   {"nobody", d.webToken(t, unchanged), "AccessDenied", notAuthorized},
		"role of people": {"people", d.webToken(t, unchanged), "AccessDenied", notAuthorized},
		"tags": {"untagged", d.webToken(t, set("https://aws.amazon.com/tags", map[string]any{
			"principal_tags": map[string]any{"team": []string{"doors"}}})), "AccessDenied",
			"Not authorized to perform sts:TagSession"},
		"audience": {"camera", d.webToken(t, set("aud", "x")), "InvalidIdentityToken", "audience"},
		"issuer": {"camera", d.webToken(t, set("iss", "https://x")), "InvalidIdentityToken",
			"no OpenID Connect provider"},
		"expired":         {"camera", d.webToken(t, set("exp", 1)), "ExpiredTokenException", "expired"},
		"another's key":   {"camera", other.webToken(t, unchanged), "InvalidIdentityToken", "no key"},
		"no token at all": {"camera", "a.b.c", "InvalidIdentityToken", ""},
		"short":           {"camera", "abc", "ValidationError", "webIdentityToken"},
		"long":            {"camera", strings.Repeat("a", 20001), "ValidationError", "webIdentityToken"},
	} {
		_, err := d.anonymous().AssumeRoleWithWebIdentity(t.Context(),
			&sdk.AssumeRoleWithWebIdentityInput{
				RoleArn:         aws.String("arn:aws:iam::" + account + ":role/" + c.role),
				RoleSessionName: aws.String("lobby"), WebIdentityToken: aws.String(c.token)})
		wantError(t, name, err, c.code, c.message)
	}
}

// The SDK's own providers, which renew what expires.
func TestProvidersOfTheSDK(t *testing.T) {
	d := open(t)
	d.podRole(t)
	d.role(t, "people", trustingAccount())
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(d.webToken(t, unchanged)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]aws.CredentialsProvider{
		"web identity": stscreds.NewWebIdentityRoleProvider(d.anonymous(), cameraARN,
			stscreds.IdentityTokenFile(file)),
		"role": stscreds.NewAssumeRoleProvider(d.client(d.anna),
			"arn:aws:iam::"+account+":role/people"),
	} {
		got, err := p.Retrieve(context.Background())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if who, err := d.clientWith(iam.AccessKey{ID: got.AccessKeyID,
			Secret: got.SecretAccessKey}, got.SessionToken).GetCallerIdentity(t.Context(),
			nil); err != nil || !strings.Contains(*who.Arn, ":assumed-role/") {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

// The SDK's default chain, which has its settings from files and the environment alone.
func TestDefaultChain(t *testing.T) {
	d := open(t)
	d.podRole(t)
	d.role(t, "people", trustingAccount())
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	none := write("none", "")
	for name, settings := range map[string]map[string]string{
		"a profile": {
			"AWS_CONFIG_FILE": write("config", "[profile anna]\n[profile camera]\n"+
				"role_arn = arn:aws:iam::"+account+":role/people\nsource_profile = anna\n"),
			"AWS_SHARED_CREDENTIALS_FILE": write("credentials", "[anna]\naws_access_key_id = "+
				d.anna.ID+"\naws_secret_access_key = "+d.anna.Secret+"\n"),
			"AWS_PROFILE": "camera",
		},
		"a web identity": {
			"AWS_ROLE_ARN":                cameraARN,
			"AWS_WEB_IDENTITY_TOKEN_FILE": write("token", d.webToken(t, unchanged)),
			"AWS_CONFIG_FILE":             none, "AWS_SHARED_CREDENTIALS_FILE": none,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
				"AWS_SESSION_TOKEN", "AWS_PROFILE"} {
				t.Setenv(variable, "")
			}
			t.Setenv("AWS_ENDPOINT_URL_STS", d.url)
			t.Setenv("AWS_REGION", "eu-west-1")
			for variable, value := range settings {
				t.Setenv(variable, value)
			}
			cfg, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			who, err := sdk.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
			if err != nil || !strings.Contains(*who.Arn, ":assumed-role/") {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	d := open(t)
	own, err := d.client(d.anna).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := iam.AccessKey{ID: *own.Credentials.AccessKeyId,
		Secret: *own.Credentials.SecretAccessKey}
	token := *own.Credentials.SessionToken
	for name, c := range map[string]struct {
		client        *sdk.Client
		code, message string
	}{
		"wrong secret": {d.client(iam.AccessKey{ID: d.anna.ID, Secret: "wrong"}),
			"SignatureDoesNotMatch", "The request signature we calculated does not match"},
		"unknown key": {d.client(iam.AccessKey{ID: "AKIANOBODY0000000000", Secret: "x"}),
			"InvalidClientTokenId", "The security token included in the request is invalid."},
		"no token":        {d.client(key), "InvalidClientTokenId", ""},
		"truncated token": {d.clientWith(key, token[:len(token)-1]), "InvalidClientTokenId", ""},
		"token of another key": {d.clientWith(iam.AccessKey{ID: d.anna.ID,
			Secret: d.anna.Secret}, token), "InvalidClientTokenId", ""},
		"unsigned": {d.anonymous(), "MissingAuthenticationToken",
			"Request is missing Authentication Token"},
	} {
		_, err := c.client.GetCallerIdentity(t.Context(), nil)
		wantError(t, name, err, c.code, c.message)
	}
	if !strings.Contains(d.log.String(), `"level":"WARN"`) {
		t.Error("a wrong signature is not logged as a warning")
	}
}

// post sends a form as no SDK would.
func (d *testServer) post(t testing.TB, contentType, body string) (status int, code string) {
	t.Helper()
	resp, err := http.Post(d.url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error   struct{ Type, Code string }
	}
	if err := xml.Unmarshal(text, &answer); err != nil || answer.Error.Type != "Sender" {
		t.Errorf("%.100q is answered with %s (%v)", body, text, err)
	}
	return resp.StatusCode, answer.Error.Code
}

func TestRequestsWrittenByHand(t *testing.T) {
	d := open(t)
	const encoded = "application/x-www-form-urlencoded"
	const web = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
	for _, c := range []struct {
		contentType, body string
		status            int
		code              string
	}{
		{encoded, "Action=GetCallerIdentity&Version=2011-06-15", 403, "MissingAuthenticationToken"},
		{encoded, "", 403, "MissingAuthenticationToken"},
		{encoded, "Action=Nothing", 403, "MissingAuthenticationToken"},
		{encoded, web, 400, "ValidationError"},
		{encoded, "Action=AssumeRoleWithWebIdentity", 400, "NoSuchVersion"},
		{encoded, web + "&Version=2011-06-15", 400, "MalformedQueryString"},
		{encoded, web + "&a=%zz", 400, "MalformedQueryString"},
		{encoded, web + "&a=%ff", 400, "MalformedQueryString"},
		{encoded, web + strings.Repeat("&", 600), 400, "MalformedQueryString"},
		{encoded, web + "&a=" + strings.Repeat("a", 64<<10), 413, "RequestEntityTooLarge"},
		{"application/json", `{}`, 400, "MalformedQueryString"},
		{encoded, web + "&RoleArn=" + url.QueryEscape(cameraARN) + "&RoleSessionName=lobby" +
			"&WebIdentityToken=a.b.c&Tags.member.x.Key=a", 400, "MalformedQueryString"},
	} {
		if status, code := d.post(t, c.contentType, c.body); status != c.status || code != c.code {
			t.Errorf("%.100q: %d %s, want %d %s", c.body, status, code, c.status, c.code)
		}
	}
	// A body whose length is not declared is bounded too.
	resp, err := http.Post(d.url, encoded, io.MultiReader(strings.NewReader(web),
		strings.NewReader(strings.Repeat("a", 65<<10))))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body of no declared length: %d", resp.StatusCode)
	}
}

// Who is not known may not send more than a rate.
func TestRateOfUnsignedRequests(t *testing.T) {
	d := open(t)
	throttled := 0
	for range 200 {
		if _, code := d.post(t, "application/x-www-form-urlencoded",
			"Action=AssumeRoleWithWebIdentity&Version=2011-06-15"); code == "Throttling" {
			throttled++
		}
	}
	if throttled < 20 {
		t.Errorf("%d of 200 requests were rejected", throttled)
	}
	if _, err := d.client(d.anna).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Errorf("a signed request from the same address: %v", err)
	}
	rejected := 0
	for _, outcome := range d.outcomes.all {
		if outcome.Rejected {
			rejected++
		}
	}
	if rejected != throttled {
		t.Errorf("the observer gets %d rejections of %d", rejected, throttled)
	}
	last := d.outcomes.all[len(d.outcomes.all)-1]
	if last.Operation != "GetCallerIdentity" || last.Status != 200 || last.Exception != "" {
		t.Errorf("the observer gets %+v", last)
	}
}
