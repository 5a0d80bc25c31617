package ocr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/text"
)

// recognizer reads lines of text by a network whose output is the probability of each class at each
// step from the left to the right.
type recognizer struct {
	session  *onnx.OpenSession
	input    pack.Input
	alphabet []string         // of the classes from 1 on; 0 is the blank
	least    float32          // mean confidence of a line, 0 to 1
	observe  func(onnx.Shape) // nil: nobody
}

// alphabetKey is the key of the network's metadata under which it has its characters, each in a
// line. The networks of PP-OCR know the space besides, as their last class.
const alphabetKey = "character"

func newRecognizer(r *onnx.Runtime, n *pack.Network, thresholds pack.TextRecognition) (*recognizer,
	error) {
	session, err := open(r, n, "ctc")
	if err != nil {
		return nil, err
	}
	characters, found, err := session.Metadata(alphabetKey)
	if err == nil && !found {
		err = fmt.Errorf("its metadata has no %q", alphabetKey)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", n.File, err), session.Close())
	}
	alphabet := append(strings.Split(strings.TrimSuffix(characters, "\n"), "\n"), " ")
	return &recognizer{session: session, input: n.Input, alphabet: alphabet,
		least: thresholds.Line}, nil
}

const (
	// mostColumns limits the width of a line's crop. A longer line is compressed.
	mostColumns = 2400

	// A batch has at most batchLines lines, and batchColumns columns in all: the network's output
	// has a number for each class, of which there are thousands, every few columns.
	batchLines   = 8
	batchColumns = 2400
	// of the narrowest line of a batch to the widest: the others are padded
	batchRatio = 0.75

	leastColumns = 16
)

// Text that stands on its side, or on its head.
const (
	// tall is the ratio of a box's height to its width from which on its text is expected to run
	// down or up.
	tall = 1.5
	// single is the ratio up to which a tall box may have one upright character.
	single = 3.5
	// doubtful is the mean confidence below which a line may be upside down.
	doubtful = 0.98
	// preference is how much more confident the reading of a turned line must be, and
	// squarePreference that of a box that is about as wide as high: one or two letters may be
	// others when they lie on their side.
	preference       = 0.01
	squarePreference = 0.15
)

// line is a line of text that was read.
type line struct {
	box   box // in pixels of the picture, in the direction of the text
	words []word
	// of the crop, in which the words' places are
	columns, rows int
	confidence    float32
}

// attempt is the reading of a box for one direction of its text.
type attempt struct {
	of      int     // index of the box
	needs   float32 // how much surer it must be than those before it
	box     box     // turned
	columns int
	line    line
}

func (r *recognizer) rows() int { return int(r.input.Shape[2]) }

func (r *recognizer) attempt(of int, b box, quarters int) *attempt {
	a := &attempt{of: of, box: b.turned(quarters), needs: preference}
	if quarters%2 != 0 && b.height/b.width < tall {
		a.needs = squarePreference
	}
	columns := int(math.Round(float64(r.rows()) * a.box.width / a.box.height))
	a.columns = min(max(columns, leastColumns), mostColumns)
	return a
}

// readAll reads the boxes, and leaves out those whose text is not read with the least confidence.
func (e *Engine) readAll(ctx context.Context, p *vision.Picture, boxes []box) ([]line, error) {
	var first []*attempt
	for i, b := range boxes {
		switch ratio := b.height / b.width; {
		case ratio < tall:
			first = append(first, e.read.attempt(i, b, 0))
		case ratio < single:
			first = append(first, e.read.attempt(i, b, 0), e.read.attempt(i, b, 1),
				e.read.attempt(i, b, 3))
		default:
			first = append(first, e.read.attempt(i, b, 1), e.read.attempt(i, b, 3))
		}
	}
	if err := e.readBatches(ctx, p, first); err != nil {
		return nil, err
	}
	best := make([]*attempt, len(boxes))
	for _, a := range first {
		keepBest(best, a)
	}
	var second []*attempt
	for i, b := range boxes {
		if b.height/b.width >= tall || best[i].line.confidence >= doubtful {
			continue
		}
		second = append(second, e.read.attempt(i, b, 2))
		if b.height/b.width > 1/tall {
			second = append(second, e.read.attempt(i, b, 1), e.read.attempt(i, b, 3))
		}
	}
	if err := e.readBatches(ctx, p, second); err != nil {
		return nil, err
	}
	for _, a := range second {
		keepBest(best, a)
	}
	var lines []line
	for _, a := range best {
		if len(a.line.words) > 0 && a.line.confidence >= e.read.least {
			lines = append(lines, a.line)
		}
	}
	return lines, nil
}

// keepBest puts an attempt in the place of the best one of its box, if it is surer by what it
// needs.
func keepBest(best []*attempt, a *attempt) {
	b := best[a.of]
	if b == nil || a.line.confidence > b.line.confidence+a.needs {
		best[a.of] = a
	}
}

// readBatches reads the lines of attempts.
func (e *Engine) readBatches(ctx context.Context, p *vision.Picture, all []*attempt) error {
	if len(all) == 0 {
		return nil
	}
	batches := batchesOf(all)
	return vision.Each(ctx, len(batches), e.cores, func(ctx context.Context, i int) error {
		defer e.clock(StageRead)()
		return e.read.run(ctx, p, batches[i])
	})
}

// batchesOf groups attempts of similar width.
func batchesOf(all []*attempt) [][]*attempt {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *attempt) int { return cmp.Compare(b.columns, a.columns) })
	var batches [][]*attempt
	for len(all) > 0 {
		widest := all[0].columns
		n := 1
		for n < len(all) && n < batchLines && (n+1)*widest <= batchColumns &&
			float64(all[n].columns) >= batchRatio*float64(widest) {
			n++
		}
		batches = append(batches, all[:n])
		all = all[n:]
	}
	return batches
}

