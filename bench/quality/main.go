// Command quality measures the benefit of the quality filters: it degrades pictures of Labeled
// Faces in the Wild (Huang et al., 2007) by blur, darkness, light, fog, noise, size and rotation.
// It counts the missed genuine pairs and the matched impostor pairs at the default similarity, and
// how many of them each bar of each figure rejects. Bars are chosen on the pairs of View 1's
// training list; the results are those of its test list, which has no person in common with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

func main() {
	library := flag.String("library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	lfw := flag.String("lfw", filepath.Join("..", "shared", "data", "lfw"),
		"folder of LFW: images, pairsDevTrain.txt, pairsDevTest.txt")
	out := flag.String("out", filepath.Join("bench", "results", "quality.md"),
		"file for the results; empty: none")
	pairs := flag.Int("pairs", 300, "genuine pairs of each list that are degraded")
	samples := flag.String("samples", "",
		"file that keeps what was seen for the next run; it must be deleted when anything that "+
			"sees changes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *library, *lfw, *out, *samples, *pairs); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, library, lfw, out, samples string, copies int) (err error) {
	_, engine, err := workload.OpenEngine(library, vision.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	sets, err := kept(samples, func() ([]*set, error) {
		var sets []*set
		for _, name := range []string{"pairsDevTrain.txt", "pairsDevTest.txt"} {
			pairs, err := readPairs(filepath.Join(lfw, name))
			if err != nil {
				return nil, err
			}
			s, err := look(ctx, engine, pairs, copies, filepath.Join(lfw, "images"))
			if err != nil {
				return nil, err
			}
			sets = append(sets, s)
		}
		return sets, nil
	})
	if err != nil {
		return err
	}
	for _, s := range sets {
		s.label()
	}
	report, err := report(engine, sets[0], sets[1])
	if err != nil {
		return err
	}
	fmt.Print(report)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(report), 0o644)
}

func readPairs(path string) ([]verification.Pair, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pairs, err := verification.ReadPairs(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pairs, nil
}
