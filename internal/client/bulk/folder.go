package bulk

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

// The most bytes of a picture that the API takes: sent with the request, and as an object of S3.
const (
	MaxBytes       = 5 << 20
	MaxObjectBytes = 15 << 20
)

// Formats are those of pictures that the server reads beside JPEG and PNG.
type Formats struct {
	WebP bool
}

// skip returns why a file cannot be a picture that the API accepts, judged without reading it.
func (f Formats) skip(name string, size, most int64) string {
	switch ext := strings.ToLower(path.Ext(name)); {
	case ext == ".webp" && !f.WebP:
		return "a .webp: save it as JPEG, or start the server and this import with --formats webp"
	case slices.Contains([]string{".heic", ".heif", ".avif"}, ext):
		return "a " + ext + ", which the server does not read: save it as JPEG"
	case !slices.Contains([]string{".jpg", ".jpeg", ".png", ".webp"}, ext):
		return "not a .jpg, .jpeg or .png"
	case size == 0:
		return "empty"
	case size > most:
		return fmt.Sprintf("%.1f MiB, of which the server takes at most %d", float64(size)/(1<<20),
			most>>20)
	}
	return ""
}

// Folder is a [Source]: the pictures of a folder and of those in it. Names that begin
// with a dot are ignored, and links to folders are not followed.
type Folder struct {
	// Formats are read beside JPEG and PNG.
	Formats Formats

	name string
	root *os.Root
}

// OpenFolder opens a folder. Nothing outside of it is read.
func OpenFolder(dir string) (*Folder, error) {
	name, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of pictures: %w", err)
	}
	return &Folder{name: name, root: root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Name is the folder's absolute path.
func (f *Folder) Name() string { return f.name }

// List implements [Source].
func (f *Folder) List(ctx context.Context) (pictures []Picture, err error) {
	err = fs.WalkDir(f.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && path == "." {
			return err
		}
		if err != nil { // a folder that cannot be read
			pictures = append(pictures, Picture{Path: path, Skip: err.Error()})
			return nil //nolint:nilerr // the report has the error
		}
		if path != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		pictures = append(pictures, f.look(path))
		return nil
	})
	// A walk goes folder by folder, in which "a.jpg" comes after "a/b.jpg".
	slices.SortFunc(pictures, func(a, b Picture) int { return strings.Compare(a.Path, b.Path) })
	return pictures, err
}

func (f *Folder) look(path string) Picture {
	p := Picture{Path: path}
	info, err := f.root.Stat(path)
	switch {
	case err != nil:
		p.Skip = err.Error()
	case !info.Mode().IsRegular():
		p.Skip = "not a file"
	default:
		p.Bytes, p.Modified = info.Size(), info.ModTime()
		p.Skip = f.Formats.skip(path, info.Size(), MaxBytes)
	}
	return p
}

// Read reads a picture.
func (f *Folder) Read(_ context.Context, p Picture) ([]byte,
	error) {
	return f.root.ReadFile(p.Path)
}

// Image reads a picture to be sent.
func (f *Folder) Image(ctx context.Context, p Picture) (*types.Image, error) {
	data, err := f.Read(ctx, p)
	if err != nil {
		return nil, err
	}
	return &types.Image{Bytes: data}, nil
}
