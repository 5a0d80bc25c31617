package rekognition_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/smithy-go"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/iam"
)

const account = "123456789012"

// newKey makes a key of a new user with a policy: a built-in one, or a document.
func (d *testServer) newKey(t *testing.T, account, name, policy string) iam.AccessKey {
	t.Helper()
	ctx := t.Context()
	if _, err := d.identities.CreateUser(ctx, account, name); err != nil {
		t.Fatal(err)
	}
	document, ok := iam.BuiltinPolicy(policy)
	if !ok {
		document = iam.PolicyDocument{Name: "own", Document: policy}
	}
	if err := d.identities.PutUserPolicy(ctx, account, name, document); err != nil {
		t.Fatal(err)
	}
	key, err := d.identities.CreateAccessKey(ctx, account, name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// user returns the client of a new user with a policy.
func (d *testServer) user(t *testing.T, name, policy string) *sdk.Client {
	t.Helper()
	return d.clientOf(d.newKey(t, account, name, policy))
}

func wantDenied(t *testing.T, err error, message string) {
	t.Helper()
	e, ok := errors.AsType[*types.AccessDeniedException](err)
	if !ok || e.ErrorMessage() != message {
		t.Errorf("%v, want an AccessDeniedException: %s", err, message)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != code {
		t.Errorf("%v, want %s", err, code)
	}
}

// last is the error of a call.
func last[T any](_ T, err error) error { return err }

func TestPoliciesDecideBeforeAnythingIsRevealed(t *testing.T) {
	d, ctx := open(t), t.Context()
	if _, err := d.client().CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}

	reader := d.user(t, "anna", "read-only")
	if list, err := reader.ListCollections(ctx, &sdk.ListCollectionsInput{}); err != nil ||
		len(list.CollectionIds) != 1 {
		t.Errorf("a reader lists %v, %v", list, err)
	}
	for _, id := range []string{"people", "absent"} { // the answer does not tell which one is there
		_, err := reader.DeleteCollection(ctx, &sdk.DeleteCollectionInput{CollectionId: &id})
		wantDenied(t, err,
			"User: arn:aws:iam::123456789012:user/anna is not authorized to perform: "+
				"rekognition:DeleteCollection on resource: "+
				"arn:aws:rekognition:us-east-1:123456789012:collection/"+id+
				" because no identity-based policy allows the rekognition:DeleteCollection action")
	}
	_, err := reader.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("mine")})
	wantDenied(t, err,
		"User: arn:aws:iam::123456789012:user/anna is not authorized to perform: "+
			"rekognition:CreateCollection because no identity-based policy allows the "+
			"rekognition:CreateCollection action")

	own := d.user(t, "bob", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"rekognition:*",
			"Resource":"arn:aws:rekognition:*:*:collection/bob-*"},
		{"Effect":"Allow","Action":"rekognition:CreateCollection","Resource":"*",
			"Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}},
		{"Effect":"Deny","Action":"rekognition:DeleteCollection","Resource":"*"}]}`)
	if _, err := own.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("bob-1")}); err != nil {
		t.Error(err)
	}
	if _, err := own.DescribeCollection(ctx,
		&sdk.DescribeCollectionInput{CollectionId: aws.String("bob-1")}); err != nil {
		t.Error(err)
	}
	if _, err := own.DescribeCollection(ctx,
		&sdk.DescribeCollectionInput{CollectionId: aws.String("people")}); err == nil {
		t.Error("bob describes a collection that is not his")
	}
	_, err = own.DeleteCollection(ctx,
		&sdk.DeleteCollectionInput{CollectionId: aws.String("bob-1")})
	wantDenied(t, err,
		"User: arn:aws:iam::123456789012:user/bob is not authorized to perform: "+
			"rekognition:DeleteCollection on resource: "+
			"arn:aws:rekognition:us-east-1:123456789012:collection/bob-1 with an explicit deny in "+
			"an identity-based policy")
}

// What each operation asks for, by the service authorization reference. A nil resource is *.
func TestActionsAndResources(t *testing.T) {
	d := open(t)
	people := aws.String("people")
	arn := aws.String("arn:aws:rekognition:us-east-1:123456789012:collection/people")
	short := aws.String(strings.TrimPrefix(*arn, "arn:")) // as CreateCollection gives it
	image := &types.Image{Bytes: []byte("[]")}
	user, ids := aws.String("u"), []string{"00000000-0000-4000-8000-000000000000"}
	c := d.user(t, "nobody",
		`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	ctx := t.Context()
	for action, asked := range map[string]struct {
		resource *string
		err      error
	}{
		"CreateCollection": {nil,
			last(c.CreateCollection(ctx, &sdk.CreateCollectionInput{CollectionId: people}))},
		"ListCollections": {nil, last(c.ListCollections(ctx, &sdk.ListCollectionsInput{}))},
		"DescribeCollection": {arn,
			last(c.DescribeCollection(ctx, &sdk.DescribeCollectionInput{CollectionId: people}))},
		"DeleteCollection": {arn,
			last(c.DeleteCollection(ctx, &sdk.DeleteCollectionInput{CollectionId: people}))},
		"IndexFaces": {arn,
			last(c.IndexFaces(ctx, &sdk.IndexFacesInput{CollectionId: people, Image: image}))},
		"ListFaces": {arn,
			last(c.ListFaces(ctx, &sdk.ListFacesInput{CollectionId: people}))},
		"DeleteFaces": {arn,
			last(c.DeleteFaces(ctx, &sdk.DeleteFacesInput{CollectionId: people, FaceIds: ids}))},
		"SearchFaces": {arn,
			last(c.SearchFaces(ctx, &sdk.SearchFacesInput{CollectionId: people, FaceId: &ids[0]}))},
		"SearchFacesByImage": {arn,
			last(c.SearchFacesByImage(ctx,
				&sdk.SearchFacesByImageInput{CollectionId: people, Image: image}))},
		"DetectFaces": {nil, last(c.DetectFaces(ctx, &sdk.DetectFacesInput{Image: image}))},
		"CompareFaces": {nil,
			last(c.CompareFaces(ctx,
				&sdk.CompareFacesInput{SourceImage: image, TargetImage: image}))},
		"CreateUser": {arn,
			last(c.CreateUser(ctx, &sdk.CreateUserInput{CollectionId: people, UserId: user}))},
		"DeleteUser": {arn,
			last(c.DeleteUser(ctx, &sdk.DeleteUserInput{CollectionId: people, UserId: user}))},
		"ListUsers": {arn,
			last(c.ListUsers(ctx, &sdk.ListUsersInput{CollectionId: people}))},
		"AssociateFaces": {arn,
			last(c.AssociateFaces(ctx,
				&sdk.AssociateFacesInput{CollectionId: people, UserId: user, FaceIds: ids}))},
		"DisassociateFaces": {arn,
			last(c.DisassociateFaces(ctx,
				&sdk.DisassociateFacesInput{CollectionId: people, UserId: user, FaceIds: ids}))},
		"SearchUsers": {arn,
			last(c.SearchUsers(ctx, &sdk.SearchUsersInput{CollectionId: people, UserId: user}))},
		"SearchUsersByImage": {arn,
			last(c.SearchUsersByImage(ctx,
				&sdk.SearchUsersByImageInput{CollectionId: people, Image: image}))},
		"TagResource": {arn,
			last(c.TagResource(ctx,
				&sdk.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "b"}}))},
		"UntagResource": {arn,
			last(c.UntagResource(ctx,
				&sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}}))},
		"ListTagsForResource": {arn,
			last(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: short}))},
		// not built, and no exception
		"DetectLabels": {nil, last(c.DetectLabels(ctx, &sdk.DetectLabelsInput{Image: image}))},
	} {
		on := ""
		if asked.resource != nil {
			on = " on resource: " + *asked.resource
		}
		wantDenied(t, asked.err,
			"User: arn:aws:iam::123456789012:user/nobody is not authorized to perform: "+
				"rekognition:"+action+on+
				" with an explicit deny in an identity-based policy")
	}
}

