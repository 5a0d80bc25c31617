package rekognition_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/smithy-go"
)

// exceptionOf is the name of the exception that an SDK got, and its text.
func exceptionOf(err error) (name, message string) {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode(), e.ErrorMessage()
	}
	return "", ""
}

// AWS's own policies, as they stand.
func TestManagedPolicies(t *testing.T) {
	d, ctx := open(t), t.Context()
	managed := func(name string) string {
		document, err := os.ReadFile("../../iam/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return string(document)
	}
	full := d.user(t, "full", managed("AmazonRekognitionFullAccess"))
	reader := d.user(t, "reader", managed("AmazonRekognitionReadOnlyAccess"))
	faces := people(t, full, 2)
	id := aws.String("people")
	for name, c := range map[string]struct {
		reader bool // may, too
		call   func(*sdk.Client) error
	}{
		"ListCollections": {true,
			func(c *sdk.Client) error {
				_,
					err := c.ListCollections(ctx, &sdk.ListCollectionsInput{})
				return err
			}},
		"ListFaces": {true, func(c *sdk.Client) error {
			_, err := c.ListFaces(ctx, &sdk.ListFacesInput{CollectionId: id})
			return err
		}},
		"SearchFaces": {true, func(c *sdk.Client) error {
			_, err := c.SearchFaces(ctx, &sdk.SearchFacesInput{CollectionId: id, FaceId: &faces[0]})
			return err
		}},
		"SearchFacesByImage": {true, func(c *sdk.Client) error {
			_, err := c.SearchFacesByImage(ctx,
				&sdk.SearchFacesByImageInput{CollectionId: id, Image: shot(1, 2)})
			return err
		}},
		"DetectFaces": {true, func(c *sdk.Client) error {
			_, err := c.DetectFaces(ctx, &sdk.DetectFacesInput{Image: shot(1, 2)})
			return err
		}},
		"CompareFaces": {true, func(c *sdk.Client) error {
			_, err := c.CompareFaces(ctx,
				&sdk.CompareFacesInput{SourceImage: shot(1, 1), TargetImage: shot(1, 2)})
			return err
		}},
		"DescribeCollection": {false, func(c *sdk.Client) error {
			_, err := c.DescribeCollection(ctx, &sdk.DescribeCollectionInput{CollectionId: id})
			return err
		}},
		"CreateCollection": {false, func(c *sdk.Client) error {
			_, err := c.CreateCollection(ctx,
				&sdk.CreateCollectionInput{CollectionId: aws.String("more")})
			return err
		}},
		"IndexFaces": {false, func(c *sdk.Client) error {
			_, err := c.IndexFaces(ctx, &sdk.IndexFacesInput{CollectionId: id, Image: shot(3, 1)})
			return err
		}},
		"CreateUser": {false, func(c *sdk.Client) error {
			_, err := c.CreateUser(ctx,
				&sdk.CreateUserInput{CollectionId: id, UserId: aws.String("u")})
			return err
		}},
		"ListUsers": {false, func(c *sdk.Client) error {
			_, err := c.ListUsers(ctx, &sdk.ListUsersInput{CollectionId: id})
			return err
		}},
		"SearchUsers": {false, func(c *sdk.Client) error {
			_, err := c.SearchUsers(ctx, &sdk.SearchUsersInput{CollectionId: id, FaceId: &faces[0]})
			return err
		}},
		"SearchUsersByImage": {false, func(c *sdk.Client) error {
			_, err := c.SearchUsersByImage(ctx,
				&sdk.SearchUsersByImageInput{CollectionId: id, Image: shot(1, 2)})
			return err
		}},
		"DeleteFaces": {false, func(c *sdk.Client) error {
			_, err := c.DeleteFaces(ctx,
				&sdk.DeleteFacesInput{CollectionId: id, FaceIds: faces[1:]})
			return err
		}},
	} {
		switch name, message := exceptionOf(c.call(reader)); {
		case c.reader && name != "":
			t.Errorf("a reader's call fails: %s %s", name, message)
		case !c.reader &&
			(name != "AccessDeniedException" ||
				!strings.HasPrefix(message,
					"User: arn:aws:iam::123456789012:user/reader is not authorized to perform: "+
						"rekognition:")):
			t.Errorf("%s by a reader: %q %s", name, name, message)
		}
		if err := c.call(full); err != nil {
			t.Errorf("%s by one who may do everything: %v", name, err)
		}
	}
}
