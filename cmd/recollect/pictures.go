package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/client/bulk"
)

const aboutPictures = "An IMAGE is a file, - for standard input, or s3://BUCKET/KEY, which the " +
	"server reads."

// readImage reads the picture that a command's argument names. It does not read a file that is too
// large.
func readImage(cmd *cobra.Command, name string) (*types.Image, error) {
	if bucket, key, isS3 := bucketAndKey(name); isS3 {
		if bucket == "" || key == "" {
			return nil, usageError{fmt.Errorf("%q is not s3://BUCKET/KEY", name)}
		}
		return &types.Image{S3Object: &types.S3Object{Bucket: &bucket, Name: &key}}, nil
	}
	in, size := cmd.InOrStdin(), int64(bulk.MaxBytes+1)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			size = info.Size()
		}
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, bulk.MaxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > bulk.MaxBytes:
		return nil, tooLargeError(size)
	case len(data) == 0:
		return nil, errors.New("the picture is empty")
	}
	return &types.Image{Bytes: data}, nil
}

// noFace reports whether an error says that a picture has no face.
func noFace(err error) bool {
	e, ok := errors.AsType[*types.InvalidParameterException](err)
	return ok && strings.Contains(e.ErrorMessage(), "no faces")
}

// eachPicture calls do for each picture. An error of one picture is printed on standard error, and
// the others follow; an error that would be that of all ends the loop. The error is noError if do
// returns false for all pictures.
func eachPicture(cmd *cobra.Command, names []string, no string,
	do func(ctx context.Context, name string, image *types.Image) (bool, error)) error {
	some, failed := false, 0
	for _, name := range names {
		image, err := readImage(cmd, name)
		var yes bool
		if err == nil {
			yes, err = do(cmd.Context(), name, image)
			err = explained(err, image)
		}
		some = some || yes
		switch {
		case err == nil:
		case cmd.Context().Err() != nil:
			return cmd.Context().Err()
		case len(names) == 1 || image != nil && !ofPicture(err):
			return fmt.Errorf("%s: %w", name, plain(err))
		default:
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "recollect: %s: %v\n", name, plain(err))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d pictures failed", failed, len(names))
	}
	if !some {
		return noError(no)
	}
	return nil
}

// ofPicture reports whether an error of the API is about the picture.
func ofPicture(err error) bool {
	code := ""
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code = e.ErrorCode()
	} else if e, ok := errors.AsType[*serverError](err); ok {
		code = e.Type
	}
	return slices.Contains([]string{"InvalidImageFormatException", "ImageTooLargeException",
		"InvalidParameterException", "InvalidS3ObjectException"}, code)
}

// matching is the flags of commands that search for similar faces.
type matching struct {
	Threshold float32 // 0 to 100
	Max       int32   // matches; 0: the server's default
	Quality   string
}

func (m *matching) addFlags(cmd *cobra.Command) {
	cmd.Flags().Float32Var(&m.Threshold, "threshold", 80, "least similarity of a match, 0 to 100")
	cmd.Flags().StringVar(&m.Quality, "quality-filter", "",
		"how good a face must be: NONE, AUTO, LOW, MEDIUM or HIGH (default: NONE)")
	completeWith(cmd, "quality-filter", "NONE", "AUTO", "LOW", "MEDIUM", "HIGH")
}

func (m *matching) Validate() error {
	var faults []error
	if !(m.Threshold >= 0 && m.Threshold <= 100) {
		faults = append(faults, errors.New("--threshold must be 0 to 100"))
	}
	if m.Max < 0 || m.Max > 4096 {
		faults = append(faults, errors.New("--max must be 0 to 4096"))
	}
	return errors.Join(append(faults, validQuality(m.Quality))...)
}

// most returns Max as the API's parameter.
func (m *matching) most() *int32 {
	if m.Max == 0 {
		return nil
	}
	return &m.Max
}

func validQuality(value string) error {
	if value != "" &&
		!slices.Contains(types.QualityFilter("").Values(), types.QualityFilter(value)) {
		return fmt.Errorf("--quality-filter %q is none of NONE, AUTO, LOW, MEDIUM and HIGH", value)
	}
	return nil
}

// place formats a box in percent of the picture: its left upper corner and its size.
func place(b *types.BoundingBox) string {
	if b == nil {
		return ""
	}
	return fmt.Sprintf("%.0f,%.0f %.0fx%.0f%%", 100**b.Left, 100**b.Top, 100**b.Width,
		100**b.Height)
}
