// Package ocr reads the text of pictures by two networks: one that finds lines of text in a
// picture, and one that reads a line.
package ocr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/text"
)

// Stage is a step of the reading of a picture.
type Stage string

// The stages. Reading is observed once for each batch of lines, and batches run in parallel.
const (
	StageDecode Stage = "text-decode" // bytes to picture
	StageDetect Stage = "text-detect" // picture to lines
	StageRead   Stage = "text-read"   // lines to characters
)

// Options are an [Engine]'s settings.
type Options struct {
	// Pictures are the settings of decoding; its Observe is not used.
	Pictures vision.Options

	// Observe, if not nil, is called with the duration of each stage, concurrently from several
	// goroutines.
	Observe func(Stage, time.Duration)

	// ObserveRun, if not nil, is called before each run of a network, as Observe, with the shape of
	// its input.
	ObserveRun func(Stage, onnx.Shape)
}

// Engine is a loaded pack of the family text. It implements [text.Engine].
type Engine struct {
	version string
	decoder *vision.Decoder
	detect  *detector
	read    *recognizer
	cores   int
	observe func(Stage, time.Duration)
}

var _ text.Engine = (*Engine)(nil)

// New prepares the networks of a pack that [pack.Load] has loaded. It returns an error if it is of
// another family, or if a network's input or outputs are not those of its decoder.
func New(p *pack.Pack, r *onnx.Runtime, options Options) (*Engine, error) {
	if p.Text == nil {
		return nil, fmt.Errorf("the model pack %s is not of the family %s", p.Name,
			pack.FamilyText)
	}
	e := &Engine{version: p.Version, cores: r.Cores(), observe: options.Observe}
	e.decoder = vision.NewDecoder(options.Pictures, shift)
	var faults [2]error
	e.detect, faults[0] = newDetector(r, &p.Text.Detect, p.Text.Detection)
	e.read, faults[1] = newRecognizer(r, &p.Text.Recognize, p.Text.Recognition)
	if err := errors.Join(faults[:]...); err != nil {
		return nil, fmt.Errorf("preparing the model pack %s: %w", p.Name,
			errors.Join(err, e.Close()))
	}
	if run := options.ObserveRun; run != nil {
		e.detect.observe = func(shape onnx.Shape) { run(StageDetect, shape) }
		e.read.observe = func(shape onnx.Shape) { run(StageRead, shape) }
	}
	return e, nil
}

// RunNetwork runs the network of a stage, StageDetect or StageRead, once on an undefined input of a
// shape and without any other processing.
func (e *Engine) RunNetwork(ctx context.Context, stage Stage, shape onnx.Shape) error {
	session := e.detect.session
	if stage == StageRead {
		session = e.read.session
	}
	return session.Run(ctx, shape, func([]float32) {}, func([]onnx.Tensor) {})
}

// Close frees the networks. It waits for runs of networks that have begun. Calls in progress return
// an error that wraps [onnx.ErrClosed] when they need another run, and so do later calls.
func (e *Engine) Close() error {
	var faults []error
	if e.detect != nil {
		faults = append(faults, e.detect.session.Close())
	}
	if e.read != nil {
		faults = append(faults, e.read.session.Close())
	}
	return errors.Join(faults...)
}

// Version returns the pack's version.
func (e *Engine) Version() string { return e.version }

// chunk is how many lines are read before those after them.
const chunk = 2 * batchLines

// Read decodes a picture, turns it upright and reads its text, as [text.Engine] says.
func (e *Engine) Read(ctx context.Context, data []byte, wanted func(text.Quad) bool,
	yield func(text.Line) bool) error {
	ctx = onnx.OneCaller(ctx)
	stop := e.clock(StageDecode)
	p, release, err := e.decoder.Decode(ctx, data)
	if err != nil {
		return err
	}
	defer release()
	stop()

	stop = e.clock(StageDetect)
	found, err := e.detect.find(ctx, p)
	if err != nil {
		return fmt.Errorf("detecting text: %w", err)
	}
	if found, err = wholeBoxes(p, found); err != nil {
		return err
	}
	found = inReadingOrder(found)
	stop()

	if wanted != nil {
		found = slices.DeleteFunc(found, func(b box) bool { return !wanted(quad(b, p)) })
	}
	for boxes := range slices.Chunk(found, chunk) {
		lines, err := e.readAll(ctx, p, boxes)
		if err != nil {
			return fmt.Errorf("reading text: %w", err)
		}
		for _, l := range lines {
			if !yield(l.scaled(p)) {
				return nil
			}
		}
	}
	return nil
}

// wholeBoxes returns those of the boxes that lie in rows of the picture that are all there. Of a
// picture that lacks rows it is an error if there are none.
func wholeBoxes(p *vision.Picture, found []box) ([]box, error) {
	width, height := p.Size()
	if p.Whole(vision.Rect{X1: float64(width), Y1: float64(height)}) {
		return found, nil
	}
	found = slices.DeleteFunc(found, func(b box) bool {
		corners := b.corners()
		around := vision.Rect{X0: corners[0].x, Y0: corners[0].y, X1: corners[0].x,
			Y1: corners[0].y}
		for _, c := range corners[1:] {
			around.X0, around.X1 = min(around.X0, c.x), max(around.X1, c.x)
			around.Y0, around.Y1 = min(around.Y0, c.y), max(around.Y1, c.y)
		}
		return !p.Whole(around)
	})
	if len(found) == 0 {
		return nil, vision.Damaged(errors.New(
			"it is cut off or damaged, and what there is has no text"))
	}
	return found, nil
}

// inReadingOrder orders boxes from the top to the bottom, those in one row from the left to the
// right.
func inReadingOrder(boxes []box) []box {
	slices.SortStableFunc(boxes, func(a, b box) int { return cmp.Compare(a.centre.y, b.centre.y) })
	for rest := boxes; len(rest) > 0; {
		first, n := rest[0], 1
		for n < len(rest) &&
			rest[n].centre.y-first.centre.y < min(first.height, rest[n].height)/2 {
			n++
		}
		slices.SortStableFunc(rest[:n], func(a, b box) int {
			return cmp.Compare(a.centre.x, b.centre.x)
		})
		rest = rest[n:]
	}
	return boxes
}

// quad returns the corners of a box in ratios of the picture's sides.
func quad(b box, p *vision.Picture) (corners text.Quad) {
	width, height := p.Size()
	for i, c := range b.corners() {
		corners[i] = text.Point{X: float32(c.x / float64(width)), Y: float32(c.y / float64(height))}
	}
	return corners
}

// clock starts a stage and returns the function that ends it.
func (e *Engine) clock(stage Stage) func() {
	if e.observe == nil {
		return func() {}
	}
	start := time.Now()
	return func() { e.observe(stage, time.Since(start)) }
}
