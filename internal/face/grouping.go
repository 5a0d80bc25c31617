package face

import (
	"cmp"
	"container/heap"
	"slices"
)

// Edge is a pair of faces that are similar, by their numbers.
type Edge struct {
	A, B   int32
	Cosine float32
}

// Group returns the groups of faces that are likely to be of one person each, of two faces at
// least, by the edges of their similar pairs. Faces have the numbers 0 to n-1; there is one edge of
// two faces at most. It is average-link clustering (Sokal and Michener, 1958) on a sparse graph: it
// joins the two groups whose faces have the highest mean cosine, as long as that is at least least.
// A pair without an edge counts with the cosine missing, which must be below least. Unlike
// connected components, one pair of two people that look alike does not join them.
//
// Groups have their faces in ascending order, and are in descending order of size, and among equals
// in that of their first face. The same edges in another order give the same groups; they are
// sorted in place. It takes memory in proportion to the edges of the largest connected component.
func Group(n int, edges []Edge, least, missing float32) [][]int32 {
	root := components(n, edges)
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(root[a.A], root[b.A]), cmp.Compare(a.A, b.A),
			cmp.Compare(a.B, b.B))
	})
	var groups [][]int32
	number := make([]int32, n) // in its component
	for len(edges) > 0 {
		end := 1
		for end < len(edges) && root[edges[end].A] == root[edges[0].A] {
			end++
		}
		groups = append(groups, groupComponent(edges[:end], number, least, missing)...)
		edges = edges[end:]
	}
	slices.SortFunc(groups, func(a, b []int32) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a[0], b[0]))
	})
	return groups
}

// components returns for each face the least of those that edges lead to.
func components(n int, edges []Edge) []int32 {
	root := make([]int32, n)
	for i := range root {
		root[i] = int32(i)
	}
	find := func(i int32) int32 {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for _, e := range edges {
		a, b := find(e.A), find(e.B)
		root[max(a, b)] = min(a, b)
	}
	for i := range root {
		root[i] = find(int32(i))
	}
	return root
}

// groupComponent is Group for the edges of a component. number is written for its faces.
func groupComponent(edges []Edge, number []int32, least, missing float32) (groups [][]int32) {
	var faces []int32
	for _, e := range edges {
		faces = append(faces, e.A, e.B)
	}
	slices.Sort(faces)
	faces = slices.Compact(faces)
	for i, f := range faces {
		number[f] = int32(i)
	}
	c := newClustering(len(faces), edges, number, float64(missing))
	for _, e := range edges {
		c.propose(number[e.A], number[e.B], float64(least))
	}
	heap.Init(&c.queue)
	for len(c.queue) > 0 {
		best := heap.Pop(&c.queue).(proposal)
		if c.made[best.a] == best.madeA && c.made[best.b] == best.madeB {
			c.join(best.a, best.b, float64(least))
		}
	}
	for _, members := range c.members {
		if len(members) < 2 {
			continue
		}
		for i, m := range members {
			members[i] = faces[m]
		}
		slices.Sort(members)
		groups = append(groups, members)
	}
	return groups
}

// clustering is the state of [Group]. A group has the number of one of its faces.
type clustering struct {
	missing float64
	members [][]int32 // of each group; nil: it was joined to another
	made    []int32   // how often the group was changed; -1: it was joined to another
	links   []map[int32]link
	queue   proposals
}

// link is what is known of the pairs of two groups.
type link struct {
	sum   float64 // of the edges' cosines
	edges int
}

func newClustering(n int, edges []Edge, number []int32, missing float64) *clustering {
	c := &clustering{missing: missing, members: make([][]int32, n), made: make([]int32, n),
		links: make([]map[int32]link, n)}
	for i := range n {
		c.members[i] = []int32{int32(i)}
	}
	for _, e := range edges {
		a, b := number[e.A], number[e.B]
		for _, side := range [][2]int32{{a, b}, {b, a}} {
			if c.links[side[0]] == nil {
				c.links[side[0]] = map[int32]link{}
			}
			c.links[side[0]][side[1]] = link{float64(e.Cosine), 1}
		}
	}
	return c
}

// proposal is two groups that may be joined.
type proposal struct {
	mean         float64
	a, b         int32 // a < b
	madeA, madeB int32
}

// propose queues two groups if their mean cosine is high enough.
func (c *clustering) propose(a, b int32, least float64) {
	l := c.links[a][b]
	pairs := float64(len(c.members[a])) * float64(len(c.members[b]))
	mean := (l.sum + (pairs-float64(l.edges))*c.missing) / pairs
	if mean >= least {
		a, b = min(a, b), max(a, b)
		c.queue = append(c.queue, proposal{mean, a, b, c.made[a], c.made[b]})
	}
}

// join joins two groups. The one with fewer links gives up its number.
func (c *clustering) join(a, b int32, least float64) {
	if d := cmp.Or(cmp.Compare(len(c.links[a]), len(c.links[b])), cmp.Compare(b, a)); d < 0 {
		a, b = b, a
	}
	c.members[a] = append(c.members[a], c.members[b]...)
	c.members[b], c.made[b] = nil, -1
	c.made[a]++
	delete(c.links[a], b)
	for other, l := range c.links[b] {
		delete(c.links[other], b)
		if other == a {
			continue
		}
		l.sum += c.links[a][other].sum
		l.edges += c.links[a][other].edges
		c.links[a][other], c.links[other][a] = l, l
	}
	c.links[b] = nil
	for other := range c.links[a] {
		queued := len(c.queue)
		c.propose(a, other, least)
		if len(c.queue) > queued {
			heap.Fix(&c.queue, queued)
		}
	}
}

// proposals is a heap, the highest mean on top, and among equals the lowest numbers.
type proposals []proposal

func (h proposals) Len() int      { return len(h) }
func (h proposals) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h proposals) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(cmp.Compare(b.mean, a.mean), cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b)) < 0
}

func (h *proposals) Push(p any) { *h = append(*h, p.(proposal)) }

func (h *proposals) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
