package face_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
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
