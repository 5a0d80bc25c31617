package vision

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Every path computes the same numbers, to the last bit, whatever is left over at the end.
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

		got, want = slices.Clone(c), slices.Clone(c)
		add(got, a, wa)
		portableAdd(want, a, wa)
		check("add", got, want)

		got, want = slices.Clone(c), slices.Clone(c)
		normalise(got, 127.5, 1/wa)
		portableNormalise(want, 127.5, 1/wa)
		check("normalise", got, want)

		planes, twins := [3][]float32{slices.Clone(a), slices.Clone(b), slices.Clone(c)}, [3][]float32{a, b, c}
		rgb(planes[0], planes[1], planes[2])
		portableRGB(twins[0], twins[1], twins[2])
		for i := range planes {
			check(fmt.Sprint("rgb ", i), planes[i], twins[i])
		}

		// Samples that lie at the very end of their memory, and first ones that rise to the last pair.
		in := make([]uint8, 2+random.IntN(2*n+1))
		for i := range in {
			in[i] = uint8(random.Uint32())
		}
		first := make([]int32, n)
		for i := range first {
			first[i] = int32(random.IntN(len(in) - 1))
		}
		slices.Sort(first)
		w0, w1 := values(n), values(n)
		got, want = values(n), values(n)
		stretch(got, in, 1, first, w0, w1)
		portableStretch(want, in, 1, first, w0, w1)
		check("stretch", got, want)
		apart := make([]uint8, 4*len(in)-3) // as of interleaved pixels
		for i, sample := range in {
			apart[4*i] = sample
		}
		stretch(got, apart, 4, first, w0, w1)
		check("stretch of samples that are apart", got, want)
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
