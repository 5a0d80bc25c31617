package main

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

func compareCommand() *cobra.Command {
	var c client
	var m matching
	var drawing drawing
	var output string
	cmd := &cobra.Command{
		Use:   "compare SOURCE TARGET",
		Short: "Compare the largest face of a picture with all of another",
		Long: "Compare the largest face of the source picture with all faces of the target " +
			"picture.\n\n" + aboutPictures +
			"\n\nThe exit status is 0 if a face matches, and 1 if none does or there is none.",
		Example: "  recollect compare passport.jpg door.jpg\n" +
			"  recollect compare anna.jpg group.jpg --draw group-with-anna.png\n" +
			"  recollect compare anna.jpg group.jpg --threshold 95 --output json",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(m.Validate(), validOutput(output),
				drawing.Validate(args[1])); err != nil {
				return err
			}
			api, err := c.api(cmd.Context())
			if err != nil {
				return err
			}
			input := rekognition.CompareFacesInput{SimilarityThreshold: &m.Threshold,
				QualityFilter: types.QualityFilter(m.Quality)}
			if input.SourceImage, err = readImage(cmd, args[0]); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if input.TargetImage, err = readImage(cmd, args[1]); err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			return compare(cmd, api, &input, drawing, newShow(cmd, output, similarityColumn(),
				column{head: "FACE IN TARGET", box: true}))
		},
	}
	c.addFlags(cmd.Flags())
	m.addFlags(cmd)
	drawing.addFlags(cmd, "the target picture")
	addOutput(cmd, &output)
	return cmd
}

func compare(cmd *cobra.Command, api *rekognition.Client, input *rekognition.CompareFacesInput,
	drawing drawing, show *show) error {
	found, err := api.CompareFaces(cmd.Context(), input)
	if ofPicture(err) {
		return compareFault(cmd, api, input, err)
	}
	if err != nil {
		return plain(err)
	}
	var marks []mark
	for _, m := range found.FaceMatches {
		show.row(*m.Similarity, m.Face.BoundingBox)
		marks = append(marks, mark{box: m.Face.BoundingBox,
			name: fmt.Sprintf("%.1f", *m.Similarity)})
	}
	for _, f := range found.UnmatchedFaces {
		marks = append(marks, mark{box: f.BoundingBox, dim: true})
	}
	if err := drawing.write(input.TargetImage.Bytes, marks); err != nil {
		return err
	}
	err = show.object(found)
	if err == nil && len(found.FaceMatches) == 0 {
		err = noError(fmt.Sprintf("no match among %d faces", len(found.UnmatchedFaces)))
	}
	return show.end(err)
}

// compareFault finds out which of the two pictures is at fault, which the API does not say: one
// that the server rejects, or one without a face. If neither is, it returns the server's error.
func compareFault(cmd *cobra.Command, api *rekognition.Client, input *rekognition.CompareFacesInput,
	fault error) error {
	for i, image := range []*types.Image{input.SourceImage, input.TargetImage} {
		name := cmd.Flags().Arg(i)
		if _, refused := errors.AsType[refusedError](explained(fault, image)); refused {
			return fmt.Errorf("%s: %w", name, explained(fault, image))
		}
		found, err := api.DetectFaces(cmd.Context(), &rekognition.DetectFacesInput{Image: image})
		if err == nil && len(found.FaceDetails) == 0 {
			return noError(name + ": " + noFaceIn(image))
		}
	}
	return plain(fault)
}
