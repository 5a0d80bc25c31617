package exact

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
)

// pairsOf returns the pairs of vectors by comparing all.
func pairsOf(vectors map[face.VectorKey][]float32, least float32) (pairs []face.Pair) {
	for key, v := range vectors {
		for other, w := range vectors {
			if other >= key {
				continue
			}
			if c := portable().cosine(v, w); c >= least {
				pairs = append(pairs, face.Pair{PairPlace: face.PairPlace{Key: key, Other: other},
					Cosine: c})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b face.Pair) int { return a.PairPlace.Compare(b.PairPlace) })
	return pairs
}

// joined returns all pairs of an index, in pages.
func joined(t *testing.T, x *Index, least float32, limit int) (pairs []face.Pair) {
	t.Helper()
	for q := (face.PairQuery{Least: least, Limit: limit}); ; {
		page, err := x.Pairs(t.Context(), 1, q)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, page.Pairs...)
		if !page.More {
			return pairs
		}
		q.After = page.Last
	}
}

// TestPairsFromFiles: slabs in files, in any order, with holes, and with vectors beyond them in
// memory have the pairs of all vectors, with any kernels; a damaged file is repaired.
func TestPairsFromFiles(t *testing.T) {
	l := newLibrary(t, 3*slabSlots+100)
	for range 200 { // pairs that are more similar than random ones
		key := face.VectorKey(len(l.vectors) + 1)
		e := face.Embedding{Key: key, Vector: near(l.random, l.vectors[key%999+1], 0.9)}
		l.vectors[key] = e.Vector
		l.source.Put(1, e)
	}
	l.remove(t, nil, 5, 1500, 1501, 3000)
	const least = 0.5
	want := pairsOf(l.vectors, least)
	if len(want) < 200 {
		t.Fatalf("%d pairs", len(want))
	}
	x := l.open(t)
	if got := joined(t, x, least, 4096); !slices.Equal(got, want) {
		t.Errorf("%d pairs, want %d", len(got), len(want))
	}
	x.Close()
	x = l.open(t)
	for _, limit := range []int{1, 13, 100} {
		if got := joined(t, x, least, limit); !slices.Equal(got, want) {
			t.Errorf("%d a page: %d pairs, want %d", limit, len(got), len(want))
		}
	}
	// The row of each vector of a file.
	path := l.files(t)[0]
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	c := newCoder(portable(), 64)
	for at := int64(rowsAt(c)); at < info.Size(); at += int64(c.rowBytes()) {
		flip(t, path, at)
	}
	if got := joined(t, x, least, 4096); !slices.Equal(got, want) {
		t.Errorf("with a damaged file: %d pairs, want %d", len(got), len(want))
	}
	if l.log.count("found a damaged file") != 1 {
		t.Errorf("the log has %s", l.log.text.String())
	}
	for _, k := range available() {
		y := newIndex(t, &l.source, Options{kernels: k})
		if got := joined(t, y, least, 1000); !slices.Equal(got, want) {
			t.Errorf("%s: %d pairs, want %d", k.name, len(got), len(want))
		}
	}
}

// endless is a context that ends at its nth question.
type endless struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (c *endless) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestPairsAreCancelled: a comparison whose caller leaves ends between two slabs, and the next one
// does not wait for it.
func TestPairsAreCancelled(t *testing.T) {
	l := newLibrary(t, 4*slabSlots)
	x := newIndex(t, &l.source, Options{})
	if err := x.Load(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{0, 1, 3, 6} {
		ctx := &endless{Context: t.Context(), left: after}
		if _, err := x.Pairs(ctx, 1, face.PairQuery{Least: 0.9, Limit: 10}); !errors.Is(err,
			context.Canceled) {
			t.Errorf("after %d: %v", after, err)
		}
	}
	x.joins <- struct{}{} // another comparison runs
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Pairs(ctx, 1, face.PairQuery{Least: 0.9, Limit: 10}); !errors.Is(err,
		context.Canceled) {
		t.Errorf("while another runs: %v", err)
	}
	<-x.joins
	if got := joined(t, x, 0.5, 10); !slices.Equal(got, pairsOf(l.vectors, 0.5)) {
		t.Errorf("%d pairs afterwards", len(got))
	}
}
