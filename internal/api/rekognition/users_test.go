package rekognition_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
)

// people makes a collection with one face each of persons 1 to n, and returns the faces' ids.
func people(t *testing.T, client *sdk.Client, n int) (faces []string) {
	t.Helper()
	if _, err := client.CreateCollection(t.Context(),
		&sdk.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		faces = append(faces, shoot(t, client, i+1, 1))
	}
	return faces
}

func shot(person, shot int) *types.Image {
	return &types.Image{Bytes: enginetest.Picture(enginetest.Face{Person: person, Shot: shot,
		Size: 0.5})}
}

func shoot(t *testing.T, client *sdk.Client, person, n int) string {
	t.Helper()
	indexed, err := client.IndexFaces(t.Context(), &sdk.IndexFacesInput{
		CollectionId: aws.String("people"), Image: shot(person, n),
		ExternalImageId: aws.String(fmt.Sprintf("%d.%d", person, n)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if f := indexed.FaceRecords[0].Face; f.UserId != nil {
		t.Errorf("IndexFaces shows the user %q", *f.UserId)
	}
	return *indexed.FaceRecords[0].Face.FaceId
}

func TestUsersWithUnmodifiedSDK(t *testing.T) {
	client, ctx := open(t).client(), t.Context()
	collection, ann := aws.String("people"), aws.String("ann:1")
	faces := people(t, client, 2)
	if _, err := client.CreateUser(ctx,
		&sdk.CreateUserInput{CollectionId: collection, UserId: ann}); err != nil {
		t.Fatal(err)
	}
	_, err := client.CreateUser(ctx, &sdk.CreateUserInput{CollectionId: collection, UserId: ann})
	if _, ok := errors.AsType[*types.ConflictException](err); !ok ||
		!strings.Contains(err.Error(), "The user id: ann:1 already exists") {
		t.Errorf("CreateUser again: %v", err)
	}
	unknown := "00000000-0000-4000-8000-000000000000"
	associated, err := client.AssociateFaces(ctx,
		&sdk.AssociateFacesInput{CollectionId: collection, UserId: ann,
			FaceIds: []string{faces[0], unknown}})
	if err != nil || associated.UserStatus != types.UserStatusUpdating ||
		len(associated.AssociatedFaces) != 1 || *associated.AssociatedFaces[0].FaceId != faces[0] ||
		len(associated.UnsuccessfulFaceAssociations) != 1 {
		t.Fatalf("AssociateFaces = %+v, %v", associated, err)
	}
	if f := associated.UnsuccessfulFaceAssociations[0]; *f.FaceId != unknown || f.UserId != nil ||
		f.Confidence != nil || f.Reasons[0] != types.UnsuccessfulFaceAssociationReasonFaceNotFound {
		t.Errorf("AssociateFaces failed with %+v", f)
	}
	low, err := client.AssociateFaces(ctx,
		&sdk.AssociateFacesInput{CollectionId: collection, UserId: ann,
			FaceIds: []string{faces[1]}})
	if err != nil || low.UserStatus != types.UserStatusActive ||
		len(low.UnsuccessfulFaceAssociations) != 1 {
		t.Fatalf("AssociateFaces of a stranger = %+v, %v", low, err)
	}
	if f := low.UnsuccessfulFaceAssociations[0]; f.Confidence == nil || *f.Confidence >= 75 ||
		f.Reasons[0] != types.UnsuccessfulFaceAssociationReasonLowMatchConfidence {
		t.Errorf("AssociateFaces of a stranger failed with %+v", f)
	}
	shoot(t, client, 1, 1) // the same face again, which has a user now

	listed, err := client.ListFaces(ctx, &sdk.ListFacesInput{CollectionId: collection, UserId: ann})
	if err != nil || len(listed.Faces) != 1 || aws.ToString(listed.Faces[0].UserId) != "ann:1" ||
		*listed.Faces[0].FaceId != faces[0] {
		t.Fatalf("ListFaces of the user = %+v, %v", listed, err)
	}
	_, err = client.ListFaces(ctx,
		&sdk.ListFacesInput{CollectionId: collection, UserId: aws.String("bob")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok ||
		!strings.Contains(err.Error(), "The user id: bob does not exist") {
		t.Errorf("ListFaces of an unknown user: %v", err)
	}
	found, err := client.SearchFacesByImage(ctx,
		&sdk.SearchFacesByImageInput{CollectionId: collection, Image: shot(1, 2)})
	if err != nil || len(found.FaceMatches) != 1 ||
		aws.ToString(found.FaceMatches[0].Face.UserId) != "ann:1" {
		t.Errorf("SearchFacesByImage = %+v, %v", found, err)
	}
	deleted, err := client.DeleteFaces(ctx,
		&sdk.DeleteFacesInput{CollectionId: collection, FaceIds: []string{faces[0]}})
	if err != nil || len(deleted.DeletedFaces) != 0 || len(deleted.UnsuccessfulFaceDeletions) != 1 {
		t.Fatalf("DeleteFaces of a user's face = %+v, %v", deleted, err)
	}
	if f := deleted.UnsuccessfulFaceDeletions[0]; *f.UserId != "ann:1" ||
		f.Reasons[0] != types.UnsuccessfulFaceDeletionReasonAssociatedToAnExistingUser {
		t.Errorf("DeleteFaces failed with %+v", f)
	}

	byFace, err := client.SearchUsers(ctx,
		&sdk.SearchUsersInput{CollectionId: collection, FaceId: &faces[0]})
	if err != nil || len(byFace.UserMatches) != 1 ||
		*byFace.UserMatches[0].User.UserId != "ann:1" || *byFace.UserMatches[0].Similarity < 99.9 ||
		byFace.UserMatches[0].User.UserStatus != types.UserStatusActive ||
		*byFace.SearchedFace.FaceId != faces[0] || byFace.SearchedUser != nil ||
		*byFace.FaceModelVersion != "1.0" {
		t.Errorf("SearchUsers by face = %+v, %v", byFace, err)
	}
	byUser, err := client.SearchUsers(ctx,
		&sdk.SearchUsersInput{CollectionId: collection, UserId: ann})
	if err != nil || len(byUser.UserMatches) != 0 || *byUser.SearchedUser.UserId != "ann:1" ||
		byUser.SearchedFace != nil {
		t.Errorf("SearchUsers by user = %+v, %v", byUser, err)
	}
	for _, in := range []*sdk.SearchUsersInput{{CollectionId: collection},
		{CollectionId: collection, UserId: ann, FaceId: &faces[0]}} {
		_, err := client.SearchUsers(ctx, in)
		if _, ok := errors.AsType[*types.InvalidParameterException](err); !ok ||
			!strings.Contains(err.Error(), "Request has invalid parameters") {
			t.Errorf("SearchUsers: %v", err)
		}
	}
	both := &types.Image{Bytes: enginetest.Picture(enginetest.Face{Person: 1, Shot: 3, Size: 0.5},
		enginetest.Face{Person: 2, Size: 0.25})}
	byImage, err := client.SearchUsersByImage(ctx,
		&sdk.SearchUsersByImageInput{CollectionId: collection, Image: both})
	if err != nil || len(byImage.UserMatches) != 1 ||
		*byImage.SearchedFace.FaceDetail.BoundingBox.Width != 0.5 ||
		len(byImage.UnsearchedFaces) != 1 {
		t.Fatalf("SearchUsersByImage = %+v, %v", byImage, err)
	}
	if f := byImage.UnsearchedFaces[0]; *f.FaceDetails.BoundingBox.Width != 0.25 ||
		f.Reasons[0] != types.UnsearchedFaceReasonFaceNotLargest {
		t.Errorf("SearchUsersByImage did not search %+v", f)
	}

	disassociated, err := client.DisassociateFaces(ctx,
		&sdk.DisassociateFacesInput{CollectionId: collection, UserId: ann,
			FaceIds: []string{unknown, faces[1], faces[0]}})
	if err != nil || disassociated.UserStatus != types.UserStatusUpdating ||
		len(disassociated.DisassociatedFaces) != 1 ||
		len(disassociated.UnsuccessfulFaceDisassociations) != 1 {
		t.Errorf("DisassociateFaces = %+v, %v", disassociated, err)
	}
	users, err := client.ListUsers(ctx, &sdk.ListUsersInput{CollectionId: collection})
	if err != nil || len(users.Users) != 1 || *users.Users[0].UserId != "ann:1" ||
		users.Users[0].UserStatus != types.UserStatusCreated || users.NextToken != nil {
		t.Errorf("ListUsers = %+v, %v", users, err)
	}
	described, err := client.DescribeCollection(ctx,
		&sdk.DescribeCollectionInput{CollectionId: collection})
	if err != nil || *described.UserCount != 1 {
		t.Errorf("DescribeCollection = %+v, %v", described, err)
	}
	if _, err := client.DeleteUser(ctx,
		&sdk.DeleteUserInput{CollectionId: collection, UserId: ann}); err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteUser(ctx, &sdk.DeleteUserInput{CollectionId: collection, UserId: ann})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("DeleteUser again: %v", err)
	}
}

func TestListUsersPages(t *testing.T) {
	client, ctx := open(t).client(), t.Context()
	people(t, client, 0)
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("%s:%d", strings.Repeat("u", 126), i)
		want = append(want, id)
		if _, err := client.CreateUser(ctx,
			&sdk.CreateUserInput{CollectionId: aws.String("people"), UserId: &id}); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int32{1, 3, 7, 500} {
		var got []string
		pages := sdk.NewListUsersPaginator(client,
			&sdk.ListUsersInput{CollectionId: aws.String("people"), MaxResults: &size})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page.Users {
				got = append(got, *u.UserId)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v", size, got)
		}
	}
	first, err := client.ListUsers(ctx,
		&sdk.ListUsersInput{CollectionId: aws.String("people"), MaxResults: aws.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("others")}); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"another collection": func() error {
			_, err := client.ListUsers(ctx,
				&sdk.ListUsersInput{CollectionId: aws.String("others"), NextToken: first.NextToken})
			return err
		},
		"another operation": func() error {
			_, err := client.ListFaces(ctx,
				&sdk.ListFacesInput{CollectionId: aws.String("people"), NextToken: first.NextToken})
			return err
		},
		"forged": func() error {
			_, err := client.ListUsers(ctx,
				&sdk.ListUsersInput{CollectionId: aws.String("people"),
					NextToken: aws.String("Zm9yZ2Vk")})
			return err
		},
	} {
		if err := call(); !strings.Contains(fmt.Sprint(err), "InvalidPaginationTokenException") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the wire has of users, byte for byte: what is empty, what is left out, and whole-numbered
// floats.
func TestUsersOnTheWire(t *testing.T) {
	d := open(t)
	faces := people(t, d.client(), 1)
	empty, err := json.Marshal(enginetest.Picture())
	if err != nil {
		t.Fatal(err)
	}
	const token = `"ClientRequestToken":"token-1"`
	for _, step := range []struct {
		operation, body string
		status          int
		answer          string // a regular expression
	}{
		{"SearchUsersByImage", `{"CollectionId":"people","Image":{"Bytes":` + string(empty) + `}}`,
			200, `{"UserMatches":\[\],"FaceModelVersion":"1.0","UnsearchedFaces":\[\]}`},
		{"ListUsers", `{"CollectionId":"people"}`, 200, `{"Users":\[\]}`},
		{"CreateUser", `{"CollectionId":"people","UserId":"a",` + token + `}`, 200, `{}`},
		{"CreateUser", `{"CollectionId":"people","UserId":"a",` + token + `}`, 200, `{}`},
		{"CreateUser", `{"CollectionId":"people","UserId":"b",` + token + `}`, 400,
			`{"__type":"IdempotentParameterMismatchException",` +
				`"Code":"IdempotentParameterMismatchException",.*"Message":"The ` +
				`ClientRequestToken: token-1 you have supplied is already in use."}`},
		{"CreateUser", `{"CollectionId":"people","UserId":"a"}`, 400,
			`{"__type":"ConflictException",.*"Message":"The user id: a already exists"}`},
		{"CreateUser", `{"CollectionId":"people","UserId":"a b"}`, 400,
			`{"__type":"ValidationException",.*}`},
		{"CreateUser", `{"CollectionId":"none","UserId":"a"}`, 400,
			`{"__type":"ResourceNotFoundException",.*"Message":"The collection id: none does not exist"}`},
		{"ListUsers", `{"CollectionId":"people"}`, 200,
			`{"Users":\[{"UserId":"a","UserStatus":"CREATED"}\]}`},
		{"SearchUsers", `{"CollectionId":"people","UserId":"a"}`, 200,
			`{"UserMatches":\[\],"FaceModelVersion":"1.0","SearchedUser":{"UserId":"a"}}`},
		{"AssociateFaces", `{"CollectionId":"people","UserId":"a","FaceIds":["` + faces[0] + `"],` +
			token + `}`, 200,
			`{"AssociatedFaces":\[{"FaceId":"` + faces[0] +
				`"}\],"UnsuccessfulFaceAssociations":\[\],"UserStatus":"UPDATING"}`},
		{"AssociateFaces", `{"CollectionId":"people","UserId":"a","FaceIds":["` + faces[0] + `"],` +
			token + `}`, 200,
			`{"AssociatedFaces":\[{"FaceId":"` + faces[0] +
				`"}\],"UnsuccessfulFaceAssociations":\[\],"UserStatus":"UPDATING"}`},
		{"AssociateFaces", `{"CollectionId":"people","UserId":"a","FaceIds":["` + faces[0] + `"]}`,
			200,
			`{"AssociatedFaces":\[\],"UnsuccessfulFaceAssociations":\[\],"UserStatus":"ACTIVE"}`},
		{"AssociateFaces", `{"CollectionId":"people","UserId":"a","FaceIds":["` + faces[0] +
			`"],"UserMatchThreshold":75.0,` + token + `}`, 200,
			`{"AssociatedFaces":\[{"FaceId".*`}, // the default, said aloud
		{"AssociateFaces", `{"CollectionId":"people","UserId":"a","FaceIds":["` + faces[0] +
			`"],"UserMatchThreshold":80,` + token + `}`, 400,
			`{"__type":"IdempotentParameterMismatchException".*`},
		{"ListUsers", `{"CollectionId":"people"}`, 200,
			`{"Users":\[{"UserId":"a","UserStatus":"ACTIVE"}\]}`},
		{"SearchUsers", `{"CollectionId":"people","FaceId":"` + faces[0] + `"}`, 200,
			`{"UserMatches":\[{"Similarity":(100.0|99.9\d*),"User":{"UserId":"a",` +
				`"UserStatus":"ACTIVE"}}\],"FaceModelVersion":"1.0","SearchedFace":{"FaceId":"` +
				faces[0] + `"}}`},
		{"DeleteFaces", `{"CollectionId":"people","FaceIds":["` + faces[0] + `"]}`, 200,
			`{"DeletedFaces":\[\],"UnsuccessfulFaceDeletions":\[{"FaceId":"` + faces[0] +
				`","UserId":"a","Reasons":\["ASSOCIATED_TO_AN_EXISTING_USER"\]}\]}`},
		{"DisassociateFaces", `{"CollectionId":"people","UserId":"a","FaceIds":["` + faces[0] +
			`"],` + token + `}`, 200,
			`{"DisassociatedFaces":\[{"FaceId":"` + faces[0] +
				`"}\],"UnsuccessfulFaceDisassociations":\[\],"UserStatus":"UPDATING"}`},
		{"DisassociateFaces", `{"CollectionId":"people","UserId":"a","FaceIds":["` + faces[0] +
			`"]}`, 200,
			`{"DisassociatedFaces":\[\],"UnsuccessfulFaceDisassociations":\[\],"UserStatus":"CREATED"}`},
		{"SearchUsers", `{"CollectionId":"people","UserId":"none"}`, 400,
			`{"__type":"ResourceNotFoundException",.*"Message":"The user id: none does not exist"}`},
		{"SearchUsers", `{"CollectionId":"people","FaceId":"00000000-0000-4000-8000-000000000000"}`,
			400,
			`{"__type":"InvalidParameterException",.*"Message":"faceId was not found in the collection."}`},
		{"DeleteUser", `{"CollectionId":"people","UserId":"a",` + token + `}`, 200, `{}`},
		{"DeleteUser", `{"CollectionId":"people","UserId":"a",` + token + `}`, 200, `{}`},
		{"DeleteUser", `{"CollectionId":"people","UserId":"a"}`, 400,
			`{"__type":"ResourceNotFoundException",.*"Message":"The user id: a does not exist"}`},
	} {
		resp, answer := d.post(t, step.operation, []byte(step.body))
		if resp.StatusCode != step.status ||
			!regexp.MustCompile("^"+step.answer+"$").MatchString(answer) {
			t.Errorf("%s %s\nanswered %d %s\nwant %d %s", step.operation, step.body,
				resp.StatusCode, answer, step.status, step.answer)
		}
	}
}
