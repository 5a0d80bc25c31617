package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // so that a header can be read
	_ "image/png"
	"math"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/client/bulk"
)

// The server's bounds on pictures, and on the faces that it finds.
const (
	leastSide      = 80          // pixels of a picture
	mostMegapixels = 100         // of a picture
	leastFace      = 40          // pixels of a face's side, in a picture of up to fullPicture
	fullPicture    = 1920 * 1080 // pixels
)

// refusedError is the error of a picture that the server rejected, with the rule that the picture
// breaks and what the server would accept.
type refusedError struct {
	error        // the server's
	why   string // a sentence
}

func (e refusedError) Error() string { return e.error.Error() + ". " + e.why }

func (e refusedError) Unwrap() error { return e.error }

// explained adds the reason to the server's error about a picture, if this program has the picture
// and finds the reason.
func explained(err error, sent *types.Image) error {
	if sent == nil || len(sent.Bytes) == 0 || !ofPicture(err) ||
		strings.Contains(err.Error(), ": it is ") { // the server has given the reason
		return err
	}
	if why := fault(sent.Bytes); why != "" {
		return refusedError{plain(err), why}
	}
	return err
}

// fault returns what is wrong with a picture, in sentences; empty if it finds nothing.
func fault(data []byte) string {
	size := megabytes(len(data))
	header, format, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return fmt.Sprintf("It is %s (%s), and the server takes JPEG and PNG.", kind(data), size)
	}
	format = strings.ToUpper(format)
	if err != nil {
		return fmt.Sprintf(
			"It is a damaged %s of %s: its header cannot be read (%v). Save it again.",
			format, size, err)
	}
	pixels := fmt.Sprintf("It is a %s of %d x %d pixels", format, header.Width, header.Height)
	area := float64(header.Width) * float64(header.Height) / 1e6
	switch {
	case min(header.Width, header.Height) < leastSide:
		return fmt.Sprintf("%s, and each side needs %d or more. Make it larger.", pixels, leastSide)
	case area > mostMegapixels:
		return fmt.Sprintf("%s, which are %.0f megapixels, and the server takes %d. Make it "+
			"smaller: %.0f x %.0f would pass.", pixels, area, mostMegapixels,
			math.Floor(float64(header.Width)*math.Sqrt(mostMegapixels/area)),
			math.Floor(float64(header.Height)*math.Sqrt(mostMegapixels/area)))
	}
	if _, _, err := image.Decode(bytes.NewReader(data)); err != nil {
		return fmt.Sprintf(
			"%s and %s that is damaged: its pixels cannot be read (%v). Save it again.",
			pixels, size, err)
	}
	return ""
}

// kind returns the kind of a file, with an article, by its first bytes.
func kind(data []byte) string {
	for _, k := range []struct {
		at          int
		magic, name string
	}{
		{0, "%PDF", "a PDF document"}, {8, "WEBP", "a WebP picture"},
		{4, "ftyphei", "a HEIC picture"}, {4, "ftypmif1", "a HEIC picture"},
		{4, "ftypavi", "an AVIF picture"}, {4, "ftyp", "a video"},
		{0, "II*\x00", "a TIFF picture"}, {0, "MM\x00*", "a TIFF picture"},
	} {
		if len(data) > k.at && bytes.HasPrefix(data[k.at:], []byte(k.magic)) {
			return k.name
		}
	}
	found, _, _ := strings.Cut(http.DetectContentType(data), ";")
	if found == "application/octet-stream" {
		return "of an unknown format"
	}
	return "a file of the type " + found
}

func megabytes(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// noFaceIn returns the message that a picture has no face, and how large one would have to be.
func noFaceIn(sent *types.Image) string {
	const none = "there is no face"
	header, _, err := image.DecodeConfig(bytes.NewReader(sent.Bytes))
	if err != nil {
		return none // a picture in S3
	}
	// In a picture larger than fullPicture, the bound grows in proportion to its sides.
	side := leastFace * max(1, math.Sqrt(float64(header.Width)*float64(header.Height)/fullPicture))
	return fmt.Sprintf("%s in its %d x %d pixels, in which faces are found from %.0f x %.0f pixels",
		none, header.Width, header.Height, math.Ceil(side), math.Ceil(side))
}

// tooLargeError is the error of a picture that is too large to be sent.
func tooLargeError(bytes int64) error {
	return fmt.Errorf("the picture has %s, which is more than %d MiB, the most that the server "+
		"takes as a file: make it smaller, or put it into S3, from where it takes %d MiB",
		megabytes(int(bytes)), bulk.MaxBytes>>20, bulk.MaxObjectBytes>>20)
}
