package vision

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// network is a session with the description of its input from the manifest.
type network struct {
	session *onnx.Session
	input   pack.Input
	part    pack.Crop
	runs    atomic.Int64
}

// open prepares a network. Its manifest must name the decoder, and each output must have the given
// number of dimensions and, where that is not 0, the given size in each.
func open(r *onnx.Runtime, n *pack.Network, decoder string, outputs ...[]int64) (_ *network,
	err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", n.File, err)
		}
	}()
	if n.Decoder != decoder {
		return nil, fmt.Errorf("decoder %q is unknown; %s is known", n.Decoder, decoder)
	}
	if len(n.Outputs) != len(outputs) {
		return nil, fmt.Errorf("%s reads %d outputs, and the manifest names %d", decoder,
			len(outputs), len(n.Outputs))
	}
	session, err := r.NewSession(n.Model, n.Input.Name, n.Input.Shape[:], n.Outputs)
	if err != nil {
		return nil, err
	}
	if got, want := session.InputShape(), n.Input.Shape[:]; !slices.Equal(got, want) {
		return nil, closing(session,
			fmt.Errorf("the input's shape is %v, and the manifest says %v", got, want))
	}
	for i, got := range session.OutputShapes() {
		fits := func(got, want int64) bool { return want == 0 || got == want }
		if !slices.EqualFunc(got, outputs[i], fits) {
			return nil,
				closing(session,
					fmt.Errorf("the shape of output %q is %v, and %s reads %v (0 for any)",
						n.Outputs[i], got, decoder, outputs[i]))
		}
	}
	part := pack.Crop{Scale: 1, Square: true}
	if n.Crop != nil {
		part = *n.Crop
	}
	return &network{session: session, input: n.Input, part: part}, nil
}

// closing frees the session of a network that is rejected with err.
func closing(session *onnx.Session, err error) error {
	if cerr := session.Close(); cerr != nil {
		return fmt.Errorf("%w (and freeing it failed: %w)", err, cerr)
	}
	return err
}

// around returns the part of a picture that is the network's input for a face.
func (n *network) around(f rect) rect {
	width, height := f.width(), f.height()
	if n.part.Square {
		width = height
	}
	scale := float64(n.part.Scale) / 2
	x, y := (f.x0+f.x1)/2, (f.y0+f.y1)/2
	return rect{x - width*scale, y - height*scale, x + width*scale, y + height*scale}
}

// aligned returns the network's aligned crop of the face for which upright was made.
func (n *network) aligned(p *picture, upright affine) crop {
	scale, middle := float64(n.part.Scale), float64(cropSide)/2
	step := cropSide * scale / float64(n.input.Shape[3])
	shift := float64(n.part.Shift) * cropSide * scale
	corner := middle - middle*scale
	return n.warped(p, affine{a: step, c: corner, e: step, f: corner + shift}.then(upright))
}

// warped returns the square of the network's input, mapped by m from its pixels to the picture's.
func (n *network) warped(p *picture, m affine) crop {
	side := int(n.input.Shape[3])
	out := make(crop, 3*side*side)
	p.warp(out, side, m)
	return out
}

// runCrop runs the network on a crop of its input's size.
func (n *network) runCrop(ctx context.Context, c crop, read func(outputs [][]float32)) error {
	n.runs.Add(1)
	return n.session.Run(ctx, func(input []float32) {
		if n.input.Color == pack.Grey {
			red, green, blue := c.plane(0), c.plane(1), c.plane(2)
			for i := range red {
				input[i] = luma(float32(red[i]), float32(green[i]), float32(blue[i]))
			}
		} else {
			widen(input, c)
		}
		n.normalise(input)
	}, read)
}

// run runs the network on a part of a picture.
func (n *network) run(ctx context.Context, p *picture, part rect,
	read func(outputs [][]float32)) error {
	n.runs.Add(1)
	return n.session.Run(ctx, func(input []float32) {
		channels := 3
		if n.input.Color == pack.Grey {
			channels = 1
		}
		p.crop(input, int(n.input.Shape[3]), int(n.input.Shape[2]), channels, part)
		n.normalise(input)
	}, read)
}

// normalise converts planes of red, green and blue, or one of luma, 0 to 255, to the network's
// input, in place. If a grey input has three planes, it fills the other two.
func (n *network) normalise(planes []float32) {
	size := len(planes) / len(n.input.Mean)
	switch n.input.Color {
	case pack.Grey:
		for at := size; at < len(planes); at += size {
			copy(planes[at:], planes[:size])
		}
	case pack.BGR:
		red, blue := planes[:size], planes[2*size:]
		for i := range red {
			red[i], blue[i] = blue[i], red[i]
		}
	}
	for c, mean := range n.input.Mean {
		normalise(planes[c*size:][:size], mean, 1/n.input.Std[c])
	}
}
