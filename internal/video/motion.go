package video

import (
	"math"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// motion estimates the place of a face between the moments in which it is seen: a Kalman filter of
// constant velocity for each of the box's centre, its height and its ratio of width to height, as
// in SORT (Bewley et al., Simple Online and Realtime Tracking, 2016), with noise in proportion to
// the height (Wojke et al., 2017). Lengths are in heights of the picture.
type motion struct {
	x, y, height, ratio coordinate
}

// coordinate is a Kalman filter of a value and its velocity a second. In SORT's filter the values
// do not depend on each other, so that it is the same as one of these for each.
type coordinate struct {
	value, velocity float64
	p00, p01, p11   float64 // covariance
}

// The noise, as shares of the height: measured on the sequences of the tests, see track_test.go.
const (
	seenNoise     = 0.04 // of where a face is seen
	velocityNoise = 4.0  // of the velocity, a second, of a face that was seen once
	accelerations = 5.0  // of the velocity, a second and root second
	sizeShare     = 0.3  // of these, that the size has
)

func newMotion(box recollect.BoundingBox, aspect float64) motion {
	x, y, height, ratio := measure(box, aspect)
	begin := func(value, scale float64) coordinate {
		seen, velocity := seenNoise*scale, velocityNoise*scale
		return coordinate{value: value, p00: seen * seen, p11: velocity * velocity}
	}
	return motion{begin(x, height), begin(y, height), begin(height, sizeShare*height),
		coordinate{value: ratio, p00: seenNoise * seenNoise}}
}

// measure returns the centre, the height and the ratio of a box in a picture of an aspect ratio.
func measure(box recollect.BoundingBox, aspect float64) (x, y, height, ratio float64) {
	width := float64(box.Width) * aspect
	height = math.Max(float64(box.Height), 1e-6)
	return float64(box.Left)*aspect + width/2, float64(box.Top) + height/2, height,
		width / height
}

// box returns the estimated box.
func (m *motion) box(aspect float64) recollect.BoundingBox {
	height := math.Max(m.height.value, 1e-6)
	width := m.ratio.value * height
	return recollect.BoundingBox{
		Left: float32((m.x.value - width/2) / aspect), Top: float32(m.y.value - height/2),
		Width: float32(width / aspect), Height: float32(height),
	}
}

// predict moves the estimate by a time in seconds.
func (m *motion) predict(seconds float64) {
	scale := m.height.value
	m.x.predict(seconds, accelerations*scale)
	m.y.predict(seconds, accelerations*scale)
	m.height.predict(seconds, sizeShare*accelerations*scale)
	m.height.value = math.Max(m.height.value, scale/2)
}

// see corrects the estimate by a box.
func (m *motion) see(box recollect.BoundingBox, aspect float64) {
	x, y, height, ratio := measure(box, aspect)
	noise := seenNoise * height
	m.x.see(x, noise)
	m.y.see(y, noise)
	m.height.see(height, noise)
	m.ratio.see(ratio, seenNoise)
}

// predict moves the value by its velocity, which a random acceleration changes by the given
// standard deviation in a second.
func (c *coordinate) predict(seconds, acceleration float64) {
	q := acceleration * acceleration
	c.value += c.velocity * seconds
	c.p00 += seconds*(2*c.p01+seconds*c.p11) + q*seconds*seconds*seconds/3
	c.p01 += seconds*c.p11 + q*seconds*seconds/2
	c.p11 += q * seconds
}

// see corrects the value by a measured one of the given standard deviation.
func (c *coordinate) see(value, deviation float64) {
	total := c.p00 + deviation*deviation
	gain, velocityGain := c.p00/total, c.p01/total
	difference := value - c.value
	c.value += gain * difference
	c.velocity += velocityGain * difference
	c.p11 -= velocityGain * c.p01
	c.p01 *= 1 - gain
	c.p00 *= 1 - gain
}
