package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// Viewer calls read with a collection as of one moment. CodeNotFound if there is none.
type Viewer interface {
	View(ctx context.Context, realm recollect.Realm, id string, read func(View) error) error
}

// View is a collection as of one moment. Faces and Users call each in the same order every time,
// until it returns an error, which they return.
type View interface {
	Collection() face.Collection
	Tags() map[string]string
	Faces(ctx context.Context, each func(face.Face) error) error // with their vectors
	Users(ctx context.Context, each func(face.User) error) error // Vector is nil without faces
}

// Exporter writes archives of collections. All fields are required.
type Exporter struct {
	Store   Viewer
	Program string // version of the program
}

// Write writes an archive of a collection as of one moment to w. CodeNotFound if there is none.
func (e *Exporter) Write(ctx context.Context, w io.Writer, realm recollect.Realm,
	id string) error {
	return e.Store.View(ctx, realm, id, func(v View) error { return e.write(ctx, w, v) })
}

func (e *Exporter) write(ctx context.Context, w io.Writer, v View) error {
	dimension, err := dimensionOf(ctx, v)
	if err != nil {
		return err
	}
	c := v.Collection()
	a, err := archive.NewWriter(w, archive.Manifest{
		Format:    archive.KindCollection,
		Program:   e.Program,
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
		Collection: &archive.Collection{
			CollectionId:     c.ID,
			FaceModelVersion: c.FaceModelVersion,
			CreatedAt:        c.CreatedAt,
			Tags:             v.Tags(),
			Dimension:        dimension,
			FaceCount:        c.FaceCount,
			UserCount:        c.UserCount,
		},
	})
	if err != nil {
		return err
	}
	x := export{ctx: ctx, view: v, none: make([]float32, dimension)}
	if err := archive.WriteLines(a, archive.UsersName, x.userLines); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := archive.WriteVectors(a, archive.UserVectorsName, c.UserCount, dimension,
		x.userVectors); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := archive.WriteLines(a, archive.FacesName, x.faceLines); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := archive.WriteVectors(a, archive.FaceVectorsName, c.FaceCount, dimension,
		x.faceVectors); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return a.Close()
}

// dimensionOf returns how many numbers the first vector has, as every other of the collection has;
// 0 if there is none.
func dimensionOf(ctx context.Context, v View) (dimension int, err error) {
	enough := errors.New("enough")
	err = v.Faces(ctx, func(f face.Face) error {
		dimension = len(f.Vector)
		return enough
	})
	if err != nil && !errors.Is(err, enough) {
		return 0, err
	}
	return dimension, nil
}

// export yields what the files of an archive have, in their order.
type export struct {
	ctx  context.Context // of the call of Write, which ends after the last use
	view View
	none []float32 // the vector of a user without faces
}

func (x export) userLines(write func(archive.User) error) error {
	return x.view.Users(x.ctx, func(u face.User) error {
		return write(archive.User{UserId: u.ID, SystemId: u.SystemID, CreatedAt: u.CreatedAt})
	})
}

func (x export) userVectors(write func([]float32) error) error {
	return x.view.Users(x.ctx, func(u face.User) error {
		if u.Vector == nil {
			return write(x.none)
		}
		return write(u.Vector)
	})
}

func (x export) faceLines(write func(archive.Face) error) error {
	return x.view.Faces(x.ctx, func(f face.Face) error { return write(faceLine(f)) })
}

func (x export) faceVectors(write func([]float32) error) error {
	return x.view.Faces(x.ctx, func(f face.Face) error { return write(f.Vector) })
}

func faceLine(f face.Face) archive.Face {
	line := archive.Face{FaceId: f.ID, ImageId: f.ImageID, ExternalImageId: f.ExternalImageID,
		UserId: f.UserID, Confidence: f.Confidence}
	line.BoundingBox.Left, line.BoundingBox.Top = f.BoundingBox.Left, f.BoundingBox.Top
	line.BoundingBox.Width, line.BoundingBox.Height = f.BoundingBox.Width, f.BoundingBox.Height
	return line
}
