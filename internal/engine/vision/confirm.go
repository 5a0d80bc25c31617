package vision

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// The figures are measured, see the default pack's README.
const (
	// agree is the intersection over union at least of the box that a confirmer finds with the one
	// that it confirms.
	agree = 0.3

	// sure is the confirmer's score from which on a face is not tried in other turns.
	sure = 0.99

	// hearsay is the power at which the odds of the detector's score count beside those of the
	// confirmer's.
	hearsay = 0.3

	// turnedOdds are those of a face that is turned by a quarter or more beside an upright one of
	// the same scores: such faces are rare, and patterns that look like one are not.
	turnedOdds = 0.1
)

// confirmer decides by a second network which of the boxes that a detector found are faces. The
// network sees each box from near, in a part of the picture that is as large in its input whatever
// the face's size; where it finds no upright face there, also turned by one, two and three quarters
// of a full turn.
type confirmer struct {
	*network
	decode  detectorDecoder
	score   float32 // least
	overlap float64 // intersection over union of two faces, most
	curve   []pack.ScoreKnot
	cores   int
}

func newConfirmer(r *onnx.Runtime, n *pack.Network, thresholds pack.Detection) (*confirmer, error) {
	decode, shapes, err := detectorOf(n)
	if err != nil {
		return nil, err
	}
	if n.Input.Shape[2] != n.Input.Shape[3] || n.Crop == nil || !n.Crop.Square {
		return nil, fmt.Errorf("%s: a network that confirms faces wants a square crop and input",
			n.File)
	}
	network, err := open(r, n, n.Decoder, shapes...)
	if err != nil {
		return nil, err
	}
	return &confirmer{network, decode, thresholds.Confirm, float64(thresholds.Overlap),
		thresholds.Confidence, r.Cores()}, nil
}

// sight is what a confirmer sees of a box: the place of the face, its score, 0 if there is none,
// and the quarters of a full turn by which it is turned clockwise.
type sight struct {
	rect
	score    float32
	quarters int
}

// confirm returns the boxes that are faces, the largest first, with the confidence and the turn
// that both networks give them. Of boxes in which the confirmer sees the same face the one of the
// highest score is kept.
func (c *confirmer) confirm(ctx context.Context, p *picture, found []box) ([]box, error) {
	found = found[:min(len(found), maxCandidates)]
	seen := make([]sight, len(found))
	look := func(wanted func(i int) bool, turns func(f box) []int) error {
		return each(ctx, len(found), c.cores, func(ctx context.Context, i int) error {
			if !wanted(i) {
				return nil
			}
			s, err := c.best(ctx, p, found[i], turns(found[i]))
			if s.odds() > seen[i].odds() {
				seen[i] = s
			}
			return err
		})
	}
	// Most faces are upright, and are seen so at the first look.
	err := look(func(i int) bool { return !found[i].lying }, func(box) []int { return []int{0} })
	if err != nil {
		return nil, err
	}
	var upright []rect
	for i, s := range seen {
		if s.score >= sure {
			upright = append(upright, found[i].rect)
		}
	}
	err = look(func(i int) bool {
		return seen[i].score < sure && !(found[i].lying && c.overlaps(found[i].rect, upright))
	}, box.turns)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(seen))
	for i := range seen {
		order[i] = i
		seen[i].score = together(found[i].score, seen[i])
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(seen[j].score, seen[i].score)
	})
	var faces []box
	var places, sights []rect
	for _, i := range order {
		s := seen[i]
		f := box{rect: found[i].rect, score: confidence(c.curve, s.score), quarters: s.quarters}
		if f.quarters != 0 {
			f.rect = s.rect // the detector knows the shape of upright faces alone
		}
		if s.score >= c.score && !c.overlaps(s.rect, sights) && !c.overlaps(f.rect, places) {
			faces, places, sights = append(faces, f), append(places, f.rect), append(sights, s.rect)
		}
	}
	slices.SortStableFunc(faces, bySize)
	return faces, nil
}

