package vision

import (
	"context"
	"math"
)

// shot is a crop of a face, which is embedded.
type shot struct {
	// nil: those of the box
	points func(ctx context.Context, l *lab, f *triedFace) (*markup, error)
	fit    func(l *lab, f *triedFace, points *markup) affine // nil: by five points
	// of the crop's pixels, before the fit; zero: none
	moved    affine
	warp     warping
	mirrored bool
}

// way computes the vector of a face: the mean of those of its shots.
type way struct {
	name  string
	shots []string
}

var (
	bicubic  = warping{cubic: true, side: 1}
	area     = warping{side: 2}
	unhalved = warping{side: 1}

	// The template and the crop both counted from the first pixel's centre.
	halfFurther = shifted(-0.5, -0.5)
)

func zoom(factor float64) affine {
	const middle = cropSide / 2.0
	return affine{a: factor, c: middle - middle*factor, e: factor, f: middle - middle*factor}
}

func shifted(x, y float64) affine { return affine{a: 1, c: x, e: 1, f: y} }

var shots = map[string]shot{
	"baseline":           {},
	"mirrored":           {mirrored: true},
	"jitter 5":           {points: jitter(5)},
	"area":               {warp: area},
	"second":             {points: second},
	"inner":              {fit: fitInner},
	"further":            {moved: halfFurther},
	"bicubic":            {warp: bicubic},
	"jitter 9":           {points: jitter(9)},
	"jitter 3":           {points: jitter(3)},
	"both":               {points: both},
	"wider":              {moved: zoom(1.03)},
	"narrower":           {moved: zoom(0.97)},
	"whole":              {points: rounded},
	"68":                 {fit: fitAll},
	"unhalved":           {warp: unhalved},
	"back":               {moved: shifted(0.5, 0.5)},
	"second, inner":      {points: second, fit: fitInner},
	"jitter 9, area":     {points: jitter(9), warp: area},
	"jitter 9, mirrored": {points: jitter(9), mirrored: true},
	"second, mirrored":   {points: second, mirrored: true},
}

var ways = []way{
	{"baseline", []string{"baseline"}},
	{"mirrored second pass", []string{"baseline", "mirrored"}},
	{"box jitter, 3 boxes", []string{"jitter 3"}},
	{"box jitter, 5 boxes", []string{"jitter 5"}},
	{"box jitter, 9 boxes", []string{"jitter 9"}},
	{"second landmark pass, upright", []string{"second"}},
	{"mean of both landmark passes", []string{"both"}},
	{"bilinear without halving", []string{"unhalved"}},
	{"bicubic", []string{"bicubic"}},
	{"area, 2 x 2 values a pixel", []string{"area"}},
	{"landmarks at whole pixels", []string{"whole"}},
	{"crop half a pixel up and left", []string{"further"}},
	{"crop half a pixel down and right", []string{"back"}},
	{"crop 3 % wider", []string{"wider"}},
	{"crop 3 % narrower", []string{"narrower"}},
	{"fit to all 68 points", []string{"68"}},
	{"fit to the 51 points without the jaw", []string{"inner"}},
	{"mean of three zooms", []string{"baseline", "wider", "narrower"}},
	{"second pass, 51 points", []string{"second, inner"}},
	{"jitter 9, area", []string{"jitter 9, area"}},
	{"jitter 9, mirrored", []string{"jitter 9", "jitter 9, mirrored"}},
	{"second pass, mirrored", []string{"second", "second, mirrored"}},
	{"three zooms and one of them mirrored", []string{"mirrored", "wider", "narrower"}},
}

// lab is the data that the ways share.
type lab struct {
	*Engine
	shape  markup // the mean of the points in the crop
	square rect   // the mean of the landmarks' crop in the embedded crop
}

// newLab computes the means of some faces.
func newLab(e *Engine, faces []triedFace) *lab {
	l := &lab{Engine: e}
	n := float64(len(faces))
	for i := range faces {
		f := &faces[i]
		m := inverse(uprightMap(f.box, f.points.five()))
		for k, p := range f.points {
			x, y := m.apply(p.x, p.y)
			l.shape[k].x += x / n
			l.shape[k].y += y / n
		}
		part := l.landmark.around(f.box.rect)
		x, y := m.apply((part.x0+part.x1)/2, (part.y0+part.y1)/2)
		half := part.width() / 2 * math.Hypot(m.a, m.d)
		l.square.x0 += (x - half) / n
		l.square.y0 += (y - half) / n
		l.square.x1 += (x + half) / n
		l.square.y1 += (y + half) / n
	}
	return l
}

// inverse returns the inverse of a map that has one.
func inverse(m affine) affine {
	d := m.a*m.e - m.b*m.d
	return affine{m.e / d, -m.b / d, (m.b*m.f - m.e*m.c) / d, -m.d / d, m.a / d,
		(m.d*m.c - m.a*m.f) / d}
}

