package migration

import (
	"errors"
	"io"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// ReadFaces reads the faces of a collection's archive, without their vectors.
func ReadFaces(a *archive.Reader) ([]archive.Face, error) {
	return readLines[archive.Face](a, archive.FacesName)
}

func readUsers(a *archive.Reader) ([]archive.User, error) {
	return readLines[archive.User](a, archive.UsersName)
}

func readLines[T any](a *archive.Reader, name string) (all []T, err error) {
	file, err := a.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := archive.NewLineReader[T](file, name)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, line)
	}
}

// Write writes an archive of the collection with the vectors, boxes and confidences of the journal.
// Faces that the journal does not have are left out. Users keep their ids and have the vectors of
// the faces that they have then.
func Write(w io.Writer, old *archive.Reader, faces []archive.Face, j *Journal, faceModelVersion,
	program string) error {
	m, err := collectMigrated(old, faces, j)
	if err != nil {
		return err
	}
	c := *old.Manifest.Collection
	c.FaceModelVersion, c.Dimension = faceModelVersion, j.dimension
	c.FaceCount = int64(len(m.faces))
	a, err := archive.NewWriter(w,
		archive.Manifest{Format: archive.KindCollection, Program: program,
			CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Collection: &c})
	if err != nil {
		return err
	}
	if err := archive.WriteLines(a, archive.UsersName, each(m.users)); err != nil {
		return err
	}
	if err := archive.WriteVectors(a, archive.UserVectorsName, c.UserCount, j.dimension,
		m.userVectors); err != nil {
		return err
	}
	if err := archive.WriteLines(a, archive.FacesName, each(m.faces)); err != nil {
		return err
	}
	if err := archive.WriteVectors(a, archive.FaceVectorsName, c.FaceCount, j.dimension,
		m.faceVectors); err != nil {
		return err
	}
	return a.Close()
}

// migrated is a collection as it is after the migration. The journal has the vectors.
type migrated struct {
	journal *Journal
	users   []archive.User
	faces   []archive.Face      // those that the journal has, with their new boxes
	members map[string][]string // ids of the faces of each user, by the user's id
}

func collectMigrated(old *archive.Reader, faces []archive.Face, j *Journal) (*migrated, error) {
	m := &migrated{journal: j, members: map[string][]string{}}
	var err error
	if m.users, err = readUsers(old); err != nil {
		return nil, err
	}
	for _, f := range faces {
		if !j.Has(f.FaceId) {
			continue
		}
		found, err := j.Face(f.FaceId)
		if err != nil {
			return nil, err
		}
		box := found.BoundingBox
		f.BoundingBox.Left, f.BoundingBox.Top = box.Left, box.Top
		f.BoundingBox.Width, f.BoundingBox.Height = box.Width, box.Height
		f.Confidence = found.Confidence
		m.faces = append(m.faces, f)
		if f.UserId != "" {
			m.members[f.UserId] = append(m.members[f.UserId], f.FaceId)
		}
	}
	return m, nil
}

// userVectors writes the vector of each user, zeros for one without faces.
func (m *migrated) userVectors(write func([]float32) error) error {
	none := make([]float32, m.journal.dimension)
	for _, u := range m.users {
		vector, err := m.aggregate(u.UserId)
		if err != nil {
			return err
		}
		if vector == nil {
			vector = none
		}
		if err := write(vector); err != nil {
			return err
		}
	}
	return nil
}

// aggregate makes a user's vector of those of its faces, nil if it has none.
func (m *migrated) aggregate(userID string) ([]float32, error) {
	var vectors [][]float32
	for _, id := range m.members[userID] {
		f, err := m.journal.Face(id)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, f.Vector)
	}
	return face.Aggregate(vectors), nil
}

// faceVectors writes the vector of each face.
func (m *migrated) faceVectors(write func([]float32) error) error {
	for _, f := range m.faces {
		found, err := m.journal.Face(f.FaceId)
		if err != nil {
			return err
		}
		if err := write(found.Vector); err != nil {
			return err
		}
	}
	return nil
}

// each hands all of them to a writer.
func each[T any](all []T) func(write func(T) error) error {
	return func(write func(T) error) error {
		for _, one := range all {
			if err := write(one); err != nil {
				return err
			}
		}
		return nil
	}
}
