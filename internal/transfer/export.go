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

// Viewer shows a collection to read, within which nothing changes until read returns. CodeNotFound
// if there is none.
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
	return e.Store.View(ctx, realm, id, func(v View) error {
		// Every vector of a collection has as many numbers as the first.
		dimension := 0
		enough := errors.New("enough")
		if err := v.Faces(ctx, func(f face.Face) error {
			dimension = len(f.Vector)
			return enough
		}); err != nil && !errors.Is(err, enough) {
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
