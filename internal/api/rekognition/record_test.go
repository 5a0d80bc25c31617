package rekognition_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/iam"
)

// records is an audit log in memory.
type records struct {
	mu       sync.Mutex
	all      []*audit.Record
	required bool
	refuse   func(*audit.Record) bool // nil: none
}

func (l *records) Required() bool { return l.required }

func (l *records) Write(_ context.Context, r *audit.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil && l.refuse(r) {
		return audit.ErrNotWritten
	}
	l.all = append(l.all, r)
	return nil
}

// take returns the records since the last call.
func (l *records) take() []*audit.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.all
	l.all = nil
	return taken
}

// one returns the only record since the last call, and its JSON.
func (l *records) one(t *testing.T) (*audit.Record, string) {
	t.Helper()
	taken := l.take()
	if len(taken) != 1 {
		t.Fatalf("there are %d records", len(taken))
	}
	return taken[0], asJSON(t, taken[0])
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func openAudited(t *testing.T, required bool) (*testServer, *records) {
	t.Helper()
	log := &records{required: required}
	return openWith(t, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
		cfg.Trail = trail.New(log, "us-east-1")
	}, func(*httptest.Server) {}), log
}

// Each call has a record that says who did what, and what the answer was.
func TestRecords(t *testing.T) {
	d, log := openAudited(t, false)
	client, ctx := d.client(), t.Context()
	if _, err := client.CreateCollection(ctx, &sdk.CreateCollectionInput{
		CollectionId: aws.String("people"), Tags: map[string]string{"team": "doors"}}); err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:rekognition:us-east-1:123456789012:collection/people"
	r, _ := log.one(t)
	if r.EventVersion != "1.11" || r.EventSource != "rekognition.amazonaws.com" ||
		r.EventName != "CreateCollection" || r.Region != "us-east-1" || r.ReadOnly ||
		r.SourceIPAddress != "127.0.0.1" || !strings.Contains(r.UserAgent, "aws-sdk-go") ||
		r.ErrorCode != "" || r.EventType != "AwsApiCall" ||
		r.RecipientAccountID != "123456789012" || r.TLS != nil || r.RequestID == "" ||
		r.EventID == "" {
		t.Errorf("%+v", r)
	}
	if at, err := time.Parse(time.RFC3339, r.EventTime); err != nil ||
		time.Since(at).Abs() > time.Minute {
		t.Errorf("%s, %v", r.EventTime, err)
	}
	if who := r.UserIdentity; who.Type != "Root" || who.ARN != "arn:aws:iam::123456789012:root" ||
		who.AccountID != "123456789012" || who.AccessKeyID != keyID || who.SessionContext != nil {
		t.Errorf("%+v", who)
	}
	if got := asJSON(t, r.RequestParameters); got !=
		`{"collectionId":"people","tags":{"team":"doors"}}` {
		t.Errorf("%s", got)
	}
	if got := asJSON(t, r.ResponseElements); got != `{"collectionArn":"aws:rekognition:us-east-1:`+
		`123456789012:collection/people","faceModelVersion":"1.0","statusCode":200}` {
		t.Errorf("%s", got)
	}
	if got := asJSON(t, r.Resources); got != `[{"ARN":"`+arn+`","accountId":"123456789012",`+
		`"type":"AWS::Rekognition::Collection"}]` {
		t.Errorf("%s", got)
	}

	picture := enginetest.Picture(enginetest.Face{Person: 1, Size: 0.5})
	indexed, err := client.IndexFaces(ctx, &sdk.IndexFacesInput{
		CollectionId: aws.String("people"), ExternalImageId: aws.String("anna"),
		Image:               &types.Image{Bytes: picture},
		DetectionAttributes: []types.Attribute{types.AttributeAll}})
	if err != nil {
		t.Fatal(err)
	}
	r, text := log.one(t)
	if got := asJSON(t, r.RequestParameters); got != `{"collectionId":"people",`+
		`"detectionAttributes":["ALL"],"externalImageId":"anna"}` {
		t.Errorf("%s", got)
	}
	face := indexed.FaceRecords[0].Face
	if got := asJSON(t, r.ResponseElements); got != fmt.Sprintf(`{"faceModelVersion":"1.0",`+
		`"faceRecords":[{"face":{"externalImageId":"anna","faceId":"%s","imageId":"%s"}}]}`,
		*face.FaceId, *face.ImageId) {
		t.Errorf("%s", got)
	}
	if strings.Contains(text, base64.StdEncoding.EncodeToString(picture)[:40]) ||
		strings.Contains(text, "boundingBox") {
		t.Errorf("%s", text)
	}

	if _, err := client.SearchFacesByImage(ctx, &sdk.SearchFacesByImageInput{
		CollectionId: aws.String("people"), Image: &types.Image{Bytes: picture},
		FaceMatchThreshold: aws.Float32(90)}); err != nil {
		t.Fatal(err)
	}
	r, text = log.one(t)
	if !r.ReadOnly || r.ResponseElements != nil ||
		asJSON(t, r.RequestParameters) != `{"collectionId":"people","faceMatchThreshold":90}` {
		t.Errorf("%s", text)
	}
	if _, err := client.DeleteFaces(ctx, &sdk.DeleteFacesInput{CollectionId: aws.String("people"),
		FaceIds: []string{*face.FaceId}}); err != nil {
		t.Fatal(err)
	}
	r, _ = log.one(t)
	if got := asJSON(t, r.ResponseElements); got != `{"deletedFaces":["`+*face.FaceId+`"]}` {
		t.Errorf("%s", got)
	}
}

