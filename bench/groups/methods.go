package main

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
)

// method groups n faces by their edges, the pairs above the floor.
type method struct {
	name  string
	group func(n int, edges []face.Edge, engine *vision.Engine, similarity float32) [][]int32
}

func methods() []method {
	return []method{
		{"connected components", func(n int, edges []face.Edge, e *vision.Engine,
			s float32) [][]int32 {
			return components(n, above(edges, e.Cosine(s)))
		}},
		{"Chinese whispers", func(n int, edges []face.Edge, e *vision.Engine,
			s float32) [][]int32 {
			return whispers(n, above(edges, e.Cosine(s)))
		}},
		{"average link of all pairs", func(n int, edges []face.Edge, e *vision.Engine,
			s float32) [][]int32 {
			return face.Group(n, edges, e.Cosine(s), 0.05)
		}},
		{"GroupFaces, others 0.2 less", func(n int, edges []face.Edge, e *vision.Engine,
			s float32) [][]int32 {
			c := e.Cosine(s)
			return face.Group(n, above(edges, c), c, c-0.2)
		}},
		{"GroupFaces, edges from 0.1 less", func(n int, edges []face.Edge, e *vision.Engine,
			s float32) [][]int32 {
			c := e.Cosine(s)
			return face.Group(n, above(edges, c-0.1), c, c-0.2)
		}},
		{"**GroupFaces**", func(n int, edges []face.Edge, e *vision.Engine,
			s float32) [][]int32 {
			return face.Groups(n, above(edges, e.Cosine(s)), e.Cosine(s))
		}},
	}
}

// components are the connected components.
func components(n int, edges []face.Edge) [][]int32 {
	label := make([]int32, n)
	for i := range label {
		label[i] = int32(i)
	}
	var root func(i int32) int32
	root = func(i int32) int32 {
		if label[i] != i {
			label[i] = root(label[i])
		}
		return label[i]
	}
	for _, e := range edges {
		a, b := root(e.A), root(e.B)
		label[max(a, b)] = min(a, b)
	}
	for i := range label {
		label[i] = root(int32(i))
	}
	return labelled(label)
}

// whispers is Chinese whispers (Biemann, 2006) in 20 rounds: a face takes the label that the most
// cosine leads to.
func whispers(n int, edges []face.Edge) [][]int32 {
	neighbours := make([][]face.Edge, n) // B is the other
	for _, e := range edges {
		neighbours[e.A] = append(neighbours[e.A], e)
		neighbours[e.B] = append(neighbours[e.B], face.Edge{A: e.B, B: e.A, Cosine: e.Cosine})
	}
	label := make([]int32, n)
	for i := range label {
		label[i] = int32(i)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		for _, i := range random.Perm(n) {
			weights := map[int32]float32{}
			best, most := label[i], float32(0)
			for _, e := range neighbours[i] {
				l := label[e.B]
				weights[l] += e.Cosine
				if weights[l] > most || weights[l] == most && l < best {
					best, most = l, weights[l]
				}
			}
			label[i] = best
		}
	}
	return labelled(label)
}

// labelled are the faces with one label, where there are two or more.
func labelled(label []int32) (groups [][]int32) {
	by := map[int32][]int32{}
	for i, l := range label {
		by[l] = append(by[l], int32(i))
	}
	for _, members := range by {
		if len(members) > 1 {
			groups = append(groups, members)
		}
	}
	slices.SortFunc(groups, func(a, b []int32) int { return cmp.Compare(a[0], b[0]) })
	return groups
}
