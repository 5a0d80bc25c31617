package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
)

// record writes a request's record before its answer, unless the route has sent that itself, and
// returns the error that the client gets.
func (s *Server) record(ctx context.Context, x *call, answer any, err error) error {
	if s.Trail == nil {
		return err
	}
	call := s.callOf(x)
	if err != nil {
		call.ErrorCode, call.ErrorMessage = rekognition.ErrorOf(err)
	}
	unwritten := s.Trail.End(ctx, call)
	switch {
	case unwritten == nil:
		return err
	case errors.Is(err, errAnswerBegun) || err == nil && answer == nil:
		return errors.Join(errAnswerBegun, err, unwritten)
	case err != nil:
		return fmt.Errorf("%w; the request failed: %s", unwritten, err.Error())
	}
	return unwritten
}

// callOf describes a request.
func (s *Server) callOf(x *call) *trail.Call {
	call := &trail.Call{
		RequestID: x.ID,
		Request:   x.r,
		Start:     x.Start,
		Source:    audit.SourceRecollect,
		ReadOnly:  true,
		Client:    x.Client,
		KeyID:     x.KeyID,
		Caller:    x.Caller,
	}
	path := strings.TrimPrefix(x.r.URL.Path, Prefix)
	if do, ok := s.routes[path]; ok {
		call.Operation = strings.TrimPrefix(do.action, "recollect:")
		if do.action == "" {
			call.Operation = "Get" + strings.ToUpper(path[:1]) + path[1:]
		}
		call.ReadOnly = do.action != ImportCollection
	}
	if id := x.r.URL.Query().Get("collection"); id != "" {
		call.Parameters = trail.Parameters(&struct{ Collection string }{id})
	}
	if x.resource != "" {
		call.Resources = []string{x.resource}
	}
	return call
}
