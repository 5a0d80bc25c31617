package exact

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/recollect-dev/recollect/internal/face"
)

// Record is the system of record of an index with files.
type Record interface {
	Source

	// EmbeddingKeys yields the keys of the vectors that Embeddings would yield, in ascending order.
	EmbeddingKeys(ctx context.Context, c face.CollectionKey) iter.Seq2[face.VectorKey, error]

	// EmbeddingsByKey yields the vectors with these keys that still exist, in any order.
	EmbeddingsByKey(ctx context.Context, c face.CollectionKey,
		keys []face.VectorKey) iter.Seq2[face.Embedding, error]
}

// Files has full slabs of an index in files: codes, which are read again after a restart, and
// vectors, which are mapped into the address space and need no memory of their own. The record is
// authoritative: a damaged, incomplete or missing file takes time, and loses nothing.
//
//	DIR/IDENTITY/COLLECTION/RANDOM-HIGHESTKEY.slab
type Files struct {
	dir   string
	locks fileLocks
}

// OpenFiles returns the files in a directory that belong to a record with this identity, and
// removes all others. highest is the highest key that the record has assigned so far. A file with a
// higher key is of a later state, before the record was restored to an earlier one: its keys may be
// assigned to other vectors.
func OpenFiles(dir string, identity []byte, highest face.VectorKey) (*Files, error) {
	f := &Files{dir: filepath.Join(dir, fmt.Sprintf("%x", identity))}
	if err := f.clean(dir, highest); err != nil {
		return nil, fmt.Errorf("open the index's files: %w", err)
	}
	return f, nil
}

