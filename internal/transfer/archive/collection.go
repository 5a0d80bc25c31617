package archive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// The files of a collection's archive. The nth line of a text belongs to the nth row of its
// vectors.
const (
	UsersName       = "users.jsonl"
	UserVectorsName = "user_vectors.npy" // a row of zeros stands for a user without faces
	FacesName       = "faces.jsonl"
	FaceVectorsName = "faces.npy"
)

// Collection describes the collection of an archive in its manifest.
type Collection struct {
	CollectionId     string
	FaceModelVersion string // what made the vectors, which mean nothing to another
	CreatedAt        time.Time
	Tags             map[string]string
	Dimension        int // of the vectors; 0 if there are none
	FaceCount        int64
	UserCount        int64
}

// Face is a line of FacesName.
type Face struct {
	FaceId          string
	ImageId         string
	ExternalImageId string `json:",omitzero"`
	UserId          string `json:",omitzero"`
	BoundingBox     struct{ Left, Top, Width, Height float32 }
	Confidence      float32
}

// User is a line of UsersName.
type User struct {
	UserId    string
	SystemId  string // by which the server orders users
	CreatedAt time.Time
}

// maxLine bounds a line, in bytes. Real ones have some 300.
const maxLine = 64 << 10

// Lines writes a value a line.
type Lines[T any] struct{ w *bufio.Writer }

// NewLines returns a writer of lines; Flush ends it.
func NewLines[T any](w io.Writer) *Lines[T] { return &Lines[T]{bufio.NewWriterSize(w, 256<<10)} }

// Write writes the next line.
func (l *Lines[T]) Write(value T) error {
	if err := json.MarshalWrite(l.w, value); err != nil {
		return err
	}
	return l.w.WriteByte('\n')
}

// Flush writes what is buffered.
func (l *Lines[T]) Flush() error { return l.w.Flush() }

// WriteLines writes a file of lines, which each hands to write one by one.
func WriteLines[T any](a *Writer, name string, each func(write func(T) error) error) error {
	file, err := a.Create(name)
	if err != nil {
		return err
	}
	lines := NewLines[T](file)
	return errors.Join(each(lines.Write), lines.Flush())
}

// WriteVectors writes a file of rows x dimension, whose rows each hands to write one by one.
func WriteVectors(a *Writer, name string, rows int64, dimension int,
	each func(write func([]float32) error) error) error {
	file, err := a.Create(name)
	if err != nil {
		return err
	}
	vectors, err := NewVectors(file, rows, dimension)
	if err != nil {
		return err
	}
	return errors.Join(each(vectors.Write), vectors.Flush())
}

// LineReader reads what Lines wrote.
type LineReader[T any] struct {
	name    string
	scanner *bufio.Scanner
	n       int64
}

// NewLineReader reads lines of the file with this name, which errors mention.
func NewLineReader[T any](r io.Reader, name string) *LineReader[T] {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4<<10), maxLine)
	return &LineReader[T]{name: name, scanner: s}
}

// Next returns the next value, and io.EOF after the last.
func (l *LineReader[T]) Next() (value T, err error) {
	if !l.scanner.Scan() {
		if err := l.scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
			return value, damagedf("line %d of %s is too long", l.n+1, l.name)
		} else if err != nil {
			return value, fileError(l.name, err)
		}
		return value, io.EOF
	}
	l.n++
	if err := json.Unmarshal(l.scanner.Bytes(), &value); err != nil {
		// Where reading fails, the scanner returns what it has of the line before it ends.
		if err := l.scanner.Err(); err != nil {
			return value, fileError(l.name, err)
		}
		return value, damagedf("line %d of %s is not what it must be", l.n, l.name)
	}
	return value, nil
}

// Vectors writes float32 vectors of one dimension as a matrix of NumPy's format .npy, version 1.0
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
type Vectors struct {
	w         *bufio.Writer
	dimension int
}

// NewVectors begins a matrix of rows x dimension.
func NewVectors(w io.Writer, rows int64, dimension int) (*Vectors, error) {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows,
		dimension)
	const before = 10                         // bytes: magic, version, length
	size := (before + len(header) + 64) &^ 63 // with a newline at the end, a multiple of 64
	v := &Vectors{bufio.NewWriterSize(w, 256<<10), dimension}
	_, err := fmt.Fprintf(v.w, "\x93NUMPY\x01\x00%s%-*s\n",
		binary.LittleEndian.AppendUint16(nil, uint16(size-before)), size-before-1, header)
	return v, err
}

// Write writes the next row.
func (v *Vectors) Write(row []float32) error {
	if len(row) != v.dimension {
		return fmt.Errorf("a vector has %d numbers, the others %d", len(row), v.dimension)
	}
	var b [4]byte
	for _, x := range row {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(x))
		if _, err := v.w.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes what is buffered.
func (v *Vectors) Flush() error { return v.w.Flush() }

// VectorReader reads what [Vectors] wrote.
type VectorReader struct {
	name      string
	r         *bufio.Reader
	left      int64
	dimension int
}

// The names within the header come in any order; this is the one that NumPy writes.
var npyHeader = regexp.MustCompile(
	`^\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,9}), (\d{1,5})\), \} *\n$`)

// NewVectorReader reads a matrix of rows x dimension from the file with this name.
func NewVectorReader(r io.Reader, name string, rows int64, dimension int) (*VectorReader, error) {
	v := &VectorReader{name, bufio.NewReaderSize(r, 256<<10), rows, dimension}
	var start [10]byte
	if err := v.read(start[:]); err != nil {
		return nil, err
	}
	if string(start[:8]) != "\x93NUMPY\x01\x00" {
		return nil, damagedf("%s is no matrix of NumPy's format 1.0", name)
	}
	header := make([]byte, binary.LittleEndian.Uint16(start[8:]))
	if err := v.read(header); err != nil {
		return nil, err
	}
	shape := npyHeader.FindSubmatch(header)
	if shape == nil || string(shape[1]) != strconv.FormatInt(rows, 10) ||
		string(shape[2]) != strconv.Itoa(dimension) {
		return nil, damagedf("%s is no matrix of %d x %d little-endian float32", name, rows,
			dimension)
	}
	return v, nil
}

// Next returns the next row, which is the caller's to keep, and io.EOF after the last.
func (v *VectorReader) Next() ([]float32, error) {
	if v.left == 0 {
		_, err := v.r.ReadByte()
		if err == nil {
			return nil, damagedf("%s has more than its header says", v.name)
		}
		if !errors.Is(err, io.EOF) {
			return nil, fileError(v.name, err)
		}
		return nil, io.EOF
	}
	v.left--
	b := make([]byte, 4*v.dimension)
	if err := v.read(b); err != nil {
		return nil, err
	}
	row := make([]float32, v.dimension)
	for i := range row {
		row[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return row, nil
}

// read fills b.
func (v *VectorReader) read(b []byte) error {
	_, err := io.ReadFull(v.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damagedf("%s is cut short", v.name)
	}
	return fileError(v.name, err)
}
