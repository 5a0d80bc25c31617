package sts_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
)

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
		"subject": {"camera", d.webToken(t, set("sub", "pod:b")), "AccessDenied",
			notAuthorized},
		"no such role":   {"nobody", d.webToken(t, unchanged), "AccessDenied", notAuthorized},
		"role of people": {"people", d.webToken(t, unchanged), "AccessDenied", notAuthorized},
		"tags": {"untagged", d.webToken(t, set("https://aws.amazon.com/tags", map[string]any{
			"principal_tags": map[string]any{"team": []string{"doors"}}})), "AccessDenied",
			"Not authorized to perform sts:TagSession"},
		"audience": {"camera", d.webToken(t, set("aud", "x")), "InvalidIdentityToken", "audience"},
		"issuer": {"camera", d.webToken(t, set("iss", "https://x")), "InvalidIdentityToken",
			"no OpenID Connect provider"},
		"expired": {"camera", d.webToken(t, set("exp", 1)), "ExpiredTokenException",
			"expired"},
		"another's key": {"camera", other.webToken(t, unchanged), "InvalidIdentityToken",
			"no key"},
		"no token at all": {"camera", "a.b.c", "InvalidIdentityToken", ""},
		"short":           {"camera", "abc", "ValidationError", "webIdentityToken"},
		"long": {"camera", strings.Repeat("a", 20001), "ValidationError",
			"webIdentityToken"},
	} {
		_, err := d.anonymous().AssumeRoleWithWebIdentity(t.Context(),
			&sdk.AssumeRoleWithWebIdentityInput{
				RoleArn:         aws.String("arn:aws:iam::" + account + ":role/" + c.role),
				RoleSessionName: aws.String("lobby"), WebIdentityToken: aws.String(c.token)})
		wantError(t, name, err, c.code, c.message)
	}
}
