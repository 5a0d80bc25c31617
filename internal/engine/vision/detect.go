package vision

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/jpeg"
	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// box is the bounding box of a face in pixels of the upright picture.
type box struct {
	rect
	score    float32 // the confidence, 0 to 1
	quarters int     // of a full turn, by which the face is turned clockwise: 0 to 3

	// lying says that the face was detected in the picture turned by a quarter: quarters is not
	// known before the face is confirmed.
	lying bool

	tile bool // it was detected in a part of the picture
}

func (b box) area() float64 { return b.width() * b.height() }

// detector detects faces by a network whose input is a whole picture or a tile.
type detector struct {
	*network
	decode  detectorDecoder
	score   float32 // least
	overlap float64 // intersection over union, most
	curve   []pack.ScoreKnot

	// confirmed says that another network confirms the faces. Then those that lie on their side
	// are detected too, and tiles without any detail are left out: with a pack of one network what
	// is detected stays as it is.
	confirmed bool
	cores     int
}

const (
	// pixels of the network's input: a box nearer to the edge of a tile may be cut there
	edge   = 2
	inside = 0.7 // share of the smaller of two boxes, most

	// leastLying is the least score of a face in the turned view. The figure is measured, see the
	// default pack's README: lower ones are of no face.
	leastLying = 0.4
)

func newDetector(r *onnx.Runtime, n *pack.Network, thresholds pack.Detection) (*detector, error) {
	decode, shapes, err := detectorOf(n)
	if err != nil {
		return nil, err
	}
	network, err := open(r, n, n.Decoder, shapes...)
	if err != nil {
		return nil, err
	}
	return &detector{network: network, decode: decode, score: thresholds.Score,
		overlap: float64(thresholds.Overlap), curve: thresholds.Confidence, cores: r.Cores()}, nil
}

