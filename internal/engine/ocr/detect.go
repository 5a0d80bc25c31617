package ocr

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// detector finds lines of text by a network of differentiable binarization (Liao et al., Real-time
// Scene Text Detection with Differentiable Binarization, 2020): its output is the probability of
// each pixel to be in the kernel of a line, which is the line's region shrunk.
type detector struct {
	session    *onnx.OpenSession
	input      pack.Input
	thresholds pack.TextDetection
	observe    func(onnx.Shape) // nil: nobody
}

func newDetector(r *onnx.Runtime, n *pack.Network, thresholds pack.TextDetection) (*detector,
	error) {
	session, err := open(r, n, "db")
	if err != nil {
		return nil, err
	}
	return &detector{session: session, input: n.Input, thresholds: thresholds}, nil
}

// open prepares a network with open dimensions and one output.
func open(r *onnx.Runtime, n *pack.Network, decoder string) (*onnx.OpenSession, error) {
	if n.Decoder != decoder {
		return nil, fmt.Errorf("%s: decoder %q is unknown; %s is known", n.File, n.Decoder,
			decoder)
	}
	if len(n.Outputs) != 1 {
		return nil, fmt.Errorf("%s: %s reads 1 output, and the manifest names %d", n.File, decoder,
			len(n.Outputs))
	}
	session, err := r.NewOpenSession(n.Model, n.Input.Name, n.Outputs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.File, err)
	}
	got, want := session.InputShape(), n.Input.Shape
	fits := len(got) == len(want)
	for i := range got {
		// The number of pictures of a run is open, whatever the manifest says.
		fits = fits && (max(got[i], 0) == want[i] || i == 0)
	}
	if !fits {
		return nil, errors.Join(fmt.Errorf("%s: the input's shape is %v, and the manifest says %v",
			n.File, got, want), session.Close())
	}
	return session, nil
}

// The sizes of the detector's input. A side is a multiple of unit, because the network halves it
// five times.
const (
	unit = 32

	// mostPixels limits the time of a picture. Larger pictures are shrunk.
	mostPixels = 2_400_000
	// mostSide limits the sides of very elongated pictures.
	mostSide = 4096

	// Pictures whose shorter side is less than leastSide are enlarged, at most mostEnlarged times:
	// small pictures have small text.
	leastSide    = 736
	mostEnlarged = 2
)

// inputSize returns the size of the detector's input for a picture's size.
func inputSize(width, height int) (inputWidth, inputHeight int) {
	w, h := float64(width), float64(height)
	scale := min(max(leastSide/min(w, h), 1), mostEnlarged)
	scale = min(scale, math.Sqrt(mostPixels/(w*h)), mostSide/max(w, h))
	units := func(side float64) int { return unit * max(1, int(math.Round(side*scale/unit))) }
	return units(w), units(h)
}

// shift returns the scale 1/2^shift at which a picture of a size is decoded for the detector.
func shift(width, height int) int {
	w, h := inputSize(width, height)
	shrink := min(float64(width)/float64(w), float64(height)/float64(h))
	if shrink <= 1 {
		return 0
	}
	return int(math.Log2(shrink))
}

// find returns the lines of a picture as boxes in its pixels.
func (d *detector) find(ctx context.Context, p *vision.Picture) ([]box, error) {
	width, height := p.Size()
	w, h := inputSize(width, height)
	var found []box
	var fault error
	shape := onnx.Shape{1, 3, int64(h), int64(w)}
	if d.observe != nil {
		d.observe(shape)
	}
	err := d.session.Run(ctx, shape, func(input []float32) {
		p.Crop(input, w, h, vision.Rect{X1: float64(width), Y1: float64(height)})
		normalise(input, d.input)
	}, func(outputs []onnx.Tensor) {
		if len(outputs[0].Data) != w*h {
			fault = fmt.Errorf("the network's output has the shape %v for an input of %d x %d",
				outputs[0].Shape, w, h)
			return
		}
		found = d.boxes(outputs[0].Data, w, float64(width)/float64(w), float64(height)/float64(h))
	})
	return found, errors.Join(err, fault)
}

// Regions with less than this many pixels of a side are noise.
const leastKernel = 2

// boxes returns the boxes of the lines in a map of so many columns, of which a pixel stands for
// scaleX x scaleY pixels of the picture.
func (d *detector) boxes(probabilities []float32, columns int, scaleX, scaleY float64) []box {
	var found []box
	for _, r := range regions(probabilities, columns, d.thresholds.Pixel) {
		if r.score < float64(d.thresholds.Region) {
			continue
		}
		for i := range r.outline {
			r.outline[i].x *= scaleX
			r.outline[i].y *= scaleY
		}
		b := smallestBox(hull(r.outline))
		if min(b.width, b.height) < leastKernel*min(scaleX, scaleY) {
			continue
		}
		found = append(found, b.grown(unclip(b, float64(d.thresholds.Unclip))))
	}
	return found
}

// unclip is how far the kernel of a line is inside it: the network was trained with kernels that
// are shrunk by area x ratio / perimeter (Liao et al., 3.3).
func unclip(b box, ratio float64) float64 {
	return b.width * b.height * ratio / (2 * (b.width + b.height))
}

// normalise converts planes of red, green and blue, 0 to 255, to a network's input, in place.
func normalise(planes []float32, input pack.Input) {
	size := len(planes) / 3
	if input.Color == pack.BGR {
		red, blue := planes[:size], planes[2*size:]
		for i := range red {
			red[i], blue[i] = blue[i], red[i]
		}
	}
	for c, mean := range input.Mean {
		plane, factor := planes[c*size:][:size], 1/input.Std[c]
		for i, v := range plane {
			plane[i] = (v - mean) * factor
		}
	}
}
