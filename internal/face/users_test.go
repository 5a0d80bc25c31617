package face_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// shoot indexes one picture of a person and returns the face's id.
func shoot(t *testing.T, s *face.Service, who, shot int) string {
	t.Helper()
	return index(t, s,
		face.IndexFacesRequest{Picture: picture(person{Person: who, Shot: shot,
			Size: 0.5})}).Indexed[0].Face.ID
}

func addUser(ctx context.Context, s *face.Service, collection, id, token string) error {
	return s.CreateUser(ctx, face.CreateUserRequest{Realm: realm, CollectionID: collection,
		UserID: id, Token: token})
}

func deleteUser(ctx context.Context, s *face.Service, collection, id, token string) error {
	return s.DeleteUser(ctx, face.DeleteUserRequest{Realm: realm, CollectionID: collection,
		UserID: id, Token: token})
}

func createUser(t *testing.T, s *face.Service, id string) {
	t.Helper()
	if err := addUser(t.Context(), s, "people", id, ""); err != nil {
		t.Fatal(err)
	}
}

func associate(t *testing.T, s *face.Service, user string, threshold float32,
	faces ...string) *face.AssociateFacesResult {
	t.Helper()
	result, err := s.AssociateFaces(t.Context(), face.AssociateFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		UserID:       user,
		FaceIDs:      faces,
		Threshold:    threshold,
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// disassociate returns its result as one of AssociateFaces, which has the same fields.
func disassociate(t *testing.T, s *face.Service, user string,
	faces ...string) *face.AssociateFacesResult {
	t.Helper()
	result, err := s.DisassociateFaces(t.Context(), face.DisassociateFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		UserID:       user,
		FaceIDs:      faces,
	})
	if err != nil {
		t.Fatal(err)
	}
	return (*face.AssociateFacesResult)(result)
}

// statuses lists the users with their statuses.
func statuses(t *testing.T, s *face.Service) map[string]face.UserStatus {
	t.Helper()
	c, err := describe(t.Context(), s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.ListUsers(t.Context(), face.ListUsersRequest{Collection: c, Limit: 100})
	if err != nil || page.More || int64(len(page.Users)) != c.UserCount {
		t.Fatalf("listed %+v, and %d users are counted: %v", page, c.UserCount, err)
	}
	all := map[string]face.UserStatus{}
	for _, u := range page.Users {
		all[u.ID] = u.Status()
	}
	return all
}

// byImage searches the users of the collection people for a picture.
func byImage(ctx context.Context, s *face.Service, picture recollect.Picture,
	filter face.QualityFilter, b bounds) (*face.SearchUsersByImageResult, error) {
	return s.SearchUsersByImage(ctx, face.SearchUsersByImageRequest{Realm: realm,
		CollectionID: "people", Picture: picture, QualityFilter: filter,
		Threshold: b.threshold, MaxUsers: b.most})
}

// seen searches for a shot of a person and returns the ids of the users found.
func seen(t *testing.T, s *face.Service, who int, b bounds) (ids []string) {
	t.Helper()
	result, err := byImage(t.Context(), s, picture(person{Person: who, Shot: 99, Size: 0.5}), "", b)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range result.Matches {
		ids = append(ids, m.User.ID)
	}
	return ids
}

// bounds are those of a search for users.
type bounds struct {
	threshold float32
	most      int
}

var alike = bounds{80, 10}

func wantResult(t *testing.T, got *face.AssociateFacesResult, want face.AssociateFacesResult) {
	t.Helper()
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("answered %+v, want %+v", *got, want)
	}
}

func TestUserErrors(t *testing.T) {
	s, ctx := newService(t), t.Context()
	createUser(t, s, "ann")
	f := shoot(t, s, 1, 1)
	const noCollection, noUser = "The collection id: absent does not exist",
		"The user id: bob does not exist"
	wantError(t, addUser(ctx, s, "people", "ann", ""), recollect.CodeConflict,
		"The user id: ann already exists")
	wantError(t, addUser(ctx, s, "absent", "ann", ""), recollect.CodeNotFound,
		noCollection)
	wantError(t, deleteUser(ctx, s, "absent", "ann", ""), recollect.CodeNotFound,
		noCollection)
	wantError(t, deleteUser(ctx, s, "people", "bob", ""), recollect.CodeNotFound,
		noUser)
	for collection, message := range map[string]string{"absent": noCollection, "people": noUser} {
		_, err := s.AssociateFaces(ctx, face.AssociateFacesRequest{
			Realm:        realm,
			CollectionID: collection,
			UserID:       "bob",
			FaceIDs:      []string{f},
		})
		wantError(t, err, recollect.CodeNotFound, message)
		_, err = s.DisassociateFaces(ctx, face.DisassociateFacesRequest{
			Realm:        realm,
			CollectionID: collection,
			UserID:       "bob",
			FaceIDs:      []string{f},
		})
		wantError(t, err, recollect.CodeNotFound, message)
		_, err = s.SearchUsers(ctx, face.SearchUsersRequest{Realm: realm, CollectionID: collection,
			UserID: "bob", MaxUsers: 10})
		wantError(t, err, recollect.CodeNotFound, message)
	}
	_, err := s.SearchUsersByImage(ctx, face.SearchUsersByImageRequest{Realm: realm,
		CollectionID: "absent", Picture: picture(), MaxUsers: 10})
	wantError(t, err, recollect.CodeNotFound, noCollection)
	_, err = s.SearchUsers(ctx, face.SearchUsersRequest{Realm: realm, CollectionID: "people",
		FaceID: "00000000-0000-4000-8000-000000000000", MaxUsers: 10})
	wantError(t, err, recollect.CodeInvalidParameter, "faceId was not found in the collection.")
	for _, ids := range [][2]string{{"", ""}, {"ann", f}} {
		_, err = s.SearchUsers(ctx, face.SearchUsersRequest{Realm: realm, CollectionID: "people",
			UserID: ids[0], FaceID: ids[1], MaxUsers: 10})
		wantError(t, err, recollect.CodeInvalidParameter, "Request has invalid parameters")
	}
	c, err := describe(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.ListFaces(ctx, face.ListFacesRequest{Collection: c,
		Filter: face.FaceFilter{UserID: "bob"}, Limit: 10})
	wantError(t, err, recollect.CodeNotFound, noUser)
	if page, err := s.ListFaces(ctx, face.ListFacesRequest{Collection: c,
		Filter: face.FaceFilter{UserID: "ann"}, Limit: 10}); err != nil || len(page.Faces) != 0 {
		t.Errorf("faces of a user without any: %v, %v", page, err)
	}

	s.ChangeLimits(func(l *face.Limits) { l.UsersPerCollection, l.FacesPerUser = 1, 100 })
	wantError(t, addUser(ctx, s, "people", "bob", ""), recollect.CodeQuota,
		"The collection cannot hold more than 1 users")
}

func TestAssociateFaces(t *testing.T) {
	s, ctx := newService(t), t.Context()
	createUser(t, s, "ann")
	createUser(t, s, "bob")
	a1, a2, a3, b1, b2 := shoot(t, s, 1, 1), shoot(t, s, 1, 2), shoot(t, s, 1, 3),
		shoot(t, s, 2, 1), shoot(t, s, 2, 2)
	unknown := uuid.NewString()

	// Into a user without faces any go, whoever they show; the user is not compared with itself
	// growing.
	wantResult(t, associate(t, s, "bob", 100, b1, unknown, b1), face.AssociateFacesResult{
		Changed: []string{b1},
		Failed:  []face.FailedAssociation{{FaceID: unknown, Reason: face.ReasonFaceNotFound}},
		Status:  face.UserUpdating,
	})
	wantResult(t, associate(t, s, "ann", 75, a2, a1),
		face.AssociateFacesResult{Changed: []string{a2, a1}, Status: face.UserUpdating})
	if got := statuses(t, s); got["ann"] != face.UserActive || got["bob"] != face.UserActive {
		t.Errorf("the users are %v", got)
	}

	// Then the threshold counts.
	result := associate(t, s, "ann", 75, b2, a1, b1, unknown, a3, b2)
	if len(result.Failed) != 3 {
		t.Fatalf("answered %+v", result)
	}
	low := result.Failed[0].Confidence
	wantResult(t, result,
		face.AssociateFacesResult{Changed: []string{a3}, Status: face.UserUpdating,
			Failed: []face.FailedAssociation{
				{FaceID: b2, Reason: face.ReasonLowMatchConfidence, Confidence: low},
				{FaceID: b1, Reason: face.ReasonAssociatedToDifferent, UserID: "bob"},
				{FaceID: unknown, Reason: face.ReasonFaceNotFound},
			}})
	mean := face.Aggregate([][]float32{enginetest.Vector(person{Person: 1, Shot: 1}),
		enginetest.Vector(person{Person: 1, Shot: 2})})
	if want := cosine(mean,
		enginetest.Vector(person{Person: 2, Shot: 2})); math.Abs(float64(low)-max(0,
		100*want)) > 0.001 {
		t.Errorf("the confidence is %v, want %v of the user as it was before", low, 100*want)
	}
	// A face exactly as similar as asked for is taken.
	wantResult(t, associate(t, s, "ann", 0, b2),
		face.AssociateFacesResult{Changed: []string{b2}, Status: face.UserUpdating})

	// What is so already changes nothing.
	wantResult(t, associate(t, s, "ann", 0, a1, b2),
		face.AssociateFacesResult{Status: face.UserActive})
	wantResult(t, associate(t, s, "ann", 0, b1),
		face.AssociateFacesResult{Status: face.UserActive, Failed: []face.FailedAssociation{
			{FaceID: b1, Reason: face.ReasonAssociatedToDifferent, UserID: "bob"}}})

	wantResult(t, disassociate(t, s, "ann", unknown, b2, b1, b2), face.AssociateFacesResult{
		Changed: []string{b2}, Status: face.UserUpdating, Failed: []face.FailedAssociation{
			{FaceID: unknown, Reason: face.ReasonFaceNotFound},
			{FaceID: b1, Reason: face.ReasonAssociatedToDifferent, UserID: "bob"}},
	})
	wantResult(t, disassociate(t, s, "ann", b2), face.AssociateFacesResult{Status: face.UserActive})
	c, err := describe(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.ListFaces(ctx, face.ListFacesRequest{Collection: c,
		Filter: face.FaceFilter{UserID: "ann"}, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range page.Faces {
		got = append(got, f.ID)
	}
	if want := []string{a1, a2, a3}; err != nil ||
		!slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("the faces of ann are %v, %v; want %v", got, err, want)
	}

	// A face of a user stays until it is taken away from the user.
	deletion, err := s.DeleteFaces(ctx, face.DeleteFacesRequest{Realm: realm,
		CollectionID: "people", FaceIDs: []string{a1, b2, b1}})
	if err != nil || len(deletion.Deleted) != 1 || deletion.Deleted[0].ID != b2 ||
		len(deletion.Kept) != 2 || deletion.Kept[0].UserID != "ann" ||
		deletion.Kept[1].UserID != "bob" {
		t.Errorf("DeleteFaces = %+v, %v", deletion, err)
	}
	disassociate(t, s, "bob", b1)
	if got := statuses(t, s); got["ann"] != face.UserActive || got["bob"] != face.UserCreated {
		t.Errorf("the users are %v", got)
	}
	wantResult(
		t,
		disassociate(t, s, "bob", b1),
		face.AssociateFacesResult{Status: face.UserCreated},
	)
}

func cosine(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestFacesPerUser(t *testing.T) {
	s, ctx := newService(t), t.Context()
	s.ChangeLimits(func(l *face.Limits) { l.UsersPerCollection, l.FacesPerUser = 10, 3 })
	createUser(t, s, "ann")
	faces := []string{shoot(t, s, 1, 1), shoot(t, s, 1, 2), shoot(t, s, 1, 3), shoot(t, s, 1, 4)}
	_, err := s.AssociateFaces(ctx, face.AssociateFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		UserID:       "ann",
		FaceIDs:      faces,
		Threshold:    75,
	})
	wantError(t, err, recollect.CodeQuota, "A user cannot have more than 3 faces")
	if got := statuses(t, s); got["ann"] != face.UserCreated {
		t.Errorf("the user is %v", got)
	}
	associate(t, s, "ann", 75, faces[:3]...)
	_, err = s.AssociateFaces(ctx, face.AssociateFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		UserID:       "ann",
		FaceIDs:      faces[3:],
		Threshold:    75,
	})
	wantError(t, err, recollect.CodeQuota, "A user cannot have more than 3 faces")
	// Faces that it has, or that are not taken, do not count.
	if r := associate(t, s, "ann", 75,
		append([]string{shoot(t, s, 2, 1)}, faces[:3]...)...); len(r.Changed) != 0 ||
		len(r.Failed) != 1 {
		t.Errorf("answered %+v", r)
	}
}

func TestSearchUsers(t *testing.T) {
	s, ctx := newService(t), t.Context()
	createUser(t, s, "nobody")
	a1, b1 := shoot(t, s, 1, 1), shoot(t, s, 2, 1)
	if got := seen(t, s, 1, alike); len(got) != 0 {
		t.Errorf("without users with faces %v are found", got)
	}
	for i, id := range []string{"ann", "bob"} {
		createUser(t, s, id)
		associate(t, s, id, 75, []string{a1, b1}[i], shoot(t, s, i+1, 2))
	}
	createUser(t, s, "ann2")
	associate(t, s, "ann2", 75, shoot(t, s, 1, 4))

	by := func(userID, faceID string, b bounds) (ids []string) {
		t.Helper()
		result, err := s.SearchUsers(ctx, face.SearchUsersRequest{Realm: realm,
			CollectionID: "people", UserID: userID, FaceID: faceID, Threshold: b.threshold,
			MaxUsers: b.most})
		if err != nil || result.FaceModelVersion != "1.0" {
			t.Fatalf("SearchUsers: %v, %v", result, err)
		}
		last := float32(100)
		for _, m := range result.Matches {
			if m.Similarity > last || m.Similarity < b.threshold ||
				m.User.Status() != face.UserActive || m.User.Vector != nil {
				t.Errorf("match %+v after %v", m, last)
			}
			last = m.Similarity
			ids = append(ids, m.User.ID)
		}
		return ids
	}
	// A mean is nearer to its own face than another person's other face is.
	if got := by("", a1, alike); !slices.Equal(got, []string{"ann", "ann2"}) {
		t.Errorf("by face: %v", got)
	}
	if got := by("", a1, bounds{0, 10}); len(got) != 3 &&
		len(got) != 2 {
		t.Errorf("by face, all: %v", got)
	}
	if got := by("ann", "", alike); !slices.Equal(got, []string{"ann2"}) {
		t.Errorf("by user: %v, without itself", got)
	}
	if got := by("ann", "", bounds{80, 1}); !slices.Equal(got,
		[]string{"ann2"}) {
		t.Errorf("by user, one: %v", got)
	}
	if got := by("bob", "", alike); len(got) != 0 {
		t.Errorf("by a user like no other: %v", got)
	}
	if got := by("nobody", "", bounds{0, 10}); len(got) != 0 {
		t.Errorf("by a user without faces: %v", got)
	}
	if got := seen(t, s, 1, bounds{80, 1}); !slices.Equal(got,
		[]string{"ann"}) {
		t.Errorf("by image, one: %v; the mean of two shots is nearer than one shot", got)
	}

	// What changes is found as it is: a face less, none, a user less.
	if err := deleteUser(ctx, s, "people", "ann2", ""); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, s, 1, alike); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("after DeleteUser: %v", got)
	}
	associate(t, s, "nobody", 75, shoot(t, s, 3, 1))
	if got := seen(t, s, 3, alike); !slices.Equal(got, []string{"nobody"}) {
		t.Errorf("after AssociateFaces: %v", got)
	}
	disassociate(t, s, "bob", b1)
	if got := seen(t, s, 2, alike); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("after DisassociateFaces of one: %v", got)
	}
	associate(t, s, "bob", 0, a1, b1) // a1 is ann's
	if c, err := describe(ctx, s, realm, "people"); err != nil || c.UserCount != 3 {
		t.Errorf("%d users are counted, %v", c.UserCount, err)
	}
	if err := s.DeleteCollection(ctx, face.DeleteCollectionRequest{Realm: realm,
		CollectionID: "people"}); err != nil {
		t.Fatal(err)
	}
	if _, err := create(ctx, s, realm, "people"); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, s, 1, alike); len(got) != 0 {
		t.Errorf("in a new collection of the name: %v", got)
	}
}

