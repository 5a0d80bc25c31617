// Command search measures the index beside other indexes, on the same vectors and cores, in one
// run: faiss (the flat scan and HNSW), hnswlib, usearch and a Weaviate node. Each runs in a process
// of its own, one after the other. See [population.Population] for the vectors.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/recollect-dev/recollect/bench/population"
	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

type options struct {
	library, pictures, work, python, weaviate, sizes, peers, out string
}

func main() {
	var o options
	flag.StringVar(&o.library, "library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	flag.StringVar(&o.pictures, "pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder of LFW, with one folder a person")
	flag.StringVar(&o.work, "work", filepath.Join(".cache", "bench-search"),
		"folder for vectors: 4.3 GB at a million, removed afterwards")
	flag.StringVar(&o.python, "python",
		filepath.Join(".cache", "bench-search", "venv", "bin", "python"), "Python with the peers")
	flag.StringVar(&o.weaviate, "weaviate",
		filepath.Join(".cache", "bench-search", "weaviate-server"), "Weaviate's program")
	flag.StringVar(&o.sizes, "sizes", "10000,100000,1000000", "numbers of vectors")
	flag.StringVar(&o.peers, "peers", "faiss flat,faiss HNSW,hnswlib,usearch,weaviate:100000",
		"peers, from the smallest size on; name:SIZE leaves one out beyond SIZE")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "search.md"),
		"file for the results; empty: none")
	ours := flag.String("ours", "",
		"measure ours on the vectors in this folder and print JSON (the benchmark calls itself)")
	cosines := flag.String("cosines", "",
		"with -ours: the least cosines of the similarities 0, 50, 80 and 99")
	flag.Parse()
	ctx := context.Background()
	var err error
	if *ours != "" {
		var least []float32
		for _, text := range strings.Split(*cosines, ",") {
			c, parseErr := strconv.ParseFloat(text, 32)
			if parseErr != nil {
				fmt.Fprintln(os.Stderr, "search:", parseErr)
				os.Exit(2)
			}
			least = append(least, float32(c))
		}
		err = measureOurs(ctx, *ours, least)
	} else {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "search:", err)
		os.Exit(1)
	}
}

// size is the results for one number of vectors, ours first.
type size struct {
	n       int
	results []result
}

type result struct {
	name string
	measured
}

func run(ctx context.Context, o options) error {
	p, err := population.Learn(ctx, o.library, o.pictures, filepath.Join(o.work, "lfw.faces"))
	if err != nil {
		return err
	}
	cosines, err := leastCosines(o.library)
	if err != nil {
		return err
	}
	var sizes []size
	for _, text := range strings.Split(o.sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		s, err := measureSize(ctx, o, p, cosines, n)
		if err != nil {
			return err
		}
		sizes = append(sizes, s)
	}
	var report strings.Builder
	write(io.MultiWriter(os.Stdout, &report), p, sizes)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}

// leastCosines are those of the similarities 0, 50, 80 and 99.
func leastCosines(library string) ([]string, error) {
	_, engine, err := workload.OpenEngine(library, vision.Options{})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	var cosines []string
	for _, similarity := range []float32{0, 50, 80, 99} {
		cosines = append(cosines,
			strconv.FormatFloat(float64(engine.Cosine(similarity)), 'g', -1, 32))
	}
	return cosines, nil
}

func measureSize(ctx context.Context, o options, p *population.Population, cosines []string,
	n int) (size, error) {
	s := size{n: n}
	folder, err := os.MkdirTemp(o.work, "vectors")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(folder)
	if err := generate(p, folder, n, o.peers != ""); err != nil {
		return s, err
	}
	debug.FreeOSMemory() // for the measured processes
	fmt.Fprintf(os.Stderr, "%d vectors are there\n", n)
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	m, err := child(ctx, self, "-ours", folder, "-cosines", strings.Join(cosines, ","))
	if err != nil {
		return s, fmt.Errorf("measure ours: %w", err)
	}
	s.results = append(s.results, result{"Recollect", m})
	for _, peer := range strings.Split(o.peers, ",") {
		name, most, limited := strings.Cut(peer, ":")
		if limit, _ := strconv.Atoi(most); name == "" || limited && n > limit {
			continue
		}
		m, err := child(ctx, o.python, filepath.Join("bench", "search", "peers.py"), name, folder,
			o.weaviate)
		if err != nil {
			return s, fmt.Errorf("measure %s: %w", name, err)
		}
		s.results = append(s.results, result{name, m})
	}
	return s, nil
}

