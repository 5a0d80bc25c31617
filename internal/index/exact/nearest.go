package exact

import (
	"cmp"

	"github.com/recollect-dev/recollect/internal/face"
)

// better orders hits: the higher cosine first, and the lower key among equals. It is negative if a
// is before b.
func better(a, b face.Hit) int {
	if c := cmp.Compare(b.Cosine, a.Cosine); c != 0 {
		return c
	}
	return cmp.Compare(a.Key, b.Key)
}

// nearest has the k best of the offered hits, in a binary heap with the worst on top.
type nearest struct {
	k     int
	least float32 // hits with a lower cosine are rejected
	hits  []face.Hit
}

func (n *nearest) offer(h face.Hit) {
	if len(n.hits) < n.k {
		n.hits = append(n.hits, h)
		n.up(len(n.hits) - 1)
		if len(n.hits) == n.k {
			n.least = n.hits[0].Cosine
		}
		return
	}
	if better(h, n.hits[0]) > 0 {
		return
	}
	n.hits[0] = h
	n.down()
	n.least = n.hits[0].Cosine
}

func (n *nearest) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if better(n.hits[i], n.hits[parent]) <= 0 {
			return
		}
		n.hits[i], n.hits[parent] = n.hits[parent], n.hits[i]
		i = parent
	}
}

func (n *nearest) down() {
	i := 0
	for {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(n.hits); child++ {
			if better(n.hits[child], n.hits[worst]) > 0 {
				worst = child
			}
		}
		if worst == i {
			return
		}
		n.hits[i], n.hits[worst] = n.hits[worst], n.hits[i]
		i = worst
	}
}
