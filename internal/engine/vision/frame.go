package vision

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/face"
)

// frameMemory is what work on a frame takes beside its planes, which are the caller's, by the bytes
// of its luma: the planes at half of the size and less.
const frameMemory = 1

// DetectFrame detects the faces of a picture that is decoded already, as a frame of a video is:
// chroma of half the size in both directions, full range, ITU-R BT.601, as in JPEG. The picture may
// be smaller than one of Detect. Its pixels are not changed, and not used after the call.
//
// Nobody waits for a single frame: its runs of networks are in the background, also those of the
// photo's Embed (see [onnx.Background]).
func (e *Engine) DetectFrame(ctx context.Context, frame *image.YCbCr, want face.Attributes) (
	face.Photo, error) {
	width, height := frame.Rect.Dx(), frame.Rect.Dy()
	switch {
	case frame.SubsampleRatio != image.YCbCrSubsampleRatio420 || frame.Rect.Min != image.Point{}:
		return nil, errors.New("a frame has chroma of half its size, and begins at its corner")
	case width < 1 || height < 1 || width*height > maxPixels:
		return nil, fmt.Errorf("a frame has %d x %d pixels", width, height)
	}
	release, err := e.options.Memory.take(ctx, frameMemory*int64(width)*int64(height))
	if err != nil {
		return nil, err
	}
	defer release()
	p := fromYCbCr(frame)
	defer e.decoder.lend(p)()
	found, err := e.photo(onnx.Background(ctx), p, want)
	if err != nil {
		return nil, err
	}
	found.behind = true
	return found, nil
}
