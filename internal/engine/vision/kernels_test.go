package vision

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The kernels and their portable twins have the same results, bit for bit, for all lengths.
func TestKernelsAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = 400*random.Float32() - 100
		}
		return v
	}
	for n := range 70 {
		a, b, c := values(n), values(n), values(n)
		wa, wb := random.Float32(), random.Float32()
		check := func(what string, got, want []float32) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Fatalf("%s of %d values: %v, want %v", what, n, got, want)
			}
		}
		got, want := values(n), values(n)
		blend(got, a, b, wa, wb)
		portableBlend(want, a, b, wa, wb)
		check("blend", got, want)

		got, want = values(n), values(n)
		blend4(got, a, b, c, a, wa, wb, -wa, wb/3)
		portableBlend4(want, a, b, c, a, wa, wb, -wa, wb/3)
		check("blend4", got, want)

		got, want = slices.Clone(c), slices.Clone(c)
		add(got, a, wa)
		portableAdd(want, a, wa)
		check("add", got, want)

		got, want = slices.Clone(c), slices.Clone(c)
		normalise(got, 127.5, 1/wa)
		portableNormalise(want, 127.5, 1/wa)
		check("normalise", got, want)

		planes, twins := [3][]float32{slices.Clone(a), slices.Clone(b), slices.Clone(c)},
			[3][]float32{a, b, c}
		rgb(planes[0], planes[1], planes[2])
		portableRGB(twins[0], twins[1], twins[2])
		for i := range planes {
			check(fmt.Sprint("rgb ", i), planes[i], twins[i])
		}

		bytes, wantBytes := make([]uint8, n), make([]uint8, n)
		narrow(bytes, planes[0])
		portableNarrow(wantBytes, planes[0])
		if !slices.Equal(bytes, wantBytes) {
			t.Fatalf("narrow of %d values: %v, want %v", n, bytes, wantBytes)
		}
		narrow(bytes, a) // some values are out of range
		portableNarrow(wantBytes, a)
		if !slices.Equal(bytes, wantBytes) {
			t.Fatalf("narrow of %d values: %v, want %v", n, bytes, wantBytes)
		}
		got = values(n)
		widen(got, bytes)
		for i, b := range bytes {
			if got[i] != float32(b) {
				t.Fatalf("widen of %d bytes: %v, of %v", n, got, bytes)
			}
		}

		// Samples at the end of their memory, and first samples up to the last pair.
		in := make([]uint8, 2+random.IntN(2*n+1), 2*n+20)
		in = in[: len(in) : len(in)+random.IntN(17)]
		for i := range in {
			in[i] = uint8(random.Uint32())
		}
		first := make([]int32, n)
		for i := range first {
			first[i] = int32(min(int(first[max(i-1, 0)])+random.IntN(5), len(in)-2))
		}
		w0, w1 := values(n), values(n)
		got, want = values(n), values(n)
		stretch(got, in, 1, first, w0, w1)
		portableStretch(want, in, 1, first, w0, w1)
		check("stretch", got, want)
		apart := make([]uint8, 4*len(in)-3) // as in interleaved pixels
		for i, sample := range in {
			apart[4*i] = sample
		}
		stretch(got, apart, 4, first, w0, w1)
		check("stretch of samples that are apart", got, want)
		if len(in) < 4 {
			continue
		}
		first[0] = 0
		for i := range first {
			first[i] = int32(min(int(first[max(i-1, 0)])+random.IntN(3), len(in)-4))
		}
		w2, w3 := values(n), values(n)
		stretch4(got, in, 1, first, w0, w1, w2, w3)
		portableStretch4(want, in, 1, first, w0, w1, w2, w3)
		check("stretch4", got, want)
		stretch4(got, apart, 4, first, w0, w1, w2, w3)
		check("stretch4 of samples that are apart", got, want)
	}
}

// For all places inside a plane, along lines of any direction, the results are the same, bit for
// bit.
func TestBetweenAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		width, height := 2+random.IntN(40), 2+random.IntN(40)
		stride := width + random.IntN(9)
		p := &plane{pix: make([]uint8, (height-1)*stride+width), step: 1, stride: stride,
			width: width, height: height, subX: 1, subY: 1}
		for i := range p.pix {
			p.pix[i] = uint8(random.Uint32())
		}
		n, from := 1+random.IntN(40), random.IntN(50)
		// From one place to another, both with four samples around them.
		x, y := 1+random.Float64()*float64(width-1), 1+random.Float64()*float64(height-1)
		stepX := (1 + random.Float64()*float64(width-1) - x) / float64(n) * 0.999
		stepY := (1 + random.Float64()*float64(height-1) - y) / float64(n) * 0.999
		startX, startY := x-1-stepX*float64(from), y-1-stepY*float64(from)
		got, want := make([]float32, n), make([]float32, n)
		if startX+stepX*float64(from)+1 < 1 || startY+stepY*float64(from)+1 < 1 {
			continue // outside because of rounding
		}
		between(got, p, startX, startY, stepX, stepY, from)
		portableBetween(want, p, startX, startY, stepX, stepY, from)
		if !slices.Equal(got, want) {
			t.Fatalf("%d places in %d x %d samples: %v, want %v", n, width, height, got, want)
		}
	}
}

func BenchmarkWarp(b *testing.B) {
	d := newTestDecoder(DefaultMemory)
	p, release, err := d.decode(b.Context(), testdata(b, "baseline420.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	defer release()
	out := make([]uint8, 3*112*112)
	for b.Loop() {
		p.warp(out, 112, affine{0.6, 0.1, 8, -0.1, 0.6, 15})
	}
}

func BenchmarkCrop(b *testing.B) {
	data := testdata(b, "baseline420.jpg")
	d := newTestDecoder(DefaultMemory)
	p, release, err := d.decode(b.Context(), data)
	if err != nil {
		b.Fatal(err)
	}
	defer release()
	width, height := p.size()
	out := make([]float32, 3*320*240)
	for b.Loop() {
		p.crop(out, 320, 240, 3, rect{0, 0, float64(width), float64(height)})
	}
}
