package face_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

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
