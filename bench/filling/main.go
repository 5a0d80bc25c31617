// Command filling measures searches of one collection while another one is filled and searched, on
// the index alone: the effect of an import on other users of a server. Vectors are random, and each
// query is a stored vector with noise, searched with a least cosine, as SearchFaces does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
)

const (
	dimension = 512
	k         = 10
	least     = 0.4  // cosine
	noise     = 0.04 // deviation of each number of a query; its cosine is about 0.75

	searched face.CollectionKey = 1
	filled   face.CollectionKey = 2
)

type options struct {
	vectors int
	rates   []int
	period  time.Duration
	out     string
}

func main() {
	var o options
	var rates string
	flag.IntVar(&o.vectors, "vectors", 100_000, "vectors of the collection that is measured")
	flag.StringVar(&rates, "rates", "0,250,2000,10000",
		"vectors a second that are added to the other collection; 0: none")
	flag.DurationVar(&o.period, "period", 20*time.Second, "time of each measurement")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "filling.md"),
		"file for the results; empty: none")
	flag.Parse()
	if err := run(context.Background(), o, rates); err != nil {
		fmt.Fprintln(os.Stderr, "filling:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, rates string) error {
	for text := range strings.SplitSeq(rates, ",") {
		var rate int
		if _, err := fmt.Sscan(text, &rate); err != nil {
			return fmt.Errorf("read the rate %q: %w", text, err)
		}
		o.rates = append(o.rates, rate)
	}
	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(w, "# Searches during an import\n\n`go run ./bench/filling`, %s, %s, %d cores, "+
		"%s/%s.\n\nOne client searches a collection of %d vectors, for %v.\n"+
		"Meanwhile another collection is filled at the rate of the row, 32 vectors at a time, and "+
		"searched 50 times a second.\n\n"+
		"| vectors a second | searches a second | p50 | p99 | p99.9 | longest |\n"+
		"|---|---|---|---|---|---|\n", time.Now().UTC().Format(time.DateOnly), workload.CPUModel(),
		runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, o.vectors, o.period)
	for _, rate := range o.rates {
		took, err := measure(ctx, o, rate)
		if err != nil {
			return fmt.Errorf("measure at %d vectors a second: %w", rate, err)
		}
		slices.Sort(took)
		at := func(q float64) float64 {
			return took[min(len(took)-1, int(q*float64(len(took))))].Seconds() * 1000
		}
		fmt.Fprintf(w, "| %d | %.0f | %.2f ms | %.2f ms | %.2f ms | %.2f ms |\n", rate,
			float64(len(took))/o.period.Seconds(), at(0.5), at(0.99), at(0.999), at(1))
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}

// measure returns the durations of searches of the collection.
func measure(ctx context.Context, o options, rate int) (took []time.Duration, err error) {
	folder, err := os.MkdirTemp("", "filling")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	files, err := exact.OpenFiles(folder, []byte("bench"), math.MaxInt64)
	if err != nil {
		return nil, err
	}
	record := newRecord()
	random := rand.New(rand.NewPCG(1, 1))
	for key := range o.vectors {
		record.put(searched, face.Embedding{Key: face.VectorKey(key + 1), Vector: draw(random)})
	}
	first := face.Embedding{Key: face.VectorKey(o.vectors + 1), Vector: draw(random)}
	record.put(filled, first)
	x := exact.New(record, exact.Options{Files: files, MaxBytes: math.MaxInt64})
	defer func() { err = errors.Join(err, x.Close()) }()
	for _, c := range []face.CollectionKey{searched, filled} {
		if _, err := x.Search(ctx, c, first.Vector, k, -1); err != nil {
			return nil, err
		}
	}
	end := time.Now().Add(o.period)
	var others sync.WaitGroup
	failures := make([]error, 2)
	if rate > 0 {
		others.Go(func() { failures[0] = fill(ctx, x, record, rate, first.Key, end) })
		others.Go(func() { failures[1] = searchOther(ctx, x, end) })
	}
	for time.Now().Before(end) {
		query := slices.Clone(record.get(searched, face.VectorKey(1+random.IntN(o.vectors))))
		for i := range query {
			query[i] += float32(noise * random.NormFloat64())
		}
		normalise(query)
		start := time.Now()
		hits, err := x.Search(ctx, searched, query, k, least)
		took = append(took, time.Since(start))
		if err != nil {
			return nil, err
		}
		if len(hits) == 0 {
			return nil, errors.New("a search did not find the vector that it was made from")
		}
	}
	others.Wait()
	return took, errors.Join(failures...)
}

// fill adds vectors at a rate until the end.
func fill(ctx context.Context, x *exact.Index, record *record, rate int, key face.VectorKey,
	end time.Time) error {
	const batch = 32
	random := rand.New(rand.NewPCG(2, 2))
	for next := time.Now(); next.Before(end); {
		embeddings := make([]face.Embedding, batch)
		for i := range embeddings {
			key++
			embeddings[i] = face.Embedding{Key: key, Vector: draw(random)}
		}
		record.put(filled, embeddings...)
		if err := x.Add(ctx, filled, embeddings...); err != nil {
			return err
		}
		next = next.Add(batch * time.Second / time.Duration(rate))
		time.Sleep(time.Until(next))
	}
	return nil
}

// searchOther searches the collection that is being filled until the end.
func searchOther(ctx context.Context, x *exact.Index, end time.Time) error {
	random := rand.New(rand.NewPCG(3, 3))
	for time.Now().Before(end) {
		if _, err := x.Search(ctx, filled, draw(random), k, least); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// draw returns a random vector of unit length.
func draw(random *rand.Rand) []float32 {
	v := make([]float32, dimension)
	for i := range v {
		v[i] = float32(random.NormFloat64())
	}
	normalise(v)
	return v
}

func normalise(v []float32) {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
}
