package vision

import (
	"cmp"
	"context"
	"slices"

	"github.com/recollect-dev/recollect/onnx"
	"github.com/recollect-dev/recollect/pack"
)

// box is a face in pixels of the upright picture.
type box struct {
	rect
	score float32 // 0 to 1
}

func (b box) area() float64 { return b.width() * b.height() }

// detector finds faces by UltraFace (github.com/Linzaier/Ultra-Light-Fast-Generic-Face-Detector-1MB), whose outputs are
// the scores, 1 x n x 2 with the face's in the second column, and the boxes, 1 x n x 4 with the corners
// x0 y0 x1 y1 as ratios of the picture's sides.
type detector struct {
	*network
	score   float32 // least
	overlap float64 // intersection over union, most
}

func newDetector(r *onnx.Runtime, n *pack.Network, thresholds pack.Detection) (*detector, error) {
	network, err := open(r, n, "ultraface", []int64{1, 0, 2}, []int64{1, 0, 4})
	if err != nil {
		return nil, err
	}
	return &detector{network, thresholds.Score, float64(thresholds.Overlap)}, nil
}

// find returns at most maxFaces faces, the largest box first, and among equal ones the higher score. Boxes are
// not cut off at the picture's edges.
func (d *detector) find(ctx context.Context, p *picture) ([]box, error) {
	width, height := p.size()
	whole := rect{0, 0, float64(width), float64(height)}
	var candidates []box
	err := d.run(ctx, p, whole, func(outputs [][]float32) {
		candidates = d.read(outputs[0], outputs[1], whole)
	})
	if err != nil {
		return nil, err
	}
	faces := suppress(candidates, d.overlap)
	slices.SortStableFunc(faces, func(a, b box) int {
		return cmp.Or(cmp.Compare(b.area(), a.area()), cmp.Compare(b.score, a.score))
	})
	return faces[:min(len(faces), maxFaces)], nil
}

// read returns the boxes whose score is high enough.
func (d *detector) read(scores, corners []float32, whole rect) []box {
	var found []box
	for i := range min(len(scores)/2, len(corners)/4) {
		score := scores[2*i+1]
		if !(score >= d.score) { // not a number is none either
			continue
		}
		c := corners[4*i : 4*i+4]
		// A face can reach over the edge, but not by more than the picture.
		if !(c[0] >= -1 && c[1] >= -1 && c[2] <= 2 && c[3] <= 2 && c[0] < c[2] && c[1] < c[3]) {
			continue
		}
		found = append(found, box{
			rect: rect{
				whole.x0 + float64(c[0])*whole.width(), whole.y0 + float64(c[1])*whole.height(),
				whole.x0 + float64(c[2])*whole.width(), whole.y0 + float64(c[3])*whole.height(),
			},
			score: min(score, 1),
		})
	}
	return found
}

// suppress keeps of boxes that overlap by more than the given intersection over union the one of the highest score
// (non-maximum suppression).
func suppress(boxes []box, overlap float64) []box {
	slices.SortStableFunc(boxes, func(a, b box) int { return cmp.Compare(b.score, a.score) })
	var kept []box
	for _, b := range boxes {
		if !slices.ContainsFunc(kept, func(k box) bool { return intersectionOverUnion(k.rect, b.rect) > overlap }) {
			kept = append(kept, b)
		}
	}
	return kept
}

func intersectionOverUnion(a, b rect) float64 {
	width := min(a.x1, b.x1) - max(a.x0, b.x0)
	height := min(a.y1, b.y1) - max(a.y0, b.y0)
	if width <= 0 || height <= 0 {
		return 0
	}
	both := width * height
	return both / (a.width()*a.height() + b.width()*b.height() - both)
}
