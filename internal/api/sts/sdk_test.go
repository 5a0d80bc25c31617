package sts_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/recollect-dev/recollect/internal/iam"
)

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
