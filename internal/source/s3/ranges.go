package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// ErrChanged says that an object is not the one any more that was opened.
var ErrChanged = errors.New("the object has changed")

const (
	// rangeTries is how often reading on is tried after an error, each time with the attempts of a
	// request, before it fails: over half a minute, so that a short outage does not end a long job.
	rangeTries = 6

	firstRangePause = time.Second // it doubles
)

// Ranges reads an object by ranges, for objects that are too large to be in memory. It is safe for
// concurrent use. All that it reads is of the object that was opened: if that is replaced, reading
// fails with [ErrChanged].
type Ranges struct {
	client  *Client
	bucket  string
	key     string
	version *string
	etag    *string
	size    int64
	pause   time.Duration
}

// Open looks an object up. An empty version means the newest.
func (c *Client) Open(ctx context.Context, bucket, key, version string) (*Ranges, error) {
	r, err := c.open(ctx, bucket, key, version)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("look up object %q of bucket %q: %w", key, bucket,
			classifyResponseError(err))
	}
	return r, nil
}

func (c *Client) open(ctx context.Context, bucket, key, version string) (*Ranges, error) {
	if err := checkName(bucket, key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	input := &s3.HeadObjectInput{Bucket: &bucket, Key: &key}
	if version != "" {
		input.VersionId = &version
	}
	output, err := c.api.HeadObject(ctx, input)
	if err != nil {
		return nil, err
	}
	if output.ContentLength == nil {
		return nil, errors.New("the endpoint does not say how large it is")
	}
	return &Ranges{client: c, bucket: bucket, key: key, version: input.VersionId,
		etag: output.ETag, size: *output.ContentLength, pause: firstRangePause}, nil
}

// Size returns the size in bytes.
func (r *Ranges) Size() int64 { return r.size }

// Close ends reading.
func (r *Ranges) Close() error { return nil }

// ReadAt is that of [io.ReaderAt] with a context. It tries again, with pauses, if the endpoint or
// the network fails.
func (r *Ranges) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("the offset is negative")
	}
	wanted := min(int64(len(p)), max(r.size-off, 0))
	tries, pause := 0, r.pause
	for int64(n) < wanted {
		m, err := r.readOnce(ctx, p[n:wanted], off+int64(n))
		n += m
		if err == nil {
			continue
		}
		if m > 0 {
			tries, pause = 0, r.pause
		}
		tries++
		err = fmt.Errorf("read object %q of bucket %q: %w", r.key, r.bucket,
			classifyResponseError(err))
		if tries == rangeTries || isFinal(err) {
			return n, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return n, ctx.Err()
		}
		pause *= 2
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readOnce reads a range, or the beginning of it with an error.
func (r *Ranges) readOnce(ctx context.Context, p []byte, off int64) (n int, err error) {
	limited, cancel := context.WithTimeout(ctx, r.client.timeout)
	defer cancel()
	output, err := r.client.api.GetObject(limited, &s3.GetObjectInput{Bucket: &r.bucket,
		Key: &r.key, VersionId: r.version, IfMatch: r.etag,
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1))},
		func(o *s3.Options) {
			// Checksums are of the whole object.
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		})
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
			switch e.HTTPStatusCode() {
			case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
				err = fmt.Errorf("%w: %w", ErrChanged, err)
			}
		}
		return 0, err
	}
	defer output.Body.Close()
	if output.ContentLength == nil || *output.ContentLength != int64(len(p)) {
		return 0, errors.New("the endpoint did not answer with the range that was asked for")
	}
	n, err = io.ReadFull(output.Body, p)
	if ctx.Err() != nil {
		return n, ctx.Err()
	}
	return n, err
}

// isFinal reports whether it is of no use to try again after an error.
func isFinal(err error) bool {
	for _, final := range []error{context.Canceled, ErrNotFound, ErrDenied, ErrChanged} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// File is an object of a [Folder] that is read by ranges. It is safe for concurrent use.
type File struct {
	file *os.File
	size int64
}

// Open opens an object.
func (f *Folder) Open(ctx context.Context, bucket, key, version string) (*File, error) {
	file, size, err := f.open(ctx, bucket, key, version)
	if err != nil {
		return nil, fmt.Errorf("open object %q of bucket %q: %w", key, bucket,
			classifyFileError(err))
	}
	return &File{file: file, size: size}, nil
}

// Size returns the size in bytes that the file had when it was opened.
func (f *File) Size() int64 { return f.size }

// ReadAt is that of [io.ReaderAt] with a context.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return f.file.ReadAt(p, off)
}

// File returns the open file, whose offset others may use.
func (f *File) File() *os.File { return f.file }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