func TestTagsOfTheResourceDecide(t *testing.T) {
	d, ctx := open(t), t.Context()
	root := d.client()
	for id, team := range map[string]string{"blue-1": "blue", "red-1": "red"} {
		if _, err := root.CreateCollection(ctx,
			&sdk.CreateCollectionInput{CollectionId: &id,
				Tags: map[string]string{"Team": team}}); err != nil {
			t.Fatal(err)
		}
	}
	blue := d.user(t, "blue", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"rekognition:*","Resource":"*",
			"Condition":{"StringEquals":{"aws:ResourceTag/Team":"${aws:username}"}}},
		{"Effect":"Allow","Action":["rekognition:CreateCollection","rekognition:TagResource"],
			"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/Team":"blue"}}}]}`)
	describe := func(id string) error {
		return last(blue.DescribeCollection(ctx, &sdk.DescribeCollectionInput{CollectionId: &id}))
	}
	if err := describe("blue-1"); err != nil {
		t.Errorf("a collection with the right tag: %v", err)
	}
	for _, id := range []string{"red-1", "absent"} { // the answer does not tell which one is there
		wantDenied(t, describe(id),
			"User: arn:aws:iam::123456789012:user/blue is not authorized to perform: "+
				"rekognition:DescribeCollection on resource: "+
				"arn:aws:rekognition:us-east-1:123456789012:collection/"+id+
				" because no identity-based policy allows the rekognition:DescribeCollection "+
				"action")
	}
	arn := "arn:aws:rekognition:us-east-1:123456789012:collection/"
	if _, err := blue.ListTagsForResource(ctx,
		&sdk.ListTagsForResourceInput{ResourceArn: aws.String(arn + "blue-1")}); err != nil {
		t.Errorf("a resource named by its ARN: %v", err)
	}

	create := func(id string, tags map[string]string) error {
		return last(blue.CreateCollection(ctx,
			&sdk.CreateCollectionInput{CollectionId: &id, Tags: tags}))
	}
	if err := create("blue-2", map[string]string{"Team": "blue"}); err != nil {
		t.Errorf("making a collection with the tag asked for: %v", err)
	}
	wantCode(t, create("red-2", map[string]string{"Team": "red"}), "AccessDeniedException")
	wantCode(t, create("none", nil), "AccessDeniedException")

	// A tag that changes changes what is allowed, at once.
	if _, err := root.TagResource(ctx,
		&sdk.TagResourceInput{ResourceArn: aws.String(arn + "red-1"),
			Tags: map[string]string{"Team": "blue"}}); err != nil {
		t.Fatal(err)
	}
	if err := describe("red-1"); err != nil {
		t.Errorf("after the tag has changed: %v", err)
	}
}

func TestTaggingACollectionAtItsCreationIsTagging(t *testing.T) {
	d, ctx := open(t), t.Context()
	maker := d.user(t, "maker",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
			`"Action":"rekognition:CreateCollection","Resource":"*"}}`)
	if _, err := maker.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("plain")}); err != nil {
		t.Error(err)
	}
	_, err := maker.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("tagged"),
			Tags: map[string]string{"a": "b"}})
	wantDenied(t, err,
		"User: arn:aws:iam::123456789012:user/maker is not authorized to perform: "+
			"rekognition:TagResource on resource: "+
			"arn:aws:rekognition:us-east-1:123456789012:collection/tagged because no "+
			"identity-based policy allows the rekognition:TagResource action")
	_, err = d.client().DescribeCollection(ctx,
		&sdk.DescribeCollectionInput{CollectionId: aws.String("tagged")})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestObjectsAreReadWithTheRightsOfTheCaller(t *testing.T) {
	d, ctx := open(t), t.Context()
	detect := func(c *sdk.Client, object *types.S3Object) error {
		return last(c.DetectFaces(ctx,
			&sdk.DetectFacesInput{Image: &types.Image{S3Object: object}}))
	}
	two := &types.S3Object{Bucket: aws.String("pictures"), Name: aws.String("two.json")}
	if err := detect(d.client(), two); err != nil {
		t.Fatalf("the root: %v", err)
	}
	const message = "Unable to get object metadata from S3. Check object key, region and/or " +
		"access permissions."
	wantNone := func(err error) {
		t.Helper()
		if e, ok := errors.AsType[*types.InvalidS3ObjectException](err); !ok ||
			e.ErrorMessage() != message {
			t.Errorf("%v, want an InvalidS3ObjectException", err)
		}
	}
	wantNone(detect(d.user(t, "full", "full-access"), two))
	if log := d.log.String(); !strings.Contains(log,
		"s3:GetObject on resource: arn:aws:s3:::pictures/two.json") {
		t.Error("the log does not tell the operator which right is missing")
	}
	some := d.user(t, "some",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rekognition:DetectFaces","Resource":"*"},
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::pictures/two.*"}]}`)
	if err := detect(some, two); err != nil {
		t.Errorf("a user who may read the object: %v", err)
	}
	wantNone(detect(some,
		&types.S3Object{Bucket: aws.String("pictures"), Name: aws.String("three.json")}))
	// s3:GetObjectVersion is another right
	wantNone(detect(some,
		&types.S3Object{Bucket: two.Bucket, Name: two.Name, Version: aws.String("1")}))
	reader := d.newKey(t, account, "reader", "full-access")
	builtin, _ := iam.BuiltinPolicy("s3-read")
	if err := d.identities.PutUserPolicy(ctx, account, "reader", builtin); err != nil {
		t.Fatal(err)
	}
	if err := detect(d.clientOf(reader), two); err != nil {
		t.Errorf("a user with the policies full-access and s3-read: %v", err)
	}
}

