// Command users measures the benefit of searching a person as one user instead of as single faces.
//
// It embeds the pictures of Labeled Faces in the Wild (Huang et al., 2007) with the default model
// pack. Of each person with enough pictures some are enrolled, drawn at random, and the others are
// probes. A person is then compared with a probe in three ways: by one of the enrolled faces, by
// the most similar of them, and by the user's vector. All pictures of other people are impostors,
// and are in the gallery as people with one face.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

func main() {
	library := flag.String("library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	pictures := flag.String("pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder of LFW, with one folder a person")
	out := flag.String("out", filepath.Join("bench", "results", "users.md"),
		"file for the results; empty: none")
	least := flag.Int("least", 4, "pictures that a person needs to be enrolled")
	splits := flag.Int("splits", 20,
		"random draws of what is enrolled, over which the figures are averaged")
	flag.Parse()
	if err := run(context.Background(), *library, *pictures, *out, *least, *splits); err != nil {
		fmt.Fprintln(os.Stderr, "users:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, library, pictures, out string, least, splits int) error {
	_, engine, err := workload.OpenEngine(library, vision.Options{})
	if err != nil {
		return err
	}
	defer engine.Close()
	started := time.Now()
	shots, faceless, err := embedAll(ctx, engine, pictures)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "embedded %d pictures in %v\n", len(shots),
		time.Since(started).Round(time.Second))

	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(w, "# The benefit of users\n"+
		"\n`make bench-users`, %s, face model version %s, %s/%s.\n\n",
		time.Now().UTC().Format(time.DateOnly), engine.Version(), runtime.GOOS, runtime.GOARCH)
	for enrolled := 2; enrolled < least; enrolled++ {
		e, err := newExperiment(shots, least, enrolled)
		if err != nil {
			return err
		}
		if enrolled == 2 {
			fmt.Fprintf(w, "%d pictures of LFW (%d without a face), %d people. The %d people with "+
				"at least %d pictures are users; the faces that\n"+
				"they are enrolled with are drawn at random, and their other pictures are the "+
				"probes. The pictures of all other people are\n"+
				"impostors, and one picture of each of them is in the gallery for rank 1: %d "+
				"people in all. Averages over %d draws, with\n"+
				"their standard deviation; thresholds are those of each way's own impostors. A "+
				"user is one vector to scan, whatever number of\n"+
				"faces it has.\n",
				len(shots), faceless, e.peopleInAll(), len(e.people), least, e.peopleInAll(),
				splits)
		}
		e.report(w, engine, splits)
	}
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(report.String()), 0o644)
}
