package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/recollect-dev/recollect/bench/population"
	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
)

const (
	k       = 10
	clients = 64
)

// measured is the results of an index; times in seconds.
type measured struct {
	Build  float64 `json:"build"`
	Memory int64   `json:"memory"` // anonymous, in bytes
	Recall float64 `json:"recall"` // of the ten best
	Effort int     `json:"effort"` // of a graph's search
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Rate   float64 `json:"rate"` // queries a second at 64 clients

	// Of ours alone:
	Thresholds []threshold `json:"thresholds,omitempty"`
	P50Many    float64     `json:"p50_many,omitempty"`    // at similarity 80, 4096 at most
	MemoryPass float64     `json:"memory_pass,omitempty"` // reading as many bytes
	// from the start to the first answer, with existing files
	Reopen   float64 `json:"reopen,omitempty"`
	Compared float64 `json:"compared,omitempty"` // vectors compared in full a query
}

// threshold is the share of a scan's hits that ours finds, for some numbers of hits at one
// similarity.
type threshold struct {
	Similarity float64 `json:"similarity"`
	Cosine     float32 `json:"cosine"`
	Wanted     int     `json:"wanted"`
	Found      int     `json:"found"`
}

// flat is the record of our index: a file of vectors, whose keys are their numbers from 1.
type flat struct {
	path string
	n    int
}

func (f flat) Embeddings(context.Context, face.CollectionKey) iter.Seq2[face.Embedding, error] {
	return func(yield func(face.Embedding, error) bool) {
		file, err := os.Open(f.path)
		if err != nil {
			yield(face.Embedding{}, err)
			return
		}
		defer file.Close()
		r := bufio.NewReaderSize(file, 1<<20)
		for i := range f.n {
			v := make([]float32, population.Dimension)
			_, err := io.ReadFull(r, raw(v))
			if !yield(face.Embedding{Key: face.VectorKey(i + 1), Vector: v}, err) || err != nil {
				return
			}
		}
	}
}

func (f flat) EmbeddingKeys(context.Context, face.CollectionKey) iter.Seq2[face.VectorKey, error] {
	return func(yield func(face.VectorKey, error) bool) {
		for i := range f.n {
			if !yield(face.VectorKey(i+1), nil) {
				return
			}
		}
	}
}

func (f flat) EmbeddingsByKey(_ context.Context, _ face.CollectionKey,
	keys []face.VectorKey) iter.Seq2[face.Embedding, error] {
	return func(yield func(face.Embedding, error) bool) {
		file, err := os.Open(f.path)
		if err != nil {
			yield(face.Embedding{}, err)
			return
		}
		defer file.Close()
		for _, key := range keys {
			v := make([]float32, population.Dimension)
			_, err := file.ReadAt(raw(v), 4*population.Dimension*int64(key-1))
			if !yield(face.Embedding{Key: key, Vector: v}, err) || err != nil {
				return
			}
		}
	}
}

// raw returns the memory of numbers.
func raw(numbers []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(numbers))), 4*len(numbers))
}

// readVectors reads a file of rows.
func readVectors(path string) ([][]float32, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	numbers := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/4)
	return slices.Collect(slices.Chunk(numbers, population.Dimension)), nil
}

// measureOurs runs in a process of its own, and prints JSON. cosines are the least ones for
// similarities of 0, 50, 80 and 99.
func measureOurs(ctx context.Context, folder string, cosines []float32) error {
	path := filepath.Join(folder, "vectors.f32")
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	record := flat{path, int(info.Size() / (4 * population.Dimension))}
	queries, err := readVectors(filepath.Join(folder, "queries.f32"))
	if err != nil {
		return err
	}
	var m measured
	dir := filepath.Join(folder, "index")
	open := func() (*exact.Index, error) {
		files, err := exact.OpenFiles(dir, []byte("bench"), face.VectorKey(record.n))
		if err != nil {
			return nil, err
		}
		return exact.New(record, exact.Options{Files: files, MaxBytes: math.MaxInt64}), nil
	}
	before, err := workload.AnonymousMemory(os.Getpid())
	if err != nil {
		return err
	}
	x, err := open()
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := x.Search(ctx, 1, queries[0], k, -1); err != nil {
		return err
	}
	m.Build = time.Since(start).Seconds()
	if err := x.Close(); err != nil {
		return err
	}
	// The page cache of the record is then available to the index's files.
	if err := workload.LeaveCache(path); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}

	// Again, from files.
	start = time.Now()
	if x, err = open(); err != nil {
		return err
	}
	defer x.Close()
	if _, err := x.Search(ctx, 1, queries[0], k, -1); err != nil {
		return err
	}
	m.Reopen = time.Since(start).Seconds()

	compared, searched := x.Tally().Compared.Load(), x.Tally().Searches.Load()
	if m.P50, m.P99, err = latency(ctx, x, queries, k, -1); err != nil {
		return err
	}
	m.Compared = float64(x.Tally().Compared.Load()-compared) / float64(
		x.Tally().Searches.Load()-searched)
	if m.P50Many, _, err = latency(ctx, x, queries, 4096, cosines[2]); err != nil {
		return err
	}
	if m.Rate, err = throughput(ctx, x, queries); err != nil {
		return err
	}
	after, err := workload.AnonymousMemory(os.Getpid())
	if err != nil {
		return err
	}
	m.Memory = after - before
	m.MemoryPass = memoryPass(record.n)
	vectors, err := readVectors(path)
	if err != nil {
		return err
	}
	if err := m.compare(ctx, x, vectors, queries, cosines); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

