package rekognition

import (
	"context"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// DetectLabels builds the operation DetectLabels of a server as any new operation is built: by its
// handler, in its declaration.
func (s *Server) DetectLabels(handle func(context.Context, recollect.Realm,
	*wire.DetectLabelsRequest) (*wire.DetectLabelsResponse, error)) {
	op := s.operations["DetectLabels"]
	op.handle = bind(handle)
	s.operations["DetectLabels"] = op
}
