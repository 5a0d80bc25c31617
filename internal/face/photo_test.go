package face_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
)

// countingEngine counts the calls of Faces of its photos.
type countingEngine struct {
	enginetest.Engine
	calls atomic.Int64
}

func (e *countingEngine) Detect(ctx context.Context, picture []byte,
	want face.Attributes) (face.Photo, error) {
	photo, err := e.Engine.Detect(ctx, picture, want)
	return countingPhoto{photo, &e.calls}, err
}

type countingPhoto struct {
	face.Photo
	calls *atomic.Int64
}

func (p countingPhoto) Faces() []face.FaceDetail {
	p.calls.Add(1)
	return p.Photo.Faces()
}

// Faces makes a copy, of up to 2 MiB for a picture of 100 faces: each operation takes one of each
// picture, however many faces it has.
func TestFacesOfAPhotoAreCopiedOnce(t *testing.T) {
	store := openStore(t)
	engine := &countingEngine{Engine: "1.0"}
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   usersOf(store),
		Engines: []face.Engine{engine},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := create(ctx, s, realm, "people"); err != nil {
		t.Fatal(err)
	}
	var crowd []person
	for i := range 100 {
		crowd = append(crowd, person{Person: i, Size: 0.1})
	}
	const none = face.QualityNone
	tests := []struct {
		name     string
		pictures int64
		call     func() error
	}{
		{"IndexFaces", 1, func() error {
			r, err := s.IndexFaces(ctx, face.IndexFacesRequest{Realm: realm, CollectionID: "people",
				Picture: picture(crowd...), QualityFilter: none})
			if err == nil && len(r.Indexed) != len(crowd) {
				t.Errorf("%d faces were indexed", len(r.Indexed))
			}
			return err
		}},
		{"DetectFaces", 1, func() error {
			_, err := s.DetectFaces(ctx, face.DetectFacesRequest{Picture: picture(crowd...)})
			return err
		}},
		{"SearchFacesByImage", 1, func() error {
			_, err := s.SearchFacesByImage(ctx, face.SearchFacesByImageRequest{Realm: realm,
				CollectionID: "people", Picture: picture(crowd...), QualityFilter: none,
				MaxFaces: 1})
			return err
		}},
		{"SearchUsersByImage", 1, func() error {
			_, err := byImage(ctx, s, picture(crowd...), none, bounds{0, 1})
			return err
		}},
		{"CompareFaces", 2, func() error {
			r, err := s.CompareFaces(ctx, face.CompareFacesRequest{Source: picture(crowd[0]),
				Target: picture(crowd...), Threshold: 80, QualityFilter: none})
			if err == nil && len(r.Matches)+len(r.Unmatched) != len(crowd) {
				t.Errorf("%d and %d faces were compared", len(r.Matches), len(r.Unmatched))
			}
			return err
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			engine.calls.Store(0)
			if err := test.call(); err != nil {
				t.Fatal(err)
			}
			if n := engine.calls.Load(); n != test.pictures {
				t.Errorf("%d calls of Faces for %d pictures", n, test.pictures)
			}
		})
	}
}