// overlaps reports whether a rectangle is the place of a face that one of others is the place of.
func (c *confirmer) overlaps(r rect, others []rect) bool {
	return slices.ContainsFunc(others,
		func(o rect) bool { return intersectionOverUnion(o, r) > c.overlap })
}

// odds of what a score says.
func odds(score float32) float64 {
	s := min(max(float64(score), 1e-6), 1-1e-6)
	return s / (1 - s)
}

// odds are those of a face that is turned so.
func (s sight) odds() float64 {
	if s.quarters != 0 {
		return turnedOdds * odds(s.score)
	}
	return odds(s.score)
}

// together is the score of a box by that of the detector and by what the confirmer sees: the
// product of their odds, the detector's at the power hearsay.
func together(detected float32, confirmed sight) float32 {
	o := math.Pow(odds(detected), hearsay) * confirmed.odds()
	return float32(o / (1 + o))
}

// turns are the turns in which a box can have a face that is not upright, in quarters of a full
// turn, the likeliest first. Faces that lie on their side are detected in the turned view of the
// whole picture, and there is none of a tile.
func (b box) turns() []int {
	switch {
	case b.lying:
		return []int{3, 1}
	case b.tile:
		return []int{1, 2, 3}
	}
	return []int{2}
}

// best is the face that the network sees best where f lies in one of the turns.
func (c *confirmer) best(ctx context.Context, p *picture, f box, turns []int) (sight, error) {
	var best sight
	for _, quarters := range turns {
		s, err := c.look(ctx, p, f, quarters)
		if err != nil {
			return sight{}, err
		}
		if s.odds() > best.odds() {
			best = s
		}
		if f.lying && best.score >= sure {
			break
		}
	}
	return best, nil
}

// look is the face that the network sees where f lies and best fits f by its score times their
// intersection over union, of those that are turned so: beside f there may be another face.
func (c *confirmer) look(ctx context.Context, p *picture, f box, quarters int) (sight, error) {
	shape := f.rect
	if f.lying {
		shape = shape.upright(1)
	}
	toPicture := c.turned(c.around(shape), quarters)
	side := float64(c.input.Shape[3])
	var best sight
	var most float64
	err := c.runCrop(ctx, c.warped(p, toPicture), func(outputs [][]float32) {
		c.decode(outputs, leastConfirmed, func(score float32, x0, y0, x1, y1 float64) {
			ax, ay := toPicture.apply(x0*side, y0*side)
			bx, by := toPicture.apply(x1*side, y1*side)
			at := rect{min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)}
			common := intersectionOverUnion(at, f.rect)
			// What is not a number fails the comparison.
			if fit := common * float64(score); common >= agree && fit > most {
				best, most = sight{at, min(score, 1), quarters}, fit
			}
		})
	})
	return best, err
}

// leastConfirmed is a score below which a box is not looked at.
const leastConfirmed = 0.02

// quarterTurns are the maps from points of a face upright to those of it turned clockwise by so
// many quarters of a full turn; y points down.
var quarterTurns = [4]affine{{a: 1, e: 1}, {b: -1, d: 1}, {a: -1, e: -1}, {b: 1, d: -1}}

// upright is the rectangle around the same centre that a face turned by quarters of a full turn
// would have if it were upright.
func (r rect) upright(quarters int) rect {
	if quarters%2 == 0 {
		return r
	}
	x, y, width, height := (r.x0+r.x1)/2, (r.y0+r.y1)/2, r.height()/2, r.width()/2
	return rect{x - width, y - height, x + width, y + height}
}

// turned maps the network's square input to a square of the picture, in which things are turned
// clockwise by quarters of a full turn.
func (n *network) turned(part rect, quarters int) affine {
	side := float64(n.input.Shape[3])
	scale := part.height() / side
	return affine{a: 1, c: -side / 2, e: 1, f: -side / 2}.then(quarterTurns[quarters]).then(
		affine{a: scale, c: (part.x0 + part.x1) / 2, e: scale, f: (part.y0 + part.y1) / 2})
}
