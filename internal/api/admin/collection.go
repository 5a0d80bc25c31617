package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// importBatch is how many faces or users are put into one change of the store: it makes others wait
// for some milliseconds.
const importBatch = 256

// WriteCollection writes an archive of a collection as of one moment to w. CodeNotFound if there is
// none.
func WriteCollection(ctx context.Context, w io.Writer, store *sqlite.Store, realm recollect.Realm,
	id, version string) error {
	return store.View(ctx, realm, id, func(v *sqlite.View) error {
		// Every vector of a collection has as many numbers as the first.
		dimension := 0
		enough := errors.New("enough")
		if err := v.Faces(ctx, func(f face.Face) error {
			dimension = len(f.Vector)
			return enough
		}); err != nil && !errors.Is(err, enough) {
			return err
		}
		c := v.Collection
		a, err := archive.NewWriter(w, archive.Manifest{
			Format:    archive.KindCollection,
			Program:   version,
			CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
			Collection: &archive.Collection{
				CollectionId:     c.ID,
				FaceModelVersion: c.FaceModelVersion,
				CreatedAt:        c.CreatedAt,
				Tags:             v.Tags,
				Dimension:        dimension,
				FaceCount:        c.FaceCount,
				UserCount:        c.UserCount,
			},
		})
		if err != nil {
			return err
		}
		for _, write := range []func() error{
			func() error {
				return archive.WriteLines(a, archive.UsersName,
					func(write func(archive.User) error) error {
						return v.Users(ctx, func(u face.User) error {
							return write(archive.User{UserId: u.ID, SystemId: u.SystemID,
								CreatedAt: u.CreatedAt})
						})
					})
			},
			func() error {
				nobody := make([]float32, dimension)
				return archive.WriteVectors(a, archive.UserVectorsName, c.UserCount, dimension,
					func(write func([]float32) error) error {
						return v.Users(ctx, func(u face.User) error {
							if u.Vector == nil {
								return write(nobody)
							}
							return write(u.Vector)
						})
					})
			},
			func() error {
				return archive.WriteLines(a, archive.FacesName,
					func(write func(archive.Face) error) error {
						return v.Faces(ctx, func(f face.Face) error { return write(faceLine(f)) })
					})
			},
			func() error {
				return archive.WriteVectors(a, archive.FaceVectorsName, c.FaceCount, dimension,
					func(write func([]float32) error) error {
						return v.Faces(ctx, func(f face.Face) error { return write(f.Vector) })
					})
			},
		} {
			if err := write(); err != nil {
				return fmt.Errorf("export: %w", err)
			}
		}
		return a.Close()
	})
}

func faceLine(f face.Face) archive.Face {
	line := archive.Face{FaceId: f.ID, ImageId: f.ImageID, ExternalImageId: f.ExternalImageID,
		UserId: f.UserID, Confidence: f.Confidence}
	line.BoundingBox.Left, line.BoundingBox.Top = f.BoundingBox.Left, f.BoundingBox.Top
	line.BoundingBox.Width, line.BoundingBox.Height = f.BoundingBox.Width, f.BoundingBox.Height
	return line
}

// importer brings the collection of an archive into a realm.
type importer struct {
	store  *sqlite.Store
	models []Model
	limits face.Limits
}

// run imports the collection under this id. All of it is there afterwards, or nothing.
// CodeAlreadyExists, CodeQuota, and CodeInvalidParameter for a model that is not loaded and for
// what no server would have written.
func (m *importer) run(ctx context.Context, a *archive.Reader, realm recollect.Realm,
	id string) (_ face.Collection, err error) {
	c := a.Manifest.Collection
	if err := m.check(c, id); err != nil {
		return face.Collection{}, err
	}
	if _, err := m.store.Collection(ctx, realm, id); err == nil {
		return face.Collection{},
			recollect.Errorf(recollect.CodeAlreadyExists, "The collection id: %s already exists",
				id)
	} else if recollect.CodeOf(err) != recollect.CodeNotFound {
		return face.Collection{}, err
	}
	incoming, err := m.store.NewImport(ctx,
		face.Collection{Realm: realm, ID: id, FaceModelVersion: c.FaceModelVersion,
			CreatedAt: c.CreatedAt}, c.Tags)
	if err != nil {
		return face.Collection{}, err
	}
	defer func() { err = errors.Join(err, incoming.Abandon()) }()
	err = pairs(a, archive.UsersName, archive.UserVectorsName, c.UserCount, c.Dimension, readUser,
		func(users []face.User) error { return incoming.AddUsers(ctx, users) })
	if err != nil {
		return face.Collection{}, err
	}
	err = pairs(a, archive.FacesName, archive.FaceVectorsName, c.FaceCount, c.Dimension, readFace,
		func(faces []face.Face) error { return incoming.AddFaces(ctx, faces) })
	if err != nil {
		return face.Collection{}, err
	}
	return incoming.Publish(ctx, m.limits.CollectionsPerRealm)
}