func (f *Files) clean(dir string, highest face.VectorKey) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	others, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, other := range others {
		if path := filepath.Join(dir, other.Name()); path != f.dir {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	collections, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, c := range collections {
		names, err := os.ReadDir(filepath.Join(f.dir, c.Name()))
		if err != nil {
			return err
		}
		for _, name := range names {
			key, ok := highestKey(name.Name())
			if ok && key > highest {
				return errors.Join(os.RemoveAll(f.dir), os.MkdirAll(f.dir, 0o700))
			}
			if !ok {
				if err := os.RemoveAll(filepath.Join(f.dir, c.Name(), name.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// highestKey reads the name of a slab's file.
func highestKey(name string) (face.VectorKey, bool) {
	name, ok := strings.CutSuffix(name, ".slab")
	_, key, dash := strings.Cut(name, "-")
	n, err := strconv.ParseInt(key, 10, 64)
	return face.VectorKey(n), ok && dash && err == nil
}

// collection is the directory of a collection.
func (f *Files) collection(c face.CollectionKey) string {
	return filepath.Join(f.dir, strconv.FormatInt(int64(c), 10))
}

// collections returns the collections that have files.
func (f *Files) collections() (keys []face.CollectionKey) {
	entries, _ := os.ReadDir(f.dir) // a folder that cannot be listed is not swept
	for _, entry := range entries {
		if key, err := strconv.ParseInt(entry.Name(), 10, 64); err == nil {
			keys = append(keys, face.CollectionKey(key))
		}
	}
	return keys
}

// touch records that a collection is in use, if it has files.
func (f *Files) touch(c face.CollectionKey) error {
	now := time.Now()
	if err := os.Chtimes(f.collection(c), now, now); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// latest returns the most recently used collection with files.
func (f *Files) latest() (latest face.CollectionKey, ok bool) {
	var newest time.Time
	for _, c := range f.collections() {
		info, err := os.Stat(f.collection(c))
		if err == nil && (!ok || info.ModTime().After(newest)) {
			latest, newest, ok = c, info.ModTime(), true
		}
	}
	return latest, ok
}

// drop removes a collection's files. It waits for running changes of them, and later changes wait
// for it.
func (f *Files) drop(c face.CollectionKey) error {
	return f.dropUnless(c, func() bool { return false })
}

// dropUnless is drop, but removes nothing if keep, which is called while no change runs, returns
// true.
func (f *Files) dropUnless(c face.CollectionKey, keep func() bool) error {
	defer f.locks.exclude(c)()
	if keep() {
		return nil
	}
	return os.RemoveAll(f.collection(c))
}

// list returns the paths of a collection's files.
func (f *Files) list(c face.CollectionKey) []string {
	paths, _ := filepath.Glob(filepath.Join(f.collection(c), "*.slab")) // the pattern is valid
	return paths
}

// A file begins with the head: the header, keys, scales and codes of all slots, and a CRC-32C of
// all that. From the next multiple of pageBytes on there are rows: a vector's binary32 numbers and
// the CRC-32C of its key and them. All numbers have the byte order of the machine.
const (
	fileMagic   = "RCLSLAB2" // with the version of format, rotation and code
	headerBytes = 32
	pageBytes   = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // never changed

// errDamaged says that a file does not contain what was written.
var errDamaged = errors.New("the file is damaged")

// damage is the errDamaged of one slab's file.
type damage struct {
	slab *slab
	err  error
}

func (d *damage) Error() string { return fmt.Sprintf("%s: %v", d.slab.file.path, d.err) }

func (d *damage) Unwrap() error { return d.err }

// mapped is a file's rows in the address space; pages are loaded when they are first read. Readers
// keep a reference to it.
type mapped struct {
	path    string
	rows    []byte
	stride  int
	mapping *mapping
}

func (c *coder) rowBytes() int { return 4*c.dimension + 4 }

// slotsBytes returns the length of a full slab's keys, scales and codes.
func slotsBytes(c *coder) int { return slabSlots * (8 + 12 + 2*c.rows()) }

func headBytes(c *coder) int { return headerBytes + slotsBytes(c) + 4 }

func rowsAt(c *coder) int { return (headBytes(c) + pageBytes - 1) / pageBytes * pageBytes }

func header(c *coder) []byte {
	h := append(make([]byte, 0, headerBytes), fileMagic...)
	for _, n := range []int{c.dimension, c.width, slabSlots} {
		h = binary.NativeEndian.AppendUint32(h, uint32(n))
	}
	return h[:headerBytes]
}

func rowSum(key face.VectorKey, row []byte) uint32 {
	var k [8]byte
	binary.NativeEndian.PutUint64(k[:], uint64(key))
	return crc32.Update(crc32.Update(0, castagnoli, k[:]), castagnoli, row)
}

// raw returns the memory of numbers.
func raw[T float32 | atomic.Int64](numbers []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(numbers))),
		len(numbers)*int(unsafe.Sizeof(numbers[0])))
}

// write writes a full slab and its vectors to a file and returns the slab to use instead, with the
// vectors in the file. The file is not synced: its checksums find a file that a power failure left
// incomplete.
func (f *Files) write(collection face.CollectionKey, c *coder, s *slab,
	vector func(slot int) []float32) (*slab, error) {
	dir := f.collection(collection)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unfinished, err := os.CreateTemp(dir, "unfinished")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%d.slab", rand.Text(), s.high))
	err = writeSlab(unfinished, c, s, vector)
	m, mapErr := (*mapped)(nil), error(nil)
	if err == nil {
		m, mapErr = mapRows(unfinished, path, c)
	}
	if err = errors.Join(err, mapErr, unfinished.Close()); err == nil {
		err = os.Rename(unfinished.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(unfinished.Name()))
	}
	return s.inFile(m), nil
}

// writeSlab writes a file's content.
func writeSlab(file io.Writer, c *coder, s *slab, vector func(slot int) []float32) error {
	head := append(make([]byte, 0, rowsAt(c)), header(c)...)
	for _, part := range [][]byte{raw(s.keys), raw(s.sign), raw(s.both), raw(s.spread), s.signs,
		s.lows} {
		head = append(head, part...)
	}
	head = binary.NativeEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	w := bufio.NewWriterSize(file, 1<<16) // keeps the first error until Flush
	w.Write(head[:rowsAt(c)])
	var sum [4]byte
	for i := range s.keys {
		row := raw(vector(i))
		binary.NativeEndian.PutUint32(sum[:], rowSum(face.VectorKey(s.keys[i].Load()), row))
		w.Write(row)
		w.Write(sum[:])
	}
	return w.Flush()
}

// readSlab reads a file's head into buffer, which must be long enough, and maps its rows. The
// slab's keys are those in the file; the caller sets low, high and live.
func readSlab(path string, c *coder, buffer []byte) (*slab, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := buffer[:headBytes(c)]
	if _, err := io.ReadFull(file, head); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	body, sum := head[:len(head)-4], binary.NativeEndian.Uint32(head[len(head)-4:])
	if string(body[:headerBytes]) != string(header(c)) || crc32.Checksum(body, castagnoli) != sum {
		return nil, errDamaged
	}
	m, err := mapRows(file, path, c)
	if err != nil {
		return nil, err
	}
	s := newFull(c)
	copy(s.memory.bytes, body[headerBytes:])
	return s.inFile(m), nil
}

// dimensionOf reads the dimension of the vectors in a file.
func dimensionOf(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var h [headerBytes]byte
	if _, err := io.ReadFull(file, h[:]); err != nil {
		return 0, fmt.Errorf("%w: %w", errDamaged, err)
	}
	dimension := int(binary.NativeEndian.Uint32(h[len(fileMagic):]))
	if string(h[:len(fileMagic)]) != fileMagic || dimension < 1 || dimension > maxDimension {
		return 0, errDamaged
	}
	return dimension, nil
}

// vector checks and returns the vector in a slot.
func (m *mapped) vector(slot int, key face.VectorKey) ([]float32, error) {
	row := m.rows[slot*m.stride:][:m.stride]
	numbers := row[:m.stride-4]
	if rowSum(key, numbers) != binary.NativeEndian.Uint32(row[m.stride-4:]) {
		return nil, errDamaged
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&numbers[0])), len(numbers)/4), nil
}
