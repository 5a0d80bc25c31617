package exact

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
)

// faceLike returns vectors whose cosines are distributed like those of different people's faces: a
// share of 0.01 is above 0.24, which corresponds to a standard deviation of 0.103, as in 94
// dimensions. Each group of ten is like one person's faces, with cosines of about 0.6.
func faceLike(random *rand.Rand, n, dimension int) [][]float32 {
	const effective = 94
	basis := make([][]float32, effective)
	for i := range basis {
		basis[i] = unit(random, dimension)
	}
	vectors := make([][]float32, n)
	var person []float32
	for i := range vectors {
		if i%10 == 0 {
			person = make([]float32, dimension)
			for _, b := range basis {
				weight := float32(random.NormFloat64())
				for j := range person {
					person[j] += weight * b[j]
				}
			}
			normalise(person)
		}
		vectors[i] = near(random, person, 0.77)
	}
	return vectors
}

func normalise(v []float32) {
	scale := 1 / float32(math.Sqrt(float64(portableDot(v, v))))
	for i := range v {
		v[i] *= scale
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		random := rand.New(rand.NewPCG(1, 1))
		vectors := faceLike(random, n, 512)
		for _, k := range available() {
			var g gallery
			g.begin(newCoders(k), new(Tally), nil)
			for i, v := range vectors {
				if err := g.add([]face.Embedding{{Key: face.VectorKey(i + 1),
					Vector: v}}); err != nil {
					b.Fatal(err)
				}
			}
			for _, ask := range []struct {
				k     int
				least float32
			}{{10, -1}, {10, 0.3}, {4096, 0.3}} {
				b.Run(fmt.Sprintf("vectors=%d/%s/k=%d/least=%v", n, k.name, ask.k, ask.least),
					func(b *testing.B) {
						*g.tally = Tally{}
						for i := range b.N {
							if _,
								err := g.search(b.Context(), near(random, vectors[i%n], 0.6), ask.k,
								ask.least); err != nil {
								b.Fatal(err)
							}
						}
						b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
						b.ReportMetric(float64(g.tally.Compared.Load())/float64(b.N), "compared/op")
					})
			}
		}
	}
}

// BenchmarkDimension searches vectors of several lengths. Up to minWidth the codes have the same
// length, and the times are nearly equal.
func BenchmarkDimension(b *testing.B) {
	const n = 100_000
	for _, dimension := range []int{128, 256, 512, 1024} {
		random := rand.New(rand.NewPCG(1, 1))
		vectors := faceLike(random, n, dimension)
		var g gallery
		g.begin(newCoders(fastest()), new(Tally), nil)
		for i, v := range vectors {
			if err := g.add([]face.Embedding{{Key: face.VectorKey(i + 1), Vector: v}}); err != nil {
				b.Fatal(err)
			}
		}
		for _, least := range []float32{-1, 0.3, 0.5} {
			b.Run(fmt.Sprintf("%d/least=%v", dimension, least), func(b *testing.B) {
				*g.tally = Tally{}
				for i := range b.N {
					query := near(random, vectors[i%n], 0.6)
					if _, err := g.search(b.Context(), query, 10, least); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/vector")
				b.ReportMetric(float64(g.tally.Compared.Load())/float64(b.N), "compared/op")
			})
		}
	}
}

func BenchmarkProbe(b *testing.B) {
	c := newCoder(fastest(), 512)
	v := unit(rand.New(rand.NewPCG(1, 1)), 512)
	for range b.N {
		newProbe(c, v)
	}
}

func BenchmarkAdd(b *testing.B) {
	var g gallery
	g.begin(newCoders(fastest()), new(Tally), nil)
	v := unit(rand.New(rand.NewPCG(1, 1)), 512)
	for i := range b.N {
		if err := g.add([]face.Embedding{{Key: face.VectorKey(i%1_000_000 + 1),
			Vector: v}}); err != nil {
			b.Fatal(err)
		}
		if i%1_000_000 == 999_999 {
			b.StopTimer()
			g.begin(newCoders(fastest()), new(Tally), nil)
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
}

// BenchmarkSums scans the signs of a million vectors, in the memory layout of full slabs, or
// repeatedly in the cache.
func BenchmarkSums(b *testing.B) {
	c := newCoder(portable(), 512)
	p := newProbe(c, unit(rand.New(rand.NewPCG(1, 1)), 512))
	slabs := make([][]byte, 1_000_000/slabSlots)
	for i := range slabs {
		slabs[i] = make([]byte, slotsBytes(c))
		for at := range slabs[i] {
			slabs[i][at] = byte(at)
		}
	}
	sums := make([]uint16, slabSlots)
	for _, k := range available() {
		for _, from := range []string{"memory", "cache"} {
			b.Run(k.name+"/"+from, func(b *testing.B) {
				for range b.N {
					for i := range slabs {
						if from == "cache" {
							i = 0
						}
						k.sums(sums, slabs[i][:slabSlots*c.rows()], p.tables, c.rows())
					}
				}
				b.ReportMetric(
					float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(slabs)*slabSlots),
					"ns/vector")
			})
		}
	}
}

// BenchmarkPairs compares all vectors with each other.
func BenchmarkPairs(b *testing.B) {
	const n = 32 * slabSlots
	random := rand.New(rand.NewPCG(1, 1))
	vectors := faceLike(random, n, 512)
	for _, k := range available() {
		var g gallery
		g.begin(newCoders(k), new(Tally), nil)
		for i, v := range vectors {
			if err := g.add([]face.Embedding{{Key: face.VectorKey(i + 1), Vector: v}}); err != nil {
				b.Fatal(err)
			}
		}
		for _, least := range []float32{0.4, 0.55} {
			b.Run(fmt.Sprintf("%s/least=%v", k.name, least), func(b *testing.B) {
				pairs := 0
				for range b.N {
					q := face.PairQuery{Least: least, Limit: 1 << 20}
					for more := true; more; {
						page, err := g.pairs(b.Context(), q)
						if err != nil {
							b.Fatal(err)
						}
						pairs += len(page.Pairs)
						q.After, more = page.Last, page.More
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*(n-1)/2),
					"ns/comparison")
				b.ReportMetric(float64(pairs)/float64(b.N), "pairs")
			})
		}
	}
}
