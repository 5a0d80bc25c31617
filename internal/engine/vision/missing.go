package vision

import (
	"errors"
	"math"
)

// aroundFace is what a face must have around its box of whole rows: a share of the box's sides. The
// networks look at about as much.
const aroundFace = 0.125

// wholeFaces returns those of the faces, which are ordered by size, that lie in rows of the picture
// that are all there. Of a picture that lacks rows it is an error if there are none, since the
// others are not known, or if the largest is not among them, since a caller may want that alone.
func (p *picture) wholeFaces(faces []located) ([]located, error) {
	if p.whole == nil {
		return faces, nil
	}
	var whole []located
	for i, f := range faces {
		if p.wholeAround(f.rect) {
			whole = append(whole, f)
		} else if i == 0 {
			return nil, invalidFormat(
				errors.New("it is cut off or damaged within its largest face"))
		}
	}
	if len(whole) == 0 {
		return nil, invalidFormat(
			errors.New("it is cut off or damaged, and what there is has no face"))
	}
	return whole, nil
}

// wholeAround tells whether all rows of a part of the upright picture and around it are there.
func (p *picture) wholeAround(r rect) bool {
	x, y := aroundFace*r.width(), aroundFace*r.height()
	return p.wholeRows(rect{r.x0 - x, r.y0 - y, r.x1 + x, r.y1 + y})
}

// wholeRows tells whether all rows of a part of the upright picture are there.
func (p *picture) wholeRows(r rect) bool {
	toStored := p.orientation.stored(float64(p.width), float64(p.height))
	_, ay := toStored.apply(r.x0, r.y0)
	_, by := toStored.apply(r.x1, r.y1)
	from, to := math.Floor(min(ay, by)), math.Ceil(max(ay, by))
	return p.whole(int(max(from, 0)), int(min(to, float64(p.height))))
}