// An image that is given twice is told of as such, also to who may not read it in S3.
func TestAnImageGivenTwice(t *testing.T) {
	c := open(t).user(t, "anna", "full-access")
	twice := &types.Image{Bytes: []byte("[]"),
		S3Object: &types.S3Object{Bucket: aws.String("pictures"), Name: aws.String("two.json")}}
	wantCode(t, last(c.DetectFaces(t.Context(), &sdk.DetectFacesInput{Image: twice})),
		"InvalidParameterException")
}

func TestAMissingCollectionIsToldBeforeAPictureIsFetched(t *testing.T) {
	c, ctx := open(t).client(), t.Context()
	image := &types.Image{S3Object: &types.S3Object{Bucket: aws.String("pictures"),
		Name: aws.String("none")}}
	id := aws.String("absent")
	for name, err := range map[string]error{
		"IndexFaces": last(c.IndexFaces(ctx,
			&sdk.IndexFacesInput{CollectionId: id, Image: image})),
		"SearchFacesByImage": last(c.SearchFacesByImage(ctx,
			&sdk.SearchFacesByImageInput{CollectionId: id, Image: image})),
		"SearchUsersByImage": last(c.SearchUsersByImage(ctx,
			&sdk.SearchUsersByImageInput{CollectionId: id, Image: image})),
	} {
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
			t.Errorf("%s: %v, want a ResourceNotFoundException", name, err)
		}
	}
}

