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
)

const (
	// maxBody holds two pictures of 5 MiB in base64, which is the most that an operation takes, and
	// some more.
	maxBody = 16 << 20
	// bodyMemory bounds the bodies of all requests that are served at one moment. Who does not fit
	// is turned away.
	bodyMemory = 512 << 20
	// freeBody is the size up to which a body is not counted: the bound on requests is bound
	// enough.
	freeBody = 64 << 10
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

// readBody reads the body as it was sent, which is what is signed. A body whose size is not known
// takes memory as it grows.
func (s *Server) readBody(r *http.Request, memory *budget) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, unread(errTooLarge)
	}
	if r.ContentLength < 0 {
		return readAll(r.Body, memory)
	}
	if err := memory.reach(r.ContentLength); err != nil {
		return nil, turnAway(r, err)
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return nil, brokenBody(err)
	}
	return body, nil
}

// readAll reads a body of at most maxBody bytes.
func readAll(from io.Reader, memory *budget) ([]byte, error) {
	body := make([]byte, 0, 4<<10)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > maxBody:
			return nil, unread(errTooLarge)
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, brokenBody(err)
		}
		if len(body) == cap(body) {
			size := min(2*cap(body), maxBody+1)
			if err := memory.reach(int64(size)); err != nil {
				return nil, unread(err)
			}
			body = append(make([]byte, 0, size), body...)
		}
	}
}

// brokenBody is the error for a body that could not be read to its end.
func brokenBody(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return unread(errBodyTimeout)
	}
	return unread(errBrokenBody)
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
	if err != nil && errors.Is(err, errBodyUnread) {
		err = faultOf(err)
	}
	return unpacked, err
}
