package face_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
)

// naiveGroup is [face.Group] as its definition says it: all means are computed anew for each step.
func naiveGroup(n int, edges []face.Edge, least, missing float32) [][]int32 {
	cosine := map[[2]int32]float64{}
	for _, e := range edges {
		cosine[[2]int32{e.A, e.B}], cosine[[2]int32{e.B, e.A}] = float64(e.Cosine),
			float64(e.Cosine)
	}
	var groups [][]int32
	for i := range n {
		groups = append(groups, []int32{int32(i)})
	}
	mean := func(a, b []int32) float64 {
		sum, some := 0.0, false
		for _, i := range a {
			for _, j := range b {
				c, ok := cosine[[2]int32{i, j}]
				if !ok {
					c = float64(missing)
				}
				sum, some = sum+c, some || ok
			}
		}
		if !some {
			return -2
		}
		return sum / float64(len(a)*len(b))
	}
	for {
		best, a, b := float64(least), -1, -1
		for i := range groups {
			for j := range i {
				if m := mean(groups[i], groups[j]); m > best {
					best, a, b = m, j, i
				}
			}
		}
		if a < 0 {
			break
		}
		groups[a] = append(groups[a], groups[b]...)
		groups = slices.Delete(groups, b, b+1)
	}
	groups = slices.DeleteFunc(groups, func(g []int32) bool { return len(g) < 2 })
	for _, g := range groups {
		slices.Sort(g)
	}
	slices.SortFunc(groups, func(a, b []int32) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a[0], b[0]))
	})
	return groups
}

func TestGroup(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		n := random.IntN(40)
		least := 0.3 + 0.4*random.Float32()
		missing := least - 0.2
		var edges []face.Edge
		for i := range n {
			for j := range i {
				// three people, and pairs that are alike by chance
				c := 0.5*random.Float32() + 0.1
				if i%3 == j%3 {
					c += 0.35
				}
				if c > missing && random.IntN(4) > 0 {
					edges = append(edges, face.Edge{A: int32(j), B: int32(i), Cosine: c})
				}
			}
		}
		want := fmt.Sprint(naiveGroup(n, edges, least, missing))
		for range 3 {
			random.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
			if got := fmt.Sprint(face.Group(n, edges, least, missing)); got != want {
				t.Fatalf("%d faces, %v: %s, want %s", n, edges, got, want)
			}
		}
	}
}

// TestGroupOfLookalikes: one pair of two people that look alike does not join them.
func TestGroupOfLookalikes(t *testing.T) {
	var edges []face.Edge
	for i := range int32(8) {
		for j := range i {
			if i/4 == j/4 {
				edges = append(edges, face.Edge{A: j, B: i, Cosine: 0.7})
			}
		}
	}
	edges = append(edges, face.Edge{A: 0, B: 4, Cosine: 0.65})
	if got := fmt.Sprint(face.Group(9, edges, 0.5, 0.1)); got != "[[0 1 2 3] [4 5 6 7]]" {
		t.Errorf("got %s", got)
	}
}
