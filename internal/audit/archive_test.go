package audit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bucket keeps uploaded files in a folder, unless it is broken.
type bucket struct {
	dir    string
	mu     sync.Mutex
	broken bool
	names  []string
}

var errBroken = errors.New("there is no connection")

func (b *bucket) Upload(_ context.Context, log, name string, content io.ReadSeeker) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken || log == "" {
		return errBroken
	}
	b.names = append(b.names, name)
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, name), text, 0o600)
}

func (b *bucket) set(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

func (b *bucket) uploaded() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.names)
}

// Closed files are uploaded once each, in order, also those that could not be before. What was
// uploaded is a log of its own.
func TestUploads(t *testing.T) {
	for _, zipped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			dir, b := t.TempDir(), &bucket{dir: t.TempDir()}
			cfg := config(dir)
			cfg.now = time.Now
			cfg.Folder.MaxAge, cfg.Folder.Gzip, cfg.Folder.Upload = time.Hour, zipped, b
			l := open(t, cfg)
			write(t, l, "A")
			synctest.Wait()
			if n := b.uploaded(); n != 0 {
				t.Errorf("%d files are uploaded, and none is closed", n)
			}
			time.Sleep(time.Hour + time.Minute)
			write(t, l, "B")
			synctest.Wait()
			if n := b.uploaded(); n != 1 {
				t.Errorf("%d files are uploaded, and one is closed", n)
			}
			b.set(true)
			for range 2 {
				time.Sleep(time.Hour + time.Minute)
				write(t, l, "C")
			}
			synctest.Wait()
			if n := b.uploaded(); n != 1 {
				t.Errorf("%d files are uploaded to nowhere", n)
			}
			b.set(false)
			time.Sleep(betweenUploads)
			synctest.Wait()
			uploaded, failed := l.Uploads()
			if n := b.uploaded(); n != 3 || uploaded != 3 || failed < 2 {
				t.Errorf("%d files are uploaded: %d, %d", n, uploaded, failed)
			}
			closeLog(t, l)
			l = open(t, cfg)
			time.Sleep(time.Hour + time.Minute)
			synctest.Wait()
			closeLog(t, l)
			if n := b.uploaded(); n != 4 || !slices.IsSorted(b.names) {
				t.Errorf("%q", b.names)
			}
			if v := verified(t, b.dir); v.First != 1 || v.Files != 4 {
				t.Errorf("%+v", v)
			}
		})
	}
}
