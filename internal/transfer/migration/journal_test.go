package migration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// dimension is small, so that every byte can be tried.
const dimension = 4

func vector(i int) []float32 {
	v := make([]float32, dimension)
	v[0], v[len(v)-1] = float32(i), 0.25
	return v
}

// pictureOf is what was found in the ith picture: two faces.
func pictureOf(i int) []Found {
	box := recollect.BoundingBox{Left: 0.1, Top: float32(i) / 10, Width: 0.5, Height: 0.25}
	return []Found{{fmt.Sprint("a", i), box, 99, vector(i)}, {fmt.Sprint("b", i), box, 98,
		vector(-i)}}
}

const picturesJournaled = 5

func small(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := OpenJournal(dir, "people", model.Version(), dimension)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// fill makes a journal of some pictures in a new folder.
func fill(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	j := small(t, dir)
	for i := range picturesJournaled {
		if err := j.add(pictureOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// known returns how many pictures a journal has, and fails if it has one by half, one after another
// that it lacks, or one otherwise than it was written.
func known(t *testing.T, j *Journal) (pictures int) {
	t.Helper()
	for i := range picturesJournaled {
		for _, want := range pictureOf(i) {
			if !j.Has(want.FaceID) {
				continue
			}
			pictures = i + 1
			got, err := j.Face(want.FaceID)
			if err != nil || !slices.Equal(got.Vector, want.Vector) ||
				got.BoundingBox != want.BoundingBox || got.Confidence != want.Confidence {
				t.Errorf("face %s is %+v, %v, want %+v", want.FaceID, got, err, want)
			}
		}
	}
	if len(j.faces) != 2*pictures {
		t.Errorf("%d faces of %d pictures are there", len(j.faces), pictures)
	}
	return pictures
}

// redo journals the pictures from the nth on in a folder, and wants all to be there afterwards.
func redo(t *testing.T, dir string, n int) {
	t.Helper()
	j := small(t, dir)
	for i := n; i < picturesJournaled; i++ {
		if err := j.add(pictureOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = small(t, dir)
	defer j.Close()
	if got := known(t, j); got != picturesJournaled {
		t.Errorf("after they were done again, %d pictures are there", got)
	}
}

// places are all of the offsets of the last two pictures in a file of this size, and some of those
// before.
func places(size int) (offsets []int) {
	for at := 0; at < size; at++ {
		if at >= size*(picturesJournaled-2)/picturesJournaled-10 || at%17 == 0 {
			offsets = append(offsets, at)
		}
	}
	return offsets
}

// A journal whose end did not reach the disk is read as far as it is whole, wherever either file
// was cut, and what is missing can be done again.
func TestJournalCutShort(t *testing.T) {
	whole := fill(t)
	for _, name := range []string{journalName, vectorsName} {
		data, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range places(len(data)) {
			n := damage(t, whole, name, data[:size])
			if n == picturesJournaled {
				t.Errorf("%s of %d bytes has all", name, size)
			}
		}
	}
}

// A bit that was changed costs the picture that it is of and those after it.
func TestJournalChanged(t *testing.T) {
	whole := fill(t)
	for _, name := range []string{journalName, vectorsName} {
		data, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		headSize := slices.Index(data, '\n') + 1
		if name == vectorsName {
			headSize = 0
		}
		for _, at := range places(len(data)) {
			changed := slices.Clone(data)
			changed[at] ^= 1 << (at % 8)
			if at < headSize {
				continue
			}
			n := damage(t, whole, name, changed)
			// A vector's place says which picture it is of.
			if name == vectorsName && n != at*picturesJournaled/len(data) {
				t.Errorf("with bit %d.%d of %s changed, %d pictures are there", at, at%8, name, n)
			}
		}
	}
}

// damage replaces a file of a copy of a journal, and returns how many pictures are there then. What
// is lost is done again.
func damage(t *testing.T, whole, name string, data []byte) int {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := OpenJournal(dir, "people", model.Version(), dimension)
	if err != nil {
		t.Errorf("with %d bytes of %s: %v", len(data), name, err)
		return 0
	}
	n := known(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	redo(t, dir, n)
	return n
}

// Vectors of another collection or face model are not taken for this one's, nor are those of a
// journal whose head cannot be relied on.
func TestJournalOfAnother(t *testing.T) {
	dir := fill(t)
	if _, err := OpenJournal(dir, "others", model.Version(),
		dimension); !errors.Is(err, ErrOther) {
		t.Errorf("the journal of another collection: %v", err)
	}
	if _, err := OpenJournal(dir, "people", "3.0", dimension); !errors.Is(err,
		ErrOther) {
		t.Errorf("the journal of another face model: %v", err)
	}
	for _, name := range []string{journalName, vectorsName} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil ||
			info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others: %v, %v", name, info.Mode(), err)
		}
	}
	path := filepath.Join(dir, journalName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range slices.Index(data, '\n') + 1 {
		changed := slices.Clone(data)
		changed[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(dir, "people", model.Version(), dimension)
		if err == nil { // a hexadecimal digit in upper case is the same
			if n := known(t, j); n != picturesJournaled {
				t.Errorf("with bit %d.%d changed, %d pictures are there", at, at%8, n)
			}
			j.Close()
		} else if !errors.Is(err, ErrOther) {
			t.Errorf("with bit %d.%d changed: %v", at, at%8, err)
		}
	}
}

// watched is a file that counts syncs, and fails the write of some number after half of it.
type watched struct {
	file
	syncs, writes, failAt int
}

func (w *watched) Sync() error {
	w.syncs++
	return w.file.Sync()
}

func (w *watched) WriteAt(b []byte, at int64) (int, error) {
	if w.writes++; w.writes == w.failAt {
		n, _ := w.file.WriteAt(b[:len(b)/2], at)
		return n, errors.New("no space")
	}
	return w.file.WriteAt(b, at)
}

// What is journaled is on disk a batch later.
func TestJournalSyncs(t *testing.T) {
	j := small(t, t.TempDir())
	lines, vectors := &watched{file: j.lines}, &watched{file: j.vectors}
	j.lines, j.vectors = lines, vectors
	for i := range 3 * syncEvery {
		if err := j.add(pictureOf(i)); err != nil {
			t.Fatal(err)
		}
		if want := (i + 1) / syncEvery; lines.syncs != want || vectors.syncs != want {
			t.Fatalf("after %d pictures there were %d and %d syncs, want %d", i+1, lines.syncs,
				vectors.syncs, want)
		}
	}
}

// A write that fails half-way costs its picture alone, whichever write it is.
func TestJournalWriteFails(t *testing.T) {
	for failAt := 1; failAt <= picturesJournaled; failAt++ {
		for _, name := range []string{journalName, vectorsName} {
			dir := t.TempDir()
			j := small(t, dir)
			if name == journalName {
				j.lines = &watched{file: j.lines, failAt: failAt}
			} else {
				j.vectors = &watched{file: j.vectors, failAt: failAt}
			}
			for i := range picturesJournaled {
				err := j.add(pictureOf(i))
				if (err != nil) != (i+1 == failAt) {
					t.Fatalf("write %d of %s fails: picture %d: %v", failAt, name, i, err)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j = small(t, dir)
			for i := range picturesJournaled {
				for _, want := range pictureOf(i) {
					if j.Has(want.FaceID) == (i+1 == failAt) {
						t.Errorf("write %d of %s fails: face %s", failAt, name, want.FaceID)
					} else if got, err := j.Face(want.FaceID); err == nil &&
						!slices.Equal(got.Vector, want.Vector) {
						t.Errorf("write %d of %s fails: face %s has another vector", failAt, name,
							want.FaceID)
					}
				}
			}
		}
	}
}
