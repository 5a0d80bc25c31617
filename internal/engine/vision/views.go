package vision

import (
	"math"
	"slices"
)

// A detector's network sees a small picture. Of a large one it gets several views: the whole,
// stretched to the network's input, and tiles of finer levels, so that a face of leastFace pixels
// in a picture of full pixels, or as many times more in a larger one, still has leastSeen pixels in
// one of them.
//
// The figures are measured, see the default pack's README: at a height of 20 pixels the network
// finds 19 of 20 heads that are turned up to 30 degrees, at 24 practically all, at 16 only 17 of
// 20.
const (
	leastFace = 40          // pixels of the larger side
	full      = 1920 * 1080 // pixels; beyond that the least face grows with the picture's sides
	leastSeen = 20          // pixels of the network's input, in the finest level
	enough    = 16          // the same, at which the whole alone will do

	// overlap is that of neighbouring tiles at least, in pixels of the network's input. A larger
	// face has about leastSeen pixels or more in the next coarser level, too.
	overlap = 40

	// of a level; only pictures many times longer than wide come to that, and are seen less finely
	maxTiles = 40
)

// view is a part of the picture that the detector looks at.
type view struct {
	rect
	cutX0, cutY0, cutX1, cutY1 bool // the picture goes on there
	level                      int  // 0 is the whole; the higher, the finer
}

// views are what the detector looks at in a picture of a size, by an input of another. The first is
// the whole; the others are tiles, the coarsest first.
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
	// Each level has twice the scale of the one before. That of the whole differs in the two
	// directions, and where it is much coarser in one than the next level there is one between
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

// parts is how many tiles of a length cover a line with their overlap.
func parts(line, tile float64) int {
	if line <= tile {
		return 1
	}
	return 1 + int(math.Ceil((line-tile)/(tile-overlap)))
}

// place is where tile i of n begins. They are spread evenly; a lone one has the line in its middle.
func place(i, n int, line, tile float64) float64 {
	if n == 1 {
		return (line - tile) / 2
	}
	return float64(i) * (line - tile) / float64(n-1)
}

// cuts tells whether a box comes so close to an edge behind which the picture goes on that the face
// may be cut there.
func (v *view) cuts(b rect, margin float64) bool {
	return v.cutX0 && b.x0 < v.x0+margin || v.cutY0 && b.y0 < v.y0+margin ||
		v.cutX1 && b.x1 > v.x1-margin || v.cutY1 && b.y1 > v.y1-margin
}
