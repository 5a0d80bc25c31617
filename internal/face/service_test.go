package face_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

var (
	realm = recollect.Realm{Account: "123456789012", Region: "us-east-1"}
)

type person = enginetest.Face

func picture(faces ...person) recollect.Picture {
	return recollect.Bytes(
		enginetest.Picture(faces...))
}

func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func usersOf(store *sqlite.Store) *exact.Index {
	return exact.New(exact.SourceFunc(store.UserVectors), exact.Options{})
}

func newService(t *testing.T) *face.Service {
	t.Helper()
	s, _ := newServiceWith(t, func(x face.Index) face.Index { return x })
	return s
}

// newServiceWith returns a service whose index of faces is wrapped.
func newServiceWith(t *testing.T, wrap func(face.Index) face.Index) (*face.Service, face.Index) {
	t.Helper()
	store := openStore(t)
	faces := wrap(exact.New(store, exact.Options{}))
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   faces,
		Users:   usersOf(store),
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create(t.Context(), s, realm, "people"); err != nil {
		t.Fatal(err)
	}
	return s, faces
}

// create creates a collection.
func create(ctx context.Context, s *face.Service, realm recollect.Realm,
	id string) (face.Collection, error) {
	result, err := s.CreateCollection(ctx,
		face.CreateCollectionRequest{Realm: realm, CollectionID: id})
	if err != nil {
		return face.Collection{}, err
	}
	return result.Collection, nil
}

// describe returns a collection.
func describe(ctx context.Context, s *face.Service, realm recollect.Realm,
	id string) (face.Collection, error) {
	result, err := s.DescribeCollection(ctx,
		face.DescribeCollectionRequest{Realm: realm, CollectionID: id})
	if err != nil {
		return face.Collection{}, err
	}
	return result.Collection, nil
}

