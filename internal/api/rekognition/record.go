package rekognition

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
)

// record writes a request's record before its answer, and returns the error that the client gets:
// that of the request, or that it could not be recorded and so is not answered.
func (s *Server) record(header http.Header, x *exchange.Exchange, r *http.Request,
	err error) error {
	if s.trail == nil {
		return err
	}
	call := s.callOf(x, r)
	if err != nil {
		f := faultOf(err)
		call.ErrorCode, call.ErrorMessage = f.name, f.message
	} else if !call.ReadOnly {
		call.Response = trail.Response(x.Output)
	}
	unwritten := s.trail.End(r.Context(), call)
	if unwritten == nil {
		return err
	}
	header.Del("Content-Encoding") // of the answer that is not sent
	if err != nil {
		unwritten = fmt.Errorf("%w; the request failed: %s", unwritten, err.Error())
	}
	if errors.Is(err, exchange.ErrUnread) {
		return exchange.Unread(unwritten)
	}
	return unwritten
}

// recordIntent writes that a request is about to change something, if the audit log is required.
func (s *Server) recordIntent(x *exchange.Exchange, r *http.Request, op operation) error {
	if !s.trail.Required() || op.effect == reads {
		return nil
	}
	return s.trail.Begin(r.Context(), s.callOf(x, r))
}

// callOf describes a request.
func (s *Server) callOf(x *exchange.Exchange, r *http.Request) *trail.Call {
	call := &trail.Call{
		RequestID:  x.ID,
		Request:    r,
		Start:      x.Start,
		Source:     audit.SourceRekognition,
		Operation:  x.Operation,
		Client:     x.Client,
		KeyID:      x.KeyID,
		Caller:     x.Caller,
		Resources:  x.Resources,
		Parameters: trail.Parameters(x.Input),
	}
	op, _, own := s.ownOperation(r.URL.Path)
	if own {
		call.Source = audit.SourceRecollect
	} else if r.URL.Path == "/" { // also of a request that was rejected before it was looked at
		op, _, _ = s.operationOf(r)
	}
	if op.name != "" {
		call.Operation = op.name
	}
	call.ReadOnly = op.effect == reads
	return call
}