// Calls that are refused have records too, with what was known of them by then.
func TestRecordsOfRefusedCalls(t *testing.T) {
	d, log := openAudited(t, false)
	ctx := t.Context()
	anna := d.user(t, "anna", `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	_, err := anna.DeleteCollection(ctx,
		&sdk.DeleteCollectionInput{CollectionId: aws.String("people")})
	wantCode(t, err, "AccessDeniedException")
	r, text := log.one(t)
	if r.EventName != "DeleteCollection" || r.ErrorCode != "AccessDeniedException" ||
		!strings.Contains(r.ErrorMessage, "is not authorized to perform: rekognition:Delete") ||
		r.UserIdentity.Type != "IAMUser" || r.UserIdentity.UserName != "anna" ||
		len(r.Resources) != 1 || r.RequestParameters["collectionId"] != "people" ||
		r.ResponseElements != nil {
		t.Errorf("%s", text)
	}

	forged := d.clientOf(iam.AccessKey{ID: keyID, Secret: "a guess"})
	_, err = forged.ListCollections(ctx, nil)
	wantCode(t, err, "InvalidSignatureException")
	r, text = log.one(t)
	if r.EventName != "ListCollections" || r.ErrorCode != "InvalidSignatureException" ||
		r.UserIdentity != (audit.Identity{Type: "Unknown", AccessKeyID: keyID}) ||
		r.RecipientAccountID != "" || r.Region != "us-east-1" || r.RequestParameters != nil {
		t.Errorf("%s", text)
	}

	// Somebody who exchanged id and secret does not find the secret in the log.
	const swapped = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
	_, err = d.clientOf(iam.AccessKey{ID: swapped, Secret: keyID}).ListCollections(ctx, nil)
	wantCode(t, err, "UnrecognizedClientException")
	if _, text = log.one(t); strings.Contains(text, swapped) {
		t.Errorf("%s", text)
	}

	d.post(t, "ListFaces", []byte(`{"CollectionId":"a b"}`))
	r, text = log.one(t)
	if r.ErrorCode != "ValidationException" || r.RequestParameters["collectionId"] != "a b" ||
		r.Resources != nil {
		t.Errorf("%s", text)
	}
	d.post(t, "ListFaces", []byte(`{"CollectionId":`))
	if r, text = log.one(t); r.ErrorCode != "SerializationException" ||
		r.UserIdentity.Type != "Root" || r.RequestParameters != nil {
		t.Errorf("%s", text)
	}
	d.post(t, "NoSuchOperation", []byte(`{}`))
	if r, text = log.one(t); r.EventName != "Unknown" ||
		r.ErrorCode != "UnknownOperationException" {
		t.Errorf("%s", text)
	}
	if resp, err := http.Get(d.url + "/favicon.ico"); err != nil || resp.Body.Close() != nil {
		t.Fatal(err)
	}
	if taken := log.take(); taken != nil {
		t.Errorf("a request that is no call has a record: %s", asJSON(t, taken))
	}
}

// A session's record says whose it is.
func TestRecordOfASession(t *testing.T) {
	d, log := openAudited(t, false)
	root, _, err := d.identities.AccessKey(t.Context(), keyID)
	if err != nil {
		t.Fatal(err)
	}
	key, err := d.identities.BeginUserSession(t.Context(), root, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.clientOfSession(key).ListCollections(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r, text := log.one(t)
	if who := r.UserIdentity; who.Type != "Root" || who.AccessKeyID != key.ID ||
		who.SessionContext == nil || who.SessionContext.Attributes.MFAAuthenticated != "false" ||
		strings.Contains(text, key.Token) || strings.Contains(text, key.Secret) {
		t.Errorf("%s", text)
	}
}

// The own operations have records of their own source.
func TestRecordOfAnOwnOperation(t *testing.T) {
	d, log := openAudited(t, false)
	d.own(t, rootKey, "collections/people/faces/delete",
		`{"FaceIds":["11111111-2222-3333-4444-555555555555"]}`)
	r, text := log.one(t)
	if r.EventSource != "recollect" || r.EventName != "DeleteFacesOf" || r.ReadOnly ||
		r.ErrorCode != "ResourceNotFoundException" || r.RequestParameters["collectionId"] !=
		"people" || r.RequestParameters["faceIds"] == nil {
		t.Errorf("%s", text)
	}
}

// If the log is required, a change is announced before it is made, and nothing is changed or
// answered without a record.
func TestRequiredRecords(t *testing.T) {
	d, log := openAudited(t, true)
	client, ctx := d.client(), t.Context()
	create := func(id string) error {
		_, err := client.CreateCollection(ctx, &sdk.CreateCollectionInput{CollectionId: &id})
		return err
	}
	exists := func(id string) bool {
		_, err := client.DescribeCollection(ctx,
			&sdk.DescribeCollectionInput{CollectionId: &id})
		return err == nil
	}
	if err := create("a"); err != nil {
		t.Fatal(err)
	}
	taken := log.take()
	if len(taken) != 2 || taken[0].EventType != audit.TypeIntent ||
		taken[1].EventType != audit.TypeCall || taken[0].RequestID != taken[1].RequestID ||
		taken[0].EventID == taken[1].EventID || taken[0].ResponseElements != nil ||
		taken[0].RequestParameters["collectionId"] != "a" {
		t.Errorf("%s", asJSON(t, taken))
	}
	if !exists("a") || len(log.take()) != 1 {
		t.Error("a read does not have one record")
	}

	refuse := func(what string) {
		log.mu.Lock()
		defer log.mu.Unlock()
		log.refuse = func(r *audit.Record) bool { return r.EventType == what }
	}
	refuse(audit.TypeIntent)
	wantCode(t, create("b"), "InternalServerError")
	if r, text := log.one(t); r.ErrorCode != "InternalServerError" {
		t.Errorf("%s", text)
	}
	refuse("")
	if exists("b") {
		t.Error("a change was made without its record")
	}
	log.take()
	refuse(audit.TypeCall)
	wantCode(t, create("c"), "InternalServerError")
	_, err := client.ListCollections(ctx, nil)
	wantCode(t, err, "InternalServerError")
	refuse("")
	if taken := log.take(); len(taken) != 1 || taken[0].RequestParameters["collectionId"] != "c" {
		t.Errorf("%s", asJSON(t, taken))
	}
}

// filler puts something into every member of a value: texts that are distinct, and a blob.
type filler struct {
	texts []string
	blob  []byte
}

func (f *filler) fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		if depth > 12 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth+1)
	case reflect.Struct:
		if v.Type().ConvertibleTo(reflect.TypeFor[time.Time]()) {
			v.Set(reflect.ValueOf(time.Unix(1_800_000_000, 0)).Convert(v.Type()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(f.blob)
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key, depth+1)
		f.fill(value, depth+1)
		v.SetMapIndex(key, value)
	case reflect.String:
		text := fmt.Sprintf("text-%d", len(f.texts))
		f.texts = append(f.texts, text)
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	}
}

// No record has a picture or the secret of a key, whatever the operation, and each has every other
// member of its input. The types of all inputs are made from the service's model.
func TestNoRecordHasAPicture(t *testing.T) {
	d, log := openAudited(t, false)
	blob := bytes.Repeat([]byte("a picture of a person \xff\xd8 "), 20)
	forbidden := []string{base64.StdEncoding.EncodeToString(blob)[:24], "a picture of a person",
		base64.RawURLEncoding.EncodeToString(blob)[:24], secret}
	inputs := map[string]func() any{}
	for _, op := range wire.Operations() {
		inputs[op.Name] = op.NewInput
	}
	if len(inputs) != 75 {
		t.Fatalf("%d operations", len(inputs))
	}
	readOnly, _ := iam.BuiltinPolicy("read-only")
	blobs := 0
	for name, newInput := range inputs {
		f := &filler{blob: blob}
		input := newInput()
		f.fill(reflect.ValueOf(input).Elem(), 0)
		body, err := wire.Encode(input)
		if err != nil {
			t.Fatal(name, err)
		}
		if bytes.Contains(body, []byte(forbidden[0])) {
			blobs++
		}
		d.post(t, name, body)
		r, text := log.one(t)
		if r.EventName != name {
			t.Errorf("%s has a record of %s", name, r.EventName)
		}
		allowed := strings.Contains(readOnly.Document, `"rekognition:`+name+`"`)
		if r.ReadOnly != allowed {
			t.Errorf("%s: readOnly is %v, and the policy read-only allows it: %v", name,
				r.ReadOnly, allowed)
		}
		for _, secret := range forbidden {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %q is in its record: %s", name, secret, text)
			}
		}
		parameters := asJSON(t, r.RequestParameters)
		missing := slices.DeleteFunc(f.texts, func(want string) bool {
			return strings.Contains(parameters, `"`+want+`"`)
		})
		if len(missing) > 0 {
			t.Errorf("%s: %q is not in its record: %s", name, missing, parameters)
		}
	}
	if blobs < 12 {
		t.Errorf("%d operations were sent a picture", blobs)
	}
}