// find returns the faces, the largest box first, and of equal ones the higher score first. Boxes
// are not clipped at the picture's edges. A large picture is detected in several views, in
// parallel. Behind them are the faces that lie on their side, detected in the whole picture turned
// by a quarter: one turn in one direction is enough, since the network detects faces that stand on
// their head nearly as well as upright ones.
func (d *detector) find(ctx context.Context, p *picture) ([]box, error) {
	width, height := p.size()
	inputWidth, inputHeight := float64(d.input.Shape[3]), float64(d.input.Shape[2])
	all := views(float64(width), float64(height), inputWidth, inputHeight)
	if !d.confirmed {
		found, err := d.see(ctx, p, all)
		if err != nil {
			return nil, err
		}
		return d.faces(found), nil
	}
	// The whole is seen first, since it says what of the finest tiles is worth a look.
	finest := all[len(all)-1].level
	coarse := len(all)
	if finest > 0 {
		coarse = slices.IndexFunc(all, func(v view) bool { return v.level == finest })
	}
	tiles := all[coarse:]
	lying := view{rect: all[0].rect, turned: true}
	found, err := d.see(ctx, p, append(slices.Clip(all[:coarse]), lying))
	if err != nil {
		return nil, err
	}
	found, turned := found[:coarse], found[coarse]
	if len(tiles) > 0 {
		t := p.texture(inputWidth / tiles[0].width())
		for _, s := range slices.Concat(found...) {
			if s.clear() { // join would drop what is seen inside
				t.without(s.rect)
			}
		}
		t.widen()
		if few := t.tiles(inputWidth, inputHeight, finest); len(few) < len(tiles) {
			tiles = few
		}
		more, err := d.see(ctx, p, tiles)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	faces := d.faces(found)
	for _, s := range turned {
		if s.score >= leastLying {
			faces = append(faces, s.box)
		}
	}
	return faces, nil
}

// see returns what the network detects in each view.
func (d *detector) see(ctx context.Context, p *picture, views []view) ([][]sighting, error) {
	found := make([][]sighting, len(views))
	err := each(ctx, len(views), d.cores, func(ctx context.Context, i int) error {
		v := &views[i]
		scale := float64(d.input.Shape[2]) / v.height()
		return d.runView(ctx, p, v, func(outputs [][]float32) {
			for _, b := range suppress(d.read(outputs, v), d.overlap) {
				if !v.cuts(b.rect, edge/scale) {
					found[i] = append(found[i], sighting{b, v.level, b.height() * scale})
				}
			}
		})
	})
	return found, err
}

// faces returns the boxes of all views, the largest first.
func (d *detector) faces(found [][]sighting) []box {
	faces := join(slices.Concat(found...), d.overlap)
	slices.SortStableFunc(faces, bySize)
	return faces
}

// bySize orders boxes by their area, the largest first, and among equal ones by their score.
func bySize(a, b box) int {
	return cmp.Or(cmp.Compare(b.area(), a.area()), cmp.Compare(b.score, a.score))
}

// shift returns the scale 1/2^shift of the finest view of a picture. A picture that is not large is
// decoded in full: most of its faces need all pixels.
func (d *detector) shift(width, height int) int {
	if width*height < full {
		return 0
	}
	inputWidth, inputHeight := float64(d.input.Shape[3]), float64(d.input.Shape[2])
	all := views(float64(width), float64(height), inputWidth, inputHeight)
	finest := all[len(all)-1]
	shrink := min(finest.width()/inputWidth, finest.height()/inputHeight)
	return min(int(math.Log2(max(shrink, 1))), jpeg.MaxShift)
}

// read returns the boxes with sufficient scores.
func (d *detector) read(outputs [][]float32, v *view) []box {
	var found []box
	d.decode(outputs, d.score, func(score float32, x0, y0, x1, y1 float64) {
		// A face can extend over the edge, but by less than the picture's size. NaN fails every
		// comparison.
		if !(x0 >= -1 && y0 >= -1 && x1 <= 2 && y1 <= 2 && x0 < x1 && y0 < y1) {
			return
		}
		found = append(found, box{
			rect:  v.unturned(rect{x0, y0, x1, y1}),
			score: confidence(d.curve, min(score, 1)),
			lying: v.turned,
			tile:  v.level > 0,
		})
	})
	return found
}

// suppress returns, of boxes that overlap by more than the given intersection over union, the one
// with the highest score (non-maximum suppression).
func suppress(boxes []box, overlap float64) []box {
	slices.SortStableFunc(boxes, func(a, b box) int { return cmp.Compare(b.score, a.score) })
	var kept []box
	for _, b := range boxes {
		if !slices.ContainsFunc(kept,
			func(k box) bool { return intersectionOverUnion(k.rect, b.rect) > overlap }) {
			kept = append(kept, b)
		}
	}
	return kept
}

// sighting is a box that was detected in a view.
type sighting struct {
	box
	level int     // of the view
	seen  float64 // the box's height in the network's input
}

// clear reports whether the face has at least the size that the detector needs in the view, with a
// sufficient score.
func (s *sighting) clear() bool { return s.seen >= 2*leastSeen && s.score >= doubt }

// join merges the boxes of all views. Of boxes that overlap by more than the given intersection
// over union one is kept, and also of boxes from different views of which one is mostly inside the
// other: a part of a large face can look like a face. A box of the coarsest clear view takes
// precedence, since that view has most of the face's surroundings, then the highest score.
func join(found []sighting, overlap float64) []box {
	slices.SortStableFunc(found, func(a, b sighting) int {
		switch aClear, bClear := a.clear(), b.clear(); {
		case aClear && bClear && a.level != b.level:
			return a.level - b.level
		case aClear != bClear:
			if aClear {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.score, a.score)
	})
	var kept []sighting
	for _, s := range found {
		if !slices.ContainsFunc(kept, func(k sighting) bool {
			return intersectionOverUnion(k.rect, s.rect) > overlap ||
				k.level != s.level && intersection(k.rect, s.rect) > inside*min(k.area(), s.area())
		}) {
			kept = append(kept, s)
		}
	}
	boxes := make([]box, len(kept))
	for i, k := range kept {
		boxes[i] = k.box
	}
	return boxes
}

func intersectionOverUnion(a, b rect) float64 {
	both := intersection(a, b)
	return both / (a.width()*a.height() + b.width()*b.height() - both)
}

func intersection(a, b rect) float64 {
	width := min(a.x1, b.x1) - max(a.x0, b.x0)
	height := min(a.y1, b.y1) - max(a.y0, b.y0)
	if width <= 0 || height <= 0 {
		return 0
	}
	return width * height
}
