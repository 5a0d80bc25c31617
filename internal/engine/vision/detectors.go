package vision

import (
	"fmt"
	"math"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// detectorDecoder decodes a detector's outputs. It yields the boxes whose score is at least the
// given one, with their corners as ratios of the input's sides. The corners are not checked and may
// be NaN.
type detectorDecoder func(outputs [][]float32, least float32,
	yield func(score float32, x0, y0, x1, y1 float64))

// detectorOf returns the decoder of a detector's network, and the shapes of the outputs that it
// reads.
func detectorOf(n *pack.Network) (detectorDecoder, [][]int64, error) {
	switch n.Decoder {
	case "ultraface":
		return ultraFace, ultraFaceShapes, nil
	case "yunet":
		decode, shapes := yuNet(n.Input.Shape)
		return decode, shapes, nil
	case "retinaface":
		decode, shapes := retinaFace(n.Input.Shape)
		return decode, shapes, nil
	}
	return nil, nil, fmt.Errorf("%s: decoder %q is not known here, ultraface, yunet and "+
		"retinaface are", n.File, n.Decoder)
}

// ultraFace decodes UltraFace (github.com/Linzaier/Ultra-Light-Fast-Generic-Face-Detector-1MB): the
// scores, 1 x n x 2 with the face's in the second column, and the boxes, 1 x n x 4 with the corners
// x0 y0 x1 y1.
func ultraFace(outputs [][]float32, least float32,
	yield func(score float32, x0, y0, x1, y1 float64)) {
	scores, corners := outputs[0], outputs[1]
	for i := range min(len(scores)/2, len(corners)/4) {
		if score := scores[2*i+1]; score >= least { // false for NaN
			c := corners[4*i : 4*i+4]
			yield(score, float64(c[0]), float64(c[1]), float64(c[2]), float64(c[3]))
		}
	}
}

var ultraFaceShapes = [][]int64{{1, 0, 2}, {1, 0, 4}}

// yuNetStrides are the sides of the cells in pixels of the input.
var yuNetStrides = [3]int64{8, 16, 32}

// yuNet decodes YuNet (Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023; the network
// of OpenCV Zoo) for an input of the given shape. For each stride it has a row a cell, in three
// outputs that are ordered by kind and then by stride. cls and obj are 1 x cells x 1, and the score
// is their geometric mean; bbox is 1 x cells x 4: the centre's offset from the cell's corner, and
// the logarithms of the sides, in strides. Its landmarks are not read.
func yuNet(input [4]int64) (detectorDecoder, [][]int64) {
	height, width := input[2], input[3]
	var shapes [][]int64
	for _, columns := range [...]int64{1, 1, 4} {
		for _, stride := range yuNetStrides {
			shapes = append(shapes, []int64{1, (height / stride) * (width / stride), columns})
		}
	}
	return func(outputs [][]float32, least float32,
		yield func(score float32, x0, y0, x1, y1 float64)) {
		for level, stride := range yuNetStrides {
			class, object, boxes := outputs[level], outputs[3+level], outputs[6+level]
			columns := int(width / stride)
			across, down := float64(stride)/float64(width), float64(stride)/float64(height)
			for cell := range class {
				score := float32(math.Sqrt(float64(max(class[cell], 0) * max(object[cell], 0))))
				if !(score >= least) { // true for NaN
					continue
				}
				b := boxes[4*cell : 4*cell+4]
				x, y := (float64(cell%columns)+float64(b[0]))*across,
					(float64(cell/columns)+float64(b[1]))*down
				w, h := math.Exp(float64(b[2]))*across/2, math.Exp(float64(b[3]))*down/2
				yield(score, x-w, y-h, x+w, y+h)
			}
		}
	}, shapes
}

// retinaFace reads RetinaFace (Deng et al., RetinaFace: Single-stage Dense Face Localisation in the
// Wild, 2019; the network of biubug6/Pytorch_Retinaface on MobileNet) for an input of the given
// shape: the boxes, 1 x n x 4, and the scores, 1 x n x 2 with the face's in the second column.
// There are two anchors for each cell of each stride, row after row. A box is its centre's way from
// the anchor's in tenths of the anchor's side, and the logarithms of its sides over the anchor's in
// fifths. Its landmarks are not read.
func retinaFace(input [4]int64) (detectorDecoder, [][]int64) {
	type anchor struct{ x, y, width, height float64 } // in ratios of the input's sides
	var anchors []anchor
	height, width := float64(input[2]), float64(input[3])
	for _, level := range [...]struct {
		stride float64
		sides  [2]float64 // pixels
	}{{8, [2]float64{16, 32}}, {16, [2]float64{64, 128}}, {32, [2]float64{256, 512}}} {
		for row := range int(math.Ceil(height / level.stride)) {
			for column := range int(math.Ceil(width / level.stride)) {
				for _, side := range level.sides {
					anchors = append(anchors, anchor{(float64(column) + 0.5) * level.stride / width,
						(float64(row) + 0.5) * level.stride / height, side / width, side / height})
				}
			}
		}
	}
	n := int64(len(anchors))
	return func(outputs [][]float32, least float32,
		yield func(score float32, x0, y0, x1, y1 float64)) {
		boxes, scores := outputs[0], outputs[1]
		for i, a := range anchors {
			score := scores[2*i+1]
			if !(score >= least) { // not a number is none either
				continue
			}
			b := boxes[4*i : 4*i+4]
			x, y := a.x+0.1*float64(b[0])*a.width, a.y+0.1*float64(b[1])*a.height
			w, h := math.Exp(0.2*float64(b[2]))*a.width/2, math.Exp(0.2*float64(b[3]))*a.height/2
			yield(score, x-w, y-h, x+w, y+h)
		}
	}, [][]int64{{1, n, 4}, {1, n, 2}}
}

// confidence maps a score to a confidence of 0 to 1, linearly between knots. Below the first knot
// it is proportional to the score, and without knots it is the score.
func confidence(knots []pack.ScoreKnot, score float32) float32 {
	var before pack.ScoreKnot
	for _, k := range knots {
		if score <= k.Score {
			if k.Score == before.Score {
				return k.Confidence / 100
			}
			return (before.Confidence +
				(k.Confidence-before.Confidence)*(score-before.Score)/(k.Score-before.Score)) / 100
		}
		before = k
	}
	if len(knots) == 0 {
		return score
	}
	return before.Confidence / 100
}
