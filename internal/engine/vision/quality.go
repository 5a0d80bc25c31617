package vision

import (
	"math"

	"github.com/recollect-dev/recollect/internal/face"
)

// rate returns the quality of an aligned face.
//
// Brightness is the mean luma of the face, in percent of white. Sharpness is the share of the
// face's contrast in its finest details: the mean square of the Laplacian over the variance of the
// luma, x, as 100 x / (x + x0). The quotient does not change with brightness and contrast. The crop
// has the size of the embedding network's input, so a face that was enlarged to it is as blurred as
// in that input.
func rate(f crop) face.Quality {
	const halfSharp = 0.25 // x0, where the sharpness is 50

	// The middle of the crop, from the brows to the chin, without the background.
	const x0, x1, y0, y1 = 28, 84, 36, 104
	// With a border of a pixel. The lumas are double, as the sums are.
	var lumas [y1 - y0 + 2][x1 - x0 + 2]float64
	red, green, blue := f.plane(0), f.plane(1), f.plane(2)
	for y := range lumas {
		at := (y0-1+y)*cropSide + x0 - 1
		red, green, blue := red[at:][:len(lumas[y])], green[at:][:len(lumas[y])],
			blue[at:][:len(lumas[y])]
		for x := range lumas[y] {
			lumas[y][x] = 0.299*float64(red[x]) + 0.587*float64(green[x]) + 0.114*float64(blue[x])
		}
	}
	const n = (x1 - x0) * (y1 - y0)
	var sum, squares, detail float64
	for y := 1; y <= y1-y0; y++ {
		upper, middle, lower := &lumas[y-1], &lumas[y], &lumas[y+1]
		for x := 1; x <= x1-x0; x++ {
			v := middle[x]
			sum += v
			squares += v * v
			laplacian := middle[x-1] + middle[x+1] + upper[x] + lower[x] - 4*v
			detail += laplacian * laplacian
		}
	}
	mean := sum / n
	// Noise of one grey level is no detail, and a flat crop has none.
	variance := max(squares/n-mean*mean, 1)
	x := detail / n / variance
	return face.Quality{
		Brightness: float32(math.Min(100*mean/255, 100)),
		Sharpness:  float32(100 * x / (x + halfSharp)),
	}
}
