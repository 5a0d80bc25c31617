package vision

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Each cell that is worth a look is in a tile, as far from where it ends as a face needs, and a
// picture in which all cells are has no more tiles than a grid.
func TestTextureTiles(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	for _, size := range [][2]int{{831, 623}, {960, 540}, {540, 960}, {200, 900}, {321, 100},
		{300, 200}} {
		for _, share := range []float64{0, 0.001, 0.01, 0.3, 1} {
			x := &texture{scale: 0.25, width: size[0], height: size[1],
				columns: (size[0] + cell - 1) / cell, rows: (size[1] + cell - 1) / cell}
			x.worth = make([]bool, x.columns*x.rows)
			worth := 0
			for i := range x.worth {
				if x.worth[i] = random.Float64() < share; x.worth[i] {
					worth++
				}
			}
			tiles := x.tiles(320, 240, 2)
			grid := parts(float64(size[0]), 320) * parts(float64(size[1]), 240)
			if len(tiles) > grid && share == 1 || len(tiles) > worth {
				t.Errorf("%v, %v of the cells: %d tiles, where a grid has %d", size, share,
					len(tiles), grid)
			}
			for i, is := range x.worth {
				if is && !shown(tiles, x, i) {
					t.Fatalf("%v, %v of the cells: cell %d is in no tile", size, share, i)
				}
			}
		}
	}
}

// shown reports whether a cell is well inside of a tile.
func shown(tiles []view, x *texture, i int) bool {
	left, top := float64(i%x.columns*cell), float64(i/x.columns*cell)
	right, bottom := min(left+cell, float64(x.width)), min(top+cell, float64(x.height))
	for _, v := range tiles {
		x0, y0, x1, y1 := v.x0*x.scale, v.y0*x.scale, v.x1*x.scale, v.y1*x.scale
		if v.cutX0 != (x0 > 0) || v.cutX1 != (math.Round(x1) < float64(x.width)) {
			return false
		}
		margin := func(cut bool) float64 {
			if cut {
				return overlap/2 - 1e-6
			}
			return -1e-6
		}
		if left >= x0+margin(v.cutX0) && right <= x1-margin(v.cutX1) &&
			top >= y0+margin(v.cutY0) && bottom <= y1-margin(v.cutY1) {
			return true
		}
	}
	return false
}

// Where a picture is plain, or only slowly changes, nothing is worth a look; an edge is.
func TestTexture(t *testing.T) {
	const width, height = 800, 600
	random := rand.New(rand.NewPCG(7, 1))
	of := func(at func(x, y int) float64) *texture {
		luma := plane{step: 1, stride: width, width: width, height: height, subX: 1, subY: 1,
			pix: make([]uint8, width*height)}
		for i := range luma.pix {
			luma.pix[i] = uint8(at(i%width, i/width))
		}
		return newPicture(modelGrey, width, height, [3]plane{luma}).texture(0.5)
	}
	count := func(x *texture) (n int) {
		for _, is := range x.worth {
			if is {
				n++
			}
		}
		return n
	}
	for name, at := range map[string]func(x, y int) float64{
		"plain":        func(int, int) float64 { return 90 },
		"a sky":        func(_, y int) float64 { return 100 + float64(y)/6 },
		"noise":        func(int, int) float64 { return 110 + 8*random.Float64() },
		"out of focus": func(x, y int) float64 { return 128 + 100*math.Sin(float64(x+y)/30) },
	} {
		if n := count(of(at)); n != 0 {
			t.Errorf("%s: %d cells are worth a look", name, n)
		}
	}
	x := of(func(x, y int) float64 {
		if x >= 300 && x < 340 && y >= 200 && y < 240 && (x/6+y/6)%2 == 0 {
			return 160
		}
		return 90
	})
	if n := count(x); n < 9 || n > 16 {
		t.Errorf("a pattern of 40 x 40 pixels has %d cells, want about 9", n)
	}
	x.widen()
	if tiles := x.tiles(320, 240, 1); len(tiles) != 1 {
		t.Errorf("there are %d tiles, want one", len(tiles))
	}
	x.without(rect{280, 180, 360, 260})
	if n := count(x); n == 0 {
		t.Error("nothing is left around the box")
	}
	x.without(rect{0, 0, width, height})
	if n := count(x); n != 0 {
		t.Errorf("%d cells are left", n)
	}
}
