package video

import (
	"math"
	"math/rand/v2"
	"testing"
)

// least is the cost of the best assignment of rows from i on, by trying all.
func least(costs [][]float64, none float64, i int, used []bool) float64 {
	if i == len(costs) {
		return 0
	}
	best := none + least(costs, none, i+1, used)
	for j, c := range costs[i] {
		if !used[j] && c < none {
			used[j] = true
			best = math.Min(best, c+least(costs, none, i+1, used))
			used[j] = false
		}
	}
	return best
}

func TestAssign(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		rows, columns, none := random.IntN(6), random.IntN(6), 0.3+random.Float64()
		costs := make([][]float64, rows)
		for i := range costs {
			costs[i] = make([]float64, columns)
			for j := range costs[i] {
				costs[i][j] = random.Float64()
				if random.IntN(3) == 0 {
					costs[i][j] = 5
				}
			}
		}
		got, used := assign(costs, none), make([]bool, columns)
		if len(got) != rows {
			t.Fatalf("%d rows are assigned of %d", len(got), rows)
		}
		var sum float64
		for i, j := range got {
			if j < 0 {
				sum += none
				continue
			}
			if used[j] || costs[i][j] >= none {
				t.Fatalf("%v is assigned as %v", costs, got)
			}
			used[j] = true
			sum += costs[i][j]
		}
		if want := least(costs, none, 0, make([]bool, columns)); math.Abs(sum-want) > 1e-6 {
			t.Fatalf("%v is assigned as %v at %v, and could be at %v", costs, got, sum, want)
		}
	}
}
