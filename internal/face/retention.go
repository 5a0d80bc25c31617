package face

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

const (
	// RetentionTag is the tag of a collection that says after how many days its faces are deleted.
	RetentionTag = "recollect:retention-days"

	// MaxRetentionDays is the largest value of the tag.
	MaxRetentionDays = 36500
)

// RetentionStore is what the deletion of old faces needs of a store. Faces have no time of their
// own. Instead it is noted from time to time which key the newest face has: a face with that key or
// a lower one is at least as old.
type RetentionStore interface {
	// CollectionsWithTag returns the collections of all realms that have a tag, in order of key.
	CollectionsWithTag(ctx context.Context, tag string) ([]TaggedCollection, error)

	// FacesUpTo returns at most limit faces of a collection with this key or a lower one, in
	// ascending order of key, without embeddings.
	FacesUpTo(ctx context.Context, c CollectionKey, highest FaceKey, limit int) ([]Face, error)

	// HighestFaceKey is the highest key that a face was ever given, or a higher one that none has;
	// 0 if there was none.
	HighestFaceKey(ctx context.Context) (VectorKey, error)

	// Setting returns the value kept under a name, and whether there is one.
	Setting(ctx context.Context, name string) (value []byte, ok bool, err error)

	// SetSetting keeps a value under a name, in place of an earlier one.
	SetSetting(ctx context.Context, name string, value []byte) error
}

// TaggedCollection is a collection with the value of one of its tags.
type TaggedCollection struct {
	Collection Collection
	Value      string
}

// retentionDays reads the value of the tag. CodeInvalidParameter.
func retentionDays(value string) (int, error) {
	days, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(days) != value || days < 1 || days > MaxRetentionDays {
		return 0, recollect.Errorf(recollect.CodeInvalidParameter,
			"The value of the tag %s has to be a whole number of days from 1 to %d.", RetentionTag,
			MaxRetentionDays)
	}
	return days, nil
}

// checkRetention returns an error if tags have an invalid retention. CodeInvalidParameter.
func checkRetention(tags map[string]string) error {
	if value, ok := tags[RetentionTag]; ok {
		_, err := retentionDays(value)
		return err
	}
	return nil
}

// marksSetting is the name under which [faceMarks] are kept.
const marksSetting = "face-marks"

const (
	marksVersion = 1

	// Marks are kept for each hour of the last two days, and for each day before.
	hourlyMarks = 48 * time.Hour
	dailyMark   = 24 * time.Hour
)

// faceMarks say which faces were there at which times.
type faceMarks struct {
	Version int        `json:"version"`
	Marks   []faceMark `json:"marks"` // ascending in both
}

// faceMark says that all faces up to a key were stored by a time.
type faceMark struct {
	Millis int64   `json:"at"` // Unix time
	Key    FaceKey `json:"key"`
}

// add notes the highest key at a time, and reports whether that changed anything.
func (m *faceMarks) add(at time.Time, highest FaceKey) bool {
	before := len(m.Marks)
	// Later ones are of a clock that was wrong.
	m.Marks = slices.DeleteFunc(m.Marks, func(mark faceMark) bool {
		return mark.Millis > at.UnixMilli()
	})
	last := len(m.Marks) - 1
	if len(m.Marks) == before && last >= 0 && m.Marks[last].Key >= highest {
		return false
	}
	m.Marks = append(m.Marks, faceMark{at.UnixMilli(), highest})
	m.thin(at)
	return true
}

// thin removes all but the last mark of each day, but for the newest days.
func (m *faceMarks) thin(now time.Time) {
	day := func(mark faceMark) int64 { return mark.Millis / dailyMark.Milliseconds() }
	hourly := now.Add(-hourlyMarks).UnixMilli()
	kept := m.Marks[:0]
	for i, mark := range m.Marks {
		next := i + 1
		if mark.Millis < hourly && next < len(m.Marks) && day(m.Marks[next]) == day(mark) &&
			m.Marks[next].Millis < hourly {
			continue
		}
		kept = append(kept, mark)
	}
	m.Marks = kept
}

// by returns the highest key that was there at a time; 0 if that is not known.
func (m *faceMarks) by(at time.Time) FaceKey {
	var key FaceKey
	for _, mark := range m.Marks {
		if mark.Millis <= at.UnixMilli() {
			key = max(key, mark.Key)
		}
	}
	return key
}