// Two accounts in two regions have collections of the same names and see nothing of each other's.
func TestRealmsAreApart(t *testing.T) {
	d, ctx := open(t), t.Context()
	keys := map[string]iam.AccessKey{
		account:        d.newKey(t, account, "anna", "full-access"),
		"210987654321": d.newKey(t, "210987654321", "anna", "full-access"),
	}
	clients, tokens := map[string]*sdk.Client{}, map[string]*string{}
	for account, key := range keys {
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			realm := region + ":" + account
			clients[realm] = d.clientIn(region, key)
			for _, id := range []string{"a", "people"} {
				if _,
					err := clients[realm].CreateCollection(ctx,
					&sdk.CreateCollectionInput{CollectionId: &id,
						Tags: map[string]string{"realm": realm}}); err != nil {
					t.Fatalf("%s: %v", realm, err)
				}
			}
			page, err := clients[realm].ListCollections(ctx,
				&sdk.ListCollectionsInput{MaxResults: aws.Int32(1)})
			if err != nil || page.NextToken == nil {
				t.Fatalf("%s: %+v, %v", realm, page, err)
			}
			tokens[realm] = page.NextToken
		}
	}
	if _, err := d.clientIn("ap-south-1", keys[account]).ListCollections(ctx,
		&sdk.ListCollectionsInput{}); err == nil {
		t.Error("a region is served that the server does not stand for")
	}
	for _, here := range slices.Sorted(maps.Keys(clients)) {
		c := clients[here]
		list, err := c.ListCollections(ctx, &sdk.ListCollectionsInput{})
		if err != nil || len(list.CollectionIds) != 2 {
			t.Fatalf("%s lists %+v, %v", here, list, err)
		}
		described, err := c.DescribeCollection(ctx,
			&sdk.DescribeCollectionInput{CollectionId: aws.String("people")})
		if err != nil || *described.CollectionARN != "arn:aws:rekognition:"+here+
			":collection/people" {
			t.Errorf("%s: %+v, %v", here, described, err)
		}
		for there, token := range tokens {
			_, err := c.ListCollections(ctx, &sdk.ListCollectionsInput{NextToken: token})
			if _, refused := errors.AsType[*types.InvalidPaginationTokenException](
				err); refused != (here != there) {
				t.Errorf("a token of %s in %s: %v", there, here, err)
			}
			tags, err := c.ListTagsForResource(ctx,
				&sdk.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:rekognition:" +
					there + ":collection/people")})
			_, hereAccount, _ := strings.Cut(here, ":")
			switch {
			case here == there:
				if err != nil || tags.Tags["realm"] != here {
					t.Errorf("%s: tags %+v, %v", here, tags, err)
				}
			case !strings.HasSuffix(there, hereAccount):
				wantCode(t, err, "AccessDeniedException")
			default:
				wantCode(t, err, "ResourceNotFoundException")
			}
		}
		if _, err := c.DeleteCollection(ctx,
			&sdk.DeleteCollectionInput{CollectionId: aws.String("a")}); err != nil {
			t.Errorf("%s: %v", here, err)
		}
	}
}