// check refuses what cannot be imported, by the manifest alone.
func (m *importer) check(c *archive.Collection, id string) error {
	var versions []string
	known := -1
	for i, model := range m.models {
		versions = append(versions, model.Version)
		if model.Version == c.FaceModelVersion {
			known = i
		}
	}
	if known < 0 {
		return recollect.Errorf(recollect.CodeInvalidParameter,
			"The archive's faces are of the face model version %.40q, and this server has %q: "+
				"vectors of one model mean nothing to another.", c.FaceModelVersion, versions)
	}
	if c.Dimension != m.models[known].Dimension && (c.Dimension != 0 || c.FaceCount != 0) {
		return recollect.Errorf(recollect.CodeInvalidParameter,
			"The archive's vectors have %d numbers, and those of the face model version %s have "+
				"%d.",
			c.Dimension, c.FaceModelVersion, m.models[known].Dimension)
	}
	if c.FaceCount > m.limits.FacesPerCollection {
		return recollect.Errorf(recollect.CodeQuota,
			"The collection cannot hold more than %d faces", m.limits.FacesPerCollection)
	}
	if c.UserCount > m.limits.UsersPerCollection {
		return recollect.Errorf(recollect.CodeQuota,
			"The collection cannot hold more than %d users", m.limits.UsersPerCollection)
	}
	if len(c.Tags) > m.limits.TagsPerResource {
		return face.TooManyTagsError(m.limits.TagsPerResource)
	}
	return wire.Validate(&wire.CreateCollectionRequest{CollectionId: &id, Tags: c.Tags})
}

// pairs reads lines with their vectors, and adds them some at a time.
func pairs[Line, T any](a *archive.Reader, linesName, vectorsName string, count int64,
	dimension int, join func(Line, []float32) (T, error), add func([]T) error) error {
	linesFile, err := a.Open(linesName)
	if err != nil {
		return err
	}
	defer linesFile.Close()
	vectorsFile, err := a.Open(vectorsName)
	if err != nil {
		return err
	}
	defer vectorsFile.Close()
	lines := archive.NewLineReader[Line](linesFile, linesName)
	vectors, err := archive.NewVectorReader(vectorsFile, vectorsName, count, dimension)
	if err != nil {
		return err
	}
	batch := make([]T, 0, importBatch)
	for n := int64(0); ; n++ {
		line, lineErr := lines.Next()
		vector, vectorErr := vectors.Next()
		if (lineErr == io.EOF) != (vectorErr == io.EOF) {
			return recollect.Errorf(recollect.CodeInvalidParameter,
				"The archive's %s and %s are not of the same length.", linesName, vectorsName)
		}
		if lineErr == io.EOF {
			break
		}
		if err := errors.Join(lineErr, vectorErr); err != nil {
			return err
		}
		one, err := join(line, vector)
		if err != nil {
			return fmt.Errorf("line %d of %s: %w", n+1, linesName, err)
		}
		if batch = append(batch, one); len(batch) == importBatch {
			if err := add(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return add(batch)
}

func readUser(line archive.User, vector []float32) (face.User, error) {
	id := "any"
	if err := wire.Validate(&wire.CreateUserRequest{CollectionId: &id,
		UserId: &line.UserId}); err != nil {
		return face.User{}, err
	}
	u := face.User{ID: line.UserId, SystemID: line.SystemId, CreatedAt: line.CreatedAt}
	if norm(vector) != 0 {
		u.Vector = vector
		return u, checkUnit(vector)
	}
	return u, nil
}

func readFace(line archive.Face, vector []float32) (face.Face, error) {
	if line.ExternalImageId != "" {
		id := "any"
		if err := wire.Validate(&wire.IndexFacesRequest{CollectionId: &id, Image: &wire.Image{},
			ExternalImageId: &line.ExternalImageId}); err != nil {
			return face.Face{}, err
		}
	}
	box := line.BoundingBox
	return face.Face{
		ID: line.FaceId, ImageID: line.ImageId, ExternalImageID: line.ExternalImageId,
		UserID: line.UserId, Confidence: line.Confidence,
		BoundingBox: recollect.BoundingBox{Left: box.Left, Top: box.Top, Width: box.Width,
			Height: box.Height},
		Vector: vector,
	}, checkUnit(vector)
}

// checkUnit refuses a vector that is not L2-normalised, which the search relies on.
func checkUnit(v []float32) error {
	if n := norm(v); !(math.Abs(n-1) < 1e-3) {
		return recollect.Errorf(recollect.CodeInvalidParameter,
			"A vector of the archive has the length %.6g, not 1.", n)
	}
	return nil
}

// norm is the Euclidean length.
func norm(v []float32) float64 {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	return math.Sqrt(squares)
}
