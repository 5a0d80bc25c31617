package video

import "math"

// assign returns for each row of a matrix of costs the column that it gets, or -1, so that the sum
// of the costs is least, where a row without a column costs none (the Hungarian method with
// potentials: Kuhn, 1955; Jonker and Volgenant, 1987, for augmenting along shortest paths). Every
// row has the same number of columns. Pairs that cost as much as none are not assigned. It takes
// time in proportion to rows² times columns.
func assign(costs [][]float64, none float64) []int {
	rows := len(costs)
	if rows == 0 {
		return nil
	}
	// The rows must not be more than the columns: each row gets a column of its own that stands for
	// none.
	width := len(costs[0])
	columns := width + rows
	cost := func(i, j int) float64 {
		switch {
		case j < width:
			return math.Min(costs[i][j], 2*none)
		case j == width+i:
			return none
		}
		return 2 * none
	}
	// Counted from 1; row and column 0 are the beginning of each path.
	rowPotential, columnPotential := make([]float64, rows+1), make([]float64, columns+1)
	rowOf, before := make([]int, columns+1), make([]int, columns+1)
	least, seen := make([]float64, columns+1), make([]bool, columns+1)
	for i := 1; i <= rows; i++ {
		rowOf[0] = i
		for j := range least {
			least[j], seen[j] = math.Inf(1), false
		}
		at := 0
		for rowOf[at] != 0 {
			seen[at] = true
			row, next, step := rowOf[at], 0, math.Inf(1)
			for j := 1; j <= columns; j++ {
				if seen[j] {
					continue
				}
				reduced := cost(row-1, j-1) - rowPotential[row] - columnPotential[j]
				if reduced < least[j] {
					least[j], before[j] = reduced, at
				}
				if least[j] < step {
					step, next = least[j], j
				}
			}
			for j := range least {
				if seen[j] {
					rowPotential[rowOf[j]] += step
					columnPotential[j] -= step
				} else {
					least[j] -= step
				}
			}
			at = next
		}
		for at != 0 {
			rowOf[at] = rowOf[before[at]]
			at = before[at]
		}
	}
	assigned := make([]int, rows)
	for i := range assigned {
		assigned[i] = -1
	}
	for j := 1; j <= width; j++ {
		if i := rowOf[j]; i != 0 && costs[i-1][j-1] < none {
			assigned[i-1] = j - 1
		}
	}
	return assigned
}