// vector embeds a shot of a face.
func (l *lab) vector(ctx context.Context, f *triedFace, v shot) ([]float32, error) {
	points := f.points
	if v.points != nil {
		var err error
		if points, err = v.points(ctx, l, f); err != nil {
			return nil, err
		}
	}
	fit := uprightMap(f.box, points.five())
	if v.fit != nil {
		fit = v.fit(l, f, points)
	}
	if v.moved != (affine{}) {
		fit = v.moved.then(fit)
	}
	c := make(crop, 3*cropSide*cropSide)
	v.warp.warp(f.picture, c, cropSide, fit)
	if v.mirrored {
		c = c.mirrored(cropSide)
	}
	return l.embed.vector(ctx, c)
}

func rounded(_ context.Context, _ *lab, f *triedFace) (*markup, error) {
	points := *f.points
	for i := range points {
		points[i] = point{math.Floor(points[i].x) + 0.5, math.Floor(points[i].y) + 0.5}
	}
	return &points, nil
}

// jitter returns the mean of the points in the box and in n-1 boxes that are shifted and scaled by
// 4 %.
func jitter(n int) func(context.Context, *lab, *triedFace) (*markup, error) {
	moves := [][3]float64{{0.04, 0.04, 1.04}, {-0.04, -0.04, 0.96}, {0.04, -0.04, 0.96},
		{-0.04, 0.04, 1.04}, {0.04, 0, 1}, {-0.04, 0, 1}, {0, 0.04, 1}, {0, -0.04, 1}}
	return func(ctx context.Context, l *lab, f *triedFace) (*markup, error) {
		mean := *f.points
		width, height := f.box.width(), f.box.height()
		for _, m := range moves[:n-1] {
			x, y := (f.box.x0+f.box.x1)/2+m[0]*width, (f.box.y0+f.box.y1)/2+m[1]*height
			w, h := width*m[2]/2, height*m[2]/2
			again, err := l.landmark.find(ctx, f.picture,
				box{rect: rect{x - w, y - h, x + w, y + h}})
			if err != nil {
				return nil, err
			}
			for i := range mean {
				mean[i].x += again[i].x
				mean[i].y += again[i].y
			}
		}
		for i := range mean {
			mean[i].x /= float64(n)
			mean[i].y /= float64(n)
		}
		return &mean, nil
	}
}

// second finds the points again, in an upright square whose position relative to the first points
// is the mean one.
func second(ctx context.Context, l *lab, f *triedFace) (*markup, error) {
	n := l.landmark
	step := l.square.width() / float64(n.input.Shape[3])
	m := affine{a: step, c: l.square.x0, e: step,
		f: l.square.y0}.then(uprightMap(f.box, f.points.five()))
	side := float64(n.input.Shape[3])
	var points markup
	err := n.runCrop(ctx, n.warped(f.picture, m), func(outputs [][]float32) {
		for i := range points {
			points[i].x,
				points[i].y = m.apply(side*float64(outputs[0][2*i]),
				side*float64(outputs[0][2*i+1]))
		}
	})
	return &points, err
}

func both(ctx context.Context, l *lab, f *triedFace) (*markup, error) {
	points, err := second(ctx, l, f)
	if err != nil {
		return nil, err
	}
	for i := range points {
		points[i].x = (points[i].x + f.points[i].x) / 2
		points[i].y = (points[i].y + f.points[i].y) / 2
	}
	return points, nil
}

func fitAll(l *lab, f *triedFace, points *markup) affine   { return fitShape(l, f, points, 0) }
func fitInner(l *lab, f *triedFace, points *markup) affine { return fitShape(l, f, points, 17) }

// fitShape fits the mean shape's points, from the given one on, to the face's, as
// similarityTransform fits five.
func fitShape(l *lab, _ *triedFace, points *markup, first int) affine {
	n := complex(float64(len(points)-first), 0)
	var fromMean, toMean complex128
	for i := first; i < len(points); i++ {
		fromMean += complex(l.shape[i].x, l.shape[i].y) / n
		toMean += complex(points[i].x, points[i].y) / n
	}
	var covariance complex128
	var variance float64
	for i := first; i < len(points); i++ {
		f := complex(l.shape[i].x, l.shape[i].y) - fromMean
		t := complex(points[i].x, points[i].y) - toMean
		covariance += t * complex(real(f), -imag(f))
		variance += real(f)*real(f) + imag(f)*imag(f)
	}
	a := covariance / complex(variance, 0)
	b := toMean - a*fromMean
	return affine{real(a), -imag(a), real(b), imag(a), real(a), imag(b)}
}
