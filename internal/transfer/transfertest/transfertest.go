// Package transfertest makes collections for tests that move them, and compares what arrives.
package transfertest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// Fill makes a collection with faces, of which the first three belong to two users, a third user
// without faces, and tags.
func Fill(t *testing.T, store face.Store, realm recollect.Realm, id string,
	faces int) face.Collection {
	t.Helper()
	c, err := store.CreateCollection(t.Context(),
		face.Collection{Realm: realm, ID: id, FaceModelVersion: "1.0",
			CreatedAt: time.UnixMilli(1700000000123).UTC()},
		map[string]string{"team": "a", "empty": ""}, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]face.Face, faces)
	for i := range all {
		sin, cos := math.Sincos(float64(i))
		all[i] = face.Face{ID: uuid.NewString(), ImageID: uuid.NewString(),
			ExternalImageID: fmt.Sprintf("picture:%d.jpg", i%2*i),
			BoundingBox: recollect.BoundingBox{Left: .1, Top: -.01, Width: .333333,
				Height: float32(i) / 1000}, Confidence: 99.87654,
			Vector: []float32{float32(sin), float32(cos), 0, 0}}
		if i%5 == 0 {
			all[i].ExternalImageID = ""
		}
	}
	stored, _, err := store.AddFaces(t.Context(), c.Key, all, int64(faces))
	if err != nil {
		t.Fatal(err)
	}
	for i, user := range []struct {
		id      string
		members []face.Face
	}{{"bert", stored[:2]}, {"anna", stored[2:3]}, {"nobody", nil}} {
		err := store.CreateUser(t.Context(), c.Key,
			face.User{ID: user.id, SystemID: uuid.NewString(),
				CreatedAt: time.UnixMilli(1700000000000 + int64(i)).UTC()}, recollect.Once{}, 10)
		if err != nil || len(user.members) == 0 {
			continue
		}
		_, _, err = store.ChangeUser(t.Context(), c.Key, user.id, nil, recollect.Once{},
			func(face.UserState) (face.UserChange, error) {
				change := face.UserChange{Vector: user.members[0].Vector}
				for _, f := range user.members {
					change.Add = append(change.Add, f.Key)
				}
				return change, nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err = store.Collection(t.Context(), realm, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Contents returns all of a collection but its keys, as text.
func Contents(t *testing.T, store transfer.Viewer, realm recollect.Realm, id string) string {
	t.Helper()
	var b strings.Builder
	err := store.View(t.Context(), realm, id, func(v transfer.View) error {
		c := v.Collection()
		fmt.Fprintln(&b, c.FaceModelVersion, c.CreatedAt, c.FaceCount, c.UserCount, v.Tags())
		return errors.Join(
			v.Users(t.Context(), func(u face.User) error {
				u.Key = 0
				fmt.Fprintf(&b, "%+v\n", u)
				return nil
			}),
			v.Faces(t.Context(), func(f face.Face) error {
				f.Key = 0
				fmt.Fprintf(&b, "%+v\n", f)
				return nil
			}))
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
