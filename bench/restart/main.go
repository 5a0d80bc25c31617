// Command restart measures the time from a server's start to its first answer of a search in a
// large collection, and the cost of very many small collections. Data folders are filled through
// the store with vectors of [population.Population]; the server is the real program, and its
// clients send signed requests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/population"
	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

type options struct {
	program, library, pictures, work, out string
	faces, collections, each              int
}

func main() {
	var o options
	flag.StringVar(&o.program, "program", filepath.Join("bin", "recollect"), "the server")
	flag.StringVar(&o.library, "library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	flag.StringVar(&o.pictures, "pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder of LFW, with one folder a person")
	flag.StringVar(&o.work, "work", filepath.Join(".cache", "bench-search"),
		"folder for data: 5 GB, removed afterwards")
	flag.IntVar(&o.faces, "faces", 1_000_000, "faces of the large collection; 0: leave it out")
	flag.IntVar(&o.collections, "collections", 100_000,
		"number of small collections; 0: leave them out")
	flag.IntVar(&o.each, "each", 5, "faces of each of them")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "restart.md"),
		"file for the results; empty: none")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "restart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	people, err := population.Learn(ctx, o.library, o.pictures, filepath.Join(o.work, "lfw.faces"))
	if err != nil {
		return err
	}
	_, engine, err := workload.OpenEngine(o.library, vision.Options{})
	if err != nil {
		return err
	}
	version := engine.Version()
	if err := engine.Close(); err != nil {
		return err
	}
	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(w, "# From start to first answer, and many small collections\n"+
		"\n`make bench-restart`, %s, %s, %d cores, %s/%s.\n\n"+
		"Data folders are filled through the store with vectors drawn as in "+
		"[search.md](search.md). The server is the real program; requests are\n"+
		"signed SearchFaces calls for the ten nearest of a face, with a threshold of 0. Memory is "+
		"what no file backs.\n",
		time.Now().UTC().Format(time.DateOnly), workload.CPUModel(), runtime.GOMAXPROCS(0),
		runtime.GOOS, runtime.GOARCH)
	for _, part := range []struct {
		n       int
		measure func(context.Context, options, *filler, string, io.Writer) error
	}{{o.faces, measureRestart}, {o.collections, measureSmall}} {
		if part.n == 0 {
			continue
		}
		if err := inFolder(ctx, o, &filler{people: people, version: version}, w,
			part.measure); err != nil {
			return err
		}
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}

// inFolder runs a measurement with a data folder of its own.
func inFolder(ctx context.Context, o options, f *filler, w io.Writer,
	measure func(context.Context, options, *filler, string, io.Writer) error) (err error) {
	data, err := os.MkdirTemp(o.work, "data")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data), os.RemoveAll(data+".log")) }()
	if f.store, err = sqlite.Open(ctx, data, sqlite.Options{}); err != nil {
		return err
	}
	return measure(ctx, o, f, data, w)
}

// measureRestart measures a server with one large collection.
func measureRestart(ctx context.Context, o options, f *filler, data string, w io.Writer) error {
	single, err := f.collection(ctx, rand.New(rand.NewPCG(1, 1)), "large", o.faces)
	if err = errors.Join(err, f.store.Close()); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n## A restart with %d faces in a collection\n"+
		"\n| start | ready | first answer | second answer | memory |\n|---|---|---|---|---|\n",
		o.faces)
	for _, kind := range []string{"without index files, which it makes", "again", "again", "again",
		"after files left the system's cache", "after files left the system's cache"} {
		if strings.HasPrefix(kind, "after") {
			if err := workload.LeaveCache(data); errors.Is(err, errors.ErrUnsupported) {
				continue
			} else if err != nil {
				return err
			}
		}
		if err := measureStart(o, data, single, kind, w); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "\nTimes count from just before the program is started.")
	return nil
}

func measureStart(o options, data, f, kind string, w io.Writer) (err error) {
	s, err := start(o, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	var answers [2]time.Duration
	for i := range answers {
		began := s.began
		if i > 0 {
			began = time.Now()
		}
		hits, err := c.searchFaces("large", f)
		if err != nil {
			return err
		}
		if hits != min(10, o.faces-1) {
			return fmt.Errorf("the search found %d faces", hits)
		}
		answers[i] = time.Since(began)
	}
	memory, err := s.memory()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "| %s | %.2f s | %.2f s | %.1f ms | %d MB |\n", kind, s.ready.Seconds(),
		answers[0].Seconds(), 1e3*answers[1].Seconds(), memory>>20)
	return nil
}
