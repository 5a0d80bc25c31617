package migration

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Found is a face of the collection as the new model sees it.
type Found struct {
	FaceID      string
	BoundingBox recollect.BoundingBox
	Confidence  float32
	Vector      []float32 `json:"-"`
}

// The files of a journal: a head and then a line a picture with the faces that were found in it;
// and the vectors of these, in their order, as little-endian float32.
const (
	journalName = "journal.jsonl"
	vectorsName = "vectors.f32"
)

// head is the first line of a journal: what its vectors are of.
type head struct {
	Collection       string // the very one: its ARN and when it was made
	FaceModelVersion string
	Dimension        int
}

// ErrOther says that a journal is of another collection or face model.
var ErrOther = errors.New("it is of another collection or face model")

// Journal keeps what was done, in a folder that its owner alone can read: vectors are biometric
// data. Its methods are for one goroutine at a time.
type Journal struct {
	lines, vectors *os.File
	dimension      int
	rows           int64
	faces          map[string]row // by id
}

type row struct {
	at         int64
	box        recollect.BoundingBox
	confidence float32
}

// OpenJournal opens the journal in a folder, which is made if it is not there. A line that was not
// written to its end is forgotten. ErrOther.
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
	if err := j.read(head{collection, faceModelVersion, dimension}); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// read reads what is there, and leaves both files at the end of what is whole.
func (j *Journal) read(want head) error {
	info, err := j.vectors.Stat()
	if err != nil {
		return err
	}
	stored := info.Size() / j.rowBytes()
	end := int64(0)
	reader := bufio.NewReaderSize(j.lines, 1<<20)
	for {
		text, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // what comes after the last newline was being written
		}
		if err != nil {
			return err
		}
		if end == 0 {
			var got head
			if json.Unmarshal(text, &got) != nil || got != want {
				return ErrOther
			}
		} else {
			var found []Found
			if err := json.Unmarshal(text, &found); err != nil {
				return fmt.Errorf("%s was changed: %w", journalName, err)
			}
			if j.rows+int64(len(found)) > stored {
				break // its vectors did not reach the disk
			}
			j.remember(found)
		}
		end += int64(len(text))
	}
	if err := errors.Join(j.lines.Truncate(end),
		j.vectors.Truncate(j.rows*j.rowBytes())); err != nil {
		return err
	}
	for _, f := range []*os.File{j.lines, j.vectors} {
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			return err
		}
	}
	if end > 0 {
		return nil
	}
	return j.write(want)
}

func (j *Journal) rowBytes() int64 { return 4 * int64(j.dimension) }

func (j *Journal) write(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = j.lines.Write(append(text, '\n'))
	}
	return err
}

func (j *Journal) remember(found []Found) {
	for _, f := range found {
		j.faces[f.FaceID] = row{j.rows, f.BoundingBox, f.Confidence}
		j.rows++
	}
}

// add journals the faces of a picture.
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
	if _, err := j.vectors.Write(data); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := j.write(found); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	j.remember(found)
	return nil
}

// Has tells whether a face has its new vector.
func (j *Journal) Has(faceID string) bool {
	_, ok := j.faces[faceID]
	return ok
}

// Face reads what was found of a face that Has knows.
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

func (j *Journal) sync() error { return errors.Join(j.vectors.Sync(), j.lines.Sync()) }

// Close closes the files.
func (j *Journal) Close() error { return errors.Join(j.lines.Close(), j.vectors.Close()) }
