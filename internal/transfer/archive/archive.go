// Package archive is the format in which a server's data, or one collection, leaves it and comes
// back: a zip file that any tool can read. FORMAT.md describes it.
//
// An archive is written in one pass. It is read as a whole before any of it is used, so that one
// which is truncated, or changed anywhere, is rejected before anything is done.
package archive

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// The kinds of archives.
const (
	KindBackup     = "recollect-backup"     // of a whole server
	KindCollection = "recollect-collection" // of one collection
)

// FormatVersion is the newest version of the format, and the only one so far.
const FormatVersion = 1

const (
	manifestName = "manifest.json"
	sumsName     = "SHA256SUMS"

	maxManifest = 1 << 20 // bytes
	maxSums     = 64 << 10
	maxFiles    = 16
)

// Manifest describes an archive.
type Manifest struct {
	Format        string // a kind
	FormatVersion int
	Program       string // version of the server that wrote it
	CreatedAt     time.Time
	Collection    *Collection `json:",omitzero"` // of KindCollection
}

// DamagedError is the error of a file that is no archive, is truncated or was changed.
type DamagedError struct{ reason string }

func (e *DamagedError) Error() string { return "the archive cannot be used: " + e.reason }

func damagedf(format string,
	args ...any) error {
	return &DamagedError{fmt.Sprintf(format, args...)}
}

// Writer writes an archive, whose files are made one after the other.
type Writer struct {
	zip  *zip.Writer
	sums map[string]hash.Hash
}

// NewWriter begins an archive. The manifest's FormatVersion is set.
func NewWriter(w io.Writer, m Manifest) (*Writer, error) {
	a := &Writer{zip: zip.NewWriter(w), sums: make(map[string]hash.Hash)}
	m.FormatVersion = FormatVersion
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	file, err := a.Create(manifestName)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(append(text, '\n')); err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return a, nil
}

// Create begins the next file. What it returns is good until the next call.
func (a *Writer) Create(name string) (io.Writer, error) {
	// Vectors and sealed keys do not compress, and a file that is only stored can be mapped.
	file, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return nil, fmt.Errorf("begin %s: %w", name, err)
	}
	if name == sumsName {
		return file, nil
	}
	a.sums[name] = sha256.New()
	return io.MultiWriter(file, a.sums[name]), nil
}

// Close writes the checksums, without which an archive is not whole.
func (a *Writer) Close() error {
	file, err := a.Create(sumsName)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(a.sums)) {
		if _, err := fmt.Fprintf(file, "%x  %s\n", a.sums[name].Sum(nil), name); err != nil {
			return fmt.Errorf("write the checksums: %w", err)
		}
	}
	if err := a.zip.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

// Reader reads an archive that was found to be whole.
type Reader struct {
	Manifest Manifest
	files    map[string]*zip.File
}

// NewReader reads all of an archive and checks that it is of this kind, in a supported version, and
// unchanged since it was written; a [*DamagedError] if it is not. Its memory does not depend on the
// archive's size. Reading, then and later, ends with an error once ctx does.
func NewReader(ctx context.Context, r io.ReaderAt, size int64, kind string) (*Reader, error) {
	r = readerAt{ctx, r}
	if err := checkDirectory(r, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		if errors.Is(err, zip.ErrFormat) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, damagedf(noArchiveText)
		}
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	a := &Reader{files: make(map[string]*zip.File)}
	for _, f := range z.File {
		if a.files[f.Name] != nil {
			return nil, damagedf("it has a file twice")
		}
		a.files[f.Name] = f
	}
	// The manifest is read first, so that a newer version's archive is not reported as damaged.
	text, err := a.small(manifestName, maxManifest)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &a.Manifest); err != nil {
		return nil, damagedf("its manifest is no JSON of a manifest")
	}
	if a.Manifest.Format != kind {
		return nil, damagedf("it is a %.40q, not a %s", a.Manifest.Format, kind)
	}
	if a.Manifest.FormatVersion != FormatVersion {
		return nil, damagedf(
			"its format has version %d, and this program knows version %d: use the program that "+
				"wrote it, %.40q",
			a.Manifest.FormatVersion, FormatVersion, a.Manifest.Program)
	}
	if (kind == KindCollection) != (a.Manifest.Collection != nil) {
		return nil, damagedf("its manifest and its kind do not go together")
	}
	return a, a.verify()
}

// readerAt reads until its context ends.
type readerAt struct {
	ctx context.Context
	io.ReaderAt
}

func (r readerAt) ReadAt(b []byte, at int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReaderAt.ReadAt(b, at)
}

// verify compares every file with its checksum.
func (a *Reader) verify() error {
	text, err := a.small(sumsName, maxSums)
	if err != nil {
		return err
	}
	listed := make(map[string]bool)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		if a.files[name] == nil {
			return damagedf("%.40q is missing", name)
		}
		if listed[name] { // each is read once, however often it is named
			return damagedf("it has two checksums of %s", name)
		}
		listed[name] = true
		h := sha256.New()
		if err := a.copy(h, name); err != nil {
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != sum {
			return damagedf("%s was changed", name)
		}
	}
	if len(listed) != len(a.files)-1 {
		return damagedf("it has files without a checksum")
	}
	return nil
}

// small reads a file that must be there and has at most limit bytes.
func (a *Reader) small(name string, limit uint64) ([]byte, error) {
	f, err := a.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if a.files[name].UncompressedSize64 > limit {
		return nil, damagedf("%s is larger than %d bytes", name, limit)
	}
	text, err := io.ReadAll(f)
	return text, fileError(name, err)
}

func (a *Reader) copy(w io.Writer, name string) error {
	f, err := a.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return fileError(name, err)
}

// fileError is an error in reading a file of the archive.
func fileError(name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) ||
		errors.Is(err, io.ErrUnexpectedEOF) {
		return damagedf("%s was changed", name)
	}
	return fmt.Errorf("read %s of the archive: %w", name, err)
}

// Open opens a file for reading.
func (a *Reader) Open(name string) (io.ReadCloser, error) {
	f := a.files[name]
	if f == nil {
		return nil, damagedf("%s is missing", name)
	}
	r, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, io.EOF) {
		return nil, damagedf("%s cannot be read", name)
	}
	if err != nil {
		return nil, fileError(name, err)
	}
	return r, nil
}
