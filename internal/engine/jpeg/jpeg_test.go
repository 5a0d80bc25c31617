package jpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// photograph returns a picture with smooth parts, edges and noise.
func photograph(width, height int, seed uint64) image.Image {
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			v := uint8(x*255/width) / 2
			if (x/23+y/17)%3 == 0 {
				v = 200
			}
			img.SetRGBA(x, y,
				color.RGBA{v + uint8(r.IntN(30)), uint8(y * 255 / height),
					v ^ uint8(r.IntN(1+x*40/width)), 255})
		}
	}
	return img
}

func encode(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, &stdjpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func examples(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, name := range []string{"baseline420", "baseline422", "baseline444", "grey",
		"restarts420", "restarts444"} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".jpg"))
		if errors.Is(err, os.ErrNotExist) {
			data, err = os.ReadFile(filepath.Join("..", "vision", "testdata", name+".jpg"))
		}
		if err != nil {
			t.Fatal(err)
		}
		all[name] = data
	}
	for i, size := range [][2]int{{1, 1}, {8, 8}, {17, 5}, {250, 250}, {333, 215}} {
		for _, quality := range []int{5, 60, 90, 100} {
			name := fmt.Sprintf("%dx%d quality %d", size[0], size[1], quality)
			all[name] = encode(t, photograph(size[0], size[1], uint64(i)), quality)
		}
	}
	return all
}

// whole returns all rows of the picture at a scale.
func whole(p *Picture, shift int) []Plane { return p.Planes(shift, 0, 1<<16) }

// standard decodes with image/jpeg, to planes of the same form. It returns false for a picture
// whose image has no planes.
func standard(data []byte) (planes []Plane, ok bool, err error) {
	img, err := stdjpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, false, err
	}
	switch img := img.(type) {
	case *image.Gray:
		return []Plane{{Pix: img.Pix, Stride: img.Stride}}, true, nil
	case *image.YCbCr:
		return []Plane{{Pix: img.Y, Stride: img.YStride}, {Pix: img.Cb, Stride: img.CStride},
			{Pix: img.Cr, Stride: img.CStride}}, true, nil
	}
	return nil, false, nil
}

// same compares the visible samples of planes.
func same(got, want []Plane) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d planes, want %d", len(got), len(want))
	}
	for i, p := range got {
		for y := range p.Height {
			a, b := p.Pix[y*p.Stride:][:p.Width], want[i].Pix[y*want[i].Stride:][:p.Width]
			if !bytes.Equal(a, b) {
				return fmt.Errorf("plane %d of %d x %d: row %d is %v, want %v", i, p.Width,
					p.Height, y, a, b)
			}
		}
	}
	return nil
}

