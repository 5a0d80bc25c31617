package vision

import (
	"context"
	"math"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

const (
	poseBins    = 66
	poseBinSize = 3  // degrees
	poseReach   = 99 // degrees either way
)

// poser estimates the pose of a head, by a network that classifies each of yaw, pitch and roll into
// bins (Ruiz et al., Fine-Grained Head Pose Estimation Without Keypoints, 2018).
type poser struct{ *network }

func newPoser(r *onnx.Runtime, n *pack.Network) (*poser, error) {
	angle := []int64{1, poseBins}
	network, err := open(r, n, "bins66", angle, angle, angle)
	if err != nil {
		return nil, err
	}
	return &poser{network}, nil
}

// estimate returns the pose of a face with the given points. Yaw and pitch are the network's. Roll
// is the angle of the line through the eyes, which is right for every angle, while few heads in the
// network's training data are far from upright.
func (p *poser) estimate(ctx context.Context, from *picture, f box, points five) (face.Pose,
	error) {
	var pose face.Pose
	err := p.run(ctx, from, p.around(f.rect), func(outputs [][]float32) {
		// The network's yaw is positive towards the viewer's left, the API's towards the right.
		pose.Yaw = float32(-expectedAngle(outputs[0]))
		pose.Pitch = float32(expectedAngle(outputs[1]))
	})
	left, right := points[0], points[1]
	// y points down, so that the angle grows clockwise.
	pose.Roll = float32(math.Atan2(right.y-left.y, right.x-left.x) * 180 / math.Pi)
	return pose, err
}

// expectedAngle returns the mean angle, in degrees, of the distribution of the bins' logits.
func expectedAngle(logits []float32) float64 {
	var mean float64
	for i, p := range softmax(logits) {
		mean += p * float64(i)
	}
	return mean*poseBinSize - poseReach
}
