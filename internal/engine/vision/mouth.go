package vision

import (
	"math"

	"github.com/recollect-dev/recollect/internal/face"
)

// mouthOpen estimates whether a mouth is open by the gap between the lips over the width of the
// mouth, at the lips' inner line. The gap with the probability 1/2 and the slope were chosen from
// pictures with open and closed lips: a difference of 0.03 is nearly certain. It returns nil if the
// points are no mouth.
func mouthOpen(m *markup) *face.Judgement {
	const (
		even   = 0.09
		spread = 0.02
	)
	width := m[60].distance(m[64])
	gap := (m[61].distance(m[67]) + m[62].distance(m[66]) + m[63].distance(m[65])) / 3
	if !(width > 0) || math.IsInf(width, 0) || math.IsNaN(gap) {
		return nil
	}
	return judge(1 / (1 + math.Exp((even-gap/width)/spread)))
}
