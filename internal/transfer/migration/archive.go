package migration

import (
	"io"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// ReadFaces reads the faces of a collection's archive, without their vectors.
func ReadFaces(a *archive.Reader) (faces []archive.Face, err error) {
	file, err := a.Open(archive.FacesName)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readLines[archive.Face](file, archive.FacesName)
}

func readLines[T any](r io.Reader, name string) (all []T, err error) {
	lines := archive.NewLineReader[T](r, name)
	for {
		line, err := lines.Next()
		if err == io.EOF {
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
	c := *old.Manifest.Collection
	c.FaceModelVersion, c.Dimension, c.FaceCount = faceModelVersion, j.dimension, 0
	members := map[string][]string{} // faces of each user
	for _, f := range faces {
		if j.Has(f.FaceId) {
			c.FaceCount++
			if f.UserId != "" {
				members[f.UserId] = append(members[f.UserId], f.FaceId)
			}
		}
	}
	a, err := archive.NewWriter(w,
		archive.Manifest{Format: archive.KindCollection, Program: program,
			CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Collection: &c})
	if err != nil {
		return err
	}
	usersFile, err := old.Open(archive.UsersName)
	if err != nil {
		return err
	}
	defer usersFile.Close()
	users, err := readLines[archive.User](usersFile, archive.UsersName)
	if err != nil {
		return err
	}
	if err := archive.WriteLines(a, archive.UsersName, each(users)); err != nil {
		return err
	}
	err = archive.WriteVectors(a, archive.UserVectorsName, c.UserCount, j.dimension,
		func(write func([]float32) error) error {
			nobody := make([]float32, j.dimension)
			for _, u := range users {
				var vectors [][]float32
				for _, id := range members[u.UserId] {
					f, err := j.Face(id)
					if err != nil {
						return err
					}
					vectors = append(vectors, f.Vector)
				}
				vector := face.Aggregate(vectors)
				if vector == nil {
					vector = nobody
				}
				if err := write(vector); err != nil {
					return err
				}
			}
			return nil
		})
	if err != nil {
		return err
	}
	var lines []archive.Face
	for _, f := range faces {
		if !j.Has(f.FaceId) {
			continue
		}
		found, err := j.Face(f.FaceId)
		if err != nil {
			return err
		}
		f.BoundingBox.Left, f.BoundingBox.Top = found.BoundingBox.Left, found.BoundingBox.Top
		f.BoundingBox.Width, f.BoundingBox.Height = found.BoundingBox.Width,
			found.BoundingBox.Height
		f.Confidence = found.Confidence
		lines = append(lines, f)
	}
	if err := archive.WriteLines(a, archive.FacesName, each(lines)); err != nil {
		return err
	}
	err = archive.WriteVectors(a, archive.FaceVectorsName, c.FaceCount, j.dimension,
		func(write func([]float32) error) error {
			for _, f := range lines {
				found, err := j.Face(f.FaceId)
				if err != nil {
					return err
				}
				if err := write(found.Vector); err != nil {
					return err
				}
			}
			return nil
		})
	if err != nil {
		return err
	}
	return a.Close()
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
