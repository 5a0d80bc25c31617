package recollect

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an [Error] is. The front door maps each code to one exception of
// the API.
type Code int

// The codes. CodeInternal is the zero value: whatever is not known to be the caller's doing is the
// server's.
const (
	CodeInternal Code = iota
	CodeInvalidParameter
	CodeInvalidImageFormat
	CodeImageTooLarge
	CodeInvalidPaginationToken
	CodeNotFound
	CodeAlreadyExists
	CodeConflict
	CodeIdempotentMismatch
	CodeQuota
	CodeThrottled
	CodeInvalidS3Object
	CodeNotImplemented
	CodeVideoTooLarge
	CodeLimitExceeded
	CodeInvalidVideo // why a job failed; no operation answers it
)

// Error is a failure that the caller may be told of. Message is the text the service itself would
// send, and is safe to show: it never holds an internal error's text. Err, if any, is for the log.
type Error struct {
	Code    Code
	Message string
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// ErrNoSpace says that a disk, or a quota of one, is full. Stores wrap it around their own error,
// so that callers need not know the errors of a store's driver.
var ErrNoSpace = errors.New("there is no space left on the disk")

// Errorf returns an [Error] with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first [Error] in err's chain, and CodeInternal if there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
