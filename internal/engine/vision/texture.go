package vision

import (
	"math"
	"slices"
)

// A face that is small in a picture has edges that are a few pixels wide in the finest tiles. Where
// a picture has none, as in a clear sky or out of the lens's focus, there is no tile.
const (
	// cell is the side of the squares whose detail is measured, in pixels of the network's input. A
	// face of leastSeen pixels covers one whatever its place.
	cell = 8

	// leastDetail is the least mean of the second differences across and down, in levels of 0 to
	// 255, of a cell in which a face's feature can be. The figure is measured, see the default
	// pack's README.
	leastDetail = 8

	// around is how many cells around one with detail are seen with it.
	around = 2
)

// texture says which cells of a picture are worth a look in the finest tiles.
type texture struct {
	scale         float64 // of the network's input to the picture
	width, height int     // in pixels of the network's input
	columns, rows int
	worth         []bool // row after row
}

// texture measures the detail of the picture at a scale.
func (p *picture) texture(scale float64) *texture {
	width, height := p.size()
	t := &texture{scale: scale, width: max(int(float64(width)*scale), 1),
		height: max(int(float64(height)*scale), 1)}
	t.columns, t.rows = (t.width+cell-1)/cell, (t.height+cell-1)/cell
	t.worth = make([]bool, t.columns*t.rows)
	luma := make([]float32, t.width*t.height)
	p.crop(luma, t.width, t.height, 1,
		rect{0, 0, float64(t.width) / scale, float64(t.height) / scale})
	for row := range t.rows {
		for column, detail := range t.detail(luma, row) {
			t.worth[row*t.columns+column] = detail >= leastDetail
		}
	}
	return t
}

// detail returns the mean of the second differences, across and down, in each cell of a row.
func (t *texture) detail(luma []float32, row int) []float32 {
	sums, counts := make([]float32, t.columns), make([]float32, t.columns)
	// Every second line tells enough.
	for y := max(row*cell, 1); y < min((row+1)*cell, t.height-1); y += 2 {
		above, line, below := luma[(y-1)*t.width:][:t.width], luma[y*t.width:][:t.width],
			luma[(y+1)*t.width:][:t.width]
		for x := 1; x < t.width-1; x++ {
			c := 2 * line[x]
			across, down := c-line[x-1]-line[x+1], c-above[x]-below[x]
			sums[x/cell] += max(across, -across) + max(down, -down)
			counts[x/cell]++
		}
	}
	for column := range sums {
		sums[column] /= max(counts[column], 1)
	}
	return sums
}

// without clears the cells that are inside of a box of the picture.
func (t *texture) without(b rect) {
	first := func(at float64, n int) int {
		return int(min(max(math.Ceil(at*t.scale/cell), 0), float64(n)))
	}
	end := func(at float64, n int) int {
		return int(min(max(math.Floor(at*t.scale/cell), 0), float64(n)))
	}
	for row := first(b.y0, t.rows); row < end(b.y1, t.rows); row++ {
		for column := first(b.x0, t.columns); column < end(b.x1, t.columns); column++ {
			t.worth[row*t.columns+column] = false
		}
	}
}

// widen makes the cells worth a look that are around one that is.
func (t *texture) widen() {
	was := t.worth
	t.worth = make([]bool, len(was))
	for row := range t.rows {
		for column := range t.columns {
			if !was[row*t.columns+column] {
				continue
			}
			for y := max(row-around, 0); y < min(row+around+1, t.rows); y++ {
				for x := max(column-around, 0); x < min(column+around+1, t.columns); x++ {
					t.worth[y*t.columns+x] = true
				}
			}
		}
	}
}

// tiles returns few views of the network's input size in which all cells that are worth a look are,
// not nearer than half the overlap to an edge behind which the picture continues.
func (t *texture) tiles(inputWidth, inputHeight float64, level int) []view {
	var all []view
	for row := 0; row < t.rows; {
		if !t.any(row, row+1, 0, t.columns) {
			row++
			continue
		}
		y0, nextRow := window(row, t.rows, float64(t.height), inputHeight)
		for column := 0; column < t.columns; {
			if !t.any(row, nextRow, column, column+1) {
				column++
				continue
			}
			x0, nextColumn := window(column, t.columns, float64(t.width), inputWidth)
			all = append(all, view{
				rect: rect{x0 / t.scale, y0 / t.scale, (x0 + inputWidth) / t.scale,
					(y0 + inputHeight) / t.scale},
				level: level,
				cutX0: x0 > 0, cutX1: x0+inputWidth < float64(t.width),
				cutY0: y0 > 0, cutY1: y0+inputHeight < float64(t.height),
			})
			column = nextColumn
		}
		row = nextRow
	}
	return all
}

// any reports whether a cell of a range is worth a look.
func (t *texture) any(row0, row1, column0, column1 int) bool {
	for row := row0; row < row1; row++ {
		if slices.Contains(t.worth[row*t.columns+column0:row*t.columns+column1], true) {
			return true
		}
	}
	return false
}

// window returns the beginning of a tile for the cells of a line from the given one on, and the
// first cell that another tile is for. A line has n cells.
func window(first, n int, line, tile float64) (start float64, next int) {
	if line <= tile {
		return (line - tile) / 2, n
	}
	start = min(max(float64(first*cell)-overlap/2, 0), line-tile)
	if start == line-tile {
		return start, n
	}
	return start, int(start+tile-overlap/2) / cell
}
