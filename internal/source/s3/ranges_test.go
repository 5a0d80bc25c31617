package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ranged serves an object by ranges, as S3 does. Before may answer a GET in its place.
type ranged struct {
	mu      sync.Mutex
	content []byte
	etag    string
	before  func(w http.ResponseWriter, r *http.Request) (answered bool)
	asked   []string
}

func (o *ranged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Method == http.MethodGet {
		o.asked = append(o.asked, r.Header.Get("Range"))
		if o.before != nil && o.before(w, r) {
			return
		}
	}
	w.Header().Set("ETag", o.etag)
	// That of the whole object, which the range's bytes do not have.
	w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.content))
}

func openRanges(t *testing.T, o *ranged) *Ranges {
	t.Helper()
	c := endpoint(t, o.ServeHTTP)
	r, err := c.Open(t.Context(), "videos", "a/b.mp4", "")
	if err != nil {
		t.Fatal(err)
	}
	r.pause = time.Millisecond
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRanges(t *testing.T) {
	content := make([]byte, 10_000)
	for i := range content {
		content[i] = byte(i * 7 / 3)
	}
	o := &ranged{content: content, etag: `"one"`}
	r := openRanges(t, o)
	if r.Size() != 10_000 {
		t.Errorf("the size is %d", r.Size())
	}
	for _, c := range []struct{ off, length, want int }{
		{0, 10_000, 10_000}, {0, 1, 1}, {9_999, 1, 1}, {1234, 4321, 4321}, {9_000, 2_000, 1_000},
		{10_000, 5, 0}, {20_000, 5, 0}, {5, 0, 0},
	} {
		p := make([]byte, c.length)
		n, err := r.ReadAt(t.Context(), p, int64(c.off))
		if n != c.want || (err == nil) != (c.want == c.length) || err != nil &&
			!errors.Is(err, io.EOF) {
			t.Errorf("%d bytes at %d: %d, %v", c.length, c.off, n, err)
		}
		if n > 0 && !bytes.Equal(p[:n], content[c.off:c.off+n]) {
			t.Errorf("%d bytes at %d are others", c.length, c.off)
		}
	}
	if _, err := r.ReadAt(t.Context(), make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was read")
	}
}

// Reading goes on after failures of the endpoint and after connections that break.
func TestRangesGoOn(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 100)
	var gets int
	o := &ranged{content: content, etag: `"one"`}
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		gets++
		switch {
		case gets <= 4: // more than the attempts of one request
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case gets == 5: // a part of the range
			from, _ := strconv.Atoi(strings.TrimPrefix(strings.Split(r.Header.Get("Range"),
				"-")[0], "bytes="))
			w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(content[from : from+300])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	r := openRanges(t, o)
	p := make([]byte, len(content))
	if n, err := r.ReadAt(t.Context(), p, 0); n != len(p) || err != nil ||
		!bytes.Equal(p, content) {
		t.Fatalf("%d, %v", n, err)
	}
	if last := o.asked[len(o.asked)-1]; last != "bytes=300-999" {
		t.Errorf("it went on with %s of %v", last, o.asked)
	}
}

// An endpoint that stays away ends reading, and so does one that has another object.
func TestRangesFail(t *testing.T) {
	for name, c := range map[string]struct {
		status, least, most int // requests
		want                error
	}{
		"gone":         {http.StatusServiceUnavailable, rangeTries, rangeTries * attempts, nil},
		"replaced":     {http.StatusPreconditionFailed, 1, 1, ErrChanged},
		"shorter":      {http.StatusRequestedRangeNotSatisfiable, 1, 1, ErrChanged},
		"deleted":      {http.StatusNotFound, 1, 1, ErrNotFound},
		"not ours now": {http.StatusForbidden, 1, 1, ErrDenied},
	} {
		o := &ranged{content: []byte("0123456789"), etag: `"one"`}
		o.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(c.status)
			return true
		}
		r := openRanges(t, o)
		n, err := r.ReadAt(t.Context(), make([]byte, 5), 0)
		if n != 0 || err == nil || c.want != nil && !errors.Is(err, c.want) ||
			len(o.asked) < c.least || len(o.asked) > c.most {
			t.Errorf("%s: %d, %v after %d requests", name, n, err, len(o.asked))
		}
	}
	o := &ranged{content: []byte("0123456789"), etag: `"one"`}
	r := openRanges(t, o)
	o.etag = `"two"`
	if _, err := r.ReadAt(t.Context(), make([]byte, 5), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("another object of the same name: %v", err)
	}
	// A server that ignores ranges would give the beginning in place of what was asked for.
	o = &ranged{content: []byte("0123456789"), etag: `"one"`}
	o.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Write(o.content)
		return true
	}
	r = openRanges(t, o)
	if n, err := r.ReadAt(t.Context(), make([]byte, 5), 2); n != 0 || err == nil {
		t.Errorf("without ranges: %d, %v", n, err)
	}
}

// A reader that goes away does not wait for the pause.
func TestRangesAreCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := &ranged{content: []byte("0123456789"), etag: `"one"`}
	var gets atomic.Int32
	o.before = func(w http.ResponseWriter, _ *http.Request) bool {
		if gets.Add(1) == attempts {
			cancel()
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	r := openRanges(t, o)
	r.pause = time.Hour
	if _, err := r.ReadAt(ctx, make([]byte, 5), 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestOpenFails(t *testing.T) {
	c := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/secret") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	})
	for key, want := range map[string]error{"none": ErrNotFound, "secret": ErrDenied,
		"../other/a": ErrNotFound} {
		if _, err := c.Open(t.Context(), "videos", key, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
}

func TestFolderOpen(t *testing.T) {
	f, root, _ := newFolder(t)
	file, err := f.Open(t.Context(), "photos", "a.jpg", "")
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 9)
	n, err := file.ReadAt(t.Context(), p, 8)
	if file.Size() != 9 || n != 1 || p[0] != 'a' || !errors.Is(err, io.EOF) {
		t.Errorf("size %d, read %d of %q, %v", file.Size(), n, p, err)
	}
	if name := file.File().Name(); filepath.Base(name) != "a.jpg" {
		t.Errorf("the file is %s", name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := file.ReadAt(ctx, p, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if _, err := file.ReadAt(t.Context(), p, 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	for _, key := range []string{"none", "../other/secret", "2026"} {
		if _, err := f.Open(t.Context(), "photos", key, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s in %s: %v", key, root, err)
		}
	}
}
