package face_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/store/storetest"
)

// TestReconcileFaces compares a collection that is read in several pages with lists.
func TestReconcileFaces(t *testing.T) {
	store := openStore(t)
	s, err := face.NewService(face.Config{Store: store, Users: usersOf(store),
		Faces: exact.New(store, exact.Options{}), Engines: []face.Engine{enginetest.Engine("1.0")}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(t.Context(), s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	const n = 2*4096 + 100
	faces := make([]face.Face, n)
	var all []string
	for i := range faces {
		faces[i] = storetest.NewFace()
		if i > 0 { // one has no external id
			faces[i].ExternalImageID = fmt.Sprintf("picture-%05d", i)
			all = append(all, faces[i].ExternalImageID)
		}
	}
	if _, _, err := store.AddFaces(t.Context(), c.Key, faces, n); err != nil {
		t.Fatal(err)
	}
	reconcile := func(kind face.IDKind, limit int, ids ...string) (missing, unlisted []string,
		pages int) {
		t.Helper()
		req := face.ReconcileFacesRequest{Collection: c, Kind: kind, IDs: ids, Limit: limit}
		for {
			pages++
			result, err := s.ReconcileFaces(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if (result.Missing == nil) != (req.After != "") || len(result.Unlisted) > limit {
				t.Fatalf("page %d: %d unlisted, missing %v", pages, len(result.Unlisted),
					result.Missing)
			}
			missing = append(missing, result.Missing...)
			for _, f := range result.Unlisted {
				unlisted = append(unlisted, f.ExternalImageID)
			}
			if !result.More {
				slices.Sort(unlisted)
				return missing, unlisted, pages
			}
			req.After = result.Unlisted[len(result.Unlisted)-1].ID
		}
	}
	if missing, unlisted, pages := reconcile(face.KindExternalImageID, 100,
		append(slices.Clone(all[:n-3]), "b", "a", "b")...); !slices.Equal(missing,
		[]string{"a", "b"}) || !slices.Equal(unlisted, []string{"", all[n-3], all[n-2]}) ||
		pages != 1 {
		t.Errorf("missing %q, unlisted %q on %d pages", missing, unlisted, pages)
	}
	if missing, unlisted, pages := reconcile(face.KindExternalImageID, 1000,
		"none"); !slices.Equal(missing, []string{"none"}) || len(unlisted) != n ||
		!slices.Equal(unlisted[1:], all) || pages != n/1000+1 {
		t.Errorf("missing %q, %d unlisted on %d pages", missing, len(unlisted), pages)
	}
	if missing, unlisted, _ := reconcile(face.KindFaceID, n, faces[7].ID); len(missing) != 0 ||
		len(unlisted) != n-1 || slices.Contains(unlisted, faces[7].ExternalImageID) {
		t.Errorf("by face: missing %q, %d unlisted", missing, len(unlisted))
	}
	if missing, unlisted, _ := reconcile(face.KindImageID, n, faces[7].ImageID,
		faces[8].ImageID); len(missing) != 0 || len(unlisted) != n-2 {
		t.Errorf("by picture: missing %q, %d unlisted", missing, len(unlisted))
	}
}
