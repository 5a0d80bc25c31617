package rekognition_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
)

// own calls one of Recollect's own operations with a key, and returns the answer.
func (d *testServer) own(t *testing.T, key iam.AccessKey, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		d.url+rekognition.OwnPrefix+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(),
		aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, r,
		hex.EncodeToString(sum[:]), "rekognition", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

var rootKey = iam.AccessKey{ID: keyID, Secret: secret}

// wantException wants an error of the API's shape.
func wantException(t *testing.T, exception string, status int, answer string) {
	t.Helper()
	if status == http.StatusOK || !strings.HasPrefix(answer, `{"__type":"`+exception+`"`) {
		t.Errorf("answered %d %.300s, want %s", status, answer, exception)
	}
}

// image is a picture as a member of JSON.
func image(faces ...enginetest.Face) string {
	return fmt.Sprintf(`"Image":{"Bytes":%q}`,
		base64.StdEncoding.EncodeToString(enginetest.Picture(faces...)))
}

// searched is what SearchPicture answers.
type searched struct {
	FaceModelVersion string
	SearchedFaces    []struct {
		FaceDetail  struct{ Confidence float64 }
		FaceMatches []struct {
			CollectionId string
			Similarity   float64
			Face         struct{ ExternalImageId, FaceId, IndexFacesModelVersion string }
		}
		UserMatches []struct {
			CollectionId string
			User         struct{ UserId, UserStatus string }
		}
	}
	UnsearchedFaces []struct {
		Reasons, Explanations []string
		FaceDetail            struct{ Confidence float64 }
	}
}

// withPeople makes the collections people and visitors, with persons 1 and 2 in people, and 2 in
// visitors too.
func (d *testServer) withPeople(t *testing.T) {
	t.Helper()
	for collection, persons := range map[string][]int{"people": {1, 2}, "visitors": {2}} {
		if _, err := d.client().CreateCollection(t.Context(),
			&sdk.CreateCollectionInput{CollectionId: &collection}); err != nil {
			t.Fatal(err)
		}
		for _, p := range persons {
			if _, err := d.client().IndexFaces(t.Context(), &sdk.IndexFacesInput{
				CollectionId: &collection, ExternalImageId: aws.String(fmt.Sprintf("p%d", p)),
				Image: &types.Image{Bytes: enginetest.Picture(enginetest.Face{Person: p,
					Size: 0.5})}}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSearchPicture(t *testing.T) {
	d := open(t)
	d.withPeople(t)
	search := func(path, body string) (out searched) {
		t.Helper()
		status, answer := d.own(t, rootKey, path, body)
		if err := json.Unmarshal([]byte(answer), &out); err != nil || status != 200 {
			t.Fatalf("%d %s: %v", status, answer, err)
		}
		return out
	}
	names := func(out searched) (all []string) {
		for _, f := range out.SearchedFaces {
			var of []string
			for _, m := range f.FaceMatches {
				of = append(of, m.CollectionId+"/"+m.Face.ExternalImageId)
			}
			all = append(all, strings.Join(of, " "))
		}
		return all
	}
	group := image(enginetest.Face{Person: 2, Shot: 1, Size: 0.5},
		enginetest.Face{Person: 3, Size: 0.4}, enginetest.Face{Person: 1, Shot: 1, Size: 0.3})

	out := search("collections/people/search", "{"+group+"}")
	if got := names(out); !slices.Equal(got, []string{"people/p2", "", "people/p1"}) ||
		out.FaceModelVersion != "1.0" || len(out.UnsearchedFaces) != 0 ||
		out.SearchedFaces[1].FaceMatches == nil || out.SearchedFaces[0].UserMatches != nil ||
		out.SearchedFaces[0].FaceMatches[0].Face.IndexFacesModelVersion != "1.0" {
		t.Errorf("%q of %+v", got, out)
	}
	// An S3 object, the path against the body, and a bound for each face.
	out = search("collections/people/search", `{"CollectionIds":["visitors"],"MatchThreshold":0,`+
		`"MaxMatches":1,"Image":{"S3Object":{"Bucket":"pictures","Name":"two.json"}}}`)
	if got := names(out); !slices.Equal(got, []string{"people/p1", "people/p2"}) {
		t.Errorf("%q", got)
	}
	out = search("search", `{"CollectionIds":["people","visitors"],"MaxFaces":1,`+group+"}")
	if got := names(out); !slices.Equal(got, []string{"people/p2 visitors/p2"}) ||
		len(out.UnsearchedFaces) != 2 ||
		!slices.Equal(out.UnsearchedFaces[0].Reasons, []string{"EXCEEDS_MAX_FACES"}) {
		t.Errorf("in two collections: %q of %+v", got, out)
	}
	out = search("collections/people/search",
		`{"QualityFilter":"HIGH",`+image(enginetest.Face{Person: 1, Size: 0.5, Poor: true})+"}")
	if len(out.SearchedFaces) != 0 || len(out.UnsearchedFaces) != 1 ||
		!slices.Contains(out.UnsearchedFaces[0].Explanations,
			"The sharpness is 0, and HIGH needs at least 10.") ||
		len(out.UnsearchedFaces[0].Explanations) != len(out.UnsearchedFaces[0].Reasons) {
		t.Errorf("a poor face: %+v", out)
	}

	listed, err := d.client().ListFaces(t.Context(),
		&sdk.ListFacesInput{CollectionId: aws.String("visitors")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.client().CreateUser(t.Context(), &sdk.CreateUserInput{
		CollectionId: aws.String("visitors"), UserId: aws.String("bert")}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.client().AssociateFaces(t.Context(), &sdk.AssociateFacesInput{
		CollectionId: aws.String("visitors"), UserId: aws.String("bert"),
		FaceIds: []string{*listed.Faces[0].FaceId}}); err != nil {
		t.Fatal(err)
	}
	out = search("collections/visitors/search", `{"SearchFor":"USERS",`+group+"}")
	if m := out.SearchedFaces[0].UserMatches; len(m) != 1 || m[0].User.UserId != "bert" ||
		m[0].User.UserStatus != "ACTIVE" || out.SearchedFaces[0].FaceMatches != nil ||
		len(out.SearchedFaces[2].UserMatches) != 0 {
		t.Errorf("users: %+v", out)
	}
	if !strings.Contains(d.log.String(), `"operation":"SearchPicture"`) {
		t.Error("the log does not name the operation")
	}
}

func TestSearchPictureErrors(t *testing.T) {
	d := openWith(t, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
		cfg.Rates.Accounts = map[string]map[string]rekognition.Rate{
			"210987654321": {"SearchUsersByImage": {PerSecond: 0.001, Burst: 1},
				"ListFaces": {PerSecond: 0.001, Burst: 1}}}
	}, func(*httptest.Server) {})
	d.withPeople(t)
	one := image(enginetest.Face{Person: 1, Size: 0.5})
	refused := func(exception string, key iam.AccessKey, path, body string) string {
		t.Helper()
		status, answer := d.own(t, key, path, body)
		wantException(t, exception, status, answer)
		return answer
	}
	refused("ResourceNotFoundException", rootKey, "collections/absent/search", "{"+one+"}")
	refused("UnknownOperationException", rootKey, "collections/people/nothing", "{"+one+"}")
	refused("UnknownOperationException", rootKey, "collections//search", "{"+one+"}")
	refused("InvalidImageFormatException", rootKey, "collections/people/search",
		`{"Image":{"Bytes":"AAAA"}}`)
	refused("InvalidParameterException", rootKey, "collections/people/search", `{"Image":{}}`)
	refused("SerializationException", rootKey, "collections/people/search", `{"Image":`)
	answer := refused("ValidationException", rootKey, "collections/pe%20ople/search",
		`{"MaxMatches":101,"MaxFaces":0,"MatchThreshold":101,"SearchFor":"X","QualityFilter":"X"}`)
	for _, member := range []string{"collectionIds", "image", "searchFor", "matchThreshold",
		"maxMatches", "maxFaces", "qualityFilter"} {
		if !strings.Contains(answer, "'"+member+"'") {
			t.Errorf("%s is not among the faults: %s", member, answer)
		}
	}
	refused("ValidationException", rootKey, "search", "{"+one+"}")
	refused("ValidationException", rootKey, "search", `{"CollectionIds":[],`+one+"}")
	wrong := rootKey
	wrong.Secret = strings.Repeat("x", 40)
	refused("InvalidSignatureException", wrong, "collections/people/search", "{"+one+"}")

	// Its right is that to the operation of the API that it stands for, on each collection.
	const policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
		`"Action":"rekognition:%s",` +
		`"Resource":"arn:aws:rekognition:*:*:collection/%s"}}`
	faces := d.newKey(t, account, "faces", fmt.Sprintf(policy, "SearchFacesByImage", "people"))
	users := d.newKey(t, account, "users", fmt.Sprintf(policy, "SearchUsersByImage", "*"))
	ok := func(key iam.AccessKey, path, body string) {
		t.Helper()
		if status, answer := d.own(t, key, path, body); status != http.StatusOK {
			t.Errorf("%s %.80s: %d %s", path, body, status, answer)
		}
	}
	ok(faces, "collections/people/search", "{"+one+"}")
	ok(users, "collections/people/search", `{"SearchFor":"USERS",`+one+"}")
	refused("AccessDeniedException", faces, "collections/people/search",
		`{"SearchFor":"USERS",`+one+"}")
	refused("AccessDeniedException", users, "collections/people/search", "{"+one+"}")
	refused("AccessDeniedException", faces, "collections/visitors/search", "{"+one+"}")
	refused("AccessDeniedException", faces, "collections/absent/search", "{"+one+"}")
	refused("AccessDeniedException", faces, "search",
		`{"CollectionIds":["people","visitors"],`+one+"}")
	// The collection that is searched is the one that was authorized.
	refused("AccessDeniedException", faces, "collections/visitors/search",
		`{"CollectionIds":["people"],`+one+"}")
	refused("InvalidS3ObjectException", faces, "collections/people/search",
		`{"Image":{"S3Object":{"Bucket":"pictures","Name":"two.json"}}}`)

	// It counts against the rate of the operation that it stands for.
	foreign := d.newKey(t, "210987654321", "foreign", `{"Version":"2012-10-17","Statement":`+
		`{"Effect":"Allow","Action":"rekognition:*","Resource":"*"}}`)
	refused("ResourceNotFoundException", foreign, "collections/people/search",
		`{"SearchFor":"USERS",`+one+"}")
	refused("ProvisionedThroughputExceededException", foreign, "collections/people/search",
		`{"SearchFor":"USERS",`+one+"}")
	refused("ResourceNotFoundException", foreign, "collections/people/search", "{"+one+"}")
	// An input that says nothing about that is not read before.
	refused("ValidationException", foreign, "collections/people/faces/find", "{}")
	refused("ProvisionedThroughputExceededException", foreign, "collections/people/faces/find",
		"{}")
}

// blockedEngine stays in its first call until it may go on.
type blockedEngine struct {
	enginetest.Engine
	once          sync.Once
	begun, resume chan struct{}
}

func (e *blockedEngine) Detect(ctx context.Context, picture []byte,
	want face.Attributes) (face.Photo, error) {
	e.once.Do(func() { close(e.begun) })
	<-e.resume
	return e.Engine.Detect(ctx, picture, want)
}

// TestOwnOperationsAreAdmitted: a search with a picture needs a place as every operation that runs
// networks does.
func TestOwnOperationsAreAdmitted(t *testing.T) {
	engine := &blockedEngine{Engine: enginetest.Engine("1.0"), begun: make(chan struct{}),
		resume: make(chan struct{})}
	d := openWith(t, engine, func(cfg *rekognition.Config) { cfg.MaxPictures = 1 },
		func(*httptest.Server) {})
	if _, err := d.client().CreateCollection(t.Context(),
		&sdk.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	body := "{" + image(enginetest.Face{Person: 1, Size: 0.5}) + "}"
	done := make(chan int)
	go func() {
		status, _ := d.own(t, rootKey, "collections/people/search", body)
		done <- status
	}()
	<-engine.begun
	status, answer := d.own(t, rootKey, "collections/people/search", body)
	wantException(t, "ThrottlingException", status, answer)
	if resp, _ := d.post(t, "ListCollections", []byte("{}")); resp.StatusCode != http.StatusOK {
		t.Errorf("an operation without networks gets %d", resp.StatusCode)
	}
	close(engine.resume)
	if status := <-done; status != http.StatusOK {
		t.Errorf("the first search gets %d", status)
	}
}

// TestOwnOperationsTakeNoOtherMethod: there is nothing to read at their paths.
func TestOwnOperationsTakeNoOtherMethod(t *testing.T) {
	d := open(t)
	resp, err := http.Get(d.url + rekognition.OwnPrefix + "collections/people/search")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusNotFound ||
		!bytes.Contains(body, []byte("UnknownOperationException")) {
		t.Errorf("%d %s, %v", resp.StatusCode, body, err)
	}
}

// found is what the operations on a caller's ids answer.
type found struct {
	Faces, DeletedFaces, UnlistedFaces []struct {
		FaceId, ImageId, ExternalImageId, IndexFacesModelVersion string
	}
	UnsuccessfulFaceDeletions []struct {
		FaceId, UserId string
		Reasons        []string
	}
	MissingIds []string
	NextToken  string
}

// TestCallersIDs: faces are found, deleted and compared by what the caller knows, in pages.
func TestCallersIDs(t *testing.T) {
	d, ctx := open(t), t.Context()
	people := aws.String("people")
	if _, err := d.client().CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: people}); err != nil {
		t.Fatal(err)
	}
	ids, imageOf := map[string][]string{}, map[string]string{}
	for i, external := range []string{"a", "b", "a", "c"} {
		indexed, err := d.client().IndexFaces(ctx, &sdk.IndexFacesInput{CollectionId: people,
			ExternalImageId: &external, Image: &types.Image{Bytes: enginetest.Picture(
				enginetest.Face{Person: 2 * i, Size: 0.5},
				enginetest.Face{Person: 2*i + 1, Size: 0.4})}})
		if err != nil || len(indexed.FaceRecords) != 2 {
			t.Fatal(indexed, err)
		}
		for _, r := range indexed.FaceRecords {
			ids[external] = append(ids[external], *r.Face.FaceId)
			imageOf[external] = *r.Face.ImageId
		}
	}
	call := func(path, body string) (out found) {
		t.Helper()
		status, answer := d.own(t, rootKey, "collections/people/faces/"+path, body)
		if err := json.Unmarshal([]byte(answer), &out); err != nil || status != 200 {
			t.Fatalf("%s %s: %d %s: %v", path, body, status, answer, err)
		}
		return out
	}
	// every page of an operation, with so many results each
	pages := func(path, body string, size int) (all found, n int) {
		t.Helper()
		token := ""
		for {
			n++
			one := call(path, fmt.Sprintf(`{%s,"MaxResults":%d%s}`, body, size, token))
			all.Faces = append(all.Faces, one.Faces...)
			all.DeletedFaces = append(all.DeletedFaces, one.DeletedFaces...)
			all.UnlistedFaces = append(all.UnlistedFaces, one.UnlistedFaces...)
			all.UnsuccessfulFaceDeletions = append(all.UnsuccessfulFaceDeletions,
				one.UnsuccessfulFaceDeletions...)
			all.MissingIds = append(all.MissingIds, one.MissingIds...)
			if one.NextToken == "" {
				return all, n
			}
			token = fmt.Sprintf(`,"NextToken":%q`, one.NextToken)
		}
	}
	names := func(f found) (all []string) {
		for _, list := range [][]struct {
			FaceId, ImageId, ExternalImageId, IndexFacesModelVersion string
		}{f.Faces, f.DeletedFaces, f.UnlistedFaces} {
			for _, one := range list {
				if one.IndexFacesModelVersion != "1.0" {
					t.Errorf("%+v", one)
				}
				all = append(all, one.ExternalImageId)
			}
		}
		slices.Sort(all)
		return all
	}
	want := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}

	for _, size := range []int{1, 3, 4, 4096} {
		f, _ := pages("find", `"ExternalImageIds":["a","unknown"]`, size)
		want("by external id", names(f), "a", "a", "a", "a")
		f, n := pages("reconcile", `"ExternalImageIds":["z","b","a","b","y"]`, size)
		want("not in the list", names(f), "c", "c")
		want("in no face", f.MissingIds, "y", "z")
		if size == 1 && n != 2 {
			t.Errorf("two unlisted faces came on %d pages of one", n)
		}
	}
	want("by picture", names(call("find", fmt.Sprintf(`{"ImageIds":[%q]}`, imageOf["b"]))),
		"b", "b")
	want("by face", names(call("find", fmt.Sprintf(`{"FaceIds":[%q,%q]}`, ids["c"][0],
		ids["a"][3]))), "a", "c")
	f := call("reconcile", fmt.Sprintf(`{"ImageIds":[%q,"00000000-0000-4000-8000-000000000000"]}`,
		imageOf["b"]))
	want("of other pictures", names(f), "a", "a", "a", "a", "c", "c")
	want("of no picture", f.MissingIds, "00000000-0000-4000-8000-000000000000")

	// A face of a user is kept, and does not end the deletion of the others.
	if _, err := d.client().CreateUser(ctx, &sdk.CreateUserInput{CollectionId: people,
		UserId: aws.String("anna")}); err != nil {
		t.Fatal(err)
	}
	owned := slices.Min(ids["a"])
	if _, err := d.client().AssociateFaces(ctx, &sdk.AssociateFacesInput{CollectionId: people,
		UserId: aws.String("anna"), FaceIds: []string{owned}}); err != nil {
		t.Fatal(err)
	}
	f, n := pages("delete", `"ExternalImageIds":["a"]`, 1)
	want("deleted", names(f), "a", "a", "a")
	if kept := f.UnsuccessfulFaceDeletions; n != 4 || len(kept) != 1 || kept[0].FaceId != owned ||
		kept[0].UserId != "anna" ||
		!slices.Equal(kept[0].Reasons, []string{"ASSOCIATED_TO_AN_EXISTING_USER"}) {
		t.Errorf("on %d pages these are kept: %+v", n, kept)
	}
	want("deleted by picture", names(call("delete", fmt.Sprintf(`{"ImageIds":[%q]}`,
		imageOf["b"]))), "b", "b")
	left, err := d.client().ListFaces(ctx, &sdk.ListFacesInput{CollectionId: people})
	if err != nil || len(left.Faces) != 3 {
		t.Errorf("%d faces are left, %v", len(left.Faces), err)
	}
	// What was deleted is not found by a search either.
	if status, answer := d.own(t, rootKey, "collections/people/search", "{"+
		image(enginetest.Face{Person: 2, Size: 0.5})+"}"); status != 200 ||
		strings.Contains(answer, "ExternalImageId") {
		t.Errorf("a deleted face is found: %d %s", status, answer)
	}
}

func TestCallersIDsErrors(t *testing.T) {
	d := open(t)
	d.withPeople(t)
	refused := func(exception string, key iam.AccessKey, path, body string) {
		t.Helper()
		status, answer := d.own(t, key, path, body)
		wantException(t, exception, status, answer)
	}
	const one = `{"ExternalImageIds":["p1"]}`
	for _, path := range []string{"find", "delete", "reconcile"} {
		in := "collections/people/faces/" + path
		for _, body := range []string{`{}`, `{"FaceIds":[],"ImageIds":[]}`, `{"ImageIds":["x"]}`,
			`{"ExternalImageIds":["a b"]}`, `{"ExternalImageIds":[]}`,
			`{"ExternalImageIds":["a"],"MaxResults":0}`,
			`{"ExternalImageIds":["a"],"FaceIds":["00000000-0000-4000-8000-000000000000"]}`} {
			refused("ValidationException", rootKey, in, body)
		}
		refused("ResourceNotFoundException", rootKey, "collections/absent/faces/"+path, one)
		refused("InvalidPaginationTokenException", rootKey, in,
			`{"ExternalImageIds":["p1"],"NextToken":"AAAA"}`)
	}
	// A token is of one list of ids, and of one operation.
	_, answer := d.own(t, rootKey, "collections/people/faces/find",
		`{"ExternalImageIds":["p1","p2"],"MaxResults":1}`)
	var page found
	if err := json.Unmarshal([]byte(answer), &page); err != nil || page.NextToken == "" {
		t.Fatal(answer, err)
	}
	with := func(ids string) string {
		return fmt.Sprintf(`{"ExternalImageIds":[%s],"MaxResults":1,"NextToken":%q}`, ids,
			page.NextToken)
	}
	if status, answer := d.own(t, rootKey, "collections/people/faces/find",
		with(`"p1","p2"`)); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	refused("InvalidPaginationTokenException", rootKey, "collections/people/faces/find",
		with(`"p1"`))
	refused("InvalidPaginationTokenException", rootKey, "collections/people/faces/delete",
		with(`"p1","p2"`))

	reader := d.newKey(t, account, "reader",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
			`"Action":"rekognition:ListFaces",`+
			`"Resource":"arn:aws:rekognition:*:*:collection/people"}}`)
	for _, path := range []string{"find", "reconcile"} {
		if status, answer := d.own(t, reader, "collections/people/faces/"+path,
			one); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, answer)
		}
		refused("AccessDeniedException", reader, "collections/visitors/faces/"+path, one)
	}
	refused("AccessDeniedException", reader, "collections/people/faces/delete", one)
	deleter := d.newKey(t, account, "deleter",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
			`"Action":"rekognition:DeleteFaces","Resource":"*"}}`)
	refused("AccessDeniedException", deleter, "collections/people/faces/find", one)
	if status, answer := d.own(t, deleter, "collections/people/faces/delete",
		one); status != http.StatusOK || !strings.Contains(answer, `"ExternalImageId":"p1"`) {
		t.Errorf("%d %s", status, answer)
	}
}
