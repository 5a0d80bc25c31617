package vision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"sync"

	"github.com/recollect-dev/recollect/internal/engine/jpeg"
	"github.com/recollect-dev/recollect/internal/recollect"
)

const (
	minSide   = 80          // pixels
	maxPixels = 100_000_000 // of one picture

	// maxScanPixels limits the work of a JPEG with few bytes and many scans over many pixels:
	// twenty scans of the largest picture. An encoder makes about ten.
	maxScanPixels = 20 * maxPixels
)

// decoder decodes pictures, within a limit on the memory of all of them.
type decoder struct {
	memory    *Memory
	webp      bool      // is read too
	least     int       // pixels of a side
	scratches sync.Pool // of released pictures: new memory is not in the cache

	// shift, if not nil, returns the scale 1/2^shift at which a JPEG of a size is decoded at first.
	// Parts of it can be decoded at finer scales later.
	shift func(width, height int) int
}

// invalidFormat is the caller's error for a file that is no JPEG or PNG picture, or a damaged one.
func invalidFormat(cause error) error {
	return &recollect.Error{Code: recollect.CodeInvalidImageFormat,
		Message: invalidFormatText, Err: cause}
}

func tooLarge(cause error) error {
	return &recollect.Error{Code: recollect.CodeImageTooLarge, Message: "Image size is too large.",
		Err: cause}
}

// header is the information about a picture before it is decoded.
type header struct {
	fault         error // why the file is invalid; a rejected size takes precedence
	width, height int
	memory        int64 // an upper bound of what decoding takes, in bytes
	orientation   orientation
	jpeg          *jpeg.Header // of a JPEG
	png           *pngHeader   // of a PNG
	webp          bool
}

// decode decodes a picture. It waits until the required memory is available, and reserves it until
// release is called.
func (d *decoder) decode(ctx context.Context, data []byte) (p *picture, release func(), err error) {
	h, err := d.readHeader(data)
	if err != nil {
		return nil, nil, err
	}
	p, release, err = d.within(ctx, h.memory, func() (*picture, error) {
		return d.read(ctx, data, &h)
	})
	if errors.Is(err, jpeg.ErrUnsupported) { // a damaged one
		h.jpeg.Plain = false
		p, release, err = d.within(ctx, h.jpeg.Memory(false), func() (*picture, error) {
			return d.read(ctx, data, &h)
		})
	}
	if err != nil {
		return nil, nil, err
	}
	p.orientation = h.orientation
	free := release
	takeBack := d.lend(p)
	return p, func() {
		takeBack()
		free()
	}, nil
}

// lend gives a picture memory to work in, until takeBack is called: the next picture uses it then.
func (d *decoder) lend(p *picture) (takeBack func()) {
	if used, ok := d.scratches.Get().(*scratch); ok {
		p.scratch = used
	}
	return func() {
		d.scratches.Put(p.scratch)
		p.scratch = nil
	}
}

// within reads a picture once so much memory is free.
func (d *decoder) within(ctx context.Context, memory int64,
	read func() (*picture, error)) (p *picture, release func(), err error) {
	if release, err = d.memory.take(ctx, memory); err != nil {
		return nil, nil, err
	}
	if p, err = read(); err != nil {
		release()
		if cerr := ctx.Err(); cerr != nil && errors.Is(err, cerr) {
			return nil, nil, fmt.Errorf("decoding the picture: %w", err)
		}
		return nil, nil, invalidFormat(err)
	}
	return p, release, nil
}

// read decodes a picture by its header. Pictures that package jpeg does not support are decoded by
// Go's decoders.
func (d *decoder) read(ctx context.Context, data []byte, h *header) (*picture, error) {
	switch {
	case h.png != nil:
		return h.png.read(ctx, data)
	case h.webp:
		return readWebP(ctx, data)
	}
	shift := 0
	if d.shift != nil && !h.jpeg.Ink {
		shift = d.shift(h.width, h.height)
	}
	decode := jpeg.DecodeAny
	if h.jpeg.Plain {
		decode = jpeg.Decode
	}
	source, err := decode(ctx, data, shift)
	if err != nil {
		return nil, err
	}
	return fromJPEG(source, shift), nil
}

