// Command duplicates measures how long it takes to compare all faces of a collection with each
// other, page by page as FindDuplicates does, on the index alone. See [population.Population] for
// the vectors.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/population"
	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
)

// shots is the number of faces of a person.
const shots = 4

// pageSize is that of the API.
const pageSize = 4096

type options struct {
	library, pictures, work, sizes, similarities, out string
}

func main() {
	var o options
	flag.StringVar(&o.library, "library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	flag.StringVar(&o.pictures, "pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder of LFW, with one folder a person")
	flag.StringVar(&o.work, "work", filepath.Join(".cache", "bench-search"),
		"folder for the index's files, 2.2 GB at a million, which are removed afterwards")
	flag.StringVar(&o.sizes, "sizes", "10000,100000,1000000", "numbers of vectors")
	flag.StringVar(&o.similarities, "similarities", "90,99", "least similarities of a pair")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "duplicates.md"),
		"file for the results; empty: none")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "duplicates:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	p, err := population.Learn(ctx, o.library, o.pictures, filepath.Join(o.work, "lfw.faces"))
	if err != nil {
		return err
	}
	least, err := cosines(o)
	if err != nil {
		return err
	}
	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(w, "# All faces with each other\n\n`go run ./bench/duplicates`, %s, %s, %d cores, "+
		"%s/%s.\n\nEvery face of a collection is compared with every other one, in pages of %d "+
		"pairs as FindDuplicates reads them, on the index alone.\n"+
		"Vectors have the distribution of real faces', %d of a person; they are in the index's "+
		"files.\nPages are answered one after the other; a page ends after two seconds or when it "+
		"is full.\nOther programs may have used the cores too: the processor time is that of this "+
		"one, of both cores together.\n\n| faces | least similarity | cosine | pairs | pages | "+
		"all pages | processor time | of a comparison |\n|---|---|---|---|---|---|---|---|\n",
		time.Now().UTC().Format(time.DateOnly), workload.CPUModel(), runtime.GOMAXPROCS(0),
		runtime.GOOS, runtime.GOARCH, pageSize, shots)
	for text := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if err := measure(ctx, w, o, p, n, least); err != nil {
			return fmt.Errorf("measure %d faces: %w", n, err)
		}
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}

// threshold is a least similarity, and the least cosine that has it.
type threshold struct {
	similarity string
	cosine     float32
}

func cosines(o options) (all []threshold, err error) {
	_, engine, err := workload.OpenEngine(o.library, vision.Options{})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	for text := range strings.SplitSeq(o.similarities, ",") {
		s, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return nil, err
		}
		all = append(all, threshold{text, engine.Cosine(float32(s))})
	}
	return all, nil
}

// measure writes a row for each threshold.
func measure(ctx context.Context, w io.Writer, o options, p *population.Population, n int,
	least []threshold) (err error) {
	folder, err := os.MkdirTemp(o.work, "duplicates")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	files, err := exact.OpenFiles(folder, []byte("bench"), math.MaxInt64)
	if err != nil {
		return err
	}
	x := exact.New(drawn(p, n), exact.Options{Files: files,
		MaxBytes: math.MaxInt64})
	defer func() { err = errors.Join(err, x.Close()) }()
	if err := x.Load(ctx, 1); err != nil {
		return err
	}
	for _, t := range least {
		pages, before := 0, workload.CPUTime()
		pairs, q := 0, face.PairQuery{Least: t.cosine, Limit: pageSize}
		start := time.Now()
		for more := true; more; {
			page, err := x.Pairs(ctx, 1, q)
			if err != nil {
				return err
			}
			pages++
			pairs += len(page.Pairs)
			q.After, more = page.Last, page.More
		}
		took := time.Since(start)
		used := workload.CPUTime() - before
		fmt.Fprintf(w, "| %d | %s | %.3f | %d | %d | %.2f s | %.2f s | %.2f ns |\n", n,
			t.similarity, t.cosine, pairs, pages, took.Seconds(), used.Seconds(),
			float64(used.Nanoseconds())/(float64(n)*float64(n-1)/2))
	}
	return nil
}

// drawn is a source of n random faces. Those of a person are near each other, as in a collection
// that was filled from folders of people.
func drawn(p *population.Population, n int) exact.SourceFunc {
	return func(context.Context, face.CollectionKey) iter.Seq2[face.Embedding, error] {
		return func(yield func(face.Embedding, error) bool) {
			random := rand.New(rand.NewPCG(1, 1))
			// The persons of a block of faces, shuffled; a person is drawn once.
			const block = 100 * shots
			for key := 1; key <= n; {
				var faces [][]float32
				for range block / shots {
					person := p.Person(random)
					for range shots {
						faces = append(faces, p.Face(random, person))
					}
				}
				random.Shuffle(len(faces), func(i, j int) {
					faces[i], faces[j] = faces[j], faces[i]
				})
				for _, v := range faces[:min(block, n-key+1)] {
					if !yield(face.Embedding{Key: face.VectorKey(key), Vector: v}, nil) {
						return
					}
					key++
				}
			}
		}
	}
}