func latency(ctx context.Context, x *exact.Index, queries [][]float32, k int, least float32) (p50,
	p99 float64, err error) {
	var took []float64
	for i := range 300 {
		start := time.Now()
		if _, err := x.Search(ctx, 1, queries[i%len(queries)], k, least); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(start).Seconds())
	}
	slices.Sort(took)
	return took[150], took[297], nil
}

func throughput(ctx context.Context, x *exact.Index, queries [][]float32) (float64, error) {
	var count atomic.Int64
	var working sync.WaitGroup
	failures := make([]error, clients)
	start := time.Now()
	for c := range clients {
		working.Go(func() {
			for i := c; time.Since(start) < 5*time.Second && failures[c] == nil; i++ {
				_, failures[c] = x.Search(ctx, 1, queries[i%len(queries)], k, -1)
				count.Add(1)
			}
		})
	}
	working.Wait()
	return float64(count.Load()) / time.Since(start).Seconds(), errors.Join(failures...)
}

// memoryPass returns the time to read 128 bytes a vector on all cores: the best of some.
func memoryPass(n int) float64 {
	cores := runtime.GOMAXPROCS(0)
	words := make([]uint64, 16*n)
	for i := range words {
		words[i] = uint64(i)
	}
	best := math.Inf(1)
	var total atomic.Uint64
	for range 20 {
		start := time.Now()
		var working sync.WaitGroup
		for part := range slices.Chunk(words, (len(words)+cores-1)/cores) {
			working.Go(func() {
				var s0, s1, s2, s3, s4, s5, s6, s7 uint64
				for ; len(part) >= 8; part = part[8:] {
					w := (*[8]uint64)(part)
					s0, s1, s2, s3 = s0^w[0], s1^w[1], s2^w[2], s3^w[3]
					s4, s5, s6, s7 = s4^w[4], s5^w[5], s6^w[6], s7^w[7]
				}
				total.Add(s0 ^ s1 ^ s2 ^ s3 ^ s4 ^ s5 ^ s6 ^ s7)
			})
		}
		working.Wait()
		best = min(best, time.Since(start).Seconds())
	}
	return best
}

// compare compares our hits with those of a scan of all vectors, by key and by cosine.
func (m *measured) compare(ctx context.Context, x *exact.Index, vectors, queries [][]float32,
	cosines []float32) error {
	for i, similarity := range []float64{0, 50, 80, 99} {
		m.Thresholds = append(m.Thresholds, threshold{Similarity: similarity, Cosine: cosines[i]})
	}
	// Sums of 512 products differ in their last bits with the order of additions.
	const rounding = 1e-6
	var found, wanted int
	for _, query := range queries[:min(len(queries), 40)] {
		hits := scan(vectors, query)
		for i, least := range cosines {
			for _, k := range []int{1, 10, 100} {
				got, err := x.Search(ctx, 1, query, k, least)
				if err != nil {
					return err
				}
				there := map[face.VectorKey]float32{}
				for _, h := range got {
					there[h.Key] = h.Cosine
				}
				for rank, h := range hits[:k] {
					last := hits[k-1].Cosine
					if h.Cosine < least+rounding || rank > 0 && h.Cosine < last+rounding &&
						h.Cosine != last {
						continue // at the threshold, where rounding decides
					}
					m.Thresholds[i].Wanted++
					c, ok := there[h.Key]
					ok = ok && math.Abs(float64(c-h.Cosine)) < rounding
					if ok {
						m.Thresholds[i].Found++
					}
					if k == 10 && i == 0 {
						wanted++
						if ok {
							found++
						}
					}
				}
			}
		}
	}
	m.Recall = float64(found) / float64(wanted)
	return nil
}

// scan returns the best hundred and one hits, by comparing all vectors.
func scan(vectors [][]float32, query []float32) []face.Hit {
	const most = 101
	better := func(a, b face.Hit) int {
		return cmp.Or(cmp.Compare(b.Cosine, a.Cosine), cmp.Compare(a.Key, b.Key))
	}
	cores := runtime.GOMAXPROCS(0)
	best := make([][]face.Hit, cores)
	var working sync.WaitGroup
	for c := range cores {
		working.Go(func() {
			for i := c * len(vectors) / cores; i < (c+1)*len(vectors)/cores; i++ {
				h := face.Hit{Key: face.VectorKey(i + 1),
					Cosine: verification.Dot(query, vectors[i])}
				place, _ := slices.BinarySearchFunc(best[c], h, better)
				if place < most {
					best[c] = slices.Insert(best[c][:min(len(best[c]), most-1)], place, h)
				}
			}
		})
	}
	working.Wait()
	hits := slices.Concat(best...)
	slices.SortFunc(hits, better)
	return hits[:min(most, len(hits))]
}
