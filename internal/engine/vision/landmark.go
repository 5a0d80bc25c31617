package vision

import (
	"context"
	"math"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

// point is a place in pixels of the upright picture.
type point struct{ x, y float64 }

func (p point) distance(q point) float64 { return math.Hypot(p.x-q.x, p.y-q.y) }

// markup is the 68 points of the iBUG 300-W mark-up (Sagonas et al., 300 Faces in-the-Wild
// Challenge, 2013), counted from 0: the jaw line 0 to 16, the brows 17 to 26, the nose 27 to 35,
// the eyes 36 to 47, and the lips' outer and inner line 48 to 59 and 60 to 67. All but the lower
// lids and lips go from the picture's left to its right.
type markup [68]point

// middle returns the mean of some of the points.
func (m *markup) middle(indexes ...int) (p point) {
	for _, i := range indexes {
		p.x += m[i].x / float64(len(indexes))
		p.y += m[i].y / float64(len(indexes))
	}
	return p
}

// landmarks lists the API's landmarks in its order, each with the points of the mark-up whose mean
// it is. Left and right are the viewer's. The first five are the default ones.
var landmarks = [30]struct {
	name   string
	points []int
}{
	{"eyeLeft", []int{37, 38, 40, 41}}, // the lids, without the corners
	{"eyeRight", []int{43, 44, 46, 47}},
	{"mouthLeft", []int{48, 60}}, // outer and inner corner of the lips
	{"mouthRight", []int{54, 64}},
	{"nose", []int{30}},
	{"leftEyeBrowLeft", []int{17}},
	{"leftEyeBrowRight", []int{21}},
	{"leftEyeBrowUp", []int{19}},
	{"rightEyeBrowLeft", []int{22}},
	{"rightEyeBrowRight", []int{26}},
	{"rightEyeBrowUp", []int{24}},
	{"leftEyeLeft", []int{36}},
	{"leftEyeRight", []int{39}},
	{"leftEyeUp", []int{37, 38}},
	{"leftEyeDown", []int{40, 41}},
	{"rightEyeLeft", []int{42}},
	{"rightEyeRight", []int{45}},
	{"rightEyeUp", []int{43, 44}},
	{"rightEyeDown", []int{46, 47}},
	{"noseLeft", []int{31}},
	{"noseRight", []int{35}},
	{"mouthUp", []int{51}},
	{"mouthDown", []int{57}},
	{"leftPupil", []int{37, 38, 40, 41}}, // the service's is at the middle of the eye, too
	{"rightPupil", []int{43, 44, 46, 47}},
	{"upperJawlineLeft", []int{0}},
	{"midJawlineLeft", []int{4}},
	{"chinBottom", []int{8}},
	{"midJawlineRight", []int{12}},
	{"upperJawlineRight", []int{16}},
}

// five is the first five landmarks: the centres of the eyes, the corners of the mouth and the tip
// of the nose.
type five [5]point

func (m *markup) five() (points five) {
	for i := range points {
		points[i] = m.middle(landmarks[i].points...)
	}
	return points
}

// named returns the five default landmarks, or all of them, in ratios of a picture of the given
// size.
func (m *markup) named(all bool, width, height int) []face.Landmark {
	wanted := landmarks[:len(five{})]
	if all {
		wanted = landmarks[:]
	}
	named := make([]face.Landmark, len(wanted))
	for i, l := range wanted {
		p := m.middle(l.points...)
		named[i] = face.Landmark{Type: l.name, X: float32(p.x / float64(width)),
			Y: float32(p.y / float64(height))}
	}
	return named
}

// landmarker finds the points of the mark-up. Its network returns them as x, y pairs in ratios of
// the crop.
type landmarker struct{ *network }

func newLandmarker(r *onnx.Runtime, n *pack.Network) (*landmarker, error) {
	network, err := open(r, n, "ibug68", []int64{1, 2 * 68})
	if err != nil {
		return nil, err
	}
	return &landmarker{network}, nil
}

// find returns the points of a face.
func (l *landmarker) find(ctx context.Context, p *picture, f box) (*markup, error) {
	part := l.around(f.upright(f.quarters))
	var points markup
	if f.quarters != 0 {
		m := l.turned(part, f.quarters)
		side := float64(l.input.Shape[3])
		err := l.runCrop(ctx, l.warped(p, m), func(outputs [][]float32) {
			for i := range points {
				points[i].x, points[i].y = m.apply(float64(outputs[0][2*i])*side,
					float64(outputs[0][2*i+1])*side)
			}
		})
		return &points, err
	}
	err := l.run(ctx, p, part, func(outputs [][]float32) {
		for i := range points {
			points[i].x = part.x0 + float64(outputs[0][2*i])*part.width()
			points[i].y = part.y0 + float64(outputs[0][2*i+1])*part.height()
		}
	})
	return &points, err
}
