package jpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// read returns a file of this package's tests or of package vision's.
func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if errors.Is(err, os.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join("..", "vision", "testdata", name))
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decodeAny(t testing.TB, data []byte) *Picture {
	t.Helper()
	p, err := DecodeAny(t.Context(), data, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wholeRows compares the samples of the pixel rows that Whole reports, and returns the number of
// these rows.
func wholeRows(t *testing.T, name string, got, want *Picture, most int) (rows int) {
	t.Helper()
	_, height := want.Size()
	for y := range height {
		if !got.Whole(y, y+1) {
			continue
		}
		rows++
		for i, plane := range whole(got, 0) {
			at := int(float64(y) / plane.SubY)
			a, b := plane.Pix[at*plane.Stride:][:plane.Width],
				whole(want, 0)[i].Pix[at*plane.Stride:][:plane.Width]
			sum := 0
			for x := range a {
				d := int(a[x]) - int(b[x])
				d = max(d, -d)
				sum += d
				if d > most {
					t.Fatalf("%s: row %d of plane %d, said to be whole: sample %d is %d, not %d",
						name, y, i, x, a[x], b[x])
				}
			}
			if mean := float64(sum) / float64(len(a)); mean > float64(most)/8 {
				t.Fatalf("%s: row %d of plane %d, said to be whole, differs by %.1f", name, y, i,
					mean)
			}
		}
	}
	return rows
}

// A file without its end marker, or with other bytes in its place, is whole.
func TestNoEnd(t *testing.T) {
	for _, name := range []string{"baseline420.jpg", "restarts420.jpg", "progressive.jpg",
		"grey-progressive.jpg", "cmyk.jpg"} {
		data := read(t, name)
		want := decodeAny(t, data)
		for _, data := range [][]byte{data[:len(data)-2], data[:len(data)-1],
			append(bytes.Clone(data[:len(data)-2]), make([]byte, 512)...)} {
			got := decodeAny(t, data)
			if _, height := want.Size(); wholeRows(t, name, got, want, 0) != height {
				t.Errorf("%s: not all rows are whole", name)
			}
		}
	}
}

// In a file that is truncated anywhere, the rows that Whole reports are right: bit for bit if
// coefficients are coded at once, and nearly if their last bits are missing.
func TestCutAnywhere(t *testing.T) {
	for name, most := range map[string]int{"baseline420.jpg": 0, "baseline444.jpg": 0,
		"restarts420.jpg": 0, "grey.jpg": 0, "rgb.jpg": 0, "progressive.jpg": 64,
		"grey-progressive.jpg": 64, "arithmetic": 0, "arithmetic-progressive": 64} {
		var data []byte
		switch name {
		case "arithmetic":
			data = judgedFile(t, "arithmetic-2x2-64").data
		case "arithmetic-progressive":
			data = judgedFile(t, "arithmetic-2x2-64--progressive").data
		default:
			data = read(t, name)
		}
		want := decodeAny(t, data)
		_, height := want.Size()
		before := 0
		for end := bytes.Index(data, []byte("\xff\xda")); end < len(data); end++ {
			got, err := DecodeAny(t.Context(), data[:end], 0)
			if err != nil {
				if before > 0 {
					t.Fatalf("%s: %d bytes have whole rows, and %d do not: %v", name, end-1, end,
						err)
				}
				continue
			}
			rows := wholeRows(t, name, got, want, most)
			if rows < before {
				t.Fatalf("%s: %d bytes have %d whole rows, and %d have %d", name, end-1, before,
					end, rows)
			}
			before = rows
		}
		// Zeros that arithmetic coding omits at the end cannot be distinguished from missing data.
		if before != height && !(strings.HasPrefix(name, "arithmetic") && before >= height*3/4) {
			t.Errorf("%s: %d of %d rows are whole without the last byte", name, before, height)
		}
	}
}

func judgedFile(t *testing.T, name string) judged {
	t.Helper()
	for _, j := range judgedFiles(t) {
		if j.name == name {
			return j
		}
	}
	t.Fatalf("there is no %s", name)
	return judged{}
}

// Damage affects only the rows between its restart markers, also if a marker is missing or
// repeated.
func TestDamageBetweenRestarts(t *testing.T) {
	data := read(t, "restarts420.jpg")
	want := decodeAny(t, data)
	_, height := want.Size()
	marker := func(n byte) int { return bytes.Index(data, []byte{0xff, markerRST0 + n}) }
	lost := bytes.Clone(data)
	copy(lost[marker(2):], []byte{0x12, 0x34})
	twice := append(bytes.Clone(data[:marker(2)]), data[marker(1):]...)
	gone := append(bytes.Clone(data[:marker(1)]), data[marker(2):]...)
	overwritten := bytes.Clone(data)
	for i := marker(3) + 2; i < marker(4); i++ {
		overwritten[i] = 0xfe // codes of ones alone are none
	}
	for name, data := range map[string][]byte{"a lost marker": lost, "a piece twice": twice,
		"a lost piece": gone, "a piece that was overwritten": overwritten} {
		got := decodeAny(t, data)
		rows := wholeRows(t, name, got, want, 0)
		if rows < height/2 || rows == height && name != "a piece twice" {
			t.Errorf("%s: %d of %d rows are whole", name, rows, height)
		}
	}
}

// The error for an unsupported file says what it is.
func TestReadHeaderSays(t *testing.T) {
	data := read(t, "baseline420.jpg")
	frame := bytes.Index(data, []byte("\xff\xc0"))
	change := func(at int, b ...byte) []byte {
		data := bytes.Clone(data)
		copy(data[at:], b)
		return data
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"lossless": {change(frame+1, 0xc3), "a lossless JPEG (T.81, annex H) is not read"},
		"hierarchical": {change(frame+1, 0xc5),
			"a hierarchical JPEG (T.81, annex J) is not read"},
		"12 bits": {change(frame+4, 12),
			"a JPEG of 12 bits a sample is not read, of 8 bits is"},
		"no width":       {change(frame+7, 0, 0), "it has no pixels"},
		"no height":      {change(frame+5, 0, 0), "it has no pixels"},
		"two components": {two(data, frame), "a JPEG of 2 components is not read"},
		"only the start": {data[:4], errCut.Error()},
		"no scan":        {append(bytes.Clone(data[:frame]), 0xff, 0xd9), errEnd.Error()},
	} {
		if _, err := ReadHeader(c.data); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if _, err := DecodeAny(t.Context(), c.data, 0); err == nil || err.Error() != c.want {
			t.Errorf("%s: decoding says %v, want %s", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := DecodeAny(ctx, data, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// two removes a component from a frame's header.
func two(data []byte, frame int) []byte {
	data = bytes.Clone(data)
	binary.BigEndian.PutUint16(data[frame+2:], 14)
	data[frame+9] = 2
	return append(data[:frame+16], data[frame+19:]...)
}

// For any file decoding does not panic, does not allocate more memory than its header says, and
// does not report whole rows that differ in a second decoding.
func FuzzDecodeAny(f *testing.F) {
	for i, j := range judgedFiles(f) {
		if i%23 == 0 || i > 960 && i%5 == 0 {
			f.Add(j.data)
		}
	}
	for _, name := range []string{"progressive.jpg", "cmyk.jpg", "restarts420.jpg"} {
		data := read(f, name)
		f.Add(data)
		f.Add(data[:len(data)*2/3])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ReadHeader(data)
		if err != nil || h.Width*h.Height > 1<<18 || bytes.Count(data, []byte("\xff\xda")) > 50 {
			return
		}
		shift := int(uint(len(data)) % 4)
		p, err := DecodeAny(t.Context(), data, shift)
		if err != nil {
			return
		}
		if h.Ink {
			shift = 0
		}
		planes := p.Planes(shift, 0, h.Height)
		if n := map[Color]int{Grey: 1, YCbCr: 3, RGB: 3}[p.Color()]; n != len(planes) ||
			p.Color() != h.Color && !h.Ink {
			t.Fatalf("%d planes of the color %d", len(planes), p.Color())
		}
		if !h.Ink {
			for shift := range MaxShift + 1 {
				whole(p, shift)
			}
		}
	})
}
