package vision

import (
	"context"
	"fmt"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

// eyer estimates whether eyes are open, one eye at a time.
type eyer struct {
	*classifier
	isOpen int // the class OPEN
}

func newEyer(r *onnx.Runtime, n *pack.Network) (*eyer, error) {
	isOpen := slices.Index(n.Classes, "OPEN")
	if isOpen < 0 || len(n.Classes) != 2 {
		return nil, fmt.Errorf("%s: the classes are %q, not OPEN and CLOSED", n.File, n.Classes)
	}
	classifier, err := newClassifier(r, n, "OPEN", "CLOSED")
	if err != nil {
		return nil, err
	}
	return &eyer{classifier, isOpen}, nil
}

// open estimates whether a face's eyes are open, by the mean of the results of both.
func (e *eyer) open(ctx context.Context, f seen) (*face.Judgement, error) {
	m := f.points
	left, right := m.middle(37, 38, 40, 41), m.middle(43, 44, 46, 47)
	var sum float64
	for _, eye := range []affine{e.around(left, m[36].distance(m[39]), left, right),
		e.around(right, m[42].distance(m[45]), left, right)} {
		p, err := e.probabilities(ctx, e.warped(f.picture, eye))
		if err != nil {
			return nil, err
		}
		sum += p[e.isOpen]
	}
	return judge(sum / 2), nil
}

// around returns the map from the network's input to the square around an eye, parallel to the line
// from the left eye to the right.
func (e *eyer) around(middle point, width float64, left, right point) affine {
	side := float64(e.input.Shape[3])
	cos, sin := 1.0, 0.0
	if d := left.distance(right); d > 0 {
		cos, sin = (right.x-left.x)/d, (right.y-left.y)/d
	}
	// An eye without width is no fault; its result says nothing.
	step := max(width, 1) * float64(e.part.Scale) / side
	toMiddle := affine{a: 1, c: -side / 2, e: 1, f: -side / 2}
	return toMiddle.then(affine{step * cos, -step * sin, middle.x, step * sin, step * cos,
		middle.y})
}