// readHeader reads a picture's first bytes, and rejects pictures that need not be decoded.
func (d *decoder) readHeader(data []byte) (h header, err error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		h, err = readJPEGHeader(data)
	case bytes.HasPrefix(data, []byte(pngSignature)):
		h, err = readPNGHeader(data)
	case d.webp && isWebP(data):
		h, err = readWebPHeader(data)
	default:
		return header{}, unknownFormat(data)
	}
	switch {
	case err != nil:
		return header{}, invalidFormat(err)
	case h.width < 1 || h.height < 1:
		return header{}, invalidFormat(errors.New("it has no pixels"))
	case min(h.width, h.height) < d.least:
		return header{},
			&recollect.Error{Code: recollect.CodeInvalidParameter,
				Message: "Request has invalid parameters",
				Err: fmt.Errorf("the picture has %d x %d pixels, and needs %d on each side",
					h.width, h.height, d.least)}
	case int64(h.width)*int64(h.height) > maxPixels:
		return header{},
			tooLarge(fmt.Errorf("the picture has %d x %d pixels, more than %d", h.width, h.height,
				maxPixels))
	case h.fault != nil:
		return header{}, invalidFormat(h.fault)
	}
	return h, nil
}

func readJPEGHeader(data []byte) (header, error) {
	j, err := jpeg.ReadHeader(data)
	if err != nil {
		return header{}, err
	}
	h := header{width: j.Width, height: j.Height, orientation: exifOrientation(data), jpeg: j,
		memory: j.Memory(j.Plain)}
	// A picture may be cut off, but not by more than half. Arithmetic coding has no least size:
	// what is refused is of one tone nearly everywhere.
	bits := j.Blocks / 2
	if j.Arithmetic {
		bits /= 64
	}
	if int64(len(data))*8 < bits {
		h.fault = errors.New("it is too short for its size in pixels")
	}
	// Compressed data contains no marker, so this counts every scan (and sometimes another
	// segment's bytes).
	pixels := int64(j.Width) * int64(j.Height)
	if scans := int64(bytes.Count(data, []byte("\xff\xda"))); scans*pixels > maxScanPixels &&
		scans > 1 {
		h.fault = fmt.Errorf("it has %d scans", scans)
	}
	return h, nil
}

// cancelReader ends a decoding when its context ends.
type cancelReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// fromImage returns the picture of an image that Go's decoders return, without a copy where
// possible. Transparent pixels are composed with white, the usual background of cut-out portraits.
// The picture uses the image's memory.
func fromImage(img image.Image) (*picture, error) {
	switch img := img.(type) {
	case *image.Gray:
		return interleaved(modelGrey, img.Rect, img.Pix, img.Stride, 1, 0), nil
	case *image.Gray16: // the high bytes
		return interleaved(modelGrey, img.Rect, img.Pix, img.Stride, 2, 0), nil
	case *image.RGBA:
		return interleaved(modelRGB, img.Rect, img.Pix, img.Stride, 4, 1), nil
	case *image.RGBA64:
		return interleaved(modelRGB, img.Rect, img.Pix, img.Stride, 8, 2), nil
	case *image.NRGBA:
		onWhite(img.Pix, 4, 1)
		return interleaved(modelRGB, img.Rect, img.Pix, img.Stride, 4, 1), nil
	case *image.NRGBA64:
		onWhite(img.Pix, 8, 2)
		return interleaved(modelRGB, img.Rect, img.Pix, img.Stride, 8, 2), nil
	case *image.Paletted:
		return fromPaletted(img), nil
	}
	return nil, fmt.Errorf("it decodes to a %T", img)
}

// interleaved returns planes that refer to pixels of step bytes; their first bytes are next apart.
func interleaved(model colorModel, bounds image.Rectangle, pix []uint8, stride, step,
	next int) *picture {
	width, height := bounds.Dx(), bounds.Dy()
	var planes [3]plane
	for i := range model.channels() {
		planes[i] = plane{pix: pix[i*next:], step: step, stride: stride, width: width,
			height: height, subX: 1, subY: 1}
	}
	return newPicture(model, width, height, planes)
}

// onWhite composes pixels of red, green, blue and alpha with white, in the first byte of each
// value. A pixel has step bytes, and a value next.
func onWhite(pix []uint8, step, next int) {
	for at := 0; at+step <= len(pix); at += step {
		alpha := uint(pix[at+3*next])
		if alpha == 255 {
			continue
		}
		for c := at; c < at+3*next; c += next {
			pix[c] = uint8((uint(pix[c])*alpha + 255*(255-alpha) + 127) / 255)
		}
	}
}

func fromPaletted(img *image.Paletted) *picture {
	var palette [256][4]uint8
	for i, c := range img.Palette[:min(len(img.Palette), 256)] {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		palette[i] = [4]uint8{n.R, n.G, n.B, n.A}
		onWhite(palette[i][:], 4, 1)
	}
	width, height := img.Rect.Dx(), img.Rect.Dy()
	pix := make([]uint8, 3*width*height)
	for y := range height {
		for x, index := range img.Pix[y*img.Stride:][:width] {
			copy(pix[3*(y*width+x):], palette[index][:3])
		}
	}
	return interleaved(modelRGB, img.Rect, pix, 3*width, 3, 1)
}