// markFaces notes which faces there are now, and returns all marks.
func (s *Service) markFaces(ctx context.Context, now time.Time) (*faceMarks, error) {
	value, ok, err := s.retention.Setting(ctx, marksSetting)
	if err != nil {
		return nil, err
	}
	marks := &faceMarks{Version: marksVersion}
	if ok {
		if err := json.Unmarshal(value, marks); err != nil {
			return nil, fmt.Errorf("read the ages of faces: %w", err)
		}
		if marks.Version != marksVersion {
			return nil, fmt.Errorf("the ages of faces have version %d, and this program knows "+
				"version %d", marks.Version, marksVersion)
		}
	}
	highest, err := s.retention.HighestFaceKey(ctx)
	if err != nil {
		return nil, err
	}
	if !marks.add(now, FaceKey(highest)) {
		return marks, nil
	}
	if value, err = json.Marshal(marks); err != nil {
		return nil, err
	}
	return marks, s.retention.SetSetting(ctx, marksSetting, value)
}

// Expired are faces of a collection that are older than its tag [RetentionTag] allows.
type Expired struct {
	Collection Collection
	Days       int
	Faces      []Face // at least one, in ascending order of key
}

// ExpiredFacesRequest is the request of [Service.ExpiredFaces].
type ExpiredFacesRequest struct {
	Limit int // faces of each collection, at least 1
}

// ExpiredFacesResult is the result of [Service.ExpiredFaces].
type ExpiredFacesResult struct {
	Expired []Expired

	// Invalid are collections whose tag is not a number of days, which an archive can have brought:
	// nothing of them expires.
	Invalid []TaggedCollection
}

// ExpiredFaces notes which faces there are, and returns those that have been there for as many days
// as their collection's tag says. A face's age is known to the time between two calls, or to a day
// for retentions of more than two days: none is returned too early. Faces that were there before
// the first call count from it.
func (s *Service) ExpiredFaces(ctx context.Context,
	req ExpiredFacesRequest) (*ExpiredFacesResult, error) {
	now := s.now()
	marks, err := s.markFaces(ctx, now)
	if err != nil {
		return nil, err
	}
	tagged, err := s.retention.CollectionsWithTag(ctx, RetentionTag)
	if err != nil {
		return nil, err
	}
	result := &ExpiredFacesResult{}
	for _, t := range tagged {
		days, err := retentionDays(t.Value)
		if err != nil {
			result.Invalid = append(result.Invalid, t)
			continue
		}
		highest := marks.by(now.Add(-time.Duration(days) * 24 * time.Hour))
		if highest == 0 {
			continue
		}
		faces, err := s.retention.FacesUpTo(ctx, t.Collection.Key, highest, req.Limit)
		if err != nil {
			return nil, err
		}
		if len(faces) > 0 {
			result.Expired = append(result.Expired, Expired{t.Collection, days, faces})
		}
	}
	return result, nil
}

// DeleteExpired deletes faces that [Service.ExpiredFaces] returned, also those that belong to a
// user, whose vector is then that of its other faces. It returns those that it deleted; others were
// deleted meanwhile, or became a user's. CodeNotFound if the collection was deleted.
func (s *Service) DeleteExpired(ctx context.Context, e Expired) ([]Face, error) {
	ids := make([]string, len(e.Faces))
	ofUser := map[string][]string{}
	for i, f := range e.Faces {
		ids[i] = f.ID
		if f.UserID != "" {
			ofUser[f.UserID] = append(ofUser[f.UserID], f.ID)
		}
	}
	for user, faces := range ofUser {
		_, err := s.DisassociateFaces(ctx, DisassociateFacesRequest{Realm: e.Collection.Realm,
			CollectionID: e.Collection.ID, UserID: user, FaceIDs: faces})
		if err != nil && recollect.CodeOf(err) != recollect.CodeNotFound {
			return nil, err
		}
	}
	result, err := s.DeleteFaces(ctx, DeleteFacesRequest{Realm: e.Collection.Realm,
		CollectionID: e.Collection.ID, FaceIDs: ids})
	if err != nil {
		return nil, err
	}
	return result.Deleted, nil
}
