package vision

import (
	"math"
	"slices"
)

// A detector's network has a small input. A large picture is detected in several views: the whole,
// scaled to the network's input, and tiles of finer levels, so that a face of leastFace pixels in a
// picture of full pixels, or proportionally more in a larger one, still has leastSeen pixels in one
// of them.
//
// The figures are measured, see the default pack's README: at a height of 20 pixels the network
// detects 19 of 20 heads that are turned by up to 30 degrees, at 24 practically all, at 16 only 17
// of 20.
const (
	leastFace = 40          // pixels of the larger side
	full      = 1920 * 1080 // pixels; in larger pictures the least face is larger in proportion
	leastSeen = 20          // pixels of the network's input, in the finest level
	enough    = 16          // the same, from which on the whole is the only view

	// overlap is the least overlap of neighbouring tiles, in pixels of the network's input. A
	// larger face has about leastSeen pixels or more in the next coarser level, too.
	overlap = 40

	// of a level; only very elongated pictures reach the limit, and have coarser views
	maxTiles = 40
)

// view is a part of the picture that is an input of the detector.
type view struct {
	rect
	cutX0, cutY0, cutX1, cutY1 bool // the picture continues there
	level                      int  // 0 is the whole; the higher, the finer

	// turned says that the network sees the part turned by a quarter of a full turn clockwise.
	turned bool
}

// unturned returns the part of the view whose place in the network's input is r, in ratios of the
// input's sides.
func (v *view) unturned(r rect) rect {
	if v.turned {
		r = rect{r.y0, 1 - r.x1, r.y1, 1 - r.x0}
	}
	return rect{
		v.x0 + r.x0*v.width(), v.y0 + r.y0*v.height(),
		v.x0 + r.x1*v.width(), v.y0 + r.y1*v.height(),
	}
}

// views returns the detector's views of a picture, given its size and that of the network's input.
// The first is the whole; the others are tiles, the coarsest first.
func views(width, height, inputWidth, inputHeight float64) []view {
	all := []view{{rect: rect{0, 0, width, height}}}
	whole := min(inputWidth/width, inputHeight/height)
	if whole*leastFace >= enough {
		return all
	}
	finest := float64(leastSeen) / leastFace / max(1, math.Sqrt(width*height/full))
	grid := func(scale float64) (columns, rows int) {
		return parts(width*scale, inputWidth), parts(height*scale, inputHeight)
	}
	for columns, rows := grid(finest); columns*rows > maxTiles; columns, rows = grid(finest) {
		finest *= 0.8
	}
	// Each level has twice the scale of the one before. The scale of the whole differs in the two
	// directions, and if it is much coarser in one than the next level, there is a level between
	// them.
	scales := []float64{finest}
	for scale := finest / 2; scale > 1.75*whole; scale /= 2 {
		scales = append(scales, scale)
	}
	slices.Reverse(scales)
	for i, scale := range scales {
		columns, rows := grid(scale)
		tileWidth, tileHeight := inputWidth/scale, inputHeight/scale
		for row := range rows {
			for column := range columns {
				x0, y0 := place(column, columns, width, tileWidth),
					place(row, rows, height, tileHeight)
				all = append(all, view{
					rect:  rect{x0, y0, x0 + tileWidth, y0 + tileHeight},
					level: i + 1,
					cutX0: column > 0, cutX1: column < columns-1,
					cutY0: row > 0, cutY1: row < rows-1,
				})
			}
		}
	}
	return all
}

// parts returns how many tiles of a length cover a line with their overlap.
func parts(line, tile float64) int {
	if line <= tile {
		return 1
	}
	return 1 + int(math.Ceil((line-tile)/(tile-overlap)))
}

// place returns the beginning of tile i of n. Tiles are spaced evenly; a single one is centred on
// the line.
func place(i, n int, line, tile float64) float64 {
	if n == 1 {
		return (line - tile) / 2
	}
	return float64(i) * (line - tile) / float64(n-1)
}

// cuts reports whether a box is so near to an edge behind which the picture continues that the face
// may be cut there.
func (v *view) cuts(b rect, margin float64) bool {
	return v.cutX0 && b.x0 < v.x0+margin || v.cutY0 && b.y0 < v.y0+margin ||
		v.cutX1 && b.x1 > v.x1-margin || v.cutY1 && b.y1 > v.y1-margin
}
