package vision

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/webp"
)

// isWebP tells whether data begins like a WebP file (RFC 9649).
func isWebP(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
}

// readWebPHeader reads the size of a WebP picture, and looks for an orientation.
func readWebPHeader(data []byte) (header, error) {
	if isAnimated(data) {
		return header{}, errors.New("an animated WebP is not read")
	}
	config, err := webp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return header{}, err
	}
	h := header{width: config.Width, height: config.Height, orientation: webpOrientation(data),
		webp: true}
	pixels := int64(config.Width) * int64(config.Height)
	// A run of one tone has no least size, and a face has no such runs.
	if int64(len(data))*8 < pixels/4096 {
		h.fault = errors.New("it is too short for its size in pixels")
	}
	// Samples or pixels, those of transparency, pixels on white, and the halved planes.
	h.memory = 12 * pixels
	return h, nil
}

// isAnimated tells whether the chunk VP8X says so.
func isAnimated(data []byte) bool {
	const animation = 2 // of the flags
	return len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&animation != 0
}

// webpOrientation is what the chunk EXIF states.
func webpOrientation(data []byte) orientation {
	const head = 8 // bytes of a chunk: its kind, and the length of what follows
	for data = data[12:]; len(data) >= head; {
		length := int64(binary.LittleEndian.Uint32(data[4:]))
		if head+length > int64(len(data)) {
			return upright
		}
		if string(data[:4]) == "EXIF" {
			// Some programs write the prefix that a JPEG has.
			return tiffOrientation(bytes.TrimPrefix(data[head:head+length],
				[]byte("Exif\x00\x00")))
		}
		data = data[min(head+length+length%2, int64(len(data))):] // chunks are padded
	}
	return upright
}

// readWebP decodes a WebP picture. One that is cut off or damaged is refused.
func readWebP(ctx context.Context, data []byte) (*picture, error) {
	img, err := webp.Decode(&cancelReader{ctx: ctx, r: bytes.NewReader(data)})
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.YCbCr:
		fullRange(img)
		return fromYCbCr(img), nil
	case *image.NYCbCrA:
		fullRange(&img.YCbCr)
		return fromImage(withAlpha(img))
	case *image.NRGBA:
		return fromImage(img)
	}
	return nil, errors.New("it decodes to another kind of picture than WebP has")
}

// fullRange stretches luma of 16 to 235 and chroma of 16 to 240, which WebP has, to the range that
// JPEG has.
func fullRange(img *image.YCbCr) {
	var luma, chroma [256]uint8
	stretch := func(v, middle, to, size float64) uint8 {
		return uint8(min(max(math.Round(to+(v-middle)*255/size), 0), 255))
	}
	for i := range 256 {
		luma[i] = stretch(float64(i), 16, 0, 219)
		chroma[i] = stretch(float64(i), 128, 128, 224)
	}
	for i, v := range img.Y {
		img.Y[i] = luma[v]
	}
	for _, plane := range [][]uint8{img.Cb, img.Cr} {
		for i, v := range plane {
			plane[i] = chroma[v]
		}
	}
}

// withAlpha converts the pixels of a picture that has transparent ones.
func withAlpha(img *image.NYCbCrA) *image.NRGBA {
	out := image.NewNRGBA(img.Rect)
	for y := img.Rect.Min.Y; y < img.Rect.Max.Y; y++ {
		for x := img.Rect.Min.X; x < img.Rect.Max.X; x++ {
			chroma, at := img.COffset(x, y), out.PixOffset(x, y)
			pixel := out.Pix[at : at+4 : at+4]
			pixel[0], pixel[1], pixel[2] = color.YCbCrToRGB(img.Y[img.YOffset(x, y)],
				img.Cb[chroma], img.Cr[chroma])
			pixel[3] = img.A[img.AOffset(x, y)]
		}
	}
	return out
}

// fromYCbCr makes a picture of luma and of chroma of half its size (4:2:0).
func fromYCbCr(img *image.YCbCr) *picture {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	cb := plane{step: 1, stride: img.CStride, width: (width + 1) / 2, height: (height + 1) / 2,
		subX: 2, subY: 2}
	cr := cb
	cb.pix, cr.pix = img.Cb, img.Cr
	return newPicture(modelYCbCr, width, height, [3]plane{
		{pix: img.Y, step: 1, stride: img.YStride, width: width, height: height, subX: 1, subY: 1},
		cb, cr,
	})
}
