package rekognition

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/exchange"
)

const (
	// maxBody holds two pictures of 5 MiB in base64, which is the most that an operation takes, and
	// some more.
	maxBody = 16 << 20
	// bodyMemory bounds the bodies of all requests that are served at one moment. A request whose
	// body exceeds it is rejected.
	bodyMemory = 512 << 20
	// freeBody is the size up to which a body is not counted: the bound on requests is bound
	// enough.
	freeBody = 64 << 10
	// firstChunk is the capacity that a body begins with, in bytes.
	firstChunk = 4 << 10
)

// budget is one body's part of the memory for bodies.
type budget struct {
	pool  *semaphore.Weighted
	taken int64
}

// reach takes what a body of size bytes needs beyond what it has, or is errSlowDown.
func (b *budget) reach(size int64) error {
	if size <= freeBody || size <= b.taken {
		return nil
	}
	if !b.pool.TryAcquire(size - b.taken) {
		return errSlowDown
	}
	b.taken = size
	return nil
}

func (b *budget) release() {
	b.pool.Release(b.taken)
	b.taken = 0
}

// allowance grants memory for a body.
type allowance interface {
	// reach grants size bytes in all, or returns the error that the client gets.
	reach(size int64) error
}

// readBody reads the body as it was sent, which is what is signed. length is what the client
// declared, less than 0 if it declared none. Memory is taken as the body arrives: what a client
// declares and does not send costs nothing.
func readBody(from io.Reader, length int64, memory allowance) ([]byte, error) {
	if length > maxBody {
		return nil, exchange.Unread(errTooLarge)
	}
	if length < 0 {
		return readAll(from, memory)
	}
	body := make([]byte, 0, min(length, firstChunk))
	for int64(len(body)) < length {
		if len(body) == cap(body) {
			var err error
			if body, err = grow(body, length, memory); err != nil {
				return nil, err
			}
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err != nil && int64(len(body)) < length {
			return nil, brokenBody(err)
		}
	}
	return body, nil
}

// readAll reads a body of at most maxBody bytes without a declared length.
func readAll(from io.Reader, memory allowance) ([]byte, error) {
	body := make([]byte, 0, firstChunk)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > maxBody:
			return nil, exchange.Unread(errTooLarge)
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, brokenBody(err)
		}
		if len(body) == cap(body) {
			if body, err = grow(body, maxBody+1, memory); err != nil {
				return nil, err
			}
		}
	}
}

// grow returns body with twice its capacity and at least freeBody, but no more than most bytes.
func grow(body []byte, most int64, memory allowance) ([]byte, error) {
	size := min(max(2*int64(cap(body)), freeBody), most)
	if err := memory.reach(size); err != nil {
		return nil, exchange.Unread(err)
	}
	return append(make([]byte, 0, size), body...), nil
}

// brokenBody is the error for a body that could not be read to its end.
func brokenBody(err error) error {
	if f, ok := errors.AsType[*fault](err); ok {
		return exchange.Unread(f)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return exchange.Unread(errBodyTimeout)
	}
	return exchange.Unread(errBrokenBody)
}

// decompressed is the body that the operation reads. A body that unpacks to more than maxBody bytes
// is not unpacked further.
func decompressed(r *http.Request, body []byte, memory *budget) ([]byte, error) {
	switch encoding := strings.ToLower(
		strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ","))); encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
	default:
		return nil, errContentEncoding
	}
	unpacker, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, errBrokenBody
	}
	unpacked, err := readAll(unpacker, memory)
	// The body itself has been read: the connection can go on.
	if err != nil && errors.Is(err, exchange.ErrUnread) {
		err = faultOf(err)
	}
	return unpacked, err
}
