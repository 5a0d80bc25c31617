package vision

import (
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/verification"
)

var (
	triedReport = flag.String("tried", "",
		"file for a table of what changes recognition; empty: it is not measured")
	triedCache = flag.String("tried-cache", "",
		"folder that keeps vectors, one file for each way; empty: none. Delete it when the "+
			"package changes")
)

// embedded is the face of a picture, embedded in one of the tried ways.
type embedded map[verification.Picture][]float32

// TestRecognitionTried measures the effect of other ways from a picture to a vector: the accuracy
// on Labeled Faces in the Wild, View 1 (Huang et al., 2007), and the time. It runs only by make
// bench-recognition.
func TestRecognitionTried(t *testing.T) {
	if *triedReport == "" {
		t.Skip("takes many minutes; run it by make bench-recognition")
	}
	const lfw = "../../../../shared/data/lfw"
	train, test := triedPairs(t, filepath.Join(lfw, "pairsDevTrain.txt")),
		triedPairs(t, filepath.Join(lfw, "pairsDevTest.txt"))
	pictures := verification.Pictures(train, test)
	e := triedEngine(t, 0)
	faces, err := triedFaces(t.Context(), e, filepath.Join(lfw, "images"), pictures)
	if err != nil {
		t.Fatal(err)
	}
	lab := newLab(e, faces[:len(verification.Pictures(train))])
	vectors := map[string]embedded{}
	for _, w := range ways {
		for _, name := range w.shots {
			if vectors[name] != nil {
				continue
			}
			if vectors[name], err = lab.embedAll(t.Context(), faces, name); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	lab.Engine = triedEngine(t, 1)
	took, err := lab.time(t.Context(), faces)
	if err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	fmt.Fprintf(&report, triedHead, time.Now().UTC().Format(time.DateOnly), e.Version(),
		len(pictures), len(train), len(test))
	for i, w := range ways {
		row, err := triedRow(t.Context(), w.mean(vectors), train, test)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&report, "| %s | %s | %.1f (×%.2f) |\n", w.name, row, 1000*took[i],
			took[i]/took[0])
	}
	fmt.Print(report.String())
	if err := os.WriteFile(*triedReport, []byte(report.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const triedHead = `# What recognition was tried with

` + "`make bench-recognition`" +
	`, %s, beside face model version %s. LFW's View 1: %d pictures, %d training and %d test pairs.

*Train* is the accuracy on pairsDevTrain, at the threshold that is best for it.
*Accuracy* is that on pairsDevTest at the same threshold.
*TAR* is the true accept rate on pairsDevTest at a false match rate of 1e-3 over all pairs of its
pictures.
The *all* columns are over all pairs of all pictures, at false match rates of 1e-3, 1e-4, 1e-5.
They are finer: one pair of the test is 0.1 %%, or 0.2 %% of the genuine ones.
The time is the processor time of one face on one core from its box to its vector (landmarks, crop,
embedding; without decoding, detection and pose): the mean of 100 faces, all ways in turns, and as
a multiple of the baseline's.

| way | train | accuracy | TAR | all, 1e-3 | all, 1e-4 | all, 1e-5 | ms a face |
|---|---|---|---|---|---|---|---|
`

// triedRow is the accuracy of a way.
func triedRow(ctx context.Context, vectors embedded, train, test []verification.Pair) (string,
	error) {
	compare := func(p verification.Pair) float32 {
		return verification.Dot(vectors[p.A],
			vectors[p.B])
	}
	threshold, best := verification.NewROC(verification.Split(train, compare)).Best()
	genuine, impostor := verification.Split(test, compare)
	accuracy := verification.NewROC(genuine, impostor).Accuracy(threshold)
	all := func(pairs ...[]verification.Pair) (genuine, impostor []float32, err error) {
		var faces []verification.Labelled
		for _, p := range verification.Pictures(pairs...) {
			faces = append(faces,
				verification.Labelled{Person: verification.LFWPerson(p), Vector: vectors[p]})
		}
		return verification.AllPairs(ctx, faces, nil)
	}
	_, impostors, err := all(test)
	if err != nil {
		return "", err
	}
	tar := verification.NewROC(genuine, impostors).At(1e-3).TrueAcceptRate
	genuine, impostor, err = all(train, test)
	if err != nil {
		return "", err
	}
	roc := verification.NewROC(genuine, impostor)
	return fmt.Sprintf("%.2f %% | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.2f %%", 100*best,
		100*accuracy, 100*tar,
		100*roc.At(1e-3).TrueAcceptRate, 100*roc.At(1e-4).TrueAcceptRate,
		100*roc.At(1e-5).TrueAcceptRate), nil
}

func triedPairs(t *testing.T, path string) []verification.Pair {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pairs, err := verification.ReadPairs(f)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// triedEngine loads the default pack for a number of cores, 0 for all.
func triedEngine(t *testing.T, cores int) *Engine {
	p, err := pack.Load("../../../lib/recollect/packs/default")
	if err != nil {
		t.Fatal(err)
	}
	r, err := onnx.Open(filepath.Join("../../../lib/recollect/onnxruntime", onnx.LibraryName()),
		cores)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(p, r, Options{Memory: NewMemory(1 << 40)}) // all pictures stay in memory
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// triedFace is the face in the middle of a picture.
type triedFace struct {
	name    verification.Picture
	picture *picture
	box     box
	points  *markup
}

// triedFaces decodes all pictures, keeps them in some hundred megabytes, and detects the face in
// the middle of each.
func triedFaces(ctx context.Context, e *Engine, folder string,
	pictures []verification.Picture) ([]triedFace, error) {
	faces := make([]triedFace, len(pictures))
	err := inParallel(ctx, len(pictures), func(ctx context.Context, i int) error {
		path, err := pictures[i].Find(folder)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p, _, err := e.decoder.decode(ctx, data)
		if err != nil {
			return err
		}
		found, err := e.find(ctx, p)
		if err != nil {
			return err
		}
		all, err := e.locate(ctx, p, found)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return fmt.Errorf("%s: no face", path)
		}
		width, height := p.size()
		middle := slices.MinFunc(all,
			func(a, b located) int {
				return offMiddle(a, width, height) - offMiddle(b, width,
					height)
			})
		faces[i] = triedFace{pictures[i], p, middle.box, middle.points}
		return nil
	})
	return faces, err
}

// offMiddle returns the square of the distance of a face from the picture's middle, in ratios of
// its sides, times a million.
func offMiddle(f located, width, height int) int {
	x, y := (f.x0+f.x1)/2/float64(width)-0.5, (f.y0+f.y1)/2/float64(height)-0.5
	return int(1e6 * (x*x + y*y))
}

func inParallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(5)
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(ctx, i)
		})
	}
	return group.Wait()
}

// mean returns the mean vector of a way's shots, L2-normalised.
func (w *way) mean(vectors map[string]embedded) embedded {
	means := embedded{}
	for picture, first := range vectors[w.shots[0]] {
		sum := slices.Clone(first)
		for _, name := range w.shots[1:] {
			for i, x := range vectors[name][picture] {
				sum[i] += x
			}
		}
		means[picture] = unit(sum)
	}
	return means
}

// embedAll embeds a shot of all faces, or reads the vectors of an earlier run.
func (l *lab) embedAll(ctx context.Context, faces []triedFace, name string) (embedded, error) {
	file := filepath.Join(*triedCache, strings.ReplaceAll(name, " ", "_")+".gob")
	vectors := embedded{}
	if *triedCache != "" {
		if f, err := os.Open(file); err == nil {
			defer f.Close()
			return vectors, gob.NewDecoder(f).Decode(&vectors)
		}
	}
	fmt.Fprintln(os.Stderr, name)
	var mutex sync.Mutex
	err := inParallel(ctx, len(faces), func(ctx context.Context, i int) error {
		v, err := l.vector(ctx, &faces[i], shots[name])
		if err != nil {
			return fmt.Errorf("%s: %w", faces[i].name.Name(), err)
		}
		mutex.Lock()
		vectors[faces[i].name] = v
		mutex.Unlock()
		return nil
	})
	if err != nil || *triedCache == "" {
		return vectors, err
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return vectors, errors.Join(gob.NewEncoder(f).Encode(vectors), f.Close())
}

// time returns the processor time of each way for a face, from its box to its vector, in seconds:
// the mean of some faces, with the ways in turns. Landmarks that shots share are counted for each
// shot; a pipeline would find them once.
func (l *lab) time(ctx context.Context, faces []triedFace) ([]float64, error) {
	const n = 100
	of := map[string]time.Duration{}
	var landmarks time.Duration
	for i := range n {
		f := &faces[i*len(faces)/n]
		start := processorTime()
		if _, err := l.landmark.find(ctx, f.picture, f.box); err != nil {
			return nil, err
		}
		landmarks += processorTime() - start
		for name, v := range shots {
			start := processorTime()
			if _, err := l.vector(ctx, f, v); err != nil {
				return nil, err
			}
			of[name] += processorTime() - start
		}
	}
	took := make([]float64, len(ways))
	for i, w := range ways {
		all := landmarks
		for _, name := range w.shots {
			all += of[name]
		}
		took[i] = all.Seconds() / n
	}
	return took, nil
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
