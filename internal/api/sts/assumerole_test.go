package sts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/recollect-dev/recollect/internal/iam"
)

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
	arn := func(name string) *string {
		return aws.String("arn:aws:iam::" + account + ":role/" + name)
	}
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