// run reads a batch of lines. The first is the widest.
func (r *recognizer) run(ctx context.Context, p *vision.Picture, batch []*attempt) error {
	rows, columns := r.rows(), batch[0].columns
	greys := make([]grey, len(batch))
	shape := onnx.Shape{int64(len(batch)), 3, int64(rows), int64(columns)}
	if r.observe != nil {
		r.observe(shape)
	}
	var fault error
	err := r.session.Run(ctx, shape, func(input []float32) {
		clear(input) // what is right of a line is grey
		size := 3 * rows * columns
		crop := make([]float32, size)
		for i, a := range batch {
			crop := crop[:3*rows*a.columns]
			p.Warp(crop, a.columns, rows, cropMap(a.box, a.columns, rows))
			greys[i] = greyOf(crop, a.columns)
			normalise(crop, r.input)
			planes := input[i*size:][:size]
			for y := range 3 * rows {
				copy(planes[y*columns:][:a.columns], crop[y*a.columns:][:a.columns])
			}
		}
	}, func(outputs []onnx.Tensor) {
		fault = r.decode(outputs[0], batch, greys)
	})
	return errors.Join(err, fault)
}

// decode sets the lines of a batch from the network's output.
func (r *recognizer) decode(output onnx.Tensor, batch []*attempt, greys []grey) error {
	classes := len(r.alphabet) + 1
	if len(output.Shape) != 3 || output.Shape[0] != int64(len(batch)) ||
		output.Shape[2] != int64(classes) {
		return fmt.Errorf("the network's output has the shape %v for %d lines of %d classes",
			output.Shape, len(batch), classes)
	}
	steps := int(output.Shape[1])
	stride := float64(batch[0].columns) / float64(steps)
	for i, a := range batch {
		read := decodeCTC(output.Data[i*steps*classes:][:steps*classes], r.alphabet)
		a.line = line{box: a.box, columns: a.columns, rows: r.rows(),
			confidence: meanConfidence(read), words: splitWords(read, stride, greys[i].columns())}
		for j := range a.line.words {
			w := &a.line.words[j]
			w.top, w.bottom = greys[i].ink(int(w.from), int(math.Ceil(w.to)))
		}
	}
	return nil
}

// cropMap maps the pixels of a box's crop to those of the picture.
func cropMap(b box, columns, rows int) vision.Affine {
	corner := b.corners()[0]
	across := towards(b.angle).times(b.width / float64(columns))
	down := towards(b.angle).clockwise().times(b.height / float64(rows))
	return vision.Affine{A: across.x, B: down.x, C: corner.x, D: across.y, E: down.y, F: corner.y}
}

// grey is the luma of a crop, row after row.
type grey struct {
	pixels []float32
	width  int
}

// greyOf returns the luma of a crop of so many columns in planes of red, green and blue.
func greyOf(crop []float32, columns int) grey {
	n := len(crop) / 3
	g := grey{make([]float32, n), columns}
	red, green, blue := crop[:n], crop[n:2*n], crop[2*n:]
	for i := range g.pixels {
		g.pixels[i] = 0.299*red[i] + 0.587*green[i] + 0.114*blue[i]
	}
	return g
}

func (g grey) rows() int { return len(g.pixels) / g.width }

// columns returns the contrast of each column, the difference between its lightest and its darkest
// pixel, without the rows at the edges, where parts of other lines can be.
func (g grey) columns() []float32 {
	margin := g.rows() / 8
	contrast := make([]float32, g.width)
	for x := range contrast {
		least, highest := g.pixels[margin*g.width+x], g.pixels[margin*g.width+x]
		for y := margin + 1; y < g.rows()-margin; y++ {
			v := g.pixels[y*g.width+x]
			least, highest = min(least, v), max(highest, v)
		}
		contrast[x] = highest - least
	}
	return contrast
}

// ink returns the rows between which the columns from one to another have more contrast than the
// background above and below.
func (g grey) ink(from, to int) (top, bottom float64) {
	from, to = max(from, 0), min(to, g.width)
	if from >= to {
		return 0, float64(g.rows())
	}
	contrast := make([]float32, g.rows())
	for y := range contrast {
		row := g.pixels[y*g.width+from : y*g.width+to]
		contrast[y] = slices.Max(row) - slices.Min(row)
	}
	quiet := quietBelow(contrast)
	first := edgeAfter(contrast, 0, len(contrast), quiet)
	return float64(first), float64(edgeBefore(contrast, first, len(contrast), quiet))
}

// scaled returns the line in ratios of the picture's sides.
func (l line) scaled(p *vision.Picture) text.Line {
	place := func(from, to, top, bottom float64) text.Quad {
		columns, rows := float64(l.columns), float64(l.rows)
		return quad(l.box.part(from/columns, to/columns).band(top/rows, bottom/rows), p)
	}
	scaled := text.Line{Confidence: 100 * l.confidence}
	top, bottom := l.words[0].top, l.words[0].bottom
	for _, w := range l.words {
		top, bottom = min(top, w.top), max(bottom, w.bottom)
		scaled.Words = append(scaled.Words, text.Word{Text: w.text, Confidence: 100 * w.confidence,
			Polygon: place(w.from, w.to, w.top, w.bottom)})
	}
	scaled.Polygon = place(l.words[0].from, l.words[len(l.words)-1].to, top, bottom)
	return scaled
}
