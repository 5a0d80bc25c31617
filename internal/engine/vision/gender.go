package vision

import (
	"context"
	"fmt"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

// genderer tells whether a face looks female or male.
type genderer struct {
	*regressor
	values [2]string // what 0 and 1 stand for
}

func newGenderer(r *onnx.Runtime, n *pack.Network) (*genderer, error) {
	names := slices.Sorted(slices.Values(n.Classes))
	if !slices.Equal(names, []string{"Female", "Male"}) {
		return nil, fmt.Errorf("%s: the classes are %q, not Female and Male", n.File, n.Classes)
	}
	regressor, err := newRegressor(r, n)
	if err != nil {
		return nil, err
	}
	return &genderer{regressor, [2]string(n.Classes)}, nil
}

// tell returns the likelier of the two.
func (g *genderer) tell(ctx context.Context, f seen) (*face.Gender, error) {
	value, err := g.estimate(ctx, f)
	if err != nil {
		return nil, err
	}
	second := judge(value)
	gender := face.Gender{Value: g.values[0], Confidence: second.Confidence}
	if second.Value {
		gender.Value = g.values[1]
	}
	return &gender, nil
}
