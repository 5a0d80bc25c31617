// Package exchange is one request and its answer. All handlers of the API's protocols number, log
// and answer requests by it, so that an operator reads one form of them.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Exchange is a request with what its handler has found out about it.
type Exchange struct {
	ID     string // random; the client gets it too
	Start  time.Time
	Client authn.Client

	KeyID     string       // that the request names, whether its signature is valid or not
	Caller    authn.Caller // zero before the signature is verified
	Operation string       // empty before it is known, or if the request has none

	// for the record of the audit log; nil before the step that finds it
	Input, Output any
	Resources     []string // ARNs
}

// Begin returns the exchange of a request that came from this client at this time, and puts its ID
// into the header of the answer.
func Begin(header http.Header, client authn.Client, start time.Time) *Exchange {
	x := &Exchange{ID: uuid.NewString(), Start: start, Client: client}
	header.Set("x-amzn-RequestId", x.ID)
	return x
}

// Ending is how an exchange ended.
type Ending struct {
	Status   int           // of HTTP
	Code     string        // that the client got for Err; empty if there is none
	Err      error         // nil if the request succeeded
	Duration time.Duration // since the start

	// Cause is what the log alone says about Err. If it is nil, it is the cause that a
	// [*recollect.Error] has.
	Cause error
	// Failure says that the error is one for the operator, whatever its status.
	Failure bool
	// Asked is what the request asked for; the operation if it is the zero value.
	Asked slog.Attr
	// More attributes of the line.
	More []slog.Attr
}

// Log writes a line about the exchange. It is a warning if the id of a key was used and not its
// secret, and an error if the server failed. An operation that is not built is no failure.
func (x *Exchange) Log(ctx context.Context, log *slog.Logger, message string, end Ending) {
	asked := end.Asked
	if asked.Equal(slog.Attr{}) {
		asked = slog.String("operation", x.Operation)
	}
	attrs := append([]slog.Attr{
		slog.String("request_id", x.ID),
		slog.String("address", x.Client.Address.String()),
		slog.String("access_key_id", x.KeyID),
		slog.String("account", x.Caller.Principal.Account),
		slog.String("principal", x.Caller.Principal.ARN),
		asked,
		slog.Int("status", end.Status),
		slog.Duration("duration", end.Duration),
	}, end.More...)
	level := slog.LevelInfo
	if end.Err != nil {
		attrs = append(attrs, slog.String("error_code", end.Code))
		if cause := end.cause(); cause != nil {
			attrs = append(attrs, slog.String("cause", cause.Error()))
		}
		if x.KeyID != "" && x.Caller.KeyID == "" {
			level = slog.LevelWarn
		}
		if end.Failure {
			level = slog.LevelError
		}
		if end.Status >= http.StatusInternalServerError &&
			end.Status != http.StatusNotImplemented {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", end.Err.Error()))
		}
	}
	log.LogAttrs(ctx, level, message, attrs...)
}

func (end Ending) cause() error {
	if e, ok := errors.AsType[*recollect.Error](end.Err); ok && end.Cause == nil {
		return e.Err
	}
	return end.Cause
}

// Recover makes an error of a panic. A handler defers it.
func Recover(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// Write answers with a body of this media type.
func Write(w http.ResponseWriter, mediaType string, status int, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // an error means that the client has disconnected
}

// ErrUnread marks errors after which the connection cannot be used again, since the body of the
// request may not have been read.
var ErrUnread = errors.New("body not read")

// Unread marks an error with [ErrUnread].
func Unread(err error) error { return errors.Join(err, ErrUnread) }

// CloseConnection closes the connection of a request whose body may not have been read, after the
// answer. A stream of HTTP/2 ends alone: the others of its connection go on.
func CloseConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		w.Header().Set("Connection", "close")
	}
}
