package s3

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newFolder returns a source with the bucket photos and a secret beside it.
func newFolder(t testing.TB) (f *Folder, root, outside string) {
	t.Helper()
	base := t.TempDir()
	root, outside = filepath.Join(base, "root"), filepath.Join(base, "outside")
	for _, dir := range []string{root, filepath.Join(root, "photos", "2026"),
		filepath.Join(root, "other"), outside} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, contents := range map[string]string{
		filepath.Join(root, "photos", "a.jpg"):                    "picture a",
		filepath.Join(root, "photos", "2026", "Zoë & co (1).jpg"): "picture b",
		filepath.Join(root, "photos", "empty"):                    "",
		filepath.Join(root, "other", "secret"):                    "secret",
		filepath.Join(root, "secret"):                             "secret",
		filepath.Join(outside, "secret"):                          "secret",
	} {
		if err := os.WriteFile(file, []byte(contents), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := NewFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, root, outside
}

func TestFolderGet(t *testing.T) {
	f, root, _ := newFolder(t)
	if err := os.Symlink("a.jpg", filepath.Join(root, "photos", "link.jpg")); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"a.jpg": "picture a",
		"2026/Zoë & co (1).jpg": "picture b", "empty": "", "link.jpg": "picture a"} {
		got, err := f.Get(t.Context(), "photos", key, "", 9)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	if got, err := f.Get(t.Context(), "photos", "a.jpg", "null", 9); err != nil ||
		string(got) != "picture a" {
		t.Errorf("the version that an object has without versioning: %q, %v", got, err)
	}
	if _, err := f.Get(t.Context(), "photos", "a.jpg", "", 8); !errors.Is(err, ErrTooLarge) {
		t.Errorf("9 bytes of at most 8: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Get(ctx, "photos", "a.jpg", "", 9); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
}

func TestFolderHasNoSuchObject(t *testing.T) {
	f, root, _ := newFolder(t)
	if err := syscall.Mkfifo(filepath.Join(root, "photos", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", filepath.Join(root, "photos", "pipe-link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ bucket, key, version string }{
		{"photos", "b.jpg", ""},
		{"nobucket", "a.jpg", ""},
		{"secret", "secret", ""},
		{"photos", "a.jpg", "1"},
		{"photos", "a.jpg/b", ""},
		{"photos", "a.jpg/", ""},
		{"photos", "/a.jpg", ""},
		{"photos", "2026//Zoë & co (1).jpg", ""},
		{"photos", "./a.jpg", ""},
		{"photos", "2026/../a.jpg", ""},
		{"photos", "../other/secret", ""},
		{"photos", "../secret", ""},
		{"photos", "..", ""},
		{"photos", "2026", ""},
		{"photos", "", ""},
		{"photos", "a.jpg\x00", ""},
		{"photos", strings.Repeat("x", 300), ""},
		{"photos", strings.Repeat("x", 1025), ""},
		{"photos", "pipe", ""},
		{"photos", "pipe-link", ""},
		{"..", "outside/secret", ""},
		{".", "secret", ""},
		{"../outside", "secret", ""},
		{"photos/2026", "Zoë & co (1).jpg", ""},
		{"...", "secret", ""},
		{"", "photos/a.jpg", ""},
	} {
		start := time.Now()
		got, err := f.Get(t.Context(), c.bucket, c.key, c.version, 100)
		if !errors.Is(err, ErrNotFound) || got != nil {
			t.Errorf("%q in %q: %q, %v", c.key, c.bucket, got, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%q in %q took %v", c.key, c.bucket, took)
		}
	}
}

func TestFolderLinksDoNotLeadOutOfABucket(t *testing.T) {
	f, root, outside := newFolder(t)
	for link, target := range map[string]string{
		"photos/absolute":     filepath.Join(outside, "secret"),
		"photos/relative":     "../../outside/secret",
		"photos/other-bucket": "../other/secret",
		"photos/dir":          outside,
		"photos/null":         "/dev/null",
		"linked":              outside,
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ bucket, key string }{
		{"photos", "absolute"}, {"photos", "relative"}, {"photos", "other-bucket"},
		{"photos", "dir/secret"}, {"photos", "null"}, {"linked", "secret"},
	} {
		if got, err := f.Get(t.Context(), c.bucket, c.key, "", 100); err == nil || got != nil {
			t.Errorf("%q in %q: %q, %v", c.key, c.bucket, got, err)
		}
	}
}

func TestFolderDenied(t *testing.T) {
	if err := classifyFileError(&fs.PathError{Op: "openat", Path: "a.jpg",
		Err: syscall.EACCES}); !errors.Is(err, ErrDenied) {
		t.Errorf("a file that may not be read: %v", err)
	}
	if os.Geteuid() == 0 {
		t.Skip("the rest needs a user who may not read every file")
	}
	f, root, _ := newFolder(t)
	if err := os.Chmod(filepath.Join(root, "photos", "a.jpg"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Get(t.Context(), "photos", "a.jpg", "", 100); !errors.Is(err, ErrDenied) {
		t.Errorf("a file that may not be read: %v", err)
	}
}

func TestNewFolderRefuses(t *testing.T) {
	_, root, _ := newFolder(t)
	for _, dir := range []string{filepath.Join(root, "none"), filepath.Join(root, "secret")} {
		if f, err := NewFolder(dir); err == nil {
			f.Close()
			t.Errorf("%s is accepted", dir)
		}
	}
}

func FuzzFolder(f *testing.F) {
	source, _, _ := newFolder(f)
	f.Add("photos", "a.jpg", "")
	f.Add("photos", "../secret", "")
	f.Add("..", "x", "v")
	f.Add("photos", "2026/\x00", "")
	f.Fuzz(func(t *testing.T, bucket, key, version string) {
		object, err := source.Get(t.Context(), bucket, key, version, 100)
		if (err == nil) != (object != nil) {
			t.Errorf("%q, %v", object, err)
		}
		if string(object) == "secret" && bucket != "other" {
			t.Errorf("%q in %q leads out of the bucket", key, bucket)
		}
	})
}

func TestFolderList(t *testing.T) {
	f, root, outside := newFolder(t)
	for name, to := range map[string]string{"link.jpg": "a.jpg", "out": outside,
		"out.jpg": filepath.Join(outside, "secret"), "again": "2026"} {
		if err := os.Symlink(to, filepath.Join(root, "photos", name)); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string]string{"": "2026/Zoë & co (1).jpg a.jpg empty link.jpg",
		"20": "2026/Zoë & co (1).jpg", "2026/": "2026/Zoë & co (1).jpg", "../other": ""} {
		var keys []string
		err := f.List(t.Context(), "photos", prefix, func(o Object) error {
			keys = append(keys, o.Key)
			if got, err := f.Get(t.Context(), "photos", o.Key, "", 100); err != nil ||
				int64(len(got)) != o.Bytes || o.Modified.IsZero() {
				t.Errorf("%+v is listed, and read %q, %v", o, got, err)
			}
			return nil
		})
		if err != nil || strings.Join(keys, " ") != want {
			t.Errorf("keys that begin with %q: %q, %v", prefix, keys, err)
		}
	}
	for _, bucket := range []string{"nobucket", "../other", "..", ""} {
		if err := f.List(t.Context(), bucket, "", nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("bucket %q: %v", bucket, err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.List(cancelled, "photos", "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits for the list: %v", err)
	}
}
