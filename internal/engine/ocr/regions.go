package ocr

import (
	"cmp"
	"slices"
)

// region is a connected part of a probability map: the kernel of a line of text.
type region struct {
	outline []point // in pixels of the map: the corners of its pixels at the ends of its rows
	score   float64 // the mean of its probabilities
	pixels  int
}

// mostRegions limits the regions of one map.
const mostRegions = 1000

// regions returns the parts of a map of width columns in which neighbouring pixels, diagonal ones
// too, have a probability of at least threshold, in the order of their first pixels.
func regions(probabilities []float32, width int, threshold float32) []region {
	var found []region
	height := len(probabilities) / width
	seen := make([]bool, len(probabilities))
	var stack []int
	var ends [][2]int // of each row of a region: its first and its last column
	for start, p := range probabilities {
		if seen[start] || !(p >= threshold) { // false for NaN
			continue
		}
		if len(found) == mostRegions {
			break
		}
		top := start / width
		ends = ends[:0]
		var sum float64
		pixels := 0
		seen[start] = true
		stack = append(stack[:0], start)
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := at%width, at/width
			sum += float64(probabilities[at])
			pixels++
			for len(ends) <= y-top {
				ends = append(ends, [2]int{width, -1})
			}
			row := &ends[y-top]
			row[0], row[1] = min(row[0], x), max(row[1], x)
			for ny := max(y-1, 0); ny <= min(y+1, height-1); ny++ {
				for nx := max(x-1, 0); nx <= min(x+1, width-1); nx++ {
					next := ny*width + nx
					if !seen[next] && probabilities[next] >= threshold {
						seen[next] = true
						stack = append(stack, next)
					}
				}
			}
		}
		r := region{score: sum / float64(pixels), pixels: pixels}
		for i, row := range ends {
			left, right := float64(row[0]), float64(row[1]+1)
			y := float64(top + i)
			r.outline = append(r.outline, point{left, y}, point{right, y}, point{left, y + 1},
				point{right, y + 1})
		}
		found = append(found, r)
	}
	return found
}

// sortPoints sorts points by x and then by y.
func sortPoints(points []point) {
	slices.SortFunc(points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y))
	})
}
