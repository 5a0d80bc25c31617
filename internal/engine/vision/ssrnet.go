package vision

import (
	"context"
	"errors"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
)

const ssrBins = 3 // of each of three stages

var errNotNumber = errors.New("the network returned a NaN")

// regressor estimates a number by a soft stagewise regression network (Yang et al., SSR-Net: A
// Compact Soft Stagewise Regression Network for Age Estimation, 2018). Each of three stages divides
// a bin of the one before into three. The outputs are, of each stage, the probabilities of the
// bins, then the changes of the bins' widths, then the offsets of the bins.
type regressor struct{ *network }

func newRegressor(r *onnx.Runtime, n *pack.Network) (*regressor, error) {
	bins, change := []int64{1, ssrBins}, []int64{1, 1}
	network, err := open(r, n, "ssrnet", bins, bins, bins, change, change, change, bins, bins, bins)
	if err != nil {
		return nil, err
	}
	return &regressor{network}, nil
}

// estimate returns the number of a face, 0 to 1: the mean of the network's results for the face and
// for its mirror image, which is more accurate than either.
func (r *regressor) estimate(ctx context.Context, f seen) (float64, error) {
	var sum float64
	c := r.aligned(f.picture, f.upright)
	for range 2 {
		err := r.runCrop(ctx, c, func(outputs [][]float32) { sum += staged(outputs) })
		if err != nil {
			return 0, err
		}
		c = c.mirrored(int(r.input.Shape[3]))
	}
	value := sum / 2
	if value != value {
		return 0, errNotNumber
	}
	return max(0, min(value, 1)), nil
}

// staged returns the sum of the stages.
func staged(outputs [][]float32) (value float64) {
	width := 1.0
	for stage := range 3 {
		probabilities, change, offsets := outputs[stage], outputs[3+stage][0], outputs[6+stage]
		width /= ssrBins * (1 + float64(change))
		for i, p := range probabilities {
			value += (float64(i) + float64(offsets[i])) * float64(p) * width
		}
	}
	return value
}

// mirrored returns the crop, which has the given side, with left and right exchanged.
func (c crop) mirrored(side int) crop {
	out := slices.Clone(c)
	for row := range slices.Chunk(out, side) {
		slices.Reverse(row)
	}
	return out
}
