package vision

import (
	"context"
	"errors"
	"math"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
)

const cropSide = 112 // pixels

// crop is a square in three planes of red, green and blue bytes, row after row. An embedder's crop
// has cropSide x cropSide pixels.
type crop []uint8

// plane returns the plane of a colour.
func (c crop) plane(colour int) []uint8 {
	size := len(c) / 3
	return c[colour*size:][:size]
}

// luma returns the luma of a pixel (ITU-R BT.601).
func luma(red, green, blue float32) float32 { return 0.299*red + 0.587*green + 0.114*blue }

// template is the positions of a face's five points in a crop, in pixels (Deng et al., ArcFace:
// Additive Angular Margin Loss for Deep Face Recognition, 2019, and the code published with it).
// The first pixel's centre is 0.
var template = five{{38.2946, 51.6963}, {73.5318, 51.5014}, {41.5493, 92.3655}, {70.7299, 92.2041},
	{56.0252, 71.7366}}

// embedder computes the embedding of an aligned face.
type embedder struct {
	*network

	// second is a network whose vector of the same crop is behind that of the first; nil: none.
	// weight is that of its cosine in the one of both, 0 to 1.
	second *network
	weight float64
}

func newEmbedder(r *onnx.Runtime, p *pack.Pack) (*embedder, error) {
	first, err := openEmbedding(r, &p.Embed)
	if err != nil {
		return nil, err
	}
	e := &embedder{network: first}
	if p.EmbedSecond != nil {
		e.weight = float64(p.EmbedSecondWeight)
		if e.second, err = openEmbedding(r, p.EmbedSecond); err != nil {
			return nil, closing(first.session, err)
		}
	}
	return e, nil
}

func openEmbedding(r *onnx.Runtime, n *pack.Network) (*network, error) {
	if n.Input.Shape != [4]int64{1, 3, cropSide, cropSide} {
		return nil, errors.New(n.File + ": arcface needs an input of 1 x 3 x 112 x 112")
	}
	return open(r, n, "arcface", []int64{1, 0})
}

// uprightMap returns the map from an embedder's crop to the picture that rotates and scales the
// template's points to the face's.
func uprightMap(f box, points five) affine {
	m, ok := similarityTransform(template, points)
	if !ok {
		// Coinciding points determine no map: the box alone is used.
		scale := f.height() / cropSide
		m = affine{
			a: scale, c: (f.x0+f.x1)/2 - scale*cropSide/2,
			e: scale, f: (f.y0+f.y1)/2 - scale*cropSide/2,
		}
	}
	return m
}

// similarityTransform returns the rotation, uniform scale and shift that map the points of from
// nearest to those of to, by the sum of the squared distances (Umeyama, 1991, without reflection,
// here in complex numbers: to = a from + b). It returns false if there is none.
func similarityTransform(from, to five) (affine, bool) {
	var fromMean, toMean complex128
	for i := range from {
		fromMean += complex(from[i].x, from[i].y) / 5
		toMean += complex(to[i].x, to[i].y) / 5
	}
	var covariance complex128
	var variance float64
	for i := range from {
		f := complex(from[i].x, from[i].y) - fromMean
		t := complex(to[i].x, to[i].y) - toMean
		covariance += t * complex(real(f), -imag(f))
		variance += real(f)*real(f) + imag(f)*imag(f)
	}
	a := covariance / complex(variance, 0)
	b := toMean - a*fromMean
	if scale := math.Hypot(real(a), imag(a)); !(scale > 1e-3 && scale < 1e6) {
		return affine{}, false
	}
	return affine{real(a), -imag(a), real(b), imag(a), real(a), imag(b)}, true
}

// vector returns the L2-normalised embedding of a crop.
func (e *embedder) vector(ctx context.Context, f crop) ([]float32, error) {
	first, err := e.embedding(ctx, f)
	if err != nil || e.second == nil {
		return first, err
	}
	second, err := e.second.embedding(ctx, f)
	if err != nil {
		return nil, err
	}
	// A product of two such vectors is the weighted mean of those of their parts.
	both := make([]float32, 0, len(first)+len(second))
	for _, x := range first {
		both = append(both, float32(math.Sqrt(1-e.weight)*float64(x)))
	}
	for _, x := range second {
		both = append(both, float32(math.Sqrt(e.weight)*float64(x)))
	}
	return both, nil
}

// embedding returns the network's output for a crop, L2-normalised.
func (n *network) embedding(ctx context.Context, f crop) ([]float32, error) {
	var vector []float32
	err := n.runCrop(ctx, f, func(outputs [][]float32) { vector = unit(outputs[0]) })
	if err != nil {
		return nil, err
	}
	if vector == nil {
		return nil, errors.New("the network returned a vector without a direction")
	}
	return vector, nil
}

// unit returns v divided by its Euclidean length, and nil if that is 0 or not a number.
func unit(v []float32) []float32 {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	length := math.Sqrt(squares)
	if !(length > 0) || math.IsInf(length, 0) {
		return nil
	}
	u := make([]float32, len(v))
	for i, x := range v {
		u[i] = float32(float64(x) / length)
	}
	return u
}

// dimension returns the length of a vector.
func (e *embedder) dimension() int {
	n := e.session.OutputShapes()[0][1]
	if e.second != nil {
		n += e.second.session.OutputShapes()[0][1]
	}
	return int(n)
}
