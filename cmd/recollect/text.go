package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

func textCommand() *cobra.Command {
	var c client
	var output string
	var t textReader
	cmd := &cobra.Command{
		Use:   "text IMAGE...",
		Short: "Read the text of pictures",
		Long: "Read the text of pictures, line by line or with --words word by word, with how " +
			"sure the server is of each, and where it is (left, top, width and height in percent " +
			"of the picture).\n" +
			"The server needs the model pack text: recollect models add text.\n\n" +
			aboutPictures +
			"\n\nThe exit status is 0 if there is text in any of the pictures, and 1 if there is " +
			"none.",
		Example: "  recollect text sign.jpg\n" +
			"  recollect text sign.jpg --words --draw sign-with-words.png\n" +
			"  recollect text *.jpg --min-confidence 95 --output csv\n" +
			"  recollect text sign.jpg --output json | jq -r " +
			"'.TextDetections[] | select(.Type == \"LINE\").DetectedText'",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(validOutput(output), t.Validate(),
				t.drawing.Validate(args...)); err != nil {
				return err
			}
			var err error
			if t.api, err = c.api(cmd.Context()); err != nil {
				return err
			}
			t.show = newShow(cmd, output, pictureColumn(), column{head: "NO.", name: "Id"},
				column{head: "TEXT", name: "DetectedText", flexible: true}, confidenceColumn(),
				placeColumn())
			return t.show.end(eachPicture(cmd, args, "no text", t.read))
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&t.Words, "words", false, "words instead of lines")
	cmd.Flags().Float32Var(&t.MinConfidence, "min-confidence", 80,
		"least confidence of a word, 0 to 100")
	t.drawing.addFlags(cmd, "the picture")
	addOutput(cmd, &output)
	return cmd
}

// textReader reads the text of pictures.
type textReader struct {
	Words         bool
	MinConfidence float32 // 0 to 100

	api     *rekognition.Client
	drawing drawing
	show    *show
}

func (t *textReader) Validate() error {
	if !(t.MinConfidence >= 0 && t.MinConfidence <= 100) {
		return errors.New("--min-confidence must be 0 to 100")
	}
	return nil
}

func (t *textReader) read(ctx context.Context, name string, image *types.Image) (bool, error) {
	found, err := t.api.DetectText(ctx, &rekognition.DetectTextInput{Image: image,
		Filters: &types.DetectTextFilters{
			WordFilter: &types.DetectionFilter{MinConfidence: &t.MinConfidence}}})
	if err != nil {
		return false, err
	}
	kind := types.TextTypesLine
	if t.Words {
		kind = types.TextTypesWord
	}
	var marks []mark
	for _, d := range found.TextDetections {
		if d.Type != kind {
			continue
		}
		t.show.row(name, fmt.Sprint(*d.Id), *d.DetectedText, *d.Confidence,
			d.Geometry.BoundingBox)
		marks = append(marks, mark{box: d.Geometry.BoundingBox, polygon: d.Geometry.Polygon,
			name: *d.DetectedText})
	}
	if len(marks) == 0 {
		t.show.note(name + ": there is no text")
	}
	if err := t.drawing.write(image.Bytes, marks); err != nil {
		return false, err
	}
	return len(marks) > 0, t.show.object(struct {
		Picture string
		*rekognition.DetectTextOutput
	}{name, found})
}
