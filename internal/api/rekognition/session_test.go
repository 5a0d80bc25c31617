package rekognition_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/smithy-go"

	"github.com/recollect-dev/recollect/internal/iam"
)

func (d *testServer) clientOfSession(key iam.TemporaryKey) *sdk.Client {
	return sdk.New(sdk.Options{BaseEndpoint: &d.url, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.Token),
		Retryer:     aws.NopRetryer{}})
}

// Temporary credentials sign requests of the API until they expire or are revoked.
func TestTemporaryCredentials(t *testing.T) {
	d := open(t)
	root, _, err := d.identities.AccessKey(t.Context(), keyID)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(lasts time.Duration) iam.TemporaryKey {
		t.Helper()
		key, err := d.identities.BeginUserSession(t.Context(), root, lasts)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	altered := begin(time.Hour)
	altered.Token = altered.Token[:len(altered.Token)-4]
	stolen := begin(time.Hour)
	stolen.Secret = "another"
	for name, c := range map[string]struct {
		key           iam.TemporaryKey
		code, message string
	}{
		"valid": {begin(time.Hour), "", ""},
		"expired": {begin(-time.Second), "ExpiredTokenException",
			"The security token included in the request is expired"},
		"altered": {altered, "UnrecognizedClientException",
			"The security token included in the request is invalid."},
		"without its secret": {stolen, "InvalidSignatureException",
			"The request signature we calculated does not match the signature you provided. " +
				"Check your AWS Secret Access Key and signing method. Consult the service " +
				"documentation for details."},
	} {
		_, err := d.clientOfSession(c.key).ListCollections(t.Context(), nil)
		e, ok := errors.AsType[smithy.APIError](err)
		if c.code == "" && err == nil {
			continue
		}
		if !ok || e.ErrorCode() != c.code || e.ErrorMessage() != c.message {
			t.Errorf("%s: %v, want %s with %q", name, err, c.code, c.message)
		}
	}
}
