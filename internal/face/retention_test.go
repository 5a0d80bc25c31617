package face_test

import (
	"slices"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// aging is a service with a clock, and a collection people.
type aging struct {
	*face.Service
	t   *testing.T
	now time.Time
}

func newAging(t *testing.T) *aging {
	a := &aging{Service: newService(t), t: t,
		now: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
	a.SetClock(func() time.Time { return a.now })
	return a
}

func (a *aging) retain(days string) error {
	return a.TagCollection(a.t.Context(), face.TagCollectionRequest{Realm: realm,
		CollectionID: "people", Tags: map[string]string{face.RetentionTag: days}})
}

// add indexes a picture of a person, and returns the id of the face.
func (a *aging) add(number int) string {
	a.t.Helper()
	result := index(a.t, a.Service, face.IndexFacesRequest{
		Picture: picture(person{Person: number, Size: 0.5}), MaxFaces: 1})
	return result.Indexed[0].Face.ID
}

// expire deletes all that is expired, and returns the ids.
func (a *aging) expire() (deleted []string) {
	a.t.Helper()
	for {
		found, err := a.ExpiredFaces(a.t.Context(), face.ExpiredFacesRequest{Limit: 2})
		if err != nil {
			a.t.Fatal(err)
		}
		if len(found.Expired) == 0 {
			return deleted
		}
		for _, e := range found.Expired {
			faces, err := a.DeleteExpired(a.t.Context(), e)
			if err != nil {
				a.t.Fatal(err)
			}
			for _, f := range faces {
				deleted = append(deleted, f.ID)
			}
		}
	}
}

// A face is deleted when it has been there for the days of its collection's tag, and not before,
// together with its vector in the index.
func TestFacesExpire(t *testing.T) {
	a := newAging(t)
	a.add(9)
	if got := a.expire(); got != nil { // notes that the face is there
		t.Errorf("%q expired without a tag", got)
	}
	if err := a.retain("2"); err != nil {
		t.Fatal(err)
	}
	born := map[string]time.Time{}
	for hour := range 100 {
		if hour%10 == 0 {
			born[a.add(hour/10)] = a.now
		}
		for _, id := range a.expire() {
			at, ok := born[id]
			if !ok { // the first one
				continue
			}
			if age := a.now.Sub(at); age < 48*time.Hour || age > 50*time.Hour {
				t.Errorf("a face was deleted after %v", age)
			}
			delete(born, id)
		}
		a.now = a.now.Add(time.Hour)
	}
	if len(born) != 4 {
		t.Errorf("%d faces are left of the last two days", len(born))
	}
	c, err := describe(t.Context(), a.Service, realm, "people")
	if err != nil || c.FaceCount != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	found, err := a.SearchFacesByImage(t.Context(), face.SearchFacesByImageRequest{Realm: realm,
		CollectionID: "people", Picture: picture(person{Person: 1, Size: 0.5}), Threshold: 90,
		MaxFaces: 10})
	if err != nil || len(found.Matches) != 0 {
		t.Errorf("a face that expired is found: %+v, %v", found, err)
	}
}

// Longer retentions are kept to a day.
func TestLongRetention(t *testing.T) {
	a := newAging(t)
	if err := a.retain("30"); err != nil {
		t.Fatal(err)
	}
	born := map[string]time.Time{}
	for hour := range 35 * 24 {
		if hour%30 == 0 {
			born[a.add(hour%200)] = a.now
		}
		for _, id := range a.expire() {
			const least, most = 30 * 24 * time.Hour, 31*24*time.Hour + 2*time.Hour
			if age := a.now.Sub(born[id]); age < least || age > most {
				t.Errorf("a face was deleted after %v", age)
			}
			delete(born, id)
		}
		a.now = a.now.Add(time.Hour)
	}
	if n := len(born); n < 24 || n > 26 {
		t.Errorf("%d faces are left", n)
	}
}

// The vector of a user follows the faces that are left of it.
func TestExpiredFacesOfAUser(t *testing.T) {
	a := newAging(t)
	ctx := t.Context()
	if err := a.retain("1"); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateUser(ctx, face.CreateUserRequest{Realm: realm, CollectionID: "people",
		UserID: "anna"}); err != nil {
		t.Fatal(err)
	}
	associate := func(id string) {
		t.Helper()
		result, err := a.AssociateFaces(ctx, face.AssociateFacesRequest{Realm: realm,
			CollectionID: "people", UserID: "anna", FaceIDs: []string{id}})
		if err != nil || len(result.Changed) != 1 {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	old := a.add(1)
	associate(old)
	a.expire()
	a.now = a.now.Add(12 * time.Hour)
	young := a.add(2)
	associate(young)
	a.expire()
	a.now = a.now.Add(12 * time.Hour)
	if got := a.expire(); !slices.Equal(got, []string{old}) {
		t.Errorf("%q expired, want %q", got, old)
	}
	similarity := func(number int) float32 {
		t.Helper()
		found, err := a.SearchUsersByImage(ctx, face.SearchUsersByImageRequest{Realm: realm,
			CollectionID: "people", Picture: picture(person{Person: number, Size: 0.5}),
			MaxUsers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Matches) == 0 {
			return 0
		}
		return found.Matches[0].Similarity
	}
	if now, gone := similarity(2), similarity(1); now < 99 || gone > 90 {
		t.Errorf("the user is as similar to the face that is left as %v, to the other as %v", now,
			gone)
	}
	a.now = a.now.Add(24 * time.Hour)
	if got := a.expire(); !slices.Equal(got, []string{young}) {
		t.Errorf("%q expired, want %q", got, young)
	}
	if left := similarity(2); left != 0 {
		t.Errorf("a user without faces is found with %v", left)
	}
}

// A clock that was ahead makes faces older than they are for nobody: its notes are dropped once it
// is right.
func TestClockThatWasAhead(t *testing.T) {
	a := newAging(t)
	if err := a.retain("1"); err != nil {
		t.Fatal(err)
	}
	right := a.now
	a.now = right.Add(1000 * time.Hour)
	id := a.add(1)
	a.expire()
	a.now = right
	a.expire()
	a.now = right.Add(24 * time.Hour)
	if got := a.expire(); !slices.Equal(got, []string{id}) {
		t.Errorf("%q expired", got)
	}
}

// An invalid value is refused when the tag is set; one that an archive brought deletes nothing, and
// is reported.
func TestInvalidRetention(t *testing.T) {
	a := newAging(t)
	const message = "The value of the tag recollect:retention-days has to be a whole number of " +
		"days from 1 to 36500."
	for _, value := range []string{"", "0", "-1", "1.5", "01", "+1", " 1", "36501", "ten",
		"99999999999999999999"} {
		wantError(t, a.retain(value), recollect.CodeInvalidParameter, message)
		_, err := a.CreateCollection(t.Context(), face.CreateCollectionRequest{Realm: realm,
			CollectionID: "other", Tags: map[string]string{face.RetentionTag: value}})
		wantError(t, err, recollect.CodeInvalidParameter, message)
	}
	for _, value := range []string{"1", "36500"} {
		if err := a.retain(value); err != nil {
			t.Error(err)
		}
	}
}

func TestArchivedRetention(t *testing.T) {
	store := openStore(t)
	c, err := store.CreateCollection(t.Context(), face.Collection{Realm: realm, ID: "people"},
		map[string]string{face.RetentionTag: "soon"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := face.NewService(face.Config{Store: store, Users: usersOf(store),
		Faces:   exact.New(store, exact.Options{}),
		Engines: []face.Engine{enginetest.Engine("1.0")}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.ExpiredFaces(t.Context(), face.ExpiredFacesRequest{Limit: 1})
	if err != nil || len(found.Expired) != 0 || len(found.Invalid) != 1 ||
		found.Invalid[0].Collection.Key != c.Key || found.Invalid[0].Value != "soon" {
		t.Errorf("%+v, %v", found, err)
	}
}
