package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// addUser makes a user of some faces, with their sum as its vector.
func addUser(t testing.TB, s *Store, c face.CollectionKey, id string, once recollect.Once,
	faceIDs ...string) []float32 {
	t.Helper()
	err := s.CreateUser(t.Context(), c,
		face.User{ID: id, SystemID: uuid.NewString(), CreatedAt: time.Now()}, recollect.Once{},
		1<<40)
	if err != nil {
		t.Fatal(err)
	}
	vector, err := giveFaces(t, s, c, id, once, faceIDs...)
	if err != nil {
		t.Fatal(err)
	}
	return vector
}

func giveFaces(t testing.TB, s *Store, c face.CollectionKey, id string, once recollect.Once,
	faceIDs ...string) (vector []float32, err error) {
	_, _, err = s.ChangeUser(t.Context(), c, id, faceIDs, once,
		func(state face.UserState) (face.UserChange, error) {
			change := face.UserChange{Answer: []byte("done")}
			for _, f := range state.Faces {
				if vector == nil {
					vector = make([]float32, len(f.Vector))
				}
				change.Add = append(change.Add, f.Key)
				for i, x := range f.Vector {
					vector[i] += x
				}
			}
			change.Vector = vector
			return change, nil
		})
	return vector, err
}

func faceIDs(faces []face.Face) (ids []string) {
	for _, f := range faces {
		ids = append(ids, f.ID)
	}
	return ids
}

// A file of schema version 2 keeps what it has, and takes users from then on.
func TestMigrationFromVersion2(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"0001_collections_and_faces.sql", "0002_iam.sql"} {
		script, err := migrations.ReadFile("migrations/" + name)
		if err != nil {
			t.Fatal(err)
		}
		raw(t, dir, string(script))
	}
	f, image := uuid.New(), uuid.New()
	raw(t, dir, fmt.Sprintf(`
		INSERT INTO collections (account, region, id, face_model_version, created_ms, face_count)
			VALUES ('123456789012', 'us-east-1', 'old', '7.0', 5, 1);
		INSERT INTO faces (collection_key, face_id, image_id, external_image_id,
				box_left, box_top, box_width, box_height, confidence)
			VALUES (1, x'%x', x'%x', 'me', 0.1, 0.2, 0.3, 0.4, 99);
		INSERT INTO embeddings VALUES (1, 1, x'0000803f00000000');
		INSERT INTO settings VALUES ('name', x'76616c7565');
		PRAGMA application_id = %d;
		PRAGMA user_version = 2`, f[:], image[:], applicationID))

	s := mustOpen(t, dir)
	c, err := s.Collection(t.Context(),
		recollect.Realm{Account: "123456789012", Region: "us-east-1"}, "old")
	if err != nil || c.FaceCount != 1 || c.UserCount != 0 || c.CreatedAt.UnixMilli() != 5 {
		t.Errorf("the collection is %+v, %v", c, err)
	}
	got, err := s.Face(t.Context(), c.Key, f.String())
	if err != nil || got.ImageID != image.String() || got.ExternalImageID != "me" ||
		got.UserID != "" || len(got.Vector) != 2 || got.Vector[0] != 1 {
		t.Errorf("the face is %+v, %v", got, err)
	}
	if value, ok, err := s.Setting(t.Context(), "name"); err != nil || !ok ||
		string(value) != "value" {
		t.Errorf("the setting is %q, %v", value, err)
	}
	addUser(t, s, c.Key, "me", recollect.Once{}, f.String())
	if got, err := s.Face(t.Context(), c.Key, f.String()); err != nil || got.UserID != "me" {
		t.Errorf("the face belongs to %q, %v", got.UserID, err)
	}
	wantIntact(t, s)
}

// once is a call of realm 1/r that is recorded for a day.
func once(token string, at time.Time) recollect.Once {
	return recollect.Once{Realm: recollect.Realm{Account: "1", Region: "r"},
		Operation: "AssociateFaces", Token: token, Now: at, Expires: at.Add(24 * time.Hour)}
}

