package exact

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/indextest"
)

// All supported kernels have the results of the portable ones: bit for bit if hits depend on them.
func TestKernelsAgree(t *testing.T) {
	for _, k := range available()[1:] {
		t.Run(k.name, func(t *testing.T) { testAgreement(t, k, portable()) })
	}
}

func testAgreement(t *testing.T, fast, slow *kernels) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		rows, blocks := 4*(1+random.IntN(40)), 1+random.IntN(11)
		codes, tables := make([]byte, rows*blockSlots*blocks), make([]byte, 32*rows)
		for i := range codes {
			codes[i] = byte(random.Uint32())
		}
		for i := range tables {
			tables[i] = byte(random.IntN(2*entryMax + 1))
		}
		got, want := make([]uint16, blocks*blockSlots), make([]uint16, blocks*blockSlots)
		fast.sums(got, codes, tables, rows)
		slow.sums(want, codes, tables, rows)
		if !slices.Equal(got, want) {
			t.Fatalf("sums of %d blocks of %d rows differ", blocks, rows)
		}
		levels := make([]int8, 8*16*(1+random.IntN(32)))
		for i := range levels {
			levels[i] = int8(random.IntN(2*entryMax+1) - entryMax)
		}
		code := make([]byte, len(levels)/8)
		for i := range code {
			code[i] = byte(random.Uint32())
		}
		if got, want := fast.signed(code, levels), slow.signed(code, levels); got != want {
			t.Fatalf("sum of %d levels: %d, want %d", len(levels), got, want)
		}
		scales := make([]float32, len(got))
		for i := range scales {
			if scales[i] = random.Float32(); random.IntN(10) == 0 {
				scales[i] = float32(math.NaN())
			}
		}
		step, shift := random.Float32(), -random.Float32()*1000
		limit := scales[0] * (float32(want[0])*step + shift) // one is near the limit
		gotMasks, wantMasks := make([]uint32, blocks), make([]uint32, blocks)
		fast.above(gotMasks, got, scales, step, shift, limit)
		slow.above(wantMasks, got, scales, step, shift, limit)
		if !slices.Equal(gotMasks, wantMasks) {
			t.Fatalf("masks differ: %x, want %x", gotMasks, wantMasks)
		}
		n := random.IntN(700)
		a, b := unit(random, n), unit(random, n)
		if got, want := fast.dot(a, b), slow.dot(a, b); got != want {
			t.Fatalf("dot of %d numbers: %v, want %v", n, got, want)
		}
		v := unit(random, 8<<random.IntN(8))
		u := slices.Clone(v)
		fast.hadamard(v)
		slow.hadamard(u)
		if !slices.Equal(u, v) {
			t.Fatalf("Hadamard transform of %d numbers differs", len(v))
		}
	}
}

// near returns a unit vector at a cosine from another.
func near(random *rand.Rand, v []float32, cosine float64) []float32 {
	w := unit(random, len(v))
	along := float64(portableDot(v, w))
	var norm float64
	for i := range w {
		w[i] -= float32(along) * v[i]
		norm += float64(w[i]) * float64(w[i])
	}
	for i := range w {
		w[i] = float32(cosine)*v[i] + float32(math.Sqrt((1-cosine*cosine)/norm))*w[i]
	}
	return w
}

// Errors of estimates agree with the bound: their standard deviation is at most the computed one
// and not much smaller, and they are far below the allowed number of deviations, also for sparse
// vectors, and for similar queries and vectors.
func TestBound(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	trials, dimensions := 2000, []int{64, 128, 192, 512, 1024}
	if testing.Short() {
		trials, dimensions = 500, []int{192, 512}
	}
	for _, dimension := range dimensions {
		for _, shape := range []string{"normal", "sparse", "same signs"} {
			for _, cosine := range []float64{0, 0.3, 0.7, 1} {
				t.Run(fmt.Sprintf("%d/%s/%v", dimension, shape, cosine), func(t *testing.T) {
					c := newCoder(fastest(), dimension)
					s := newSlab(c, 1, true)
					scratch := make([]float32, c.width)
					var squares [2]float64
					var worst [2]float64
					for range trials {
						v := unit(random, dimension)
						if shape == "sparse" {
							clear(v)
							v[random.IntN(dimension)] = 1
						} else if shape == "same signs" {
							for i := range v {
								v[i] = 1 / float32(math.Sqrt(float64(dimension)))
							}
							v[random.IntN(dimension)] *= -1
						}
						query := near(random, v, cosine)
						s.live = 0
						s.put(c, 0, face.Embedding{Key: 1, Vector: v}, scratch)
						p := newProbe(c, query)
						if p.plain {
							t.Fatal("the query is said not to be of unit length")
						}
						var signs [blockSlots]uint16
						c.kernels.sums(signs[:], s.signs, p.tables, c.rows())
						first := s.sign[0] * (float32(signs[0])*p.step - p.bias)
						second := p.estimate(signs[0], c.kernels.signed(s.lowsOf(c, 0), p.levels),
							s.both[0])
						slope, offset := p.first(float32(cosine))
						errors := [2]float64{
							(float64(first) - cosine) / float64(s.sign[0]*slope+offset),
							(float64(second) - cosine) / float64(
								p.spread.towards(float32(cosine)).second(s.spread[0])),
						}
						for i, e := range errors {
							squares[i] += e * e
							worst[i] = max(worst[i], math.Abs(e))
						}
					}
					for i := range squares {
						deviation := math.Sqrt(squares[i] / float64(trials))
						t.Logf("stage %d: deviation %.2f, worst %.2f of the computed", i+1,
							deviation, worst[i])
						if deviation > 1.2 || worst[i] > deviations-0.7 {
							t.Errorf("stage %d strays: deviation %.2f, worst %.2f of the computed",
								i+1, deviation, worst[i])
						}
						if cosine < 1 && deviation < 0.8 {
							t.Errorf("stage %d is computed too large: %.2f", i+1, deviation)
						}
					}
				})
			}
		}
	}
}

