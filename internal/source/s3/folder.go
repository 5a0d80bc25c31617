package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Folder is an image source on disk: each subfolder is a bucket, and the path of a file within it
// is a key. There is one version of each, "null", as of an object in a bucket without versioning.
// It is safe for concurrent use.
//
// Nothing outside a bucket's folder can be read: not by .. or an absolute path in a key, and not by
// a symbolic link that leads out of it (see [os.Root]). A file that is not regular is treated as
// missing: opening a pipe would block, and opening a device may have effects.
type Folder struct {
	root *os.Root
}

// nullVersion is S3's id of the version that an object has without versioning.
const nullVersion = "null"

// NewFolder opens a folder. It must be there already.
func NewFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of buckets: %w", err)
	}
	return &Folder{root: root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Get returns an object of at most maxBytes.
func (f *Folder) Get(ctx context.Context, bucket, key, version string, maxBytes int64) ([]byte,
	error) {
	object, err := f.get(ctx, bucket, key, version, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read object %q of bucket %q: %w", key, bucket,
			classifyFileError(err))
	}
	return object, nil
}

func (f *Folder) get(ctx context.Context, bucket, key, version string, maxBytes int64) ([]byte,
	error) {
	file, size, err := f.open(ctx, bucket, key, version)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, size, maxBytes)
}

// open opens an object and returns it with its size.
func (f *Folder) open(ctx context.Context, bucket, key, version string) (_ *os.File, size int64,
	err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if err := checkName(bucket, key); err != nil {
		return nil, 0, err
	}
	if version != "" && version != nullVersion {
		return nil, 0, fmt.Errorf("a folder keeps no old versions: %w", ErrNotFound)
	}
	// On S3 these are ordinary keys. No file has such a name, and what the path would mean instead
	// is another object.
	elements := strings.Split(key, "/")
	if slices.Contains(elements, "") || slices.Contains(elements, ".") {
		return nil, 0, fmt.Errorf("no file can have this key: %w", ErrNotFound)
	}
	info, err := f.root.Stat(bucket)
	if err != nil {
		return nil, 0, err
	}
	if !info.IsDir() {
		return nil, 0, fmt.Errorf("the bucket is not a folder: %w", ErrNotFound)
	}
	folder, err := f.root.OpenRoot(bucket)
	if err != nil {
		return nil, 0, err
	}
	defer folder.Close()
	info, err = folder.Stat(key)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("not a regular file: %w", ErrNotFound)
	}
	// It may be another file by now: O_NONBLOCK keeps a pipe from waiting for a writer.
	file, err := folder.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err = file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a regular file: %w", ErrNotFound)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// List calls each for the objects of a bucket whose keys begin with a prefix, in ascending order
// folder by folder, until it returns an error. Links to folders are not followed.
func (f *Folder) List(ctx context.Context, bucket, prefix string, each func(Object) error) error {
	if !bucketName.MatchString(bucket) {
		return fmt.Errorf("list bucket %q: the bucket's name is impossible: %w", bucket,
			ErrNotFound)
	}
	folder, err := f.root.OpenRoot(bucket)
	if err != nil {
		return fmt.Errorf("list bucket %q: %w", bucket, classifyFileError(err))
	}
	defer folder.Close()
	return fs.WalkDir(folder.FS(), ".", func(key string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("list bucket %q: %w", bucket, classifyFileError(err))
		}
		if d.IsDir() || !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := folder.Stat(key)
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // Get does not read it either
		}
		return each(Object{key, info.Size(), info.ModTime()})
	})
}

// classifyFileError returns which of the package's errors an operating system's error is.
func classifyFileError(err error) error {
	for _, none := range []error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ENAMETOOLONG,
		syscall.EINVAL, syscall.EILSEQ} {
		if errors.Is(err, none) {
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}
