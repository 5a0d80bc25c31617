package admin

import (
	"strconv"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// thumbnail sends the JPEG thumbnail of a face.
func (s *Server) thumbnail(x *exchange) (any, error) {
	if !s.Thumbnails {
		return nil, recollect.Errorf(recollect.CodeNotFound, "This server keeps no thumbnails.")
	}
	id, err := collectionOf(x.r)
	if err != nil {
		return nil, err
	}
	c, err := s.Store.Collection(x.r.Context(), x.caller.Realm, id)
	if err != nil {
		return nil, err
	}
	jpeg, err := s.Store.Thumbnail(x.r.Context(), c.Key, x.r.URL.Query().Get("face"))
	if err != nil {
		return nil, err
	}
	x.w.Header().Set("Content-Type", "image/jpeg")
	x.w.Header().Set("X-Content-Type-Options", "nosniff")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(jpeg)))
	x.w.Write(jpeg) // an error means that the client has disconnected
	return nil, nil
}