// child runs a program that prints its results.
func child(ctx context.Context, program string, arguments ...string) (m measured, err error) {
	fmt.Fprintln(os.Stderr, strings.Join(arguments, " "))
	command := exec.CommandContext(ctx, program, arguments...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(out, &m)
}

// generate writes n vectors, 200 queries and, for other indexes, the ten nearest of each. People
// have one to ten pictures; half the queries are pictures of people in the collection.
func generate(p *population.Population, folder string, n int, peers bool) error {
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // 5 million vectors are 10 GB
	random := rand.New(rand.NewPCG(uint64(n), 1))
	numbers := make([]float32, population.Dimension*n)
	vectors := slices.Collect(slices.Chunk(numbers, population.Dimension))
	const part = 10_000
	var drawing sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		drawing.Go(func() {
			for {
				at := part * int(next.Add(1)-1)
				if at >= n {
					return
				}
				drawPart(p, rand.New(rand.NewPCG(uint64(n), uint64(2+at))),
					vectors[at:min(at+part, n)])
			}
		})
	}
	drawing.Wait()
	// of the first part, once more
	people := drawPart(p, rand.New(rand.NewPCG(uint64(n), 2)), make([][]float32, min(part, n)))
	random.Shuffle(n, func(i, j int) { vectors[i], vectors[j] = vectors[j], vectors[i] })
	var queries [][]float32
	for i := range 200 {
		person := p.Person(random)
		if i%2 == 0 {
			person = people[random.IntN(len(people))]
		}
		queries = append(queries, p.Face(random, person))
	}
	truth := make([]int64, 0, k*len(queries))
	if peers {
		for _, q := range queries {
			for _, h := range scan(vectors, q)[:k] {
				truth = append(truth, int64(h.Key)-1)
			}
		}
	}
	for name, data := range map[string]any{"vectors.f32": vectors, "queries.f32": queries,
		"truth.i64": [][]int64{truth}} {
		if err := writeRows(filepath.Join(folder, name), data); err != nil {
			return err
		}
	}
	return nil
}

// drawPart fills vectors with pictures of people and returns the people.
func drawPart(p *population.Population, random *rand.Rand,
	vectors [][]float32) (people [][]float32) {
	for len(vectors) > 0 {
		person := p.Person(random)
		people = append(people, person)
		pictures := min(1+random.IntN(10), len(vectors))
		for i := range pictures {
			copy(vectors[i], p.Face(random, person))
		}
		vectors = vectors[pictures:]
	}
	return people
}

func writeRows(path string, rows any) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	switch rows := rows.(type) {
	case [][]float32:
		for _, row := range rows {
			if err := binary.Write(w, binary.LittleEndian, row); err != nil {
				return err
			}
		}
	case [][]int64:
		for _, row := range rows {
			if err := binary.Write(w, binary.LittleEndian, row); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// resample generates pairs of a population, for the comparison with real pairs.
func resample(p *population.Population, pairs int) (impostor, genuine []float32) {
	random := rand.New(rand.NewPCG(7, 7))
	for range pairs {
		a, b := p.Person(random), p.Person(random)
		f := p.Face(random, a)
		genuine = append(genuine, verification.Dot(f, p.Face(random, a)))
		impostor = append(impostor, verification.Dot(f, p.Face(random, b)))
	}
	slices.Sort(impostor)
	slices.Sort(genuine)
	return impostor, genuine
}

func machine() string {
	return fmt.Sprintf("%s, %d cores, %s/%s", workload.CPUModel(), runtime.GOMAXPROCS(0),
		runtime.GOOS, runtime.GOARCH)
}
