package rekognition_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/iam"
)

// duplicates is what FindDuplicates answers.
type duplicates struct {
	FaceModelVersion string
	FacePairs        []struct {
		Similarity      float64
		Face, OtherFace struct{ ExternalImageId, IndexFacesModelVersion string }
	}
	UserPairs []struct {
		Similarity      float64
		User, OtherUser struct{ UserId string }
	}
	PercentComplete        float64
	NextToken, ResumeToken string
}

// index indexes a picture of one face.
func (d *testServer) index(t *testing.T, collection, externalID string, f enginetest.Face) string {
	t.Helper()
	done, err := d.client().IndexFaces(t.Context(), &sdk.IndexFacesInput{CollectionId: &collection,
		ExternalImageId: &externalID, Image: &types.Image{Bytes: enginetest.Picture(f)}})
	if err != nil {
		t.Fatal(err)
	}
	return *done.FaceRecords[0].Face.FaceId
}

func TestFindDuplicates(t *testing.T) {
	d := open(t)
	d.withPeople(t)
	first := d.index(t, "people", "p1b", enginetest.Face{Person: 1, Shot: 1, Size: 0.5})
	second := d.index(t, "people", "p1c", enginetest.Face{Person: 1, Shot: 2, Size: 0.5})
	// all reads all pages of a request, whose members it completes with the token.
	all := func(members string) (pairs []string, last duplicates) {
		t.Helper()
		for token := ""; ; {
			status, answer := d.own(t, rootKey, "collections/people/duplicates",
				"{"+strings.Trim(members+token, ",")+"}")
			last = duplicates{}
			if err := json.Unmarshal([]byte(answer), &last); err != nil || status != 200 {
				t.Fatalf("%d %s: %v", status, answer, err)
			}
			for _, p := range last.FacePairs {
				pairs = append(pairs, p.Face.ExternalImageId+" "+p.OtherFace.ExternalImageId)
			}
			for _, p := range last.UserPairs {
				pairs = append(pairs, p.User.UserId+" "+p.OtherUser.UserId)
			}
			if last.NextToken == "" {
				return pairs, last
			}
			token = fmt.Sprintf(`,"NextToken":%q`, last.NextToken)
		}
	}
	want := []string{"p1 p1b", "p1 p1c", "p1b p1c"}
	for _, members := range []string{`"SimilarityThreshold":90`,
		`"SimilarityThreshold":90,"MaxResults":1`,
		`"SimilarityThreshold":90,"MaxResults":2,"SearchFor":"FACES","LeaveOut":[]`} {
		got, last := all(members)
		if !slices.Equal(got, want) || last.PercentComplete != 100 || last.ResumeToken == "" ||
			last.FaceModelVersion != "1.0" {
			t.Errorf("%s: %q, want %q; the last page is %+v", members, got, want, last)
		}
	}
	strict, _ := all(`"SimilarityThreshold":99`)
	if got, _ := all(""); !slices.Equal(got, strict) || len(got) == 3 {
		t.Errorf("with the default threshold: %q, want %q", got, strict)
	}
	_, last := all(`"SimilarityThreshold":90`)
	d.index(t, "people", "p1d", enginetest.Face{Person: 1, Shot: 3, Size: 0.5})
	resumed := fmt.Sprintf(`"SimilarityThreshold":90,"NextToken":%q`, last.ResumeToken)
	if got, last := all(resumed); !slices.Equal(got, []string{"p1 p1d", "p1b p1d", "p1c p1d"}) ||
		last.FacePairs[0].Similarity < 90 ||
		last.FacePairs[0].Face.IndexFacesModelVersion != "1.0" || last.UserPairs != nil {
		t.Errorf("what was added: %q, %+v", got, last)
	}

	for user, f := range map[string]string{"anna": first, "ann": second} {
		if _, err := d.client().CreateUser(t.Context(), &sdk.CreateUserInput{
			CollectionId: aws.String("people"), UserId: &user}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.client().AssociateFaces(t.Context(), &sdk.AssociateFacesInput{
			CollectionId: aws.String("people"), UserId: &user,
			FaceIds: []string{f}}); err != nil {
			t.Fatal(err)
		}
	}
	got, last := all(`"SimilarityThreshold":90,"SearchFor":"USERS"`)
	if slices.Sort(got); len(got) != 1 || !strings.Contains(got[0], "anna") ||
		last.FacePairs != nil || last.UserPairs[0].Similarity < 90 {
		t.Errorf("users: %q, %+v", got, last)
	}
	if got, _ := all(`"SimilarityThreshold":90,"LeaveOut":["SAME_EXTERNAL_IMAGE_ID","SAME_IMAGE",` +
		`"SAME_USER"]`); len(got) != 6 {
		t.Errorf("no pair is of one user: %q", got)
	}
	if !strings.Contains(d.log.String(), `"operation":"FindDuplicates"`) {
		t.Error("the log does not name the operation")
	}
}

func TestFindDuplicatesErrors(t *testing.T) {
	d := openWith(t, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
		cfg.MaxPictures = 1
		cfg.Rates.Accounts = map[string]map[string]rekognition.Rate{
			"210987654321": {"SearchFaces": {PerSecond: 0.001, Burst: 1}}}
	}, func(*httptest.Server) {})
	d.withPeople(t)
	d.index(t, "people", "p1b", enginetest.Face{Person: 1, Shot: 1, Size: 0.5})
	d.index(t, "people", "p1c", enginetest.Face{Person: 1, Shot: 2, Size: 0.5})
	d.index(t, "visitors", "p2b", enginetest.Face{Person: 2, Shot: 1, Size: 0.5})
	const path = "collections/people/duplicates"
	refused := func(exception string, key iam.AccessKey, path, body string) string {
		t.Helper()
		status, answer := d.own(t, key, path, body)
		wantException(t, exception, status, answer)
		return answer
	}
	refused("ResourceNotFoundException", rootKey, "collections/absent/duplicates", "{}")
	refused("UnknownOperationException", rootKey, "duplicates", "{}")
	answer := refused("ValidationException", rootKey, "collections/pe%20ople/duplicates",
		`{"SimilarityThreshold":101,"MaxResults":4097,"SearchFor":"X","LeaveOut":["X"],`+
			`"NextToken":""}`)
	for _, member := range []string{"collectionId", "similarityThreshold", "maxResults",
		"searchFor", "leaveOut"} {
		if !strings.Contains(answer, "'"+member+"'") {
			t.Errorf("%s is not among the faults: %s", member, answer)
		}
	}

	// A token is for the request that it came with.
	status, text := d.own(t, rootKey, path, `{"SimilarityThreshold":90,"MaxResults":1}`)
	var page duplicates
	if err := json.Unmarshal([]byte(text), &page); err != nil || page.NextToken == "" {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	with := func(path, members string) (string, string) {
		return path, fmt.Sprintf(`{"NextToken":%q,%s}`, page.NextToken, members)
	}
	if status, answer := d.own(t, rootKey, path, fmt.Sprintf(
		`{"NextToken":%q,"SimilarityThreshold":90}`, page.NextToken)); status != http.StatusOK {
		t.Errorf("another size of page: %d %s", status, answer)
	}
	for _, c := range [][2]string{{path, `"SimilarityThreshold":91`},
		{path, `"SimilarityThreshold":90,"SearchFor":"USERS"`},
		{path, `"SimilarityThreshold":90,"LeaveOut":["SAME_USER"]`},
		{"collections/visitors/duplicates", `"SimilarityThreshold":90`}} {
		path, body := with(c[0], c[1])
		refused("InvalidPaginationTokenException", rootKey, path, body)
	}
	refused("InvalidPaginationTokenException", rootKey, path, `{"NextToken":"x"}`)

	// Its right and rate are those of a search with a face, or with a user.
	const policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":` +
		`"rekognition:%s","Resource":"arn:aws:rekognition:*:*:collection/people"}}`
	faces := d.newKey(t, account, "faces", fmt.Sprintf(policy, "SearchFaces"))
	users := d.newKey(t, account, "users", fmt.Sprintf(policy, "SearchUsers"))
	if status, answer := d.own(t, faces, path, "{}"); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := d.own(t, users, path, `{"SearchFor":"USERS"}`); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	refused("AccessDeniedException", faces, path, `{"SearchFor":"USERS"}`)
	refused("AccessDeniedException", users, path, "{}")
	refused("AccessDeniedException", faces, "collections/visitors/duplicates", "{}")
	foreign := d.newKey(t, "210987654321", "foreign", `{"Version":"2012-10-17","Statement":`+
		`{"Effect":"Allow","Action":"rekognition:*","Resource":"*"}}`)
	refused("ResourceNotFoundException", foreign, path, "{}")
	refused("ProvisionedThroughputExceededException", foreign, path, "{}")
}
