// Command imports measures how much of a server's own indexing rate `recollect import` reaches.
//
// Both run against the same server, started from the program itself, and over the same pictures.
// The server's own rate is that of IndexFaces requests which were signed and encoded before the
// measurement, sent over as many connections as import has pictures in flight. It is measured
// before and after the import, since a machine's speed changes. Client and server share the
// machine's cores.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
)

type options struct {
	program, library, pictures, out string
	parallel                        int
}

func main() {
	var o options
	flag.StringVar(&o.program, "program", filepath.Join("bin", "recollect"), "the program")
	flag.StringVar(&o.library, "library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	flag.StringVar(&o.pictures, "pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder with one folder a person, as LFW's")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "imports.md"),
		"file for the results; empty: none")
	flag.IntVar(&o.parallel, "parallel", 16, "pictures in flight")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "imports:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	paths, err := filepath.Glob(filepath.Join(o.pictures, "*", "*.jpg"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("there are no pictures in %s (name LFW's folder with -pictures)",
			o.pictures)
	}
	slices.Sort(paths)
	s, err := start(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	// The first runs of the networks are slow.
	if _, err := s.sendAll("warm", paths[:min(200, len(paths))], o.parallel); err != nil {
		return err
	}
	before, err := s.sendAll("before", paths, o.parallel)
	if err != nil {
		return err
	}
	imported, err := s.importAll(ctx, o)
	if err != nil {
		return err
	}
	after, err := s.sendAll("after", paths, o.parallel)
	if err != nil {
		return err
	}
	if imported.Indexed+imported.Skipped != len(paths) || imported.Faces != before.faces ||
		before.faces != after.faces {
		return fmt.Errorf(
			"of %d pictures import indexed %d with %d faces and skipped %d; the requests indexed "+
				"%d and %d faces",
			len(paths), imported.Indexed, imported.Faces, imported.Skipped, before.faces,
			after.faces)
	}

	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	rate := func(d time.Duration) float64 { return float64(len(paths)) / d.Seconds() }
	own := rate((before.took + after.took) / 2)
	fmt.Fprintf(w, "# Importing\n\n`make bench-imports`, %s, %d cores, %s, %s/%s.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), workload.CPUModel(), runtime.GOOS,
		runtime.GOARCH)
	fmt.Fprintf(w, "%d pictures of LFW, 250x250 JPEG, with %d faces, %d in flight. The server's "+
		"own rate is that of requests which were signed and encoded before time counts. "+
		"Client and server share the cores; the server's networks have all of them.\n\n",
		len(paths), imported.Faces, o.parallel)
	fmt.Fprintf(w, "| | seconds | pictures a second |\n|---|---|---|\n")
	fmt.Fprintf(w, "| requests, before | %.1f | %.1f |\n", before.took.Seconds(), rate(before.took))
	fmt.Fprintf(w, "| `recollect import` | %.1f | %.1f |\n", imported.took.Seconds(),
		rate(imported.took))
	fmt.Fprintf(w, "| requests, after | %.1f | %.1f |\n\n", after.took.Seconds(), rate(after.took))
	fmt.Fprintf(w, "The import runs at **%.0f %%** of the server's own rate, from the start of "+
		"the program to its end. Its process takes %.1f s of processor time, "+
		"%.2f ms a picture.\n", 100*rate(imported.took)/own, imported.cpu.Seconds(),
		imported.cpu.Seconds()*1000/float64(len(paths)))
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}
