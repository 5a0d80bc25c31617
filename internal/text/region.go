package text

import (
	"errors"
	"math"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// polygon is a closed line of points.
type polygon []Point

// polygon returns the region's outline. CodeInvalidParameter if the region is not a part of a
// picture that has an area.
func (r Region) polygon() (polygon, error) {
	switch {
	case r.Box != nil && r.Polygon != nil:
		return nil, invalid("a region has a box and a polygon")
	case r.Box != nil:
		b := *r.Box
		right, bottom := b.Left+b.Width, b.Top+b.Height
		if !(b.Left >= 0 && b.Top >= 0 && b.Width > 0 && b.Height > 0 && right <= 1 &&
			bottom <= 1) {
			return nil, invalid("a region's box is not within the picture")
		}
		return polygon{{b.Left, b.Top}, {right, b.Top}, {right, bottom}, {b.Left, bottom}}, nil
	case len(r.Polygon) < minPolygonPoints || len(r.Polygon) > MaxPolygonPoints:
		return nil, invalid("a region has neither a box nor a polygon of 3 to 10 points")
	}
	for _, p := range r.Polygon {
		if !(p.X >= 0 && p.X <= 1 && p.Y >= 0 && p.Y <= 1) {
			return nil, invalid("a region's polygon is not within the picture")
		}
	}
	if polygon(r.Polygon).area() == 0 {
		return nil, invalid("a region's polygon has no area")
	}
	return r.Polygon, nil
}

func invalid(cause string) error {
	return &recollect.Error{Code: recollect.CodeInvalidParameter,
		Message: "Request has invalid parameters", Err: errors.New(cause)}
}

// within reports whether more than half of a word is in one of the regions, or whether there are no
// regions.
func within(word Quad, regions []polygon) bool {
	if len(regions) == 0 {
		return true
	}
	whole := polygon(word[:]).area()
	for _, region := range regions {
		if 2*region.clipped(word).area() > whole {
			return true
		}
	}
	return false
}

// touches reports whether a part of a line is in one of the regions.
func touches(line Quad, regions []polygon) bool {
	for _, region := range regions {
		if region.clipped(line).area() > 0 {
			return true
		}
	}
	return false
}

// clipped returns the part of the polygon inside a convex quad (Sutherland and Hodgman, Reentrant
// polygon clipping, 1974). Parts of it that are apart from each other are joined by lines without
// an area.
func (p polygon) clipped(quad Quad) polygon {
	// The sign of a quad's area says on which side of its edges its inside is.
	side := math.Copysign(1, polygon(quad[:]).signedArea())
	for i, from := range quad {
		to := quad[(i+1)%len(quad)]
		height := func(q Point) float64 { // above 0 inside
			return side * (float64(to.X-from.X)*float64(q.Y-from.Y) -
				float64(to.Y-from.Y)*float64(q.X-from.X))
		}
		var inside polygon
		for j, q := range p {
			before := p[(j+len(p)-1)%len(p)]
			hq, hb := height(q), height(before)
			if (hq > 0) != (hb > 0) {
				at := float32(hb / (hb - hq))
				inside = append(inside, Point{before.X + at*(q.X-before.X),
					before.Y + at*(q.Y-before.Y)})
			}
			if hq > 0 {
				inside = append(inside, q)
			}
		}
		p = inside
	}
	return p
}

// area returns the polygon's area in ratios of the picture's.
func (p polygon) area() float64 { return math.Abs(p.signedArea()) }

// signedArea is above 0 if the points go clockwise in the picture (the shoelace formula).
func (p polygon) signedArea() float64 {
	var twice float64
	for i, a := range p {
		b := p[(i+1)%len(p)]
		twice += float64(a.X)*float64(b.Y) - float64(b.X)*float64(a.Y)
	}
	return twice / 2
}
