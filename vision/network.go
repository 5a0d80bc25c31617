package vision

import (
	"context"
	"fmt"
	"slices"

	"github.com/recollect-dev/recollect/onnx"
	"github.com/recollect-dev/recollect/pack"
)

// network is a session with the input that its manifest describes.
type network struct {
	session *onnx.Session
	input   pack.Input
	part    pack.Crop
}

// open prepares a network. Its manifest must name the decoder, and each output must have the wanted number of dimensions
// and, where that is not 0, the wanted size in each.
func open(r *onnx.Runtime, n *pack.Network, decoder string, outputs ...[]int64) (_ *network, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", n.File, err)
		}
	}()
	if n.Decoder != decoder {
		return nil, fmt.Errorf("decoder %q is not known here, %s is", n.Decoder, decoder)
	}
	if len(n.Outputs) != len(outputs) {
		return nil, fmt.Errorf("%s reads %d outputs, and the manifest names %d", decoder, len(outputs), len(n.Outputs))
	}
	session, err := r.NewSession(n.Model, n.Input.Name, n.Outputs)
	if err != nil {
		return nil, err
	}
	if got, want := session.InputShape(), n.Input.Shape[:]; !slices.Equal(got, want) {
		return nil, closing(session, fmt.Errorf("the input's shape is %v, and the manifest says %v", got, want))
	}
	for i, got := range session.OutputShapes() {
		fits := func(got, want int64) bool { return want == 0 || got == want }
		if !slices.EqualFunc(got, outputs[i], fits) {
			return nil, closing(session, fmt.Errorf("the shape of output %q is %v, and %s reads %v (0 for any)",
				n.Outputs[i], got, decoder, outputs[i]))
		}
	}
	part := pack.Crop{Scale: 1, Square: true}
	if n.Crop != nil {
		part = *n.Crop
	}
	return &network{session: session, input: n.Input, part: part}, nil
}

// closing frees the session of a network that is refused with err.
func closing(session *onnx.Session, err error) error {
	if cerr := session.Close(); cerr != nil {
		return fmt.Errorf("%w (and freeing it failed: %w)", err, cerr)
	}
	return err
}

// around is the part of a picture that the network wants to see of a face.
func (n *network) around(face rect) rect {
	width, height := face.width(), face.height()
	if n.part.Square {
		width = height
	}
	scale := float64(n.part.Scale) / 2
	x, y := (face.x0+face.x1)/2, (face.y0+face.y1)/2
	return rect{x - width*scale, y - height*scale, x + width*scale, y + height*scale}
}

// run shows the network a part of a picture.
func (n *network) run(ctx context.Context, p *picture, part rect, read func(outputs [][]float32)) error {
	return n.session.Run(ctx, func(input []float32) {
		p.crop(input, int(n.input.Shape[3]), int(n.input.Shape[2]), int(n.input.Shape[1]), part)
		n.normalise(input)
	}, read)
}

// normalise turns planes of red, green and blue, or one of luma, 0 to 255, into the network's input, in place.
func (n *network) normalise(planes []float32) {
	size := len(planes) / len(n.input.Mean)
	if n.input.Color == pack.BGR {
		red, blue := planes[:size], planes[2*size:]
		for i := range red {
			red[i], blue[i] = blue[i], red[i]
		}
	}
	for c, mean := range n.input.Mean {
		factor := 1 / n.input.Std[c]
		plane := planes[c*size:][:size]
		for i, v := range plane {
			plane[i] = (v - mean) * factor
		}
	}
}