// TestClientsBehindProxies: policies see what a trusted proxy reports of the client, and what
// anybody else reports they do not.
func TestClientsBehindProxies(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",
		"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},
		"Bool":{"aws:SecureTransport":"true"}}}}`
	for name, c := range map[string]struct {
		trusted, addresses, proto string
		allowed                   bool
	}{
		"of the proxy":     {"127.0.0.0/8", "192.0.2.1", "https", true},
		"without TLS":      {"127.0.0.0/8", "192.0.2.1", "http", false},
		"another address":  {"127.0.0.0/8", "192.0.2.1, 198.51.100.1", "https", false},
		"an unknown proxy": {"10.0.0.0/8", "192.0.2.1", "https", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := openWith(t, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
				cfg.Clients.Trusted = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
			}, func(*httptest.Server) {})
			key := d.newKey(t, account, "anna", policy)
			client := sdk.New(d.clientOf(key).Options(), func(o *sdk.Options) {
				o.HTTPClient = proxied{c.addresses, c.proto}
			})
			_, err := client.ListCollections(t.Context(), &sdk.ListCollectionsInput{})
			if c.allowed && err != nil {
				t.Error(err)
			}
			if !c.allowed {
				wantCode(t, err, "AccessDeniedException")
			}
		})
	}
}

// proxied sends requests as a proxy does.
type proxied struct{ addresses, proto string }

func (p proxied) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Forwarded-For", p.addresses)
	r.Header.Set("X-Forwarded-Proto", p.proto)
	return http.DefaultClient.Do(r)
}
