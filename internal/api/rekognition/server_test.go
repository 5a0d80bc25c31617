package rekognition_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/smithy-go"

	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

const (
	keyID  = "AKIDEXAMPLE00000"
	secret = "a secret that is only good for this test"
)

// testServer is a running server with its log.
type testServer struct {
	url        string
	identities *iam.Service
	log        *lockedBuffer
}

// bucket is the one bucket "pictures", by key.
type bucket map[string][]byte

func (b bucket) Get(_ context.Context, name, key, version string, maxBytes int64) ([]byte, error) {
	picture, ok := b[key]
	if name != "pictures" || !ok || version != "" || maxBytes != 15<<20 {
		return nil, fmt.Errorf("bucket %q has no %q", name, key)
	}
	return picture, nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func open(t testing.TB) *testServer {
	t.Helper()
	return openWith(t, enginetest.Engine("1.0"), func(*rekognition.Config) {},
		func(*httptest.Server) {})
}

// openWith opens a server whose parts may be changed before it starts.
func openWith(t testing.TB, engine face.Engine, change func(*rekognition.Config),
	changeHTTP func(*httptest.Server)) *testServer {
	t.Helper()
	return openOn(t, engine,
		func(cfg *rekognition.Config, _ *sqlite.Store) { change(cfg) }, changeHTTP)
}

// openOn is openWith for changes that need the store.
func openOn(t testing.TB, engine face.Engine, change func(*rekognition.Config, *sqlite.Store),
	changeHTTP func(*httptest.Server)) *testServer {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	service, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   exact.New(exact.SourceFunc(store.UserVectors), exact.Options{}),
		Engines: []face.Engine{engine},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &testServer{log: new(lockedBuffer)}
	key := iam.AccessKey{ID: keyID, Secret: secret,
		Principal: iam.Principal{Account: "123456789012", ARN: "arn:aws:iam::123456789012:root"}}
	sealer, err := iam.OpenSealer(t.Context(), dir, store.Identities())
	if err != nil {
		t.Fatal(err)
	}
	d.identities = iam.NewService(store.Identities(), sealer, key)
	cfg := rekognition.Config{
		Service:    service,
		Identities: d.identities,
		Images: bucket{"two.json": enginetest.Picture(enginetest.Face{Person: 1, Size: 0.5},
			enginetest.Face{Person: 2, Size: 0.25})},
		Regions:  []string{"us-east-1", "eu-west-1"},
		TokenKey: []byte("a key for the tokens of this test"),
		Log:      slog.New(slog.NewJSONHandler(d.log, nil)),
	}
	change(&cfg, store)
	server := httptest.NewUnstartedServer(rekognition.New(cfg))
	changeHTTP(server)
	if server.URL == "" {
		server.Start()
	}
	t.Cleanup(func() {
		server.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	d.url = server.URL
	return d
}

func (d *testServer) client() *sdk.Client {
	return d.clientOf(iam.AccessKey{ID: keyID, Secret: secret})
}

func (d *testServer) clientOf(key iam.AccessKey) *sdk.Client { return d.clientIn("us-east-1", key) }

func (d *testServer) clientIn(region string, key iam.AccessKey) *sdk.Client {
	return sdk.New(sdk.Options{
		Region:       region,
		BaseEndpoint: aws.String(d.url),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, nil
		}),
		RetryMaxAttempts: 1,
	})
}

// request makes a signed request with any body.
func (d *testServer) request(t testing.TB, operation string, body []byte,
	before ...func(*http.Request)) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/",
		bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "RekognitionService."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	for _, f := range before {
		f(req)
	}
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, req, hex.EncodeToString(sum[:]),
		"rekognition", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return req
}

// raw is a signed request as bytes.
func (d *testServer) raw(t testing.TB, operation string, body []byte,
	before ...func(*http.Request)) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := d.request(t, operation, body, before...).Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// post sends a signed request with any body, and returns the answer with its body.
