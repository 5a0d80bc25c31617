// Package s3 reads pictures and videos that a request names by bucket, key and version: from any S3
// endpoint ([Client]), or from a folder whose subfolders are the buckets ([Folder]). Get reads a
// whole object, and Open returns one that is read by ranges.
package s3

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Why an object cannot be had. Errors of Get wrap one of these, or none if the endpoint or the disk
// is at fault in another way; a caller that goes away gets its context's error.
var (
	ErrNotFound = errors.New("no such object")    // or no such bucket or version
	ErrDenied   = errors.New("access denied")     // to this program
	ErrTimeout  = errors.New("no answer in time") // of the endpoint
	ErrTooLarge = errors.New("object too large")
)

// Object is an object in a list of a bucket.
type Object struct {
	Key      string
	Bytes    int64
	Modified time.Time
}

// bucketName is the API's own constraint, which is wider than what S3 allows today.
var bucketName = regexp.MustCompile(`^[0-9A-Za-z._-]{3,255}$`)

// checkName rejects names that no object can have, and keys with a segment "..": policies decide
// about the key as it is written, but a proxy in front of an endpoint may resolve the segment,
// which reads another object, even one of another bucket. S3 allows some of these keys, few of
// which exist. It also allows segments that are "." or empty, as in ./a and a//b, which lead to no
// other bucket: the client sends them as they are.
func checkName(bucket, key string) error {
	switch {
	case !bucketName.MatchString(bucket):
		return fmt.Errorf("the bucket's name is impossible: %w", ErrNotFound)
	case key == "" || len(key) > 1024:
		return fmt.Errorf("the key is empty or longer than 1024 bytes: %w", ErrNotFound)
	case slices.Contains(strings.Split(key, "/"), ".."):
		return fmt.Errorf("the key has a segment of two dots: %w", ErrNotFound)
	}
	return nil
}

// readAll reads an object whose declared size is size bytes, or -1 if none is declared. It reads at
// most limit bytes, whatever was declared.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("%d bytes of at most %d: %w", size, limit, ErrTooLarge)
	}
	if size >= 0 {
		// A file can grow while it is read.
		object := make([]byte, size)
		if _, err := io.ReadFull(r, object); err != nil {
			return nil, err
		}
		if n, err := io.ReadFull(r, make([]byte, 1)); n != 0 {
			return nil, errors.New("it has more bytes than declared")
		} else if !errors.Is(err, io.EOF) {
			return nil, err
		}
		return object, nil
	}
	object, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(object)) > limit {
		err = fmt.Errorf("more than %d bytes: %w", limit, ErrTooLarge)
	}
	if err != nil {
		return nil, err
	}
	return object, nil
}
