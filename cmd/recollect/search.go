package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

func searchCommand() *cobra.Command {
	var c client
	var m matching
	var collection, output string
	var users bool
	cmd := &cobra.Command{
		Use:   "search IMAGE... --collection COLLECTION",
		Short: "Look for the largest face of a picture in a collection",
		Long: "Look for the largest face of each picture in a collection: for faces, or with " +
			"--users for users, who are searched as one.\n\n" + aboutPictures +
			"\n\nThe exit status is 0 if there is a match for any of the pictures, 1 if there is " +
			"none or no face, 3 if one could not be searched.",
		Example: `  recollect search street.jpg --collection people
  recollect search *.jpg --collection people --output json | jq -r .FaceMatches[].Face
  if recollect search door.jpg --collection staff --users >/dev/null; then echo welcome; fi`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(m.Validate(), validOutput(output)); err != nil {
				return err
			}
			api, err := c.api(cmd.Context())
			if err != nil {
				return err
			}
			s := searcher{api: api, collection: collection, matching: m,
				show: newShow(cmd, output, "PICTURE", "SIMILARITY", "USER", "EXTERNAL ID", "FACE")}
			do := s.faces
			if users {
				do = s.users
			}
			return s.show.end(eachPicture(cmd, args, "no match", do))
		},
	}
	c.addFlags(cmd.Flags())
	m.addFlags(cmd)
	cmd.Flags().Int32Var(&m.Max, "max", 10,
		"most matches of a picture; 0: all that the server gives")
	cmd.Flags().StringVar(&collection, "collection", "", "collection to search")
	cmd.Flags().BoolVar(&users, "users", false, "search users instead of faces")
	addOutput(cmd, &output)
	cmd.MarkFlagRequired("collection")
	cmd.RegisterFlagCompletionFunc("collection", c.completeCollection)
	return cmd
}

// searcher searches pictures.
type searcher struct {
	api        *rekognition.Client
	collection string
	matching   matching
	show       *show
}

func (s searcher) faces(ctx context.Context, name string, image *types.Image) (bool, error) {
	found, err := s.api.SearchFacesByImage(ctx, &rekognition.SearchFacesByImageInput{
		CollectionId: &s.collection, Image: image, FaceMatchThreshold: &s.matching.Threshold,
		MaxFaces: s.matching.most(), QualityFilter: types.QualityFilter(s.matching.Quality),
	})
	if noFace(err) {
		return false, s.noFace(name)
	}
	if err != nil {
		return false, err
	}
	for _, m := range found.FaceMatches {
		s.show.row(name, *m.Similarity, aws.ToString(m.Face.UserId),
			aws.ToString(m.Face.ExternalImageId), aws.ToString(m.Face.FaceId))
	}
	return len(found.FaceMatches) > 0, s.show.object(struct {
		Picture string
		*rekognition.SearchFacesByImageOutput
	}{name, found})
}

func (s searcher) users(ctx context.Context, name string, image *types.Image) (bool, error) {
	found, err := s.api.SearchUsersByImage(ctx, &rekognition.SearchUsersByImageInput{
		CollectionId: &s.collection, Image: image, UserMatchThreshold: &s.matching.Threshold,
		MaxUsers: s.matching.most(), QualityFilter: types.QualityFilter(s.matching.Quality),
	})
	if noFace(err) {
		return false, s.noFace(name)
	}
	if err != nil {
		return false, err
	}
	for _, m := range found.UserMatches {
		s.show.row(name, *m.Similarity, aws.ToString(m.User.UserId), "", "")
	}
	return len(found.UserMatches) > 0, s.show.object(struct {
		Picture string
		*rekognition.SearchUsersByImageOutput
	}{name, found})
}

func (s searcher) noFace(name string) error {
	s.show.note(name + ": there is no face")
	return s.show.object(struct{ Picture string }{name})
}

