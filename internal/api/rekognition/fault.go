package rekognition

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/sigv4"
)

// fault is an error as the wire shows it.
type fault struct {
	status  int
	name    string // of the exception
	message string
	// modelled exceptions are the service's own and have the larger of the two envelopes; those of
	// the framework before it (authentication, decoding, validation) have the smaller.
	modelled bool
}

func (f *fault) Error() string { return f.name + ": " + f.message }

var (
	errTooLarge = &fault{status: http.StatusRequestEntityTooLarge,
		name: "RequestEntityTooLargeException", message: "The request is larger than 16 MiB."}
	errBrokenBody = &fault{status: http.StatusBadRequest, name: "SerializationException",
		message: "The request body could not be read."}
	// The name is one that SDKs try again for.
	errBodyTimeout = &fault{status: http.StatusRequestTimeout, name: "RequestTimeoutException",
		message: "The request body did not arrive in time."}
	errContentEncoding = &fault{status: http.StatusBadRequest, name: "SerializationException",
		message: "The content encoding is not supported."}

	errSlowDown = &fault{status: http.StatusBadRequest, name: "ThrottlingException",
		message: "Slow down; sudden increase in rate of requests.", modelled: true}
	errRateExceeded = &fault{status: http.StatusBadRequest,
		name: "ProvisionedThroughputExceededException", message: "Provisioned rate exceeded",
		modelled: true}
)

func unknownOperation(status int) *fault {
	return &fault{status: status, name: "UnknownOperationException"}
}

// faultOf maps every error to what is returned of it. The text of an unknown error is not returned.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if errors.Is(err, authn.ErrTooManyFailures) {
		return errSlowDown
	}
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return &fault{status: http.StatusBadRequest, name: e.Type, message: e.Message}
	}
	if e, ok := errors.AsType[*wire.SerializationError](err); ok {
		return &fault{status: http.StatusBadRequest, name: "SerializationException",
			message: e.Error()}
	}
	if e, ok := errors.AsType[*wire.ValidationError](err); ok {
		return &fault{status: http.StatusBadRequest, name: "ValidationException",
			message: e.Error()}
	}
	if e, ok := errors.AsType[*iam.DeniedError](err); ok {
		return &fault{status: http.StatusBadRequest, name: "AccessDeniedException",
			message: e.Error(), modelled: true}
	}
	if e, ok := errors.AsType[*recollect.Error](err); ok && e.Code != recollect.CodeInternal {
		return &fault{status: statusOf(e.Code), name: exceptionOf(e.Code), message: e.Message,
			modelled: e.Code != recollect.CodeNotImplemented}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		// The client has disconnected, or the server is stopping and the client may try again.
		return &fault{status: http.StatusInternalServerError, name: "ThrottlingException",
			message: "Service Unavailable", modelled: true}
	}
	return &fault{status: http.StatusInternalServerError, name: "InternalServerError",
		message: "Internal server error", modelled: true}
}

// WriteError answers a request with an error in the form of the API, for handlers beside the API.
// It returns what was sent.
func WriteError(w http.ResponseWriter, err error) (status int, exception string) {
	f := faultOf(err)
	exchange.Write(w, wire.MediaType, f.status, f.body())
	return f.status, f.name
}

// ErrorOf returns what a client is told of an error.
func ErrorOf(err error) (exception, message string) {
	f := faultOf(err)
	return f.name, f.message
}

func statusOf(c recollect.Code) int {
	if c == recollect.CodeNotImplemented {
		return http.StatusNotImplemented
	}
	return http.StatusBadRequest
}

// exceptionOf names the exception of each code that is returned to callers.
func exceptionOf(c recollect.Code) string {
	switch c {
	case recollect.CodeInvalidParameter:
		return "InvalidParameterException"
	case recollect.CodeInvalidImageFormat:
		return "InvalidImageFormatException"
	case recollect.CodeImageTooLarge:
		return "ImageTooLargeException"
	case recollect.CodeInvalidPaginationToken:
		return "InvalidPaginationTokenException"
	case recollect.CodeNotFound:
		return "ResourceNotFoundException"
	case recollect.CodeAlreadyExists:
		return "ResourceAlreadyExistsException"
	case recollect.CodeConflict:
		return "ConflictException"
	case recollect.CodeIdempotentMismatch:
		return "IdempotentParameterMismatchException"
	case recollect.CodeQuota:
		return "ServiceQuotaExceededException"
	case recollect.CodeThrottled:
		return "ThrottlingException"
	case recollect.CodeInvalidS3Object:
		return "InvalidS3ObjectException"
	case recollect.CodeNotImplemented:
		return "NotImplementedException"
	case recollect.CodeVideoTooLarge:
		return "VideoTooLargeException"
	case recollect.CodeLimitExceeded:
		return "LimitExceededException"
	default:
		return "InternalServerError"
	}
}

// body writes the fault's envelope.
func (f *fault) body() []byte {
	var envelope any
	if f.modelled {
		envelope = struct {
			Type    string `json:"__type"`
			Code    string
			Logref  string
			Message string
		}{f.name, f.name, uuid.NewString(), f.message}
	} else {
		envelope = struct {
			Type    string `json:"__type"`
			Message string `json:"message,omitzero"`
		}{f.name, f.message}
	}
	b, err := json.Marshal(envelope)
	if err != nil {
		// Only a message that is not UTF-8 gets here.
		return []byte(`{"__type":"` + f.name + `"}`)
	}
	return b
}