func (d *testServer) post(t testing.TB, operation string, body []byte,
	change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req := d.request(t, operation, body)
	for _, f := range change {
		f(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(answer)
}

func TestUnmodifiedSDK(t *testing.T) {
	client, ctx := open(t).client(), t.Context()
	created, err := client.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("people")})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(
		created.CollectionArn); got != "aws:rekognition:us-east-1:123456789012:collection/people" ||
		*created.StatusCode != 200 || *created.FaceModelVersion != "1.0" {
		t.Errorf("CreateCollection = %s, %d, %s", got, *created.StatusCode,
			*created.FaceModelVersion)
	}
	image := &types.Image{Bytes: enginetest.Picture(enginetest.Face{Person: 1, Size: 0.5},
		enginetest.Face{Person: 2, Size: 0.25, Poor: true})}
	indexed, err := client.IndexFaces(ctx,
		&sdk.IndexFacesInput{CollectionId: aws.String("people"), Image: image,
			ExternalImageId: aws.String("a:1")})
	if err != nil {
		t.Fatal(err)
	}
	if len(indexed.FaceRecords) != 1 || len(indexed.UnindexedFaces) != 1 ||
		indexed.UnindexedFaces[0].Reasons[0] != types.ReasonLowBrightness {
		t.Fatalf("IndexFaces = %+v", indexed)
	}
	if version := indexed.FaceRecords[0].Face.IndexFacesModelVersion; version != nil {
		t.Errorf("IndexFaces answers IndexFacesModelVersion %q", *version)
	}
	if left := *indexed.FaceRecords[0].Face.BoundingBox.Left; left != float32(0.24770642817020416) {
		t.Errorf("IndexFaces answers Left %v, want full precision", left)
	}
	listed, err := client.ListFaces(ctx, &sdk.ListFacesInput{CollectionId: aws.String("people")})
	if err != nil || len(listed.Faces) != 1 {
		t.Fatalf("ListFaces = %+v, %v", listed, err)
	}
	if f := listed.Faces[0]; *f.BoundingBox.Left != 0.247706 || *f.Confidence != 99.9934 ||
		*f.ExternalImageId != "a:1" || f.UserId != nil {
		t.Errorf("ListFaces answers Left %v, Confidence %v: want six digits", *f.BoundingBox.Left,
			*f.Confidence)
	}
	found, err := client.SearchFacesByImage(ctx,
		&sdk.SearchFacesByImageInput{CollectionId: aws.String("people"), Image: image})
	if err != nil || len(found.FaceMatches) != 1 ||
		*found.FaceMatches[0].Face.FaceId != *listed.Faces[0].FaceId {
		t.Fatalf("SearchFacesByImage = %+v, %v", found, err)
	}
	twin, err := client.IndexFaces(ctx, &sdk.IndexFacesInput{CollectionId: aws.String("people"),
		Image: image})
	if err != nil || len(twin.FaceRecords) != 1 {
		t.Fatalf("IndexFaces = %+v, %v", twin, err)
	}
	alike, err := client.SearchFaces(ctx, &sdk.SearchFacesInput{CollectionId: aws.String("people"),
		FaceId: twin.FaceRecords[0].Face.FaceId, FaceMatchThreshold: aws.Float32(0)})
	if err != nil || len(alike.FaceMatches) != 1 {
		t.Fatalf("SearchFaces = %+v, %v", alike, err)
	}
	for operation, f := range map[string]*types.Face{"ListFaces": &listed.Faces[0],
		"SearchFacesByImage": found.FaceMatches[0].Face, "SearchFaces": alike.FaceMatches[0].Face} {
		if got := aws.ToString(f.IndexFacesModelVersion); got != "1.0" {
			t.Errorf("%s answers IndexFacesModelVersion %q, want 1.0", operation, got)
		}
	}
	compared, err := client.CompareFaces(ctx,
		&sdk.CompareFacesInput{SourceImage: image, TargetImage: image})
	if err != nil || len(compared.FaceMatches) != 1 || len(compared.UnmatchedFaces) != 1 {
		t.Fatalf("CompareFaces = %+v, %v", compared, err)
	}
	detected, err := client.DetectFaces(ctx,
		&sdk.DetectFacesInput{Image: image, Attributes: []types.Attribute{types.AttributeAll}})
	if err != nil || len(detected.FaceDetails) != 2 || detected.FaceDetails[0].Pose == nil ||
		detected.FaceDetails[0].AgeRange == nil {
		t.Fatalf("DetectFaces = %+v, %v", detected, err)
	}
	unknown := "00000000-0000-4000-8000-000000000000"
	deleted, err := client.DeleteFaces(ctx,
		&sdk.DeleteFacesInput{CollectionId: aws.String("people"),
			FaceIds: []string{unknown, *listed.Faces[0].FaceId, *twin.FaceRecords[0].Face.FaceId,
				unknown}})
	if err != nil || len(deleted.DeletedFaces) != 2 ||
		len(deleted.UnsuccessfulFaceDeletions) != 1 ||
		deleted.UnsuccessfulFaceDeletions[0].Reasons[0] !=
			types.UnsuccessfulFaceDeletionReasonFaceNotFound {
		t.Fatalf("DeleteFaces = %+v, %v", deleted, err)
	}
	described, err := client.DescribeCollection(ctx,
		&sdk.DescribeCollectionInput{CollectionId: aws.String("people")})
	if err != nil || *described.FaceCount != 0 ||
		time.Since(*described.CreationTimestamp) > time.Minute ||
		!strings.HasPrefix(*described.CollectionARN, "arn:aws:") {
		t.Fatalf("DescribeCollection = %+v, %v", described, err)
	}
	if _, err := client.DeleteCollection(ctx,
		&sdk.DeleteCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	_, err = client.DescribeCollection(ctx,
		&sdk.DescribeCollectionInput{CollectionId: aws.String("people")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok ||
		!strings.Contains(err.Error(), "Collection:people not found!") {
		t.Errorf("DescribeCollection of none: %v", err)
	}
}

func TestListingsPage(t *testing.T) {
	client, ctx := open(t).client(), t.Context()
	want := []string{strings.Repeat("a", 255), strings.Repeat("b", 254) + "1",
		strings.Repeat("b", 254) + "2", "c", "d"}
	for _, id := range want {
		if _, err := client.CreateCollection(ctx,
			&sdk.CreateCollectionInput{CollectionId: &id}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	pages := sdk.NewListCollectionsPaginator(client,
		&sdk.ListCollectionsInput{MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.FaceModelVersions) != len(page.CollectionIds) {
			t.Errorf("%d ids, %d versions", len(page.CollectionIds), len(page.FaceModelVersions))
		}
		got = append(got, page.CollectionIds...)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("listed %v, want %v", got, want)
	}

	for i := range 5 {
		picture := enginetest.Picture(enginetest.Face{Person: i, Size: 0.5})
		if _, err := client.IndexFaces(ctx,
			&sdk.IndexFacesInput{CollectionId: aws.String("c"),
				Image: &types.Image{Bytes: picture}}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := client.ListFaces(ctx,
		&sdk.ListFacesInput{CollectionId: aws.String("c"), MaxResults: aws.Int32(2)})
	if err != nil || len(first.Faces) != 2 || first.NextToken == nil {
		t.Fatalf("ListFaces = %+v, %v", first, err)
	}
	foreign := map[string]*sdk.ListFacesInput{
		"another collection": {CollectionId: aws.String("d"), NextToken: first.NextToken},
		"another filter": {CollectionId: aws.String("c"), NextToken: first.NextToken,
			FaceIds: []string{*first.Faces[0].FaceId}},
		"forged": {CollectionId: aws.String("c"), NextToken: aws.String("Zm9yZ2Vk")},
		"empty":  {CollectionId: aws.String("c"), NextToken: aws.String("")},
	}
	for name, in := range foreign {
		_, err := client.ListFaces(ctx, in)
		if _, ok := errors.AsType[*types.InvalidPaginationTokenException](err); !ok {
			t.Errorf("%s: %v, want an InvalidPaginationTokenException", name, err)
		}
	}
	if _, err := client.ListCollections(ctx,
		&sdk.ListCollectionsInput{NextToken: first.NextToken}); err == nil {
		t.Error("ListCollections took a token of ListFaces")
	}
	if page, err := client.ListFaces(ctx,
		&sdk.ListFacesInput{CollectionId: aws.String("c"), MaxResults: aws.Int32(0)}); err != nil ||
		len(page.Faces) != 5 {
		t.Errorf("MaxResults 0: %+v, %v; want the default", page, err)
	}
}

func TestErrorsOnTheWire(t *testing.T) {
	d := open(t)
	uuid := `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	noImage := `{"__type":"InvalidParameterException",.*` +
		`"Message":"Requested image should either contain bytes or s3 object."}`
	for name, c := range map[string]struct {
		operation, body string
		change          func(*http.Request)
		status          int
		answer          string // a regular expression
	}{
		"a modelled error": {"DeleteCollection", `{"CollectionId":"x"}`, nil, 400,
			`{"__type":"ResourceNotFoundException","Code":"ResourceNotFoundException","Logref":"` +
				uuid + `","Message":"The collection id: x does not exist"}`},
		"a constraint": {"DeleteCollection", `{"CollectionId":"x y"}`, nil, 400,
			`{"__type":"ValidationException","message":"1 validation error detected: Value 'x y' ` +
				`at 'collectionId' failed to satisfy constraint: .*"}`},
		"a missing member": {"DeleteCollection", `{}`, nil, 400,
			`{"__type":"ValidationException","message":"1 validation error detected: Value null ` +
				`at 'collectionId' failed to satisfy constraint: Member must not be null"}`},
		"no JSON": {"ListCollections", `{`, nil, 400,
			`{"__type":"SerializationException".*}`},
		"wrong type": {"ListCollections", `{"MaxResults":"many"}`, nil, 400,
			`{"__type":"SerializationException".*}`},
		"unknown member": {"ListCollections", `{"Unknown":{"a":[1]}}`, nil, 200,
			`{"CollectionIds":\[\],"FaceModelVersions":\[\]}`},
		"an empty body": {"ListCollections", "", nil, 200,
			`{"CollectionIds":\[\],"FaceModelVersions":\[\]}`},
		"an empty body, a missing member": {"DeleteCollection", "", nil, 400,
			`{"__type":"ValidationException","message":"1 validation error detected: Value null ` +
				`at 'collectionId' failed to satisfy constraint: Member must not be null"}`},
		"no image given":  {"DetectFaces", `{"Image":{}}`, nil, 400, noImage},
		"no object given": {"DetectFaces", `{"Image":{"S3Object":{}}}`, nil, 400, noImage},
		"an object without a bucket": {"DetectFaces", `{"Image":{"S3Object":{"Name":"x"}}}`, nil,
			400,
			noImage},
		"an object without a name": {"CompareFaces",
			`{"SourceImage":{"Bytes":"W10="},"TargetImage":{"S3Object":{"Bucket":"bucket"}}}`, nil,
			400, noImage},
		"two images given": {"DetectFaces",
			`{"Image":{"Bytes":"W10=","S3Object":{"Bucket":"bucket","Name":"x"}}}`, nil, 400,
			`{"__type":"InvalidParameterException",.*"Message":"Request has invalid parameters"}`},
		"an image in S3": {"DetectFaces", `{"Image":{"S3Object":{"Bucket":"bucket","Name":"x"}}}`,
			nil, 400,
			`{"__type":"InvalidS3ObjectException",.*"Message":"Unable to get object metadata ` +
				`from S3. Check object key, region and/or access permissions."}`},
		"not an image": {"DetectFaces", `{"Image":{"Bytes":"bm8="}}`, nil, 400,
			`{"__type":"InvalidImageFormatException",.*"Message":"Request has invalid image format"}`},
		"a picture without faces": {"IndexFaces", `{"CollectionId":"x","Image":{"Bytes":"W10="}}`,
			nil, 400, `{"__type":"ResourceNotFoundException",.*}`},
		"no ARN": {"ListTagsForResource", `{"ResourceArn":"collection/anything-at-all"}`,
			nil, 400, `{"__type":"InvalidParameterException",.*}`},
		"not built": {"DetectLabels", `{"Image":{"Bytes":"W10="}}`, nil, 501,
			`{"__type":"NotImplementedException","message":".*DetectLabels.*"}`},
		"unknown operation": {"Detect", `{}`, nil, 400, `{"__type":"UnknownOperationException"}`},
		"another service": {"ListCollections", `{}`,
			func(r *http.Request) { r.Header.Set("X-Amz-Target", "x") }, 400,
			`{"__type":"InvalidSignatureException".*}`},
		"GET": {"ListCollections", ``, func(r *http.Request) { r.Method = http.MethodGet },
			404, `{"__type":"UnknownOperationException"}`},
		"another path": {"ListCollections", `{}`, func(r *http.Request) { r.URL.Path = "/x" }, 404,
			`{"__type":"UnknownOperationException"}`},
		"no signature": {"ListCollections", `{}`,
			func(r *http.Request) { r.Header.Del("Authorization") }, 400,
			`{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication ` +
				`Token"}`},
		"unknown key": {"ListCollections", `{}`, replace(keyID, "AKIDEXAMPLE00001"), 400,
			`{"__type":"UnrecognizedClientException","message":"The security token included in ` +
				`the request is invalid."}`},
		"other region": {"ListCollections", `{}`, replace("us-east-1", "eu-west-1"), 400,
			`{"__type":"InvalidSignatureException","message":".*"}`},
		"a token": {"ListCollections", `{}`,
			func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, 400,
			`{"__type":"InvalidSignatureException","message":".*"}`},
		"too large": {"ListCollections", strings.Repeat(" ", 16<<20+1), nil, 413,
			`{"__type":"RequestEntityTooLargeException","message":".*"}`},
		"too large, size unknown": {"ListCollections", strings.Repeat(" ", 16<<20+1),
			func(r *http.Request) { r.ContentLength = -1 }, 413,
			`{"__type":"RequestEntityTooLargeException","message":".*"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*http.Request)
			if c.change != nil {
				change = append(change, c.change)
			}
			resp, answer := d.post(t, c.operation, []byte(c.body), change...)
			if resp.StatusCode != c.status ||
				!regexp.MustCompile("^"+c.answer+"$").MatchString(answer) {
				t.Errorf("answered %d %s\nwant %d %s", resp.StatusCode, answer, c.status, c.answer)
			}
			if id := resp.Header.Get("x-amzn-RequestId"); !regexp.MustCompile("^" + uuid +
				"$").MatchString(id) {
				t.Errorf("request id %q", id)
			}
			if ct := resp.Header.Get("Content-Type"); ct != "application/x-amz-json-1.1" {
				t.Errorf("content type %q", ct)
			}
		})
	}
}

func replace(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
	}
}

// Each of the service's operations is bound or says that it is not built; none is lost.
func TestEveryOperationAnswers(t *testing.T) {
	d := open(t)
	var served []string
	for _, op := range wire.Operations() {
		resp, answer := d.post(t, op.Name, []byte(`{}`))
		switch {
		case resp.StatusCode == http.StatusNotImplemented && strings.Contains(answer, op.Name):
		case strings.Contains(answer, "ValidationException"):
			// It has required members, and so may or may not be built.
		case resp.StatusCode == http.StatusOK:
			served = append(served, op.Name)
		default:
			t.Errorf("%s answers %d %s", op.Name, resp.StatusCode, answer)
		}
	}
	// ListCollections is built; of the families of the others nothing can exist.
	want := []string{"DescribeProjects", "ListCollections", "ListMediaAnalysisJobs",
		"ListStreamProcessors"}
	if !slices.Equal(served, want) {
		t.Errorf("without any member of the input %v answer, want %v", served, want)
	}
}

func TestLogTellsWhatHappenedAndNoMore(t *testing.T) {
	d := open(t)
	client := d.client()
	if _, err := client.CreateCollection(t.Context(),
		&sdk.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	picture := enginetest.Picture(enginetest.Face{Person: 1, Size: 0.5})
	if _, err := client.IndexFaces(t.Context(),
		&sdk.IndexFacesInput{CollectionId: aws.String("people"),
			Image: &types.Image{Bytes: picture}}); err != nil {
		t.Fatal(err)
	}
	_, err := client.DeleteCollection(t.Context(),
		&sdk.DeleteCollectionInput{CollectionId: aws.String("absent")})
	if _, ok := errors.AsType[smithy.APIError](err); !ok {
		t.Fatal(err)
	}
	log := d.log.String()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines for 3 requests:\n%s", len(lines), log)
	}
	var last map[string]any
	if err := json.Unmarshal([]byte(lines[2]), &last); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"operation": "DeleteCollection",
		"account": "123456789012", "status": 400.0, "error_code": "ResourceNotFoundException",
		"access_key_id": keyID, "principal": "arn:aws:iam::123456789012:root"} {
		if last[name] != want {
			t.Errorf("the log says %s %v, want %v", name, last[name], want)
		}
	}
	if last["request_id"] == "" || last["duration"] == nil {
		t.Errorf("the log lacks the request id or the duration: %s", lines[2])
	}
	if address, _ := last["address"].(string); !strings.HasPrefix(address, "127.0.0.1") {
		t.Errorf("the log has the address %q", address)
	}
	for _, private := range []string{secret, "Person", "Authorization"} {
		if strings.Contains(log, private) {
			t.Errorf("%q is in the log", private)
		}
	}
}

// A failed signature leaves a warning that names the key and the address, and nobody as the
// principal.
func TestLogTellsOfFailedSignatures(t *testing.T) {
	d := open(t)
	client := d.clientOf(iam.AccessKey{ID: keyID, Secret: "not the secret of the key"})
	if _, err := client.ListCollections(t.Context(), &sdk.ListCollectionsInput{}); err == nil {
		t.Fatal("a wrong secret signs")
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(d.log.String()), &line); err != nil {
		t.Fatal(err)
	}
	address, _ := line["address"].(string)
	if line["level"] != "WARN" || line["access_key_id"] != keyID || line["principal"] != "" ||
		!strings.HasPrefix(address, "127.0.0.1") {
		t.Errorf("the log says %s", d.log.String())
	}
}

func BenchmarkListCollections(b *testing.B) {
	d := open(b)
	client := d.client()
	for i := range 100 {
		if _, err := client.CreateCollection(b.Context(),
			&sdk.CreateCollectionInput{CollectionId: aws.String(fmt.Sprintf("c%d",
				i))}); err != nil {
			b.Fatal(err)
		}
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, answer := d.post(b, "ListCollections", []byte(`{"MaxResults":10}`))
			if resp.StatusCode != http.StatusOK {
				b.Error(answer)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
