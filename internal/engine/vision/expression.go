package vision

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

// expresser estimates the apparent emotions of a face.
type expresser struct {
	*classifier
	happy int // the class HAPPY
}

func newExpresser(r *onnx.Runtime, n *pack.Network) (*expresser, error) {
	happy := slices.Index(n.Classes, "HAPPY")
	if happy < 0 {
		return nil, fmt.Errorf("%s: there is no class HAPPY", n.File)
	}
	classifier, err := newClassifier(r, n, "ANGRY", "CALM", "CONFUSED", "DISGUSTED", "FEAR",
		"HAPPY", "SAD", "SURPRISED")
	if err != nil {
		return nil, err
	}
	return &expresser{classifier, happy}, nil
}

// read returns the network's emotions, the likeliest first, and whether the face smiles: whether
// HAPPY is likelier than not.
func (e *expresser) read(ctx context.Context, f seen) ([]face.Emotion, *face.Judgement, error) {
	probabilities, err := e.probabilities(ctx, e.aligned(f.picture, f.upright))
	if err != nil {
		return nil, nil, err
	}
	emotions := make([]face.Emotion, len(probabilities))
	for i, p := range probabilities {
		emotions[i] = face.Emotion{Type: e.classes[i], Confidence: float32(100 * p)}
	}
	slices.SortStableFunc(emotions,
		func(a, b face.Emotion) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return emotions, judge(probabilities[e.happy]), nil
}
