// Command calibration measures the false match rate of each similarity, on all pairs of pictures of
// Labeled Faces in the Wild (Huang et al., 2007), fits its tail, and writes a page and a drawing of
// the results to the pack's folder. It also prints the curve that the fit suggests for the pack's
// manifest, which it does not change.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

func main() {
	library := flag.String("library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	pictures := flag.String("pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder of LFW, with one folder a person")
	out := flag.String("out", filepath.Join("packs", "default"),
		"folder for SIMILARITY.md and similarity.svg; empty: none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *library, *pictures, *out); err != nil {
		fmt.Fprintln(os.Stderr, "calibration:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, library, pictures, out string) (err error) {
	p, engine, err := workload.OpenEngine(library, vision.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	started := time.Now()
	faces, faceless, err := embed(ctx, engine, pictures)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "embedded %d pictures in %v\n", len(faces),
		time.Since(started).Round(time.Second))
	m, err := measure(ctx, engine, p.Similarity, faces)
	if err != nil {
		return err
	}
	m.Faceless = faceless
	fmt.Printf("%d genuine and %d impostor pairs. log10 FMR = %.4f %+.4f c %+.4f c², within a "+
		"factor of %.3f from %.0e to %.1e\n\n",
		m.Genuine, m.Impostors, m.Tail.A, m.Tail.B, m.Tail.C, m.Tail.Deviation, m.Tail.Most,
		m.Tail.Least)
	fmt.Printf("The pack's knots, and those of the fit:\n\n%s\n", m.suggestion())
	if out == "" {
		return nil
	}
	page, err := m.page()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(out, "SIMILARITY.md"), page, 0o644),
		os.WriteFile(filepath.Join(out, "similarity.svg"), m.drawing(), 0o644),
	)
}

var pictureName = regexp.MustCompile(`^(.+)_(\d+)\.jpg$`)

// embed returns the faces of the folder's pictures, each with the person in the picture.
func embed(ctx context.Context, engine *vision.Engine,
	folder string) (faces []verification.Labelled, faceless int, err error) {
	paths, found, err := workload.EmbedFolder(ctx, engine, folder)
	if err != nil {
		return nil, 0, err
	}
	for i, f := range found {
		name := pictureName.FindStringSubmatch(filepath.Base(paths[i]))
		if name == nil {
			return nil, 0, fmt.Errorf("%s is not named as a picture of LFW", paths[i])
		}
		number, err := strconv.Atoi(name[2])
		if err != nil {
			return nil, 0, err
		}
		if f.Found == 0 {
			faceless++
			continue
		}
		person := verification.LFWPerson(verification.Picture{Person: name[1], Number: number})
		faces = append(faces,
			verification.Labelled{Label: name[1], Person: person, Vector: f.Vector})
	}
	return faces, faceless, nil
}