func TestUsersAndAnswersSurviveReopening(t *testing.T) {
	dir, at := t.TempDir(), time.Now()
	s := mustOpen(t, dir)
	c := newCollection(t, s, "c")
	faces := addFaces(t, s, c, 3)
	vector := addUser(t, s, c, "me", once("token", at), faceIDs(faces)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = mustOpen(t, dir)
	u, err := s.User(t.Context(), c, "me")
	if err != nil || u.FaceCount != 3 ||
		!bytes.Equal(record.EncodeVector(u.Vector), record.EncodeVector(vector)) {
		t.Errorf("the user is %+v, %v", u, err)
	}
	answer, changed,
		err := s.ChangeUser(t.Context(), c, "me", nil, once("token", at.Add(time.Hour)), nil)
	if err != nil || string(answer) != "done" || changed != 0 {
		t.Errorf("the repeated call is answered %q, %d, %v", answer, changed, err)
	}
	other := once("token", at)
	other.Digest[0]++
	if _, _, err := s.ChangeUser(t.Context(), c, "me", nil, other,
		nil); recollect.CodeOf(err) != recollect.CodeIdempotentMismatch {
		t.Errorf("another call with the token: %v", err)
	}
}

// Answers that have expired do not pile up.
func TestAnswersArePurged(t *testing.T) {
	s, at := mustOpen(t, t.TempDir()), time.Now()
	c := newCollection(t, s, "c")
	addUser(t, s, c, "me", recollect.Once{})
	call := func(at time.Time) {
		t.Helper()
		if _, err := giveFaces(t, s, c, "me", once(uuid.NewString(), at)); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 {
		call(at)
	}
	for i, want := range []int64{41, 38, 35} { // each adds one; the first is too early to take any
		call(at.Add(24*time.Hour - time.Millisecond + time.Duration(i)*time.Millisecond))
		if n := s.number(t, "SELECT count(*) FROM answers"); n != want {
			t.Fatalf("after %d calls %d answers are kept, want %d", i+1, n, want)
		}
	}
	for range 20 {
		call(at.Add(25 * time.Hour))
	}
	if n := s.number(t,
		fmt.Sprintf("SELECT count(*) FROM answers WHERE expires_ms <= %d",
			at.Add(25*time.Hour).UnixMilli())); n != 0 {
		t.Errorf("%d expired answers are kept", n)
	}
}

// Deleting overwrites what was kept of users, too: of a user alone, and of one in a deleted
// collection, whose tags go with it.
func TestUsersAreWiped(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	doomed, kept := newCollection(t, s, "doomed"), newCollection(t, s, "kept")
	var gone [][]float32
	for i, f := range addFaces(t, s, doomed, sweepFaces+10) {
		gone = append(gone, addUser(t, s, doomed, fmt.Sprint("u", i), recollect.Once{}, f.ID))
	}
	pair := addFaces(t, s, kept, 2)
	gone = append(gone, addUser(t, s, kept, "me", recollect.Once{}, faceIDs(pair)...))
	if _, err := s.DeleteUser(t.Context(), kept, "me", recollect.Once{}); err != nil {
		t.Fatal(err)
	}
	addUser(t, s, kept, "you", recollect.Once{}, pair[1].ID)
	for _, c := range []face.CollectionKey{doomed, kept} {
		if err := s.ChangeTags(t.Context(), c, map[string]string{"a": "1", "b": "2"}, nil,
			50); err != nil {
			t.Fatal(err)
		}
	}
	deleteCollection(t, s, "doomed")
	waitSwept(t, s)
	for table, want := range map[string]int64{"users": 1, "user_vectors": 1, "faces": 2,
		"tags": 2} {
		if n := s.number(t, "SELECT count(*) FROM "+table); n != want {
			t.Errorf("%d rows are left in %s, want %d", n, table, want)
		}
	}
	wantIntact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	for _, vector := range gone {
		if bytes.Contains(content, record.EncodeVector(vector)) {
			t.Error("the vector of a deleted user is still in the file")
			break
		}
	}
}