func TestSearchUsersByImageSelects(t *testing.T) {
	s, ctx := newService(t), t.Context()
	createUser(t, s, "ann")
	associate(t, s, "ann", 75, shoot(t, s, 1, 1))
	faces := picture(person{Person: 2, Size: 0.6, Poor: true},
		person{Person: 1, Shot: 5, Size: 0.5}, person{Person: 3, Size: 0.4},
		person{Person: 4, Size: 0.3, Poor: true})
	for filter, want := range map[face.QualityFilter]struct {
		searched float32
		found    int
		reasons  string
	}{
		"": {0.6, 0, "[FACE_NOT_LARGEST][FACE_NOT_LARGEST][FACE_NOT_LARGEST]"},
		face.QualityAuto: {0.5, 1,
			"[LOW_BRIGHTNESS LOW_SHARPNESS][FACE_NOT_LARGEST][LOW_BRIGHTNESS LOW_SHARPNESS " +
				"FACE_NOT_LARGEST]"},
	} {
		result, err := byImage(ctx, s, faces, filter, alike)
		if err != nil || result.Searched == nil ||
			result.Searched.BoundingBox.Width != want.searched ||
			len(result.Matches) != want.found {
			t.Fatalf("%q: %+v, %v", filter, result, err)
		}
		reasons := ""
		for _, f := range result.Unsearched {
			reasons += fmt.Sprint(f.Reasons)
		}
		if reasons != want.reasons {
			t.Errorf("%q: the others are passed over for %s, want %s", filter, reasons,
				want.reasons)
		}
	}
	for name, p := range map[string]recollect.Picture{"no face": picture(),
		"a poor face": picture(person{Person: 1, Size: 0.5, Poor: true})} {
		result, err := byImage(ctx, s, p, face.QualityAuto, alike)
		if err != nil || result.Searched != nil || len(result.Matches) != 0 ||
			result.FaceModelVersion != "1.0" {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

// The index may know what the store does not: users that are gone or have no face must neither be
// found nor push others out.
func TestSearchUsersPassesOverWhatIsGone(t *testing.T) {
	store, ctx := openStore(t), t.Context()
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   usersOf(store),
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		id := fmt.Sprint("u", i)
		createUser(t, s, id)
		associate(t, s, id, 0, shoot(t, s, 1, i))
	}
	// loads the index
	if got := seen(t, s, 1, alike); len(got) != 5 {
		t.Fatalf("found %v", got)
	}
	// Behind the index's back:
	for _, id := range []string{"u0", "u1"} {
		if _, err := store.DeleteUser(ctx, c.Key, id, recollect.Once{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"u2", "u3"} {
		_, _, err := store.ChangeUser(ctx, c.Key, id, nil, recollect.Once{},
			func(state face.UserState) (face.UserChange, error) {
				return face.UserChange{Remove: []face.FaceKey{face.FaceKey(state.Members[0].Key)}},
					nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := seen(t, s, 1, bounds{80, 1}); !slices.Equal(got,
		[]string{"u4"}) {
		t.Errorf("found %v, want the user that is left", got)
	}
	if got := seen(t, s, 1, alike); !slices.Equal(got, []string{"u4"}) {
		t.Errorf("found %v, want the user that is left", got)
	}
}

func TestRepeatedCalls(t *testing.T) {
	s, ctx := newService(t), t.Context()
	clock := time.Now()
	s.SetClock(func() time.Time { return clock })
	a1, a2 := shoot(t, s, 1, 1), shoot(t, s, 1, 2)
	inUse := func(token string) string {
		return fmt.Sprintf("The ClientRequestToken: %s you have supplied is already in use.", token)
	}
	for range 2 {
		if err := addUser(ctx, s, "people", "ann", "t-1"); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, addUser(ctx, s, "people", "bob", "t-1"), recollect.CodeIdempotentMismatch,
		inUse("t-1"))

	give := func(token string, threshold float32, faces ...string) (*face.AssociateFacesResult,
		error) {
		return s.AssociateFaces(ctx, face.AssociateFacesRequest{
			Realm:        realm,
			CollectionID: "people",
			UserID:       "ann",
			FaceIDs:      faces,
			Threshold:    threshold,
			Token:        token,
		})
	}
	first, err := give("t-1", 75, a1, uuid.Nil.String())
	if err != nil {
		t.Fatal(err)
	}
	disassociate(t, s, "ann", a1)
	again, err := give("t-1", 75, a1, uuid.Nil.String())
	if err != nil || !reflect.DeepEqual(first, again) || first.Status != face.UserUpdating {
		t.Errorf("answered %+v, then %+v, %v", first, again, err)
	}
	if got := statuses(t, s); got["ann"] != face.UserCreated {
		t.Errorf("the repeated call did something: %v", got)
	}
	for name, call := range map[string]func() error{
		"another face": func() error {
			_,
				err := give("t-1", 75, a2, uuid.Nil.String())
			return err
		},
		"a face less": func() error { _, err := give("t-1", 75, a1); return err },
		"another threshold": func() error {
			_,
				err := give("t-1", 76, a1, uuid.Nil.String())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, call(), recollect.CodeIdempotentMismatch,
				inUse("t-1"))
		})
	}
	if _, err := give("t-2", 75, a1, a2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := s.DisassociateFaces(ctx, face.DisassociateFacesRequest{Realm: realm,
			CollectionID: "people", UserID: "ann", FaceIDs: []string{a1, a2},
			Token: "t-1"}); err != nil ||
			len(r.Changed) != 2 {
			t.Fatalf("DisassociateFaces = %+v, %v", r, err)
		}
	}
	for range 2 {
		if err := deleteUser(ctx, s, "people", "ann", "t-1"); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, deleteUser(ctx, s, "people", "ann", "t-2"), recollect.CodeNotFound,
		"The user id: ann does not exist")

	// A token is good for a day, and for one collection.
	clock = clock.Add(recollect.TokenLife - time.Second)
	if err := addUser(ctx, s, "people", "ann", "t-1"); err != nil ||
		len(statuses(t, s)) != 0 {
		t.Errorf("a day later, nearly: %v, %v", err, statuses(t, s))
	}
	if _, err := create(ctx, s, realm, "others"); err != nil {
		t.Fatal(err)
	}
	wantError(t, addUser(ctx, s, "others", "ann", "t-1"), recollect.CodeIdempotentMismatch,
		inUse("t-1"))
	clock = clock.Add(time.Second)
	if err := addUser(ctx, s, "people", "ann", "t-1"); err != nil ||
		len(statuses(t, s)) != 1 {
		t.Errorf("a day later: %v, %v", err, statuses(t, s))
	}
}

func TestAggregate(t *testing.T) {
	if got := face.Aggregate(nil); got != nil {
		t.Errorf("of none: %v", got)
	}
	x, y, minus := []float32{1, 0}, []float32{0, 1}, []float32{-1, 0}
	for name, c := range map[string]struct {
		vectors [][]float32
		want    []float32
	}{
		"one": {[][]float32{y}, y},
		"two": {[][]float32{x, y},
			[]float32{float32(math.Sqrt2 / 2), float32(math.Sqrt2 / 2)}},
		"two and their mean": {[][]float32{x, x, y, y},
			[]float32{float32(math.Sqrt2 / 2), float32(math.Sqrt2 / 2)}},
		"opposites":             {[][]float32{x, minus}, x},
		"opposites, nearly":     {[][]float32{minus, {1, 1e-9}}, minus},
		"opposites and a third": {[][]float32{x, minus, y}, y},
	} {
		if got := face.Aggregate(c.vectors); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	var many [][]float32
	for shot := range 100 {
		many = append(many, enginetest.Vector(person{Person: 1, Shot: shot}))
	}
	mean := face.Aggregate(many)
	if norm := cosine(mean, mean); math.Abs(norm-1) > 1e-6 {
		t.Errorf("the squared norm is %v", norm)
	}
}

// heldIndex holds its first Add back.
type heldIndex struct {
	face.Index
	holding chan struct{} // closed when the first Add has come
	release chan struct{} // closed to let it go on
	came    *atomic.Bool
}

func (x heldIndex) Add(ctx context.Context, c face.CollectionKey,
	embeddings ...face.Embedding) error {
	if x.came.CompareAndSwap(false, true) {
		close(x.holding)
		<-x.release
	}
	return x.Index.Add(ctx, c, embeddings...)
}

// The vector of an earlier commit that comes late to the index must not overwrite that of a later
// one.
func TestUserVectorsDoNotOvertake(t *testing.T) {
	store, ctx := openStore(t), t.Context()
	users := heldIndex{usersOf(store), make(chan struct{}), make(chan struct{}), new(atomic.Bool)}
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   users,
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	createUser(t, s, "ann")
	first, second := shoot(t, s, 1, 1), shoot(t, s, 2, 1)
	seen(t, s, 1, alike) // loads the index

	var calls sync.WaitGroup
	give := func(f string) {
		calls.Go(func() {
			if _, err := s.AssociateFaces(ctx, face.AssociateFacesRequest{Realm: realm,
				CollectionID: "people", UserID: "ann", FaceIDs: []string{f}}); err != nil {
				t.Error(err)
			}
		})
	}
	give(first)
	<-users.holding
	give(second)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if u, err := store.User(ctx, c.Key, "ann"); err != nil || time.Now().After(deadline) {
			t.Fatalf("the second face was not stored: %v", err)
		} else if u.FaceCount == 2 {
			break
		}
	}
	time.Sleep(20 * time.Millisecond) // in which the second call would reach the index, were it let
	close(users.release)
	calls.Wait()

	want := 100 * cosine(face.Aggregate([][]float32{enginetest.Vector(person{Person: 1, Shot: 1}),
		enginetest.Vector(person{Person: 2, Shot: 1})}),
		enginetest.Vector(person{Person: 2, Shot: 99}))
	result, err := byImage(ctx, s, picture(person{Person: 2, Shot: 99, Size: 0.5}), "",
		bounds{1, 1})
	if err != nil || len(result.Matches) != 1 ||
		math.Abs(float64(result.Matches[0].Similarity)-want) > 0.001 {
		t.Errorf("found %+v, %v; want similarity %v", result, err, want)
	}
}

// interleavedStore does something else right after it has read users.
type interleavedStore struct {
	face.Store
	then func()
}

func (x *interleavedStore) UsersByKey(ctx context.Context, c face.CollectionKey,
	keys []face.UserKey) (map[face.UserKey]face.User, error) {
	users, err := x.Store.UsersByKey(ctx, c, keys)
	if then := x.then; then != nil {
		x.then = nil
		then()
	}
	return users, err
}

// A search that sees a user without faces must not take it out of the index if it has got one
// meanwhile.
func TestSearchKeepsUsersThatComeBack(t *testing.T) {
	sqlite, ctx := openStore(t), t.Context()
	store := &interleavedStore{Store: sqlite}
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   usersOf(sqlite),
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	createUser(t, s, "ann")
	first, second := shoot(t, s, 1, 1), shoot(t, s, 1, 2)
	associate(t, s, "ann", 0, first)
	seen(t, s, 1, alike) // loads the index
	_, _, err = sqlite.ChangeUser(ctx, c.Key, "ann", nil, recollect.Once{},
		func(state face.UserState) (face.UserChange, error) {
			return face.UserChange{Remove: []face.FaceKey{face.FaceKey(state.Members[0].Key)}}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	store.then = func() { associate(t, s, "ann", 0, second) }
	seen(t, s, 1, alike)
	if got := seen(t, s, 1, alike); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("found %v, want the user that came back", got)
	}
}

// Associating, deleting and searching at once: at rest everything is found as the store has it, and
// a user that keeps a face throughout is found throughout.
func TestUsersConcurrently(t *testing.T) {
	s, ctx := newService(t), t.Context()
	const people, shots = 4, 6
	faces := make([][]string, people)
	for who := range people {
		for shot := range shots {
			faces[who] = append(faces[who], shoot(t, s, who, shot))
		}
		createUser(t, s, fmt.Sprint("u", who))
		associate(t, s, fmt.Sprint("u", who), 0, faces[who][0])
	}
	var stop atomic.Bool
	var searching, changing sync.WaitGroup
	for range 2 {
		searching.Go(func() {
			for !stop.Load() {
				who := rand.IntN(people - 1) // the last one comes and goes
				if got := seen(t, s, who, alike); !slices.Equal(got,
					[]string{fmt.Sprint("u", who)}) {
					t.Errorf("for person %d were found %v", who, got)
					return
				}
			}
		})
	}
	check := func(err error) {
		if err != nil && recollect.CodeOf(err) != recollect.CodeNotFound &&
			recollect.CodeOf(err) != recollect.CodeConflict {
			t.Error(err)
		}
	}
	for who := range people {
		for range 3 {
			changing.Go(func() {
				id := fmt.Sprint("u", who)
				for range 25 {
					some := []string{faces[who][1+rand.IntN(shots-1)],
						faces[who][1+rand.IntN(shots-1)]}
					_, err := s.AssociateFaces(ctx, face.AssociateFacesRequest{
						Realm:        realm,
						CollectionID: "people",
						UserID:       id,
						FaceIDs:      some,
						Token:        uuid.NewString(),
					})
					check(err)
					some = []string{faces[who][1+rand.IntN(shots-1)]}
					_, err = s.DisassociateFaces(ctx, face.DisassociateFacesRequest{
						Realm:        realm,
						CollectionID: "people",
						UserID:       id,
						FaceIDs:      some,
						Token:        uuid.NewString(),
					})
					check(err)
					if who == people-1 {
						check(
							deleteUser(ctx, s, "people", id, ""),
						)
						check(
							addUser(ctx, s, "people", id, ""),
						)
					}
				}
			})
		}
	}
	changing.Wait()
	stop.Store(true)
	searching.Wait()

	// The index has for each user what the store has.
	c, err := describe(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	if c.UserCount != people {
		t.Errorf("%d users are left", c.UserCount)
	}
	for who := range people {
		id := fmt.Sprint("u", who)
		page, err := s.ListFaces(ctx, face.ListFacesRequest{Collection: c,
			Filter: face.FaceFilter{UserID: id}, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var vectors [][]float32
		for _, f := range page.Faces {
			vectors = append(vectors,
				enginetest.Vector(person{Person: who, Shot: slices.Index(faces[who], f.ID)}))
		}
		result, err := byImage(ctx, s, picture(person{Person: who, Shot: 99, Size: 0.5}), "", alike)
		if err != nil {
			t.Fatal(err)
		}
		if len(vectors) == 0 {
			if len(result.Matches) != 0 {
				t.Errorf("%s has no face and is found", id)
			}
			continue
		}
		want := 100 * cosine(face.Aggregate(vectors),
			enginetest.Vector(person{Person: who, Shot: 99}))
		if len(result.Matches) != 1 || result.Matches[0].User.ID != id ||
			math.Abs(float64(result.Matches[0].Similarity)-want) > 0.001 {
			t.Errorf("%s with %d faces: found %+v, want similarity %v", id, len(page.Faces),
				result.Matches, want)
		}
	}
}