// index indexes a picture in the collection people.
func index(t *testing.T, s *face.Service, req face.IndexFacesRequest) *face.IndexFacesResult {
	t.Helper()
	req.Realm, req.CollectionID = realm, "people"
	result, err := s.IndexFaces(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func wantError(t *testing.T, err error, code recollect.Code, message string) {
	t.Helper()
	e, ok := errors.AsType[*recollect.Error](err)
	if recollect.CodeOf(err) != code || !ok || e.Message != message {
		t.Errorf("error %v (code %d), want %q (code %d)", err, recollect.CodeOf(err), message, code)
	}
}

func TestCollectionErrors(t *testing.T) {
	s, ctx := newService(t), t.Context()
	_, err := create(ctx, s, realm, "people")
	wantError(t, err, recollect.CodeAlreadyExists, "The collection id: people already exists")
	const missing = "The collection id: absent does not exist"
	_, err = describe(ctx, s, realm, "absent")
	wantError(t, err, recollect.CodeNotFound, missing)
	err = s.DeleteCollection(ctx,
		face.DeleteCollectionRequest{Realm: realm, CollectionID: "absent"})
	wantError(t, err, recollect.CodeNotFound, missing)
	_, err = s.IndexFaces(ctx,
		face.IndexFacesRequest{Realm: realm, CollectionID: "absent", Picture: picture()})
	wantError(t, err, recollect.CodeNotFound, missing)
	_, err = s.DeleteFaces(ctx,
		face.DeleteFacesRequest{Realm: realm, CollectionID: "absent", FaceIDs: []string{"x"}})
	wantError(t, err, recollect.CodeNotFound, missing)
	_, err = s.SearchFaces(ctx,
		face.SearchFacesRequest{Realm: realm, CollectionID: "absent", FaceID: "x", MaxFaces: 1})
	wantError(t, err, recollect.CodeNotFound, missing)
	_, err = s.SearchFacesByImage(ctx, face.SearchFacesByImageRequest{
		Realm:        realm,
		CollectionID: "absent",
		Picture:      picture(person{Size: 0.5}),
		MaxFaces:     1,
	})
	wantError(t, err, recollect.CodeNotFound, missing)
	_, err = s.SearchFaces(ctx, face.SearchFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		FaceID:       "00000000-0000-4000-8000-000000000000",
		MaxFaces:     1,
	})
	wantError(t, err, recollect.CodeInvalidParameter, "faceId was not found in the collection.")
}

func TestCollectionsPage(t *testing.T) {
	s := newService(t)
	for i := range 5 {
		if _, err := create(t.Context(), s, realm, fmt.Sprintf("c%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	after := ""
	for pages := 1; ; pages++ {
		page, err := s.ListCollections(t.Context(),
			face.ListCollectionsRequest{Realm: realm, After: after, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Collections {
			got = append(got, c.ID)
			after = c.ID
		}
		if !page.More {
			if pages != 3 {
				t.Errorf("%d pages, want 3: the last one is full and says that there is no more",
					pages)
			}
			break
		}
	}
	if want := "c0 c1 c2 c3 c4 people"; strings.Join(got, " ") != want {
		t.Errorf("collections %v, want %s", got, want)
	}
}

func TestIndexFacesSelects(t *testing.T) {
	faces := []person{{Person: 1, Size: 0.5}, {Person: 2, Size: 0.4, Poor: true},
		{Person: 3, Size: 0.3}, {Person: 4, Size: 0.2}}
	for name, c := range map[string]struct {
		filter    face.QualityFilter
		max       int
		indexed   []float32
		unindexed string
	}{
		"default is AUTO": {"", 0, []float32{0.5, 0.3, 0.2},
			"[LOW_BRIGHTNESS LOW_SHARPNESS]"},
		"NONE takes all": {face.QualityNone, 0, []float32{0.5, 0.4, 0.3, 0.2}, ""},
		"the smallest exceed": {face.QualityNone, 2, []float32{0.5, 0.4},
			"[EXCEEDS_MAX_FACES][EXCEEDS_MAX_FACES]"},
		"poor ones go first": {face.QualityHigh, 2, []float32{0.5, 0.3},
			"[LOW_BRIGHTNESS LOW_SHARPNESS][EXCEEDS_MAX_FACES]"},
		"more than there are": {face.QualityNone, 1000, []float32{0.5, 0.4, 0.3, 0.2}, ""},
		"MEDIUM keeps the good": {face.QualityMedium, 0, []float32{0.5, 0.3, 0.2},
			"[LOW_BRIGHTNESS LOW_SHARPNESS]"},
		"LOW drops the poor": {face.QualityLow, 0, []float32{0.5, 0.3, 0.2},
			"[LOW_BRIGHTNESS LOW_SHARPNESS]"},
	} {
		t.Run(name, func(t *testing.T) {
			result := index(t, newService(t),
				face.IndexFacesRequest{Picture: picture(faces...), QualityFilter: c.filter,
					MaxFaces: c.max})
			var sizes []float32
			for _, f := range result.Indexed {
				sizes = append(sizes, f.Detail.BoundingBox.Width)
				if f.Face.BoundingBox != f.Detail.BoundingBox ||
					f.Face.Confidence != f.Detail.Confidence {
					t.Error("the face and its detail differ")
				}
			}
			reasons := ""
			for _, f := range result.Unindexed {
				reasons += fmt.Sprint(f.Reasons)
			}
			if !slices.Equal(sizes, c.indexed) || reasons != c.unindexed {
				t.Errorf("indexed %v, unindexed %s; want %v, %s", sizes, reasons, c.indexed,
					c.unindexed)
			}
		})
	}
}

func TestIndexFacesAgain(t *testing.T) {
	s := newService(t)
	req := face.IndexFacesRequest{Picture: picture(person{Person: 1, Size: 0.5},
		person{Person: 2, Size: 0.4}), ExternalImageID: "a"}
	ids := func(r *face.IndexFacesResult) (ids []string) {
		for _, f := range r.Indexed {
			ids = append(ids, f.Face.ID)
		}
		return ids
	}
	first := index(t, s, req)
	if second := index(t, s, req); !slices.Equal(ids(first), ids(second)) {
		t.Errorf("the same picture and external id: faces %v, then %v", ids(first), ids(second))
	}
	other := req
	other.ExternalImageID = "b"
	if r := index(t, s, other); slices.Equal(ids(first), ids(r)) ||
		r.Indexed[0].Face.ImageID == first.Indexed[0].Face.ImageID {
		t.Error("another external id: the same faces or the same image")
	}
	unnamed := face.IndexFacesRequest{Picture: req.Picture}
	one, two := index(t, s, unnamed), index(t, s, unnamed)
	if slices.Equal(ids(one), ids(two)) ||
		one.Indexed[0].Face.ImageID != two.Indexed[0].Face.ImageID {
		t.Error("without external id: want new faces of the same image")
	}
	if id := one.Indexed[0].Face.ImageID; id[14] != '3' {
		t.Errorf("image id %s has not the shape of a version 3 UUID", id)
	}
	if c, err := describe(t.Context(), s, realm, "people"); err != nil || c.FaceCount != 8 {
		t.Errorf("%d faces, want 8 (%v)", c.FaceCount, err)
	}
}

func TestThumbnails(t *testing.T) {
	store := openStore(t)
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   usersOf(store),
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(t.Context(), s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	kept := func(faces []face.IndexedFace) (texts []string) {
		for _, f := range faces {
			jpeg, err := store.Thumbnail(t.Context(), c.Key, f.Face.ID)
			if err != nil && recollect.CodeOf(err) != recollect.CodeNotFound {
				t.Fatal(err)
			}
			texts = append(texts, string(jpeg))
		}
		return texts
	}
	req := face.IndexFacesRequest{Picture: picture(person{Person: 1, Shot: 3, Size: 0.4},
		person{Person: 2, Shot: 4, Size: 0.5, Poor: true}, person{Person: 5, Shot: 6, Size: 0.3}),
		ExternalImageID: "a"}
	if got := kept(index(t, s, req).Indexed); !slices.Equal(got, []string{"", ""}) {
		t.Errorf("unasked are kept %q", got)
	}
	s.KeepThumbnails()
	if got := kept(index(t, s, req).Indexed); !slices.Equal(got,
		[]string{"person 1, shot 3", "person 5, shot 6"}) {
		t.Errorf("of a picture that comes again are kept %q", got)
	}
	req.ExternalImageID = "b"
	if got := kept(index(t, s, req).Indexed); !slices.Equal(got,
		[]string{"person 1, shot 3", "person 5, shot 6"}) {
		t.Errorf("are kept %q", got)
	}
}

func TestSearch(t *testing.T) {
	s, ctx := newService(t), t.Context()
	a1 := index(t, s,
		face.IndexFacesRequest{Picture: picture(person{Person: 1, Shot: 1,
			Size: 0.5})}).Indexed[0].Face
	a2 := index(t, s,
		face.IndexFacesRequest{Picture: picture(person{Person: 1, Shot: 2,
			Size: 0.5})}).Indexed[0].Face
	index(t, s, face.IndexFacesRequest{Picture: picture(person{Person: 2, Size: 0.5})})

	found, err := s.SearchFaces(ctx, face.SearchFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		FaceID:       a1.ID,
		Threshold:    80,
		MaxFaces:     10,
	})
	if err != nil || len(found.Matches) != 1 || found.Matches[0].Face.ID != a2.ID {
		t.Fatalf("SearchFaces = %v, %v; want only the other shot", found, err)
	}
	found, err = s.SearchFaces(ctx,
		face.SearchFacesRequest{Realm: realm, CollectionID: "people", FaceID: a1.ID, MaxFaces: 1})
	if err != nil || len(found.Matches) != 1 || found.Matches[0].Face.ID != a2.ID {
		t.Fatalf("SearchFaces of one = %v, %v", found, err)
	}

	// The largest face is searched for: person 1, not 2.
	both := picture(person{Person: 1, Shot: 1, Size: 0.5}, person{Person: 2, Size: 0.4})
	result, err := s.SearchFacesByImage(ctx, face.SearchFacesByImageRequest{
		Realm:        realm,
		CollectionID: "people",
		Picture:      both,
		Threshold:    80,
		MaxFaces:     10,
	})
	if err != nil || len(result.Matches) != 2 || result.Matches[0].Face.ID != a1.ID ||
		result.Matches[0].Similarity < 99.999 {
		t.Fatalf("SearchFacesByImage = %+v, %v", result, err)
	}
	if result.Searched.BoundingBox.Width != 0.5 {
		t.Errorf("searched the face of width %v", result.Searched.BoundingBox.Width)
	}
	// A filter passes over the largest face if that one is poor.
	poor := picture(person{Person: 1, Shot: 1, Size: 0.5, Poor: true}, person{Person: 2, Size: 0.4})
	result, err = s.SearchFacesByImage(ctx, face.SearchFacesByImageRequest{
		Realm:         realm,
		CollectionID:  "people",
		Picture:       poor,
		QualityFilter: face.QualityAuto,
		Threshold:     80,
		MaxFaces:      10,
	})
	if err != nil || result.Searched.BoundingBox.Width != 0.4 {
		t.Fatalf("SearchFacesByImage with a filter = %+v, %v", result, err)
	}
	for _, none := range []recollect.Picture{picture(), picture(person{Size: 0.5, Poor: true})} {
		_, err = s.SearchFacesByImage(ctx, face.SearchFacesByImageRequest{
			Realm:         realm,
			CollectionID:  "people",
			Picture:       none,
			QualityFilter: face.QualityAuto,
			MaxFaces:      1,
		})
		wantError(t, err, recollect.CodeInvalidParameter,
			"There are no faces in the image. Should be at least 1.")
	}

	deleted, err := s.DeleteFaces(ctx, face.DeleteFacesRequest{Realm: realm, CollectionID: "people",
		FaceIDs: []string{a2.ID, a2.ID, "00000000-0000-4000-8000-000000000000"}})
	if err != nil || len(deleted.Deleted) != 1 || deleted.Deleted[0].ID != a2.ID {
		t.Fatalf("DeleteFaces = %v, %v", deleted, err)
	}
	found, err = s.SearchFaces(ctx, face.SearchFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		FaceID:       a1.ID,
		Threshold:    80,
		MaxFaces:     10,
	})
	if err != nil || len(found.Matches) != 0 {
		t.Fatalf("SearchFaces after DeleteFaces = %v, %v", found, err)
	}
}

// A face that is deleted from the store while the index still knows it must neither be found nor
// push others out.
func TestSearchPassesOverDeletedFaces(t *testing.T) {
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
	var ids []string
	for shot := range 5 {
		r := index(t, s,
			face.IndexFacesRequest{Picture: picture(person{Person: 1, Shot: shot, Size: 0.5})})
		ids = append(ids, r.Indexed[0].Face.ID)
	}
	// loads the index
	if _, err := s.SearchFaces(ctx, face.SearchFacesRequest{Realm: realm, CollectionID: "people",
		FaceID: ids[4], MaxFaces: 1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.DeleteFaces(ctx, c.Key, ids[:3]); err != nil { // behind the index's back
		t.Fatal(err)
	}
	found, err := s.SearchFaces(ctx,
		face.SearchFacesRequest{Realm: realm, CollectionID: "people", FaceID: ids[4], MaxFaces: 1})
	if err != nil || len(found.Matches) != 1 || found.Matches[0].Face.ID != ids[3] {
		t.Errorf("SearchFaces = %v, %v; want the face that is left", found, err)
	}
}

func TestCompareFaces(t *testing.T) {
	s, ctx := newService(t), t.Context()
	source := picture(person{Person: 1, Size: 0.5}, person{Person: 9, Size: 0.4})
	target := picture(person{Person: 2, Size: 0.6}, person{Person: 1, Shot: 3, Size: 0.5},
		person{Person: 1, Size: 0.3})
	c, err := s.CompareFaces(ctx,
		face.CompareFacesRequest{Source: source, Target: target, Threshold: 80})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Matches) != 2 || c.Matches[0].Detail.BoundingBox.Width != 0.3 ||
		c.Matches[1].Detail.BoundingBox.Width != 0.5 {
		t.Errorf("matches %+v", c.Matches)
	}
	if len(c.Unmatched) != 1 || c.Unmatched[0].BoundingBox.Width != 0.6 ||
		c.Source.BoundingBox.Width != 0.5 {
		t.Errorf("source %+v, unmatched %+v", c.Source, c.Unmatched)
	}
	for _, pair := range [][2]recollect.Picture{{picture(), target}, {source, picture()}} {
		_, err := s.CompareFaces(ctx,
			face.CompareFacesRequest{Source: pair[0], Target: pair[1], Threshold: 80})
		wantError(t, err, recollect.CodeInvalidParameter, "Request has invalid parameters")
	}
}

func TestCollectionKeepsItsModelVersion(t *testing.T) {
	store, ctx := openStore(t), t.Context()
	service := func(versions ...string) *face.Service {
		var engines []face.Engine
		for _, v := range versions {
			engines = append(engines, enginetest.Engine(v))
		}
		s, err := face.NewService(face.Config{
			Store:   store,
			Faces:   exact.New(store, exact.Options{}),
			Users:   usersOf(store),
			Engines: engines,
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, err := create(ctx, service("1.0"), realm, "people"); err != nil {
		t.Fatal(err)
	}
	newer := service("2.0", "1.0")
	if c, err := create(ctx, newer, realm, "newer"); err != nil ||
		c.FaceModelVersion != "2.0" {
		t.Errorf("a new collection has version %q (%v)", c.FaceModelVersion, err)
	}
	req := face.IndexFacesRequest{Realm: realm, CollectionID: "people",
		Picture: picture(person{Size: 0.5})}
	if r, err := newer.IndexFaces(ctx, req); err != nil ||
		r.FaceModelVersion != "1.0" {
		t.Errorf("an old collection indexed with %+v (%v)", r, err)
	}
	_, err := service("3.0").IndexFaces(ctx, req)
	if err == nil || recollect.CodeOf(err) != recollect.CodeInternal ||
		!strings.Contains(err.Error(), `"1.0"`) {
		t.Errorf("a collection without its model: %v", err)
	}
	if _, err := face.NewService(face.Config{
		Store:   store,
		Engines: []face.Engine{enginetest.Engine("1.0"), enginetest.Engine("1.0")},
	}); err == nil {
		t.Error("two engines of one version were accepted")
	}
	if _, err := face.NewService(face.Config{
		Store: store,
	}); err == nil {
		t.Error("no engine was accepted")
	}
}

func TestRealmsSeeNothingOfEachOther(t *testing.T) {
	s := newService(t)
	for _, other := range []recollect.Realm{{Account: "210987654321", Region: realm.Region},
		{Account: realm.Account, Region: "eu-west-1"}} {
		if page, err := s.ListCollections(t.Context(),
			face.ListCollectionsRequest{Realm: other, Limit: 10}); err != nil ||
			len(page.Collections) != 0 {
			t.Errorf("%v lists %v (%v)", other, page, err)
		}
		if _, err := describe(t.Context(), s, other, "people"); recollect.CodeOf(
			err,
		) != recollect.CodeNotFound {
			t.Errorf("%v sees the collection: %v", other, err)
		}
		if _, err := create(t.Context(), s, other, "people"); err != nil {
			t.Errorf("%v cannot have a collection of the same name: %v", other, err)
		}
	}
}

func TestCancelledRequestChangesNothing(t *testing.T) {
	s := newService(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.IndexFaces(ctx, face.IndexFacesRequest{Realm: realm, CollectionID: "people",
		Picture: picture(person{Size: 0.5})}); err == nil {
		t.Error("a cancelled request was answered")
	}
	if c, err := describe(t.Context(), s, realm, "people"); err != nil || c.FaceCount != 0 {
		t.Errorf("%d faces (%v)", c.FaceCount, err)
	}
}

func TestLimits(t *testing.T) {
	s, ctx := newService(t), t.Context()
	if s.Limits() != face.DefaultLimits() || s.Limits().Validate() != nil {
		t.Errorf("a new service has the limits %+v", s.Limits())
	}
	s.ChangeLimits(func(l *face.Limits) { l.CollectionsPerRealm, l.FacesPerCollection = 2, 3 })
	if _, err := create(ctx, s, realm, "second"); err != nil {
		t.Fatal(err)
	}
	_, err := create(ctx, s, realm, "third")
	wantError(t, err, recollect.CodeQuota,
		"The account cannot have more than 2 collections in this region")
	index(t, s, face.IndexFacesRequest{Picture: picture(person{Person: 1, Size: 0.5},
		person{Person: 2, Size: 0.4})})
	_, err = s.IndexFaces(ctx, face.IndexFacesRequest{
		Realm:        realm,
		CollectionID: "people",
		Picture: picture(person{Person: 3, Size: 0.5},
			person{Person: 4, Size: 0.4}),
	})
	wantError(t, err, recollect.CodeQuota, "The collection cannot hold more than 3 faces")

	err = face.Limits{CollectionsPerRealm: -1, UsersPerCollection: 1, FacesPerUser: 101,
		TagsPerResource: 201}.Validate()
	for _, want := range []string{"CollectionsPerRealm is -1", "FacesPerCollection is 0",
		"FacesPerUser is 101, and must be 1 to 100", "TagsPerResource is 201"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}
