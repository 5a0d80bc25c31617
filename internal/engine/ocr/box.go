package ocr

import "math"

// point is a place in pixels.
type point struct{ x, y float64 }

func (p point) plus(q point) point         { return point{p.x + q.x, p.y + q.y} }
func (p point) minus(q point) point        { return point{p.x - q.x, p.y - q.y} }
func (p point) times(factor float64) point { return point{p.x * factor, p.y * factor} }
func (p point) dot(q point) float64        { return p.x*q.x + p.y*q.y }
func (p point) cross(q point) float64      { return p.x*q.y - p.y*q.x }
func towards(angle float64) (along point)  { return point{math.Cos(angle), math.Sin(angle)} }
func (p point) clockwise() (quarter point) { return point{-p.y, p.x} }

// box is a rectangle that may be turned. Its text runs along its width, with its lines below each
// other along its height.
type box struct {
	centre        point
	width, height float64 // pixels
	// angle of the width, clockwise from the picture's, in radians
	angle float64
}

// corners returns the corners from the text's upper left one on, clockwise as the text is read.
func (b box) corners() [4]point {
	across := towards(b.angle).times(b.width / 2)
	down := towards(b.angle).clockwise().times(b.height / 2)
	return [4]point{
		b.centre.minus(across).minus(down), b.centre.plus(across).minus(down),
		b.centre.plus(across).plus(down), b.centre.minus(across).plus(down),
	}
}

// turned returns the same rectangle for text that is turned clockwise by quarters of a full turn
// against the box's.
func (b box) turned(quarters int) box {
	b.angle += float64(quarters) * math.Pi / 2
	if quarters%2 != 0 {
		b.width, b.height = b.height, b.width
	}
	return b
}

// grown returns the box with a margin on each side.
func (b box) grown(margin float64) box {
	b.width += 2 * margin
	b.height += 2 * margin
	return b
}

// part returns the part of the box between two ratios of its width.
func (b box) part(from, to float64) box {
	b.centre = b.centre.plus(towards(b.angle).times(((from+to)/2 - 0.5) * b.width))
	b.width *= to - from
	return b
}

// band returns the part of the box between two ratios of its height.
func (b box) band(from, to float64) box {
	down := towards(b.angle).clockwise()
	b.centre = b.centre.plus(down.times(((from+to)/2 - 0.5) * b.height))
	b.height *= to - from
	return b
}

// hull returns the corners of the smallest convex polygon around points, which it sorts, each
// direction of an edge turning the same way (Andrew's monotone chain).
func hull(points []point) []point {
	if len(points) < 3 {
		return points
	}
	chain := make([]point, 0, len(points)+1)
	add := func(p point, least int) {
		for len(chain) >= least+2 {
			last, before := chain[len(chain)-1], chain[len(chain)-2]
			if last.minus(before).cross(p.minus(last)) > 0 {
				break
			}
			chain = chain[:len(chain)-1]
		}
		chain = append(chain, p)
	}
	sortPoints(points)
	for _, p := range points {
		add(p, 0)
	}
	lower := len(chain) - 1
	for i := len(points) - 2; i >= 0; i-- {
		add(points[i], lower)
	}
	return chain[:len(chain)-1]
}

// upright is how much larger than the smallest rectangle one may be that is parallel to the
// picture's sides, to be preferred: the region of a short word is a blob, whose smallest rectangle
// is turned by chance.
const upright = 1.08

// smallestBox returns the rectangle of the least area around a convex polygon. One of its sides
// lies on an edge of the polygon (Freeman and Shapira, Determining the minimum-area encasing
// rectangle for an arbitrary closed curve, 1975). Its width is the side that is more horizontal, so
// that its angle is above -45 degrees and at most 45.
func smallestBox(polygon []point) box {
	best := boxAlong(polygon, 0)
	least := best.width * best.height / upright
	for i, p := range polygon {
		edge := polygon[(i+1)%len(polygon)].minus(p)
		if edge == (point{}) {
			continue
		}
		b := boxAlong(polygon, math.Atan2(edge.y, edge.x))
		if area := b.width * b.height; area < least {
			best, least = b, area
		}
	}
	quarters := math.Ceil(best.angle/(math.Pi/2) - 0.5)
	best = best.turned(-int(quarters))
	return best
}

// boxAlong returns the smallest rectangle around points whose width has this angle.
func boxAlong(points []point, angle float64) box {
	along := towards(angle)
	down := along.clockwise()
	left, right := math.Inf(1), math.Inf(-1)
	top, bottom := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		x, y := p.dot(along), p.dot(down)
		left, right = min(left, x), max(right, x)
		top, bottom = min(top, y), max(bottom, y)
	}
	return box{
		centre: along.times((left + right) / 2).plus(down.times((top + bottom) / 2)),
		width:  right - left, height: bottom - top, angle: angle,
	}
}
