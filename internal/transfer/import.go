package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// importBatch is how many faces or users are put into one change of the store: it makes others wait
// for some milliseconds.
const importBatch = 256

// Incoming takes collections in. Its methods may be called by several goroutines at once.
type Incoming interface {
	// Collection returns a collection. CodeNotFound if there is none.
	Collection(ctx context.Context, realm recollect.Realm, id string) (face.Collection, error)

	// NewImport begins to import a collection, whose Realm, ID, FaceModelVersion and CreatedAt are
	// given. The caller ends it by Publish or Abandon.
	NewImport(ctx context.Context, c face.Collection, tags map[string]string) (Import, error)
}

// Import is a collection that is being imported with its faces and users, in any number of parts.
// It cannot be found until it is published as a whole.
type Import interface {
	// AddUsers adds users with their ids, SystemID, CreatedAt and Vector, which is nil for one
	// without faces. CodeConflict if an id is there already.
	AddUsers(ctx context.Context, users []face.User) error

	// AddFaces adds faces with their ids, vectors and the ids of the users that have them, who are
	// there already. CodeConflict if an id is there already, CodeInvalidParameter if a user is not.
	AddFaces(ctx context.Context, faces []face.Face) error

	// Publish makes the collection one of its realm. CodeAlreadyExists if the realm has one with
	// that id, CodeQuota if it would have more than maxCollections, where 0 stands for no limit, or
	// a user more faces than one may have; CodeInvalidParameter if a user with faces has no vector
	// or one without has.
	Publish(ctx context.Context, maxCollections int64) (face.Collection, error)

	// Abandon deletes an import that was not published, and does nothing to one that was.
	Abandon() error
}

// Rules are the constraints of the names that a collection can have. Each returns an error for a
// name that breaks them.
type Rules interface {
	CheckCollection(id string, tags map[string]string) error
	CheckUser(id string) error
	CheckExternalImageID(id string) error
}

// Model is a face model that the server has loaded.
type Model struct {
	Version   string // what collections keep as their FaceModelVersion
	Dimension int    // of its vectors
}

// Importer brings collections of archives into a realm. All fields are required.
type Importer struct {
	Store  Incoming
	Rules  Rules
	Models []Model
	Limits face.Limits
}

// The most bytes that an archive has of a face and of a user beside their vectors, and of all else:
// manifest, checksums and the records of the zip file. A face's line is the longest: two UUIDs, an
// external id of 255 characters, a user's id of 128, and five numbers.
const (
	maxLineBytes = 1 << 10
	maxElseBytes = 2 << 20
)

// MaxArchiveBytes returns the most bytes that an archive can have whose collection is within the
// limits.
func (m *Importer) MaxArchiveBytes() int64 {
	dimension := 0
	for _, model := range m.Models {
		dimension = max(dimension, model.Dimension)
	}
	each := float64(maxLineBytes + 4*dimension)
	total := each*(float64(m.Limits.FacesPerCollection)+float64(m.Limits.UsersPerCollection)) +
		maxElseBytes
	if total >= math.MaxInt64 { // a limit that stands for none
		return math.MaxInt64
	}
	return int64(total)
}

// Import imports the collection under this id. All of it is there afterwards, or nothing.
// CodeAlreadyExists, CodeQuota, and CodeInvalidParameter for a model that is not loaded and for
// what no server would have written.
func (m *Importer) Import(ctx context.Context, a *archive.Reader, realm recollect.Realm,
	id string) (_ face.Collection, err error) {
	c := a.Manifest.Collection
	if err := m.check(c, id); err != nil {
		return face.Collection{}, err
	}
	if _, err := m.Store.Collection(ctx, realm, id); err == nil {
		return face.Collection{},
			recollect.Errorf(recollect.CodeAlreadyExists, "The collection id: %s already exists",
				id)
	} else if recollect.CodeOf(err) != recollect.CodeNotFound {
		return face.Collection{}, err
	}
	incoming, err := m.Store.NewImport(ctx,
		face.Collection{Realm: realm, ID: id, FaceModelVersion: c.FaceModelVersion,
			CreatedAt: c.CreatedAt}, c.Tags)
	if err != nil {
		return face.Collection{}, err
	}
	defer func() { err = errors.Join(err, incoming.Abandon()) }()
	err = pairs(a, archive.UsersName, archive.UserVectorsName, c.UserCount, c.Dimension, m.readUser,
		func(users []face.User) error { return incoming.AddUsers(ctx, users) })
	if err != nil {
		return face.Collection{}, err
	}
	err = pairs(a, archive.FacesName, archive.FaceVectorsName, c.FaceCount, c.Dimension, m.readFace,
		func(faces []face.Face) error { return incoming.AddFaces(ctx, faces) })
	if err != nil {
		return face.Collection{}, err
	}
	return incoming.Publish(ctx, m.Limits.CollectionsPerRealm)
}

// check rejects what cannot be imported, by the manifest alone.
func (m *Importer) check(c *archive.Collection, id string) error {
	var versions []string
	known := -1
	for i, model := range m.Models {
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
	if c.Dimension != m.Models[known].Dimension && (c.Dimension != 0 || c.FaceCount != 0) {
		return recollect.Errorf(recollect.CodeInvalidParameter,
			"The archive's vectors have %d numbers, and those of the face model version %s have "+
				"%d.",
			c.Dimension, c.FaceModelVersion, m.Models[known].Dimension)
	}
	if c.FaceCount > m.Limits.FacesPerCollection {
		return recollect.Errorf(recollect.CodeQuota,
			"The collection cannot hold more than %d faces", m.Limits.FacesPerCollection)
	}
	if c.UserCount > m.Limits.UsersPerCollection {
		return recollect.Errorf(recollect.CodeQuota,
			"The collection cannot hold more than %d users", m.Limits.UsersPerCollection)
	}
	if len(c.Tags) > m.Limits.TagsPerResource {
		return face.TooManyTagsError(m.Limits.TagsPerResource)
	}
	return m.Rules.CheckCollection(id, c.Tags)
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
		end := errors.Is(lineErr, io.EOF)
		if end != errors.Is(vectorErr, io.EOF) {
			return recollect.Errorf(recollect.CodeInvalidParameter,
				"The archive's %s and %s are not of the same length.", linesName, vectorsName)
		}
		if end {
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

func (m *Importer) readUser(line archive.User, vector []float32) (face.User, error) {
	if err := m.Rules.CheckUser(line.UserId); err != nil {
		return face.User{}, err
	}
	u := face.User{ID: line.UserId, SystemID: line.SystemId, CreatedAt: line.CreatedAt}
	if norm(vector) != 0 {
		u.Vector = vector
		return u, checkUnit(vector)
	}
	return u, nil
}

func (m *Importer) readFace(line archive.Face, vector []float32) (face.Face, error) {
	if line.ExternalImageId != "" {
		if err := m.Rules.CheckExternalImageID(line.ExternalImageId); err != nil {
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

// checkUnit rejects a vector that is not L2-normalised, as searches need it.
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
