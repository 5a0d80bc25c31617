package vision

import (
	"context"

	"github.com/recollect-dev/recollect/onnx"
	"github.com/recollect-dev/recollect/pack"
)

// point is a place in pixels of the upright picture.
type point struct{ x, y float64 }

// fiveNames are the API's names of the five points, in its order.
var fiveNames = [5]string{"eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"}

// five are the centres of the eyes, the corners of the mouth and the tip of the nose, in the order of
// fiveNames. Left and right are the viewer's.
type five [5]point

// landmarker finds the 68 points of the iBUG 300-W mark-up (Sagonas et al., 300 Faces in-the-Wild Challenge, 2013), which
// its network gives as x, y pairs in ratios of the crop.
type landmarker struct{ *network }

func newLandmarker(r *onnx.Runtime, n *pack.Network) (*landmarker, error) {
	network, err := open(r, n, "ibug68", []int64{1, 2 * 68})
	if err != nil {
		return nil, err
	}
	return &landmarker{network}, nil
}

// find returns the five points of a face.
func (l *landmarker) find(ctx context.Context, p *picture, face box) (five, error) {
	part := l.around(face.rect)
	var points five
	err := l.run(ctx, p, part, func(outputs [][]float32) { points = fiveOf(outputs[0], part) })
	return points, err
}

// fiveOf picks the five points out of the 68.
func fiveOf(ratios []float32, part rect) five {
	mean := func(indexes ...int) (p point) {
		for _, i := range indexes {
			p.x += float64(ratios[2*i]) / float64(len(indexes))
			p.y += float64(ratios[2*i+1]) / float64(len(indexes))
		}
		return point{part.x0 + p.x*part.width(), part.y0 + p.y*part.height()}
	}
	return five{
		mean(37, 38, 40, 41), // the lids, without the corners
		mean(43, 44, 46, 47),
		mean(48, 60), // outer and inner corner of the lips
		mean(54, 64),
		mean(30),
	}
}
