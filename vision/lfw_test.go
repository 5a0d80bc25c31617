package vision_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/recollect-dev/recollect"
	"github.com/recollect-dev/recollect/vision"
)

// pair is two pictures, by path, and whether they show the same person.
type pair struct {
	a, b string
	same bool
}

// readPairs reads the file of a view of Labeled Faces in the Wild: the number of pairs of each kind, then
// lines of a person and two picture numbers, then lines of two persons with a number each.
func readPairs(t *testing.T, name string) []pair {
	t.Helper()
	image := func(person, number string) string {
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return filepath.Join("lfw", "images", person, fmt.Sprintf("%s_%04d.jpg", person, n))
	}
	var pairs []pair
	lines := bufio.NewScanner(bytes.NewReader(read(t, filepath.Join("lfw", name))))
	lines.Scan() // the number
	for lines.Scan() {
		switch f := strings.Fields(lines.Text()); len(f) {
		case 3:
			pairs = append(pairs, pair{image(f[0], f[1]), image(f[0], f[2]), true})
		case 4:
			pairs = append(pairs, pair{image(f[0], f[1]), image(f[2], f[3]), false})
		}
	}
	return pairs
}

// embedAll embeds the face in the middle of each picture, each once, in parallel.
func embedAll(t *testing.T, e *vision.Engine, sets ...[]pair) map[string][]float32 {
	t.Helper()
	vectors := map[string][]float32{}
	var paths []string
	for _, p := range slices.Concat(sets...) {
		paths = append(paths, p.a, p.b)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	work := make(chan string)
	var mutex sync.Mutex
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for path := range work {
				vector, err := embedMiddle(e, path)
				mutex.Lock()
				vectors[path] = vector
				mutex.Unlock()
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
	for _, path := range paths {
		work <- path
	}
	close(work)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return vectors
}

func embedMiddle(e *vision.Engine, path string) ([]float32, error) {
	data, err := os.ReadFile(filepath.Join(shared, path))
	if err != nil {
		return nil, err
	}
	photo, err := e.Detect(context.Background(), data, 0)
	if err != nil {
		return nil, err
	}
	faces := photo.Faces()
	if len(faces) == 0 {
		return nil, fmt.Errorf("no face")
	}
	// The person in question is in the middle of the picture.
	offset := func(f recollect.FaceDetail) float32 {
		x, y := f.BoundingBox.Left+f.BoundingBox.Width/2-0.5, f.BoundingBox.Top+f.BoundingBox.Height/2-0.5
		return x*x + y*y
	}
	middle := 0
	for i := range faces {
		if offset(faces[i]) < offset(faces[middle]) {
			middle = i
		}
	}
	vectors, err := photo.Embed(context.Background(), middle)
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// accuracy is the share of pairs that are told right at the threshold.
func accuracy(pairs []pair, cosines []float32, threshold float32) float64 {
	right := 0
	for i, p := range pairs {
		if (cosines[i] >= threshold) == p.same {
			right++
		}
	}
	return float64(right) / float64(len(pairs))
}

// bestThreshold is the cosine at which the most pairs are told right: of all that do equally well, the one in the
// middle.
func bestThreshold(pairs []pair, cosines []float32) (threshold float32, best float64) {
	var equals []float32
	for _, c := range cosines {
		switch a := accuracy(pairs, cosines, c); {
		case a > best:
			best, equals = a, []float32{c}
		case a == best:
			equals = append(equals, c)
		}
	}
	slices.Sort(equals)
	return equals[len(equals)/2], best
}

// TestLFW measures how well faces are told apart: Labeled Faces in the Wild, View 1 (Huang et al., 2007). The threshold
// is chosen on the training pairs; the figures are those of the test pairs, which have no person in common with them.
func TestLFW(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	train, test := readPairs(t, "pairsDevTrain.txt"), readPairs(t, "pairsDevTest.txt")
	if len(train) != 2200 || len(test) != 1000 {
		t.Fatalf("got %d and %d pairs, want 2200 and 1000", len(train), len(test))
	}
	e := newEngine(t, vision.Options{})
	vectors := embedAll(t, e, train, test)

	cosines := func(pairs []pair) []float32 {
		all := make([]float32, len(pairs))
		for i, p := range pairs {
			all[i] = dot(vectors[p.a], vectors[p.b])
		}
		return all
	}
	trainCosines, testCosines := cosines(train), cosines(test)
	threshold, best := bestThreshold(train, trainCosines)
	got := accuracy(test, testCosines, threshold)

	// The false match rate is taken over all pairs of different persons among the test pairs' pictures.
	impostors := impostorCosines(test, vectors)
	at := impostors[len(impostors)/1000]
	accepted, genuine := 0, 0
	for i, p := range test {
		if p.same {
			genuine++
			if testCosines[i] > at {
				accepted++
			}
		}
	}
	t.Logf("accuracy %.2f %% at cosine %.3f (%.2f %% on the training pairs)", 100*got, threshold, 100*best)
	t.Logf("true accept rate %.2f %% at a false match rate of 0.1 %% (cosine %.3f, similarity %.1f)",
		100*float64(accepted)/float64(genuine), at, e.Similarity(at))
	if got < 0.990 {
		t.Errorf("accuracy is %.4f, want at least 0.990", got)
	}
	if s := e.Similarity(at); s < 75 || s > 85 {
		t.Errorf("similarity at a false match rate of 0.1 %% is %.1f, want about 80", s)
	}
}

// impostorCosines are those of all pairs of pictures of different persons, the highest first.
func impostorCosines(pairs []pair, vectors map[string][]float32) []float32 {
	var paths []string
	for _, p := range pairs {
		paths = append(paths, p.a, p.b)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	var cosines []float32
	for i, a := range paths {
		for _, b := range paths[:i] {
			if filepath.Dir(a) != filepath.Dir(b) {
				cosines = append(cosines, dot(vectors[a], vectors[b]))
			}
		}
	}
	slices.SortFunc(cosines, func(a, b float32) int {
		if a > b {
			return -1
		}
		return 1
	})
	return cosines
}
