package migration

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Found is a face of the collection as the new model detects and embeds it.
type Found struct {
	FaceID      string
	BoundingBox recollect.BoundingBox
	Confidence  float32
	Vector      []float32 `json:"-"`
}

// The files of a journal: a head and then a line a picture with the faces that were found in it;
// and the vectors of these, in their order, as little-endian float32. A line is the CRC-32C of its
// text and its vectors in eight hexadecimal digits, a space, the text as JSON and a newline.
const (
	journalName = "journal.jsonl"
	vectorsName = "vectors.f32"
)

// sumDigits is the length of a checksum with the space after it, in bytes.
const sumDigits = 9

// syncEvery is how many pictures are written between two syncs to disk: a power cut costs as many
// at most, which are a few seconds of work.
const syncEvery = 64

// head is the first line of a journal: what its vectors are of.
type head struct {
	Collection       string // the very one: its ARN and when it was made
	FaceModelVersion string
	Dimension        int
}

// ErrOther is the error if a journal is of another collection or face model.
var ErrOther = errors.New("it is of another collection or face model, or its head was changed")

// Journal keeps what was done, in a folder that its owner alone can read: vectors are biometric
// data. Its methods are for one goroutine at a time.
type Journal struct {
	lines, vectors file
	end            int64 // of the lines that are whole, in bytes
	rows           int64 // of the vectors that these lines have
	unsynced       int   // pictures that were written since the last sync
	dimension      int
	faces          map[string]row // by id
}

// file is what a journal needs of an [os.File].
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

type row struct {
	at         int64
	box        recollect.BoundingBox
	confidence float32
}

// OpenJournal opens the journal in a folder, which is created if it does not exist. The journal is
// truncated before the first line that is incomplete or does not match its checksum: what followed
// has to be done again. ErrOther.
func OpenJournal(dir, collection, faceModelVersion string, dimension int) (_ *Journal, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the journal in %s: %w", dir, err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	j := &Journal{dimension: dimension, faces: map[string]row{}}
	if j.lines, err = os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE,
		0o600); err != nil {
		return nil, err
	}
	if j.vectors, err = os.OpenFile(filepath.Join(dir, vectorsName), os.O_RDWR|os.O_CREATE,
		0o600); err != nil {
		return nil, errors.Join(err, j.lines.Close())
	}
	err = j.read(head{collection, faceModelVersion, dimension})
	if err == nil && j.end == 0 {
		err = j.begin(dir, head{collection, faceModelVersion, dimension})
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// read reads what is whole, and cuts the files there.
func (j *Journal) read(want head) error {
	lines := bufio.NewReaderSize(io.NewSectionReader(j.lines, 0, math.MaxInt64), 64<<10)
	vectors := bufio.NewReaderSize(io.NewSectionReader(j.vectors, 0, math.MaxInt64), 64<<10)
	if err := j.readHead(lines, want); err != nil {
		return err
	}
	for {
		whole, err := j.readPicture(lines, vectors)
		if err != nil {
			return err
		}
		if !whole {
			break
		}
	}
	return errors.Join(j.lines.Truncate(j.end), j.vectors.Truncate(j.rows*j.rowBytes()))
}

// begin writes the head of a new journal, and brings it and the names of the files to disk.
func (j *Journal) begin(dir string, h head) error {
	if err := j.writeLine(h, nil); err != nil {
		return err
	}
	return errors.Join(j.sync(), syncFolder(dir))
}

// readHead reads the first line, if it was written to its end.
func (j *Journal) readHead(lines *bufio.Reader, want head) error {
	line, err := lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	text, sum, ok := splitLine(line)
	var got head
	if !ok || sum != checksum(text, nil) || json.Unmarshal(text, &got) != nil || got != want {
		return ErrOther
	}
	j.end = int64(len(line))
	return nil
}

// readPicture reads the next line and its vectors, and returns false at the first line that is not
// whole. Its errors are those of the disk.
func (j *Journal) readPicture(lines, vectors *bufio.Reader) (whole bool, err error) {
	line, err := lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return false, nil // what comes after the last newline was being written
	}
	if err != nil {
		return false, err
	}
	text, sum, ok := splitLine(line)
	if !ok {
		return false, nil
	}
	var found []Found
	if json.Unmarshal(text, &found) != nil {
		return false, nil //nolint:nilerr // a damaged line ends the journal
	}
	data := make([]byte, int64(len(found))*j.rowBytes())
	if _, err := io.ReadFull(vectors, data); errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if checksum(text, data) != sum {
		return false, nil
	}
	j.remember(found)
	j.end += int64(len(line))
	return true, nil
}

// splitLine takes a line apart, with its newline.
func splitLine(line []byte) (text []byte, sum uint32, ok bool) {
	if len(line) <= sumDigits || line[sumDigits-1] != ' ' {
		return nil, 0, false
	}
	n, err := strconv.ParseUint(string(line[:sumDigits-1]), 16, 32)
	return line[sumDigits : len(line)-1], uint32(n), err == nil
}

// checksum is the CRC-32C of a line's text and its vectors.
func checksum(text, vectors []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(text, table), table, vectors)
}

func (j *Journal) rowBytes() int64 { return 4 * int64(j.dimension) }

// writeLine writes a line after the last that is whole. Its vectors are there already.
func (j *Journal) writeLine(v any, vectors []byte) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line := fmt.Appendf(nil, "%08x %s\n", checksum(text, vectors), text)
	if _, err := j.lines.WriteAt(line, j.end); err != nil {
		return err
	}
	j.end += int64(len(line))
	return nil
}

func (j *Journal) remember(found []Found) {
	for _, f := range found {
		j.faces[f.FaceID] = row{j.rows, f.BoundingBox, f.Confidence}
		j.rows++
	}
}

// add journals the faces of a picture. One that fails leaves nothing that the next is not written
// over.
func (j *Journal) add(found []Found) error {
	if len(found) == 0 {
		return nil
	}
	data := make([]byte, 0, int64(len(found))*j.rowBytes())
	for _, f := range found {
		if len(f.Vector) != j.dimension {
			return fmt.Errorf("a vector has %d numbers, not %d", len(f.Vector), j.dimension)
		}
		for _, x := range f.Vector {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		}
	}
	if _, err := j.vectors.WriteAt(data, j.rows*j.rowBytes()); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := j.writeLine(found, data); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	j.remember(found)
	if j.unsynced++; j.unsynced < syncEvery {
		return nil
	}
	return j.sync()
}

// Has reports whether the journal has a face's new vector.
func (j *Journal) Has(faceID string) bool {
	_, ok := j.faces[faceID]
	return ok
}

// Face reads a face that the journal has.
func (j *Journal) Face(faceID string) (Found, error) {
	r, ok := j.faces[faceID]
	if !ok {
		return Found{}, fmt.Errorf("the journal has no face %s", faceID)
	}
	data := make([]byte, j.rowBytes())
	if _, err := j.vectors.ReadAt(data, r.at*j.rowBytes()); err != nil {
		return Found{}, fmt.Errorf("read the journal: %w", err)
	}
	f := Found{faceID, r.box, r.confidence, make([]float32, j.dimension)}
	for i := range f.Vector {
		f.Vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return f, nil
}

// sync brings what was written to disk. The order does not matter: a line whose vectors are not
// there does not fit its checksum.
func (j *Journal) sync() error {
	if err := errors.Join(j.vectors.Sync(), j.lines.Sync()); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	j.unsynced = 0
	return nil
}

// syncFolder brings the names of a folder's files to disk.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close closes the files.
func (j *Journal) Close() error { return errors.Join(j.lines.Close(), j.vectors.Close()) }
