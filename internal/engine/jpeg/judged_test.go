package jpeg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// samplesOf is a channel of a picture.
type samplesOf struct {
	width, height int
	pix           []uint8
}

// judged is a file and libjpeg-turbo's samples of it: of each channel at the picture's size, or, if
// scans were compared separately, of each component at its own.
type judged struct {
	name     string
	data     []byte
	channels []samplesOf
	rgb      bool
}

// judgedFiles reads the files that testdata/judged.py has written.
func judgedFiles(t testing.TB) []judged {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "judged.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var (
		files []judged
		of    = map[string]int{}
	)
	for r := tar.NewReader(unpacked); ; {
		entry, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name, kind := strings.TrimSuffix(entry.Name, filepath.Ext(entry.Name)),
			filepath.Ext(entry.Name)
		if kind == ".jpg" {
			of[name] = len(files)
			files = append(files, judged{name: name, data: data})
			continue
		}
		files[of[name]].parse(t, data)
	}
	if len(files) < 1000 {
		t.Fatalf("%d files", len(files))
	}
	return files
}

func (j *judged) parse(t testing.TB, data []byte) {
	for len(data) > 0 {
		var (
			width, height int
			mode          string
		)
		head, rest, _ := bytes.Cut(data, []byte("\n"))
		if _, err := fmt.Sscan(string(head), &width, &height, &mode); err != nil {
			t.Fatalf("%s: %v", j.name, err)
		}
		j.rgb = mode == "RGB"
		for range map[string]int{"L": 1, "YCbCr": 3, "RGB": 3}[mode] {
			p := rest[:width*height]
			rest = rest[width*height:]
			for i := range p {
				var left, up, between int
				if i%width > 0 {
					left = int(p[i-1])
				}
				if i >= width {
					up = int(p[i-width])
				}
				if i%width > 0 && i >= width {
					between = int(p[i-width-1])
				}
				least, most := min(left, up), max(left, up)
				p[i] += uint8(max(least, min(most, left+up-between)))
			}
			j.channels = append(j.channels, samplesOf{width, height, p})
		}
		data = rest
	}
}

// channels returns the channels of a decoded picture, at the sizes in the file.
func channels(p *Picture, want []samplesOf) []samplesOf {
	width, height := p.Size()
	var all []samplesOf
	for i, plane := range whole(p, 0) {
		c := samplesOf{width: want[i].width, height: want[i].height}
		if c.width == plane.Width && c.height == plane.Height {
			for y := range c.height {
				c.pix = append(c.pix, plane.Pix[y*plane.Stride:][:c.width]...)
			}
		} else {
			c.width, c.height = width, height
			u := newUpsampler(&p.frame, i, &plane)
			for y := range height {
				c.pix = append(c.pix, u.line(y)...)
			}
		}
		all = append(all, c)
	}
	return all
}

// libjpeg rounds its transform at other steps than this package, which rounds as image/jpeg does:
// some samples differ by 1, by 2 after interpolation and by 3 after a conversion of colors.
const (
	mostDifferent = 3
	meanDifferent = 0.45
)

func (j *judged) compare(p *Picture) error {
	got := channels(p, j.channels)
	if len(got) != len(j.channels) {
		return fmt.Errorf("%d channels, want %d", len(got), len(j.channels))
	}
	for i, c := range got {
		want := j.channels[i]
		if c.width != want.width || c.height != want.height {
			return fmt.Errorf("channel %d has %d x %d samples, want %d x %d", i, c.width, c.height,
				want.width, want.height)
		}
		var sum, most int
		for k, v := range c.pix {
			d := int(v) - int(want.pix[k])
			d = max(d, -d)
			sum, most = sum+d, max(most, d)
		}
		if mean := float64(sum) / float64(len(c.pix)); most > mostDifferent ||
			mean > meanDifferent {
			return fmt.Errorf("channel %d of %d x %d differs by %.2f, at most by %d", i, c.width,
				c.height, mean, most)
		}
	}
	return nil
}

// Every sampling, process and kind of ink has libjpeg-turbo's samples.
func TestDecodeAnyIsJudged(t *testing.T) {
	for _, j := range judgedFiles(t) {
		h, err := ReadHeader(j.data)
		if err != nil {
			t.Errorf("%s: %v", j.name, err)
			continue
		}
		p, err := DecodeAny(t.Context(), j.data, 0)
		if err != nil {
			t.Errorf("%s: %v", j.name, err)
			continue
		}
		if p.missing != nil {
			t.Errorf("%s: rows are missing", j.name)
		}
		if (p.Color() == RGB) != j.rgb {
			t.Errorf("%s: the color is %d", j.name, p.Color())
		}
		if err := j.compare(p); err != nil {
			t.Errorf("%s: %v", j.name, err)
		}
		q, err := Decode(t.Context(), j.data, 0)
		if h.Plain != (err == nil) {
			t.Errorf("%s: the header says that plain is %t, and decoding %v", j.name, h.Plain, err)
		}
		if err != nil {
			continue
		}
		if err := same(whole(q, 0), whole(p, 0)); err != nil {
			t.Errorf("%s: %v", j.name, err)
		}
	}
}
