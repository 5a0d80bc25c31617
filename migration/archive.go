package migration

import (
	"fmt"
	"io"
	"time"

	"github.com/recollect-dev/recollect"
	"github.com/recollect-dev/recollect/archive"
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

// Write writes an archive of the collection with the vectors, boxes and confidences of the journal. Faces that the journal does not have are left out.
// Users keep their ids and have the vectors of the faces that they have then.
func Write(w io.Writer, old *archive.Reader, faces []archive.Face, j *Journal, faceModelVersion, program string) error {
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
	a, err := archive.NewWriter(w, archive.Manifest{Format: archive.KindCollection, Program: program, CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Collection: &c})
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
	if err := writeLines(a, archive.UsersName, users); err != nil {
		return err
	}
	err = writeVectors(a, archive.UserVectorsName, c.UserCount, j.dimension, func(write func([]float32) error) error {
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
			vector := recollect.Aggregate(vectors)
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
		f.BoundingBox.Width, f.BoundingBox.Height = found.BoundingBox.Width, found.BoundingBox.Height
		f.Confidence = found.Confidence
		lines = append(lines, f)
	}
	if err := writeLines(a, archive.FacesName, lines); err != nil {
		return err
	}
	err = writeVectors(a, archive.FaceVectorsName, c.FaceCount, j.dimension, func(write func([]float32) error) error {
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

func writeLines[T any](a *archive.Writer, name string, all []T) error {
	file, err := a.Create(name)
	if err != nil {
		return err
	}
	lines := archive.NewLines[T](file)
	for _, line := range all {
		if err := lines.Write(line); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return lines.Flush()
}

func writeVectors(a *archive.Writer, name string, rows int64, dimension int, each func(write func([]float32) error) error) error {
	file, err := a.Create(name)
	if err != nil {
		return err
	}
	vectors, err := archive.NewVectors(file, rows, dimension)
	if err != nil {
		return err
	}
	if err := each(vectors.Write); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return vectors.Flush()
}
