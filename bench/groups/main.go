// Command groups measures how well faces are grouped by person, on Labeled Faces in the Wild: how
// GroupFaces does it, and what other methods would do.
package main

import (
	"context"
	"encoding/gob"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
)

type options struct {
	library, pictures, cache, out string
}

func main() {
	var o options
	flag.StringVar(&o.library, "library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	flag.StringVar(&o.pictures, "pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder of LFW, with one folder a person")
	flag.StringVar(&o.cache, "cache", filepath.Join(".cache", "bench-groups", "lfw.gob"),
		"file of the faces of an earlier run")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "groups.md"),
		"file for the results; empty: none")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "groups:", err)
		os.Exit(1)
	}
}

// shot is the face in a picture.
type shot struct {
	Person string
	Vector []float32
}

func run(ctx context.Context, o options) error {
	_, engine, err := workload.OpenEngine(o.library, vision.Options{})
	if err != nil {
		return err
	}
	defer engine.Close()
	shots, err := readShots(o.cache)
	if err != nil {
		if shots, err = embed(ctx, engine, o.pictures); err != nil {
			return err
		}
		if err := writeShots(o.cache, shots); err != nil {
			return err
		}
	}
	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	measure(w, engine, shots)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}

func embed(ctx context.Context, engine *vision.Engine, folder string) (shots []shot, err error) {
	paths, faces, err := workload.EmbedFolder(ctx, engine, folder)
	if err != nil {
		return nil, err
	}
	for i, f := range faces {
		if f.Found == 0 {
			continue
		}
		picture := verification.Picture{Person: filepath.Base(filepath.Dir(paths[i]))}
		name := strings.TrimSuffix(filepath.Base(paths[i]), filepath.Ext(paths[i]))
		if _, err := fmt.Sscanf(name[len(picture.Person):], "_%d", &picture.Number); err != nil {
			return nil, fmt.Errorf("read the number of %s: %w", paths[i], err)
		}
		shots = append(shots, shot{verification.LFWPerson(picture), f.Vector})
	}
	return shots, nil
}

func readShots(path string) (shots []shot, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return shots, gob.NewDecoder(file).Decode(&shots)
}

func writeShots(path string, shots []shot) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return gob.NewEncoder(file).Encode(shots)
}

// floor is the least cosine of the pairs that any method gets.
const floor = 0.15

// pairs returns the edges of all pairs above the floor.
func pairs(shots []shot) (edges []face.Edge) {
	for i := range shots {
		for j := range i {
			if c := verification.Dot(shots[i].Vector, shots[j].Vector); c >= floor {
				edges = append(edges, face.Edge{A: int32(j), B: int32(i), Cosine: c})
			}
		}
	}
	return edges
}

func above(edges []face.Edge, least float32) (some []face.Edge) {
	for _, e := range edges {
		if e.Cosine >= least {
			some = append(some, e)
		}
	}
	return some
}

func measure(w io.Writer, engine *vision.Engine, shots []shot) {
	edges := pairs(shots)
	people := map[string]int{}
	for _, s := range shots {
		people[s.Person]++
	}
	several := 0
	for _, n := range people {
		if n > 1 {
			several++
		}
	}
	fmt.Fprintf(w, "# Groups of faces by person\n\n`go run ./bench/groups`, %s, %s, %d cores, "+
		"%s/%s, face model version %s.\n\n%d pictures of LFW's View 1, %d people, of whom %d have "+
		"two pictures or more.\n\n", time.Now().UTC().Format(time.DateOnly), workload.CPUModel(),
		runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, engine.Version(), len(shots),
		len(people), several)
	fmt.Fprint(w, "**Precision** is the share of the pairs in one group that are of one person, "+
		"**recall** the share of the pairs of one person that are in one group; ungrouped faces "+
		"are groups of their own for the V-measure (Rosenberg and Hirschberg, 2007).\n"+
		"**Pure** groups have faces of one person alone.\n\n"+
		"`GroupFaces` is average link with the pairs that reach the threshold; all others count "+
		"with the threshold's cosine less 0.1.\n"+
		"In a larger collection more people look alike by chance: with ten times the faces there "+
		"are a hundred times the pairs, and a threshold whose false match rate is a hundredth is "+
		"as precise (packs/default/SIMILARITY.md).\n\n| method | least similarity | groups | "+
		"precision | recall | F | V-measure | pure groups |\n|---|---|---|---|---|---|---|---|\n")
	for _, m := range methods() {
		for _, similarity := range []float32{80, 85, 90, 92, 95, 97, 98, 99, 99.3, 99.5} {
			groups := m.group(len(shots), edges, engine, similarity)
			e := evaluate(shots, groups)
			fmt.Fprintf(w, "| %s | %v | %d | %.2f %% | %.2f %% | %.4f | %.4f | %.2f %% |\n", m.name,
				similarity, len(groups), 100*e.precision, 100*e.recall, e.f(), e.v,
				100*e.pure)
		}
	}
}