// The samples are those of image/jpeg.
func TestDecodeIsTheStandardDecoders(t *testing.T) {
	for name, data := range examples(t) {
		p, err := Decode(t.Context(), data, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, _, err := standard(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(whole(p, 0), want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A scaled picture is the mean of the samples. In the reference they are rounded and clamped to 0
// to 255 before the mean, in the scaled picture after it.
func TestDecodeScaled(t *testing.T) {
	for _, name := range []string{"baseline420", "baseline422", "baseline444", "grey",
		"restarts420", "250x250 quality 90", "333x215 quality 60"} {
		data := examples(t)[name]
		for shift := 1; shift <= MaxShift; shift++ {
			p, err := Decode(t.Context(), data, shift)
			if err != nil {
				t.Fatal(err)
			}
			large, small := whole(p, 0), whole(p, shift)
			n := 1 << shift
			for i, s := range small {
				l := large[i]
				if s.Width != (l.Width+n-1)/n || s.Height != (l.Height+n-1)/n {
					t.Fatalf("%s at 1/%d: plane %d has %d x %d samples", name, n, i, s.Width,
						s.Height)
				}
				// most: where no sample is 0 or 255
				var sum, most, clipped float64
				for y := range l.Height / n {
					for x := range l.Width / n {
						mean, ends := 0, false
						for k := range n * n {
							v := l.Pix[(n*y+k/n)*l.Stride+n*x+k%n]
							mean += int(v)
							ends = ends || v == 0 || v == 255
						}
						d := float64(mean)/float64(n*n) - float64(s.Pix[y*s.Stride+x])
						sum += d
						if ends {
							clipped = max(clipped, d, -d)
						} else {
							most = max(most, d, -d)
						}
					}
				}
				if mean := sum / float64(l.Width/n*(l.Height/n)); mean < -0.5 || mean > 0.5 ||
					most > 1 || clipped > 12 {
					t.Errorf(
						"%s at 1/%d: plane %d is off by %.2f on average, %.2f at most, %.2f where "+
							"it is clipped", name, n, i, mean, most, clipped)
				}
			}
		}
	}
}

// Rows that are decoded later equal those of a picture that is decoded at once.
func TestPlanesLater(t *testing.T) {
	for _, name := range []string{"333x215 quality 90", "restarts420", "grey"} {
		data := examples(t)[name]
		p, err := Decode(t.Context(), data, 3)
		if err != nil {
			t.Fatal(err)
		}
		for shift := range 3 {
			at := p.Planes(shift, 40, 70)[0]
			q, err := Decode(t.Context(), data, shift)
			if err != nil {
				t.Fatal(err)
			}
			want := whole(q, shift)
			for y := 40 >> shift; y < (70+1<<shift-1)>>shift; y++ {
				if !bytes.Equal(at.Pix[y*at.Stride:][:at.Width],
					want[0].Pix[y*at.Stride:][:at.Width]) {
					t.Errorf("%s at 1/%d: row %d differs", name, 1<<shift, y)
				}
			}
			p.Planes(shift, -5, 20)
			if err := same(whole(p, shift), want); err != nil {
				t.Errorf("%s at 1/%d: %v", name, 1<<shift, err)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	data := examples(t)["250x250 quality 90"]
	restarts := examples(t)["restarts420"]
	swapped := bytes.Replace(restarts, []byte{0xff, 0xd1}, []byte{0xff, 0xd2}, 1)
	for name, data := range map[string][]byte{
		"nothing":        nil,
		"text":           []byte("hello"),
		"half":           data[:len(data)/2],
		"no end":         data[:len(data)-2],
		"more than all":  append(append(bytes.Clone(data[:len(data)-2]), 1, 2, 3), 0xff, 0xd9),
		"taller":         taller(data),
		"swapped marker": swapped,
	} {
		if _, err := Decode(t.Context(), data, 0); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Decode(ctx, data, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// taller returns a file whose header has more rows than its data.
func taller(data []byte) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte("\xff\xc0"))
	binary.BigEndian.PutUint16(data[at+5:], 2000)
	return data
}

// Whatever this package decodes, image/jpeg decodes to the same samples, and every scale can be
// decoded.
func FuzzDecode(f *testing.F) {
	for _, data := range examples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := stdjpeg.DecodeConfig(bytes.NewReader(data))
		if err == nil && config.Width*config.Height > 1<<20 {
			return
		}
		p, err := Decode(t.Context(), data, int(uint(len(data))%4))
		if err != nil {
			return
		}
		want, planes, err := standard(data)
		if err != nil || !planes {
			t.Fatalf("image/jpeg says %v", err)
		}
		if err := same(whole(p, 0), want); err != nil {
			t.Error(err)
		}
		for shift := range MaxShift + 1 {
			whole(p, shift)
		}
	})
}

// BenchmarkDecode decodes a picture of 12 megapixels, beside image/jpeg.
func BenchmarkDecode(b *testing.B) {
	for _, quality := range []int{75, 92} {
		data := encode(b, photograph(4000, 3000, 1), quality)
		b.Run(fmt.Sprintf("%dKB", len(data)>>10), func(b *testing.B) {
			b.Run("standard", func(b *testing.B) {
				for b.Loop() {
					if _, err := stdjpeg.Decode(bytes.NewReader(data)); err != nil {
						b.Fatal(err)
					}
				}
			})
			for shift := range MaxShift + 1 {
				b.Run(fmt.Sprint("one ", 1<<shift), func(b *testing.B) {
					for b.Loop() {
						if _, err := Decode(b.Context(), data, shift); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
