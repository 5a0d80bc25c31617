package vision

import (
	"context"
	"fmt"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

// genderer estimates the apparent gender of a face.
type genderer struct {
	*regressor
	values [2]string // the meanings of 0 and 1
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

// classify returns the likelier of the two, with its probability.
func (g *genderer) classify(ctx context.Context, f seen) (*face.Gender, error) {
	value, err := g.estimate(ctx, f)
	if err != nil {
		return nil, err
	}
	highest := judge(value) // of the class of the value 1
	gender := face.Gender{Value: g.values[0], Confidence: highest.Confidence}
	if highest.Value {
		gender.Value = g.values[1]
	}
	return &gender, nil
}
