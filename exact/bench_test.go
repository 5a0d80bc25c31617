package exact

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/recollect-dev/recollect"
)

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("vectors=%d", n), func(b *testing.B) {
			var g gallery
			g.beginLoad()
			random := rand.New(rand.NewPCG(1, 1))
			for key := range recollect.VectorKey(n) {
				if err := g.add([]recollect.Embedding{{Key: key + 1, Vector: unit(random, 512)}}); err != nil {
					b.Fatal(err)
				}
			}
			query := unit(random, 512)
			b.ResetTimer()
			for range b.N {
				if hits, err := g.search(b.Context(), query, 100, -1); err != nil || len(hits) != 100 {
					b.Fatal(len(hits), err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	var g gallery
	g.beginLoad()
	v := unit(rand.New(rand.NewPCG(1, 1)), 512)
	for i := range b.N {
		if err := g.add([]recollect.Embedding{{Key: recollect.VectorKey(i%1_000_000 + 1), Vector: v}}); err != nil {
			b.Fatal(err)
		}
		if i%1_000_000 == 999_999 {
			b.StopTimer()
			g.beginLoad()
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
}