func compareCommand() *cobra.Command {
	var c client
	var m matching
	var output string
	cmd := &cobra.Command{
		Use:   "compare SOURCE TARGET",
		Short: "Compare the largest face of a picture with all of another",
		Long: "Compare the largest face of the source picture with all faces of the target " +
			"picture.\n\n" + aboutPictures +
			"\n\nThe exit status is 0 if a face matches, and 1 if none does or there is none.",
		Example: "  recollect compare passport.jpg door.jpg\n" +
			"  recollect compare anna.jpg group.jpg --threshold 95 --output json",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(m.Validate(), validOutput(output)); err != nil {
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
			return compare(cmd, api, &input, newShow(cmd, output, "SIMILARITY", "FACE IN TARGET"))
		},
	}
	c.addFlags(cmd.Flags())
	m.addFlags(cmd)
	addOutput(cmd, &output)
	return cmd
}

func compare(cmd *cobra.Command, api *rekognition.Client, input *rekognition.CompareFacesInput,
	show *show) error {
	found, err := api.CompareFaces(cmd.Context(), input)
	if _, ok := errors.AsType[*types.InvalidParameterException](err); ok {
		return compareFault(cmd, api, input, err)
	}
	if err != nil {
		return plain(err)
	}
	for _, m := range found.FaceMatches {
		show.row(*m.Similarity, place(m.Face.BoundingBox))
	}
	err = show.object(found)
	if err == nil && len(found.FaceMatches) == 0 {
		err = noError(fmt.Sprintf("no match among %d faces", len(found.UnmatchedFaces)))
	}
	return show.end(err)
}

// compareFault finds out what the API does not tell: whether there is no face in one of the
// pictures, or something else is wrong.
func compareFault(cmd *cobra.Command, api *rekognition.Client, input *rekognition.CompareFacesInput,
	fault error) error {
	for i, image := range []*types.Image{input.SourceImage, input.TargetImage} {
		found, err := api.DetectFaces(cmd.Context(), &rekognition.DetectFacesInput{Image: image})
		if err == nil && len(found.FaceDetails) == 0 {
			return noError(cmd.Flags().Arg(i) + ": there is no face")
		}
	}
	return plain(fault)
}

func detectCommand() *cobra.Command {
	var c client
	var output string
	var attributes []string
	cmd := &cobra.Command{
		Use:   "detect IMAGE...",
		Short: "Find the faces of pictures",
		Long: "Find the faces of pictures, with how sure the server is of each, where it is " +
			"(left, top, width and height in percent of the picture), and its quality.\n\n" +
			aboutPictures +
			"\n\nThe exit status is 0 if there is a face in any of the pictures, and 1 if there " +
			"is none.",
		Example: "  recollect detect group.jpg\n" +
			"  recollect detect group.jpg --attributes ALL --output json | jq " +
			"'.FaceDetails[].AgeRange'",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(validOutput(output)); err != nil {
				return err
			}
			api, err := c.api(cmd.Context())
			if err != nil {
				return err
			}
			input := rekognition.DetectFacesInput{}
			for _, a := range attributes {
				input.Attributes = append(input.Attributes, types.Attribute(a))
			}
			show := newShow(cmd, output, "PICTURE", "CONFIDENCE", "PLACE", "BRIGHTNESS",
				"SHARPNESS", "YAW", "PITCH", "ROLL")
			return show.end(eachPicture(cmd, args, "no face",
				func(ctx context.Context, name string, image *types.Image) (bool, error) {
					input.Image = image
					found, err := api.DetectFaces(ctx, &input)
					if err != nil {
						return false, err
					}
					for _, f := range found.FaceDetails {
						show.row(name, *f.Confidence, place(f.BoundingBox), *f.Quality.Brightness,
							*f.Quality.Sharpness, *f.Pose.Yaw, *f.Pose.Pitch, *f.Pose.Roll)
					}
					return len(found.FaceDetails) > 0, show.object(struct {
						Picture string
						*rekognition.DetectFacesOutput
					}{name, found})
				}))
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringSliceVar(&attributes, "attributes", nil,
		"attributes beside the default ones, which --output json shows: ALL, AGE_RANGE, EMOTIONS, "+
			"...")
	values := []string{}
	for _, a := range types.Attribute("").Values() {
		values = append(values, string(a))
	}
	completeWith(cmd, "attributes", values...)
	addOutput(cmd, &output)
	return cmd
}
