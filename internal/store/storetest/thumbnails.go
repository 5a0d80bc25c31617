package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func testThumbnails(t *testing.T, s face.Store) {
	c, other := create(t, s, home(), "c"), create(t, s, home(), "other")
	shown := func(f face.Face) string {
		t.Helper()
		jpeg, err := s.Thumbnail(t.Context(), c.Key, f.ID)
		if recollect.CodeOf(err) == recollect.CodeNotFound {
			return ""
		}
		must(t, err)
		return string(jpeg)
	}
	with, without, again := NewFace(), NewFace(), NewFace()
	with.Thumbnail, again.ExternalImageID = []byte("a face"), "me"
	add(t, s, c.Key, with, without, again)
	if shown(with) != "a face" || shown(without) != "" || shown(again) != "" {
		t.Errorf("there is %q of the face with one, %q and %q of those without", shown(with),
			shown(without), shown(again))
	}

	// A face that is added again gets one, once.
	for _, thumbnail := range []string{"first", "second"} {
		repeated := again
		repeated.ID, repeated.Thumbnail = uuid.NewString(), []byte(thumbnail)
		add(t, s, c.Key, repeated)
		if got := shown(again); got != "first" {
			t.Errorf("after the %s addition there is %q of it", thumbnail, got)
		}
	}

	for _, id := range []string{"", "nonsense", uuid.NewString()} {
		_, err := s.Thumbnail(t.Context(), c.Key, id)
		wantCode(t, err, recollect.CodeNotFound)
	}
	_, err := s.Thumbnail(t.Context(), other.Key, with.ID)
	wantCode(t, err, recollect.CodeNotFound)

	_, _, err = s.DeleteFaces(t.Context(), c.Key, []string{with.ID})
	must(t, err)
	if got := shown(with); got != "" {
		t.Errorf("of a face that is deleted there is %q", got)
	}
	_, err = s.DeleteCollection(t.Context(), home(), "c")
	must(t, err)
	if got := shown(again); got != "" {
		t.Errorf("of a collection that is deleted there is %q", got)
	}
}
