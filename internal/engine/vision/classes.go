package vision

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// classifier estimates the class of a crop, by a network whose output is a logit for each class.
type classifier struct {
	*network
	classes []string
}

// newClassifier returns an error unless each class is one of known, and none is repeated.
func newClassifier(r *onnx.Runtime, n *pack.Network, known ...string) (*classifier, error) {
	for i, class := range n.Classes {
		if !slices.Contains(known, class) || slices.Contains(n.Classes[:i], class) {
			return nil,
				fmt.Errorf("%s: class %q is not one of %q, or is there twice", n.File, class, known)
		}
	}
	network, err := open(r, n, "classes", []int64{1, int64(len(n.Classes))})
	if err != nil {
		return nil, err
	}
	return &classifier{network, n.Classes}, nil
}

// probabilities returns the probability of each class, in their order.
func (c *classifier) probabilities(ctx context.Context, of crop) ([]float64, error) {
	var p []float64
	err := c.runCrop(ctx, of, func(outputs [][]float32) { p = softmax(outputs[0]) })
	if err == nil && slices.ContainsFunc(p, math.IsNaN) {
		err = errNotNumber
	}
	return p, err
}

// softmax returns the distribution of logits.
func softmax(logits []float32) []float64 {
	peak := math.Inf(-1)
	for _, l := range logits {
		peak = max(peak, float64(l))
	}
	p := make([]float64, len(logits))
	var sum float64
	for i, l := range logits {
		p[i] = math.Exp(float64(l) - peak)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}
