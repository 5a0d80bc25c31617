package admin

import (
	"context"
	"strconv"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// thumbnail sends the JPEG thumbnail of a face.
func (s *Server) thumbnail(ctx context.Context, x *call) (any, error) {
	if !s.Thumbnails {
		return nil, recollect.Errorf(recollect.CodeNotFound, "This server shows no thumbnails.")
	}
	id, err := collectionOf(x.r)
	if err != nil {
		return nil, err
	}
	c, err := s.Store.Collection(ctx, x.Caller.Realm, id)
	if err != nil {
		return nil, err
	}
	jpeg, err := s.Store.Thumbnail(ctx, c.Key, x.r.URL.Query().Get("face"))
	if err != nil {
		return nil, err
	}
	x.w.Header().Set("Content-Type", "image/jpeg")
	x.w.Header().Set("X-Content-Type-Options", "nosniff")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(jpeg)))
	x.w.Write(jpeg) // an error means that the client has disconnected
	return nil, nil
}

// thumbnailState returns what the overview says of thumbnails.
func (s *Server) thumbnailState(ctx context.Context) (string, error) {
	if s.Thumbnails {
		return "shown", nil
	}
	kept, err := s.Store.HasThumbnails(ctx)
	if err != nil {
		return "", err
	}
	if kept {
		return "hidden", nil
	}
	return "none", nil
}
