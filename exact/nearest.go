package exact

import (
	"cmp"

	"github.com/recollect-dev/recollect"
)

// better orders hits: the higher cosine first, and the lower key among equals. It is negative if a comes before b.
func better(a, b recollect.Hit) int {
	if c := cmp.Compare(b.Cosine, a.Cosine); c != 0 {
		return c
	}
	return cmp.Compare(a.Key, b.Key)
}

// nearest keeps the k best hits that it is offered, in a binary heap with the worst on top.
type nearest struct {
	k     int
	least float32 // no hit with a lower cosine can get in any more
	hits  []recollect.Hit
}

func (n *nearest) offer(h recollect.Hit) {
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

// cosine of two unit vectors of the same length: their dot product, cut to -1 to 1 where rounding leads beyond. The order of
// the additions is fixed, so that the same vectors give the same number wherever they stand. Eight sums that do not
// depend on each other keep the processor's adders busy.
func cosine(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s4 += x[4] * y[4]
		s5 += x[5] * y[5]
		s6 += x[6] * y[6]
		s7 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	sum := ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
	for i := range min(len(a), len(b)) {
		sum += a[i] * b[i]
	}
	return max(-1, min(sum, 1)) // NaN stays NaN
}