// Short vectors are found as exactly as long ones, from memory and from files, and codes rule out
// as many of them: a search compares few in full.
func TestCodesOfShortVectors(t *testing.T) {
	const n, queries = 6*slabSlots + 100, 20
	for _, dimension := range []int{128, 256, 512} {
		for _, k := range available() {
			t.Run(fmt.Sprintf("%d/%s", dimension, k.name), func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(dimension), 1))
				var source indextest.Source
				vectors := map[face.VectorKey][]float32{}
				for i, v := range faceLike(random, n, dimension) {
					vectors[face.VectorKey(i+1)] = v
					source.Put(1, face.Embedding{Key: face.VectorKey(i + 1), Vector: v})
				}
				for _, files := range []*Files{nil, openFiles(t, t.TempDir(), n)} {
					x := newIndex(t, &source, Options{Files: files, kernels: k})
					for range queries {
						query := near(random, vectors[face.VectorKey(1+random.IntN(n))], 0.6)
						checkSearch(t, x, vectors, query, 10, 0.3)
					}
					share := float64(x.Tally().Compared.Load()) / (queries * n)
					t.Logf("%.5f of the vectors are compared", share)
					if share > 0.04 {
						t.Errorf("%.5f of the vectors are compared in full", share)
					}
					for range queries / 4 {
						query := unit(random, dimension)
						checkSearch(t, x, vectors, query, 10, -1)
						checkSearch(t, x, vectors, query, n, 0.1)
					}
				}
			})
		}
	}
}

// For vectors of every kind and all kernels, the hits are those of comparing all vectors.
func TestSearchAgreesWithScanOfOddVectors(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	for _, k := range available() {
		for range rounds {
			dimension := 64 * (1 + random.IntN(9))
			n := 1 + random.IntN(250*rounds)
			var source indextest.Source
			x := newIndex(t, &source, Options{kernels: k})
			vectors := map[face.VectorKey][]float32{}
			var last []float32
			for key := range face.VectorKey(n) {
				v := unit(random, dimension)
				switch random.IntN(20) {
				case 0: // a duplicate
					if last != nil {
						v = slices.Clone(last)
					}
				case 1:
					clear(v)
				case 2:
					for i := range v {
						v[i] *= 1e18
					}
				case 3:
					for i := range v {
						v[i] *= 1e-20
					}
				case 4:
					v[random.IntN(dimension)] = float32(math.NaN())
				case 5:
					v[random.IntN(dimension)] = float32(math.Inf(1 - 2*random.IntN(2)))
				case 6, 7, 8:
					if last != nil && !(portableDot(last, last) > 1.1) {
						v = near(random, last, random.Float64())
					}
				}
				vectors[key+1], last = v, v
				source.Put(1, face.Embedding{Key: key + 1, Vector: v})
			}
			for round := range 3 {
				for range 4 {
					query := unit(random, dimension)
					switch random.IntN(4) {
					case 0:
						query = vectors[face.VectorKey(1+random.IntN(n))]
						if query == nil {
							continue
						}
					case 1:
						for i := range query {
							query[i] *= 3
						}
					}
					checkSearch(t, x, vectors, query, 1+random.IntN(100),
						float32(random.NormFloat64()/5))
				}
				for key := range vectors {
					if random.IntN(3) == 0 {
						delete(vectors, key)
						source.Delete(1, key)
						if err := x.Remove(t.Context(), 1, key); err != nil {
							t.Fatal(err)
						}
					}
				}
				for i := range 200 {
					e := face.Embedding{Key: face.VectorKey(10_000*(round+1) + i),
						Vector: unit(random, dimension)}
					if i%4 == 0 { // in place of an old one
						e.Key = face.VectorKey(1 + random.IntN(n))
					}
					vectors[e.Key] = e.Vector
					source.Put(1, e)
					if err := x.Add(t.Context(), 1, e); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

func checkSearch(t *testing.T, x *Index, vectors map[face.VectorKey][]float32, query []float32,
	k int, least float32) {
	t.Helper()
	var want []face.Hit
	for key, v := range vectors {
		if c := portable().cosine(query, v); c >= least {
			want = append(want, face.Hit{Key: key, Cosine: c})
		}
	}
	slices.SortFunc(want, func(a, b face.Hit) int {
		return cmp.Or(cmp.Compare(b.Cosine, a.Cosine), cmp.Compare(a.Key, b.Key))
	})
	want = want[:min(k, len(want))]
	got, err := x.Search(t.Context(), 1, query, k, least)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("k %d, least %v: found %d hits, want %d, or others", k, least, len(got), len(want))
	}
}
