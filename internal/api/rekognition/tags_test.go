package rekognition_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

func TestTags(t *testing.T) {
	c, ctx := open(t).client(), t.Context()
	created, err := c.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("people"),
			Tags: map[string]string{"Team": "blue"}})
	if err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:rekognition:us-east-1:123456789012:collection/people"
	tags := func() map[string]string {
		t.Helper()
		out, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn})
		if err != nil {
			t.Fatal(err)
		}
		return out.Tags
	}
	// The ARN that CreateCollection gives is good for tagging, though it lacks its first part.
	if _, err := c.TagResource(ctx,
		&sdk.TagResourceInput{ResourceArn: created.CollectionArn,
			Tags: map[string]string{"Team": "red", "cost": "0"}}); err != nil {
		t.Error(err)
	}
	if got := tags(); !maps.Equal(got, map[string]string{"Team": "red", "cost": "0"}) {
		t.Errorf("tags: %v", got)
	}
	if _, err := c.UntagResource(ctx,
		&sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"Team", "none"}}); err != nil {
		t.Error(err)
	}
	many := map[string]string{}
	for i := range 49 {
		many[fmt.Sprint(i)] = ""
	}
	if _, err := c.TagResource(ctx,
		&sdk.TagResourceInput{ResourceArn: &arn, Tags: many}); err != nil {
		t.Errorf("the 50th tag: %v", err)
	}
	_, err = c.TagResource(ctx,
		&sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"one": "more"}})
	if _, ok := errors.AsType[*types.ServiceQuotaExceededException](err); !ok {
		t.Errorf("the 51st tag: %v, want a ServiceQuotaExceededException", err)
	}
	if got := tags(); len(got) != 50 {
		t.Errorf("%d tags, want 50", len(got))
	}

	for arn, want := range map[string]string{
		"arn:aws:rekognition:us-east-1:123456789012:collection/absent": "ResourceNotFoundException",
		"arn:aws:rekognition:us-east-1:123456789012:collection/":       "ResourceNotFoundException",
		"arn:aws:rekognition:us-east-1:123456789012:project/people/1":  "ResourceNotFoundException",
		"arn:aws:rekognition:eu-west-1:123456789012:collection/people": "ResourceNotFoundException",
		"arn:aws:rekognition:us-east-1:210987654321:collection/people": "AccessDeniedException",
		"arn:aws:s3:::people/of/the/collection":                        "InvalidParameterException",
		"people and their tags":                                        "InvalidParameterException",
		"arn:aws:rekognition:collection/people":                        "InvalidParameterException",
		"short":                                                        "ValidationException",
		"arn:aws:rekognition:us-east-1:123456789012:" +
			strings.Repeat("x", 2048): "ValidationException",
	} {
		wantCode(t, last(c.ListTagsForResource(ctx,
			&sdk.ListTagsForResourceInput{ResourceArn: &arn})), want)
		wantCode(t, last(c.TagResource(ctx,
			&sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a": "b"}})), want)
		wantCode(t, last(c.UntagResource(ctx,
			&sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a"}})), want)
	}
	wantCode(t, last(c.TagResource(ctx,
		&sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"aws:mine": "x"}})),
		"ValidationException")
}
