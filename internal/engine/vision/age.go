package vision

import (
	"context"
	"math"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

// ager estimates the apparent age of a face.
type ager struct {
	*regressor
	span, margin float64 // years
}

func newAger(r *onnx.Runtime, n *pack.Network, span, margin float32) (*ager, error) {
	regressor, err := newRegressor(r, n)
	if err != nil {
		return nil, err
	}
	return &ager{regressor, float64(span), float64(margin)}, nil
}

// estimate returns the estimate with the pack's margin on both sides.
func (a *ager) estimate(ctx context.Context, f seen) (*face.AgeRange, error) {
	value, err := a.regressor.estimate(ctx, f)
	if err != nil {
		return nil, err
	}
	age := value * a.span
	return &face.AgeRange{
		Low:  int32(math.Round(max(0, age-a.margin))),
		High: int32(math.Round(age + a.margin)),
	}, nil
}
