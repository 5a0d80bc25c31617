package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"
)

var le = binary.LittleEndian

// write makes an archive of a collection with one user and no faces.
func write(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	a, err := NewWriter(&b, Manifest{Format: KindCollection,
		Collection: &Collection{CollectionId: "people", UserCount: 1}})
	if err != nil {
		t.Fatal(err)
	}
	err = WriteLines(a, UsersName, func(write func(User) error) error {
		return write(User{UserId: "anna", CreatedAt: time.UnixMilli(0).UTC()})
	})
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(ctx context.Context, file []byte) (*Reader, error) {
	return NewReader(ctx, bytes.NewReader(file), int64(len(file)), KindCollection)
}

// end makes the records at the end of a zip file, in the form for large numbers if zip64.
func end(entries, size, offset uint64, zip64 bool) []byte {
	b := make([]byte, endSize)
	copy(b, endMark)
	if !zip64 {
		le.PutUint16(b[8:], uint16(entries))
		le.PutUint16(b[10:], uint16(entries))
		le.PutUint32(b[12:], uint32(size))
		le.PutUint32(b[16:], uint32(offset))
		return b
	}
	copy(b[8:20], bytes.Repeat([]byte{0xff}, 12))
	large := make([]byte, zip64EndSize+locatorSize)
	copy(large, zip64EndMark)
	le.PutUint64(large[4:], zip64EndSize-12)
	le.PutUint64(large[24:], entries)
	le.PutUint64(large[32:], entries)
	le.PutUint64(large[40:], size)
	le.PutUint64(large[48:], offset)
	copy(large[zip64EndSize:], locatorMark)
	le.PutUint64(large[zip64EndSize+8:], offset+size)
	le.PutUint32(large[zip64EndSize+16:], 1)
	return append(large, b...)
}

// manyEntries makes the directory of a zip file of n empty files.
func manyEntries(n int) []byte {
	entry := make([]byte, 47)
	copy(entry, "PK\x01\x02")
	le.PutUint16(entry[28:], 1) // length of the name
	entry[46] = 'a'
	return bytes.Repeat(entry, n)
}

// allocated returns how many bytes a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A directory of a million entries is refused before it is in memory, whatever number of entries
// and bytes is declared.
func TestDirectoryIsBounded(t *testing.T) {
	const n = 1_000_000
	entries := manyEntries(n)
	size := uint64(len(entries))
	mod := uint64(n % 65536) // archive/zip compares as much of the number
	for name, tail := range map[string][]byte{
		"as it is":                   end(n, size, 0, true),
		"without zip64":              end(mod, size, 0, false),
		"few entries":                end(mod&15, size, 0, false),
		"few bytes at the beginning": end(16, 47*16, 0, false),
		"few bytes in zip64":         end(16, 47*16, 0, true),
		"few bytes at the end":       end(16, 47*16, size-47*16, false),
	} {
		file := append(bytes.Clone(entries), tail...)
		var err error
		got := allocated(func() { _, err = read(t.Context(), file) })
		if _, damaged := errors.AsType[*DamagedError](err); !damaged {
			t.Errorf("%s: %v, want a DamagedError", name, err)
		}
		if got > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// A large archive has its end in zip64's form, which other programs write for small ones as well.
func TestZip64(t *testing.T) {
	file := write(t)
	at := len(file) - endSize
	tail := end(uint64(le.Uint16(file[at+10:])), uint64(le.Uint32(file[at+12:])),
		uint64(le.Uint32(file[at+16:])), true)
	large := append(bytes.Clone(file[:at]), tail...)
	a, err := read(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	if a.Manifest.Collection.CollectionId != "people" {
		t.Errorf("the manifest is %+v", a.Manifest)
	}
}

// An archive that is cut short anywhere, or has something after its end, is damaged.
func TestCutShort(t *testing.T) {
	file := write(t)
	if _, err := read(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	for size := range len(file) {
		if _, err := read(t.Context(), file[:size]); !isDamaged(err) {
			t.Fatalf("cut to %d bytes: %v", size, err)
		}
	}
	for _, tail := range []string{"x", "PK", string(make([]byte, 100))} {
		if _, err := read(t.Context(), append(bytes.Clone(file), tail...)); !isDamaged(err) {
			t.Errorf("with %q at the end: %v", tail, err)
		}
	}
}

func isDamaged(err error) bool {
	_, ok := errors.AsType[*DamagedError](err)
	return ok
}

// A file is read once, however often its checksum is listed.
func TestChecksumTwice(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	file := write(t)
	from, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range from.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == sumsName {
			text = append(text, text[:bytes.IndexByte(text, '\n')+1]...)
		}
		w, err := z.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t.Context(), b.Bytes()); !isDamaged(err) {
		t.Errorf("a checksum that is there twice: %v", err)
	}
}

// cancelling ends its context at the nth read.
type cancelling struct {
	io.ReaderAt
	left   int
	cancel func()
}

func (c *cancelling) ReadAt(b []byte, at int64) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.ReaderAt.ReadAt(b, at)
}

// Whenever the context ends, the error says so, and not that the archive is damaged.
func TestReadingEndsWithItsContext(t *testing.T) {
	file := write(t)
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		r := &cancelling{bytes.NewReader(file), n, cancel}
		a, err := NewReader(ctx, r, int64(len(file)), KindCollection)
		if err == nil {
			err = readUsers(a)
		}
		cancel()
		if err == nil && r.left >= 0 {
			if n < 10 {
				t.Errorf("only %d reads were interrupted", n)
			}
			return
		}
		// The last read can end the context without another one that notices.
		if err != nil && (!errors.Is(err, context.Canceled) || isDamaged(err)) {
			t.Errorf("ended at read %d: %v", n, err)
		}
	}
}

func readUsers(a *Reader) error {
	f, err := a.Open(UsersName)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := NewLineReader[User](f, UsersName)
	for {
		if _, err := lines.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
