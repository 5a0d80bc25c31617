package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

func detectCommand() *cobra.Command {
	var c client
	var output string
	var attributes []string
	var drawing drawing
	cmd := &cobra.Command{
		Use:   "detect IMAGE...",
		Short: "Find the faces of pictures",
		Long: "Find the faces of pictures, with how sure the server is of each, where it is " +
			"(left, top, width and height in percent of the picture), its quality, and the " +
			"attributes that are asked for. A number behind an attribute is the confidence in " +
			"it, in percent.\n\n" +
			aboutPictures +
			"\n\nThe exit status is 0 if there is a face in any of the pictures, and 1 if there " +
			"is none.",
		Example: "  recollect detect group.jpg\n" +
			"  recollect detect group.jpg --attributes ALL\n" +
			"  recollect detect group.jpg --draw group-with-boxes.png\n" +
			"  recollect detect group.jpg --attributes ALL --output json | jq " +
			"'.FaceDetails[].AgeRange'",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(validOutput(output), validAttributes(attributes),
				drawing.Validate(args...)); err != nil {
				return err
			}
			api, err := c.api(cmd.Context())
			if err != nil {
				return err
			}
			d := detector{api: api, attributes: attributes, drawing: drawing,
				shown: attributesOf(attributes)}
			d.show = newShow(cmd, output, d.columns()...)
			err = eachPicture(cmd, args, "no face", d.detect)
			d.noteMissing()
			return d.show.end(err)
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringSliceVar(&attributes, "attributes", nil,
		"attributes beside the default ones: ALL, AGE_RANGE, EMOTIONS, ...")
	completeWith(cmd, "attributes", attributeNames()...)
	drawing.addFlags(cmd, "the picture")
	addOutput(cmd, &output)
	return cmd
}

func attributeNames() []string {
	var names []string
	for _, a := range types.Attribute("").Values() {
		names = append(names, string(a))
	}
	return names
}

func validAttributes(attributes []string) error {
	for _, a := range attributes {
		if !slices.Contains(attributeNames(), a) {
			return fmt.Errorf("--attributes %q is none of %s", a,
				strings.Join(attributeNames(), ", "))
		}
	}
	return nil
}

// attribute is how an attribute of a face is shown.
type attribute struct {
	name types.Attribute
	head string
	csv  string
	text func(f types.FaceDetail) string // empty if the server did not estimate it
}

// attributesOf returns the attributes with these names, in the order in which they are shown.
func attributesOf(names []string) []attribute {
	all := []attribute{
		{types.AttributeAgeRange, "AGE", "AgeRange", func(f types.FaceDetail) string {
			if f.AgeRange == nil {
				return ""
			}
			return fmt.Sprintf("%d-%d", *f.AgeRange.Low, *f.AgeRange.High)
		}},
		{types.AttributeGender, "GENDER", "Gender", func(f types.FaceDetail) string {
			if f.Gender == nil {
				return ""
			}
			return withConfidence(strings.ToLower(string(f.Gender.Value)), f.Gender.Confidence)
		}},
		{types.AttributeEmotions, "EMOTION", "Emotion", func(f types.FaceDetail) string {
			if len(f.Emotions) == 0 {
				return ""
			}
			first := f.Emotions[0]
			return withConfidence(strings.ToLower(string(first.Type)), first.Confidence)
		}},
		{types.AttributeSmile, "SMILE", "Smile", func(f types.FaceDetail) string {
			if f.Smile == nil {
				return ""
			}
			return yesOrNo(f.Smile.Value, f.Smile.Confidence)
		}},
		{types.AttributeEyesOpen, "EYES OPEN", "EyesOpen", func(f types.FaceDetail) string {
			if f.EyesOpen == nil {
				return ""
			}
			return yesOrNo(f.EyesOpen.Value, f.EyesOpen.Confidence)
		}},
		{types.AttributeMouthOpen, "MOUTH OPEN", "MouthOpen", func(f types.FaceDetail) string {
			if f.MouthOpen == nil {
				return ""
			}
			return yesOrNo(f.MouthOpen.Value, f.MouthOpen.Confidence)
		}},
		{types.AttributeBeard, "BEARD", "Beard", func(f types.FaceDetail) string {
			if f.Beard == nil {
				return ""
			}
			return yesOrNo(f.Beard.Value, f.Beard.Confidence)
		}},
		{types.AttributeMustache, "MUSTACHE", "Mustache", func(f types.FaceDetail) string {
			if f.Mustache == nil {
				return ""
			}
			return yesOrNo(f.Mustache.Value, f.Mustache.Confidence)
		}},
		{types.AttributeEyeglasses, "EYEGLASSES", "Eyeglasses", func(f types.FaceDetail) string {
			if f.Eyeglasses == nil {
				return ""
			}
			return yesOrNo(f.Eyeglasses.Value, f.Eyeglasses.Confidence)
		}},
		{types.AttributeSunglasses, "SUNGLASSES", "Sunglasses", func(f types.FaceDetail) string {
			if f.Sunglasses == nil {
				return ""
			}
			return yesOrNo(f.Sunglasses.Value, f.Sunglasses.Confidence)
		}},
		{types.AttributeFaceOccluded, "OCCLUDED", "FaceOccluded",
			func(f types.FaceDetail) string {
				if f.FaceOccluded == nil {
					return ""
				}
				return yesOrNo(f.FaceOccluded.Value, f.FaceOccluded.Confidence)
			}},
		{types.AttributeEyeDirection, "EYE DIRECTION", "EyeDirection",
			func(f types.FaceDetail) string {
				if f.EyeDirection == nil {
					return ""
				}
				return withConfidence(fmt.Sprintf("yaw %.0f pitch %.0f", *f.EyeDirection.Yaw,
					*f.EyeDirection.Pitch), f.EyeDirection.Confidence)
			}},
	}
	if slices.Contains(names, string(types.AttributeAll)) {
		return all
	}
	return slices.DeleteFunc(all, func(a attribute) bool {
		return !slices.Contains(names, string(a.name))
	})
}

// withConfidence returns an estimate and the confidence in it, in percent.
func withConfidence(text string, confidence *float32) string {
	if confidence == nil {
		return text
	}
	return fmt.Sprintf("%s %.0f", text, *confidence)
}

func yesOrNo(value bool, confidence *float32) string {
	if value {
		return withConfidence("yes", confidence)
	}
	return withConfidence("no", confidence)
}

// detector finds the faces of pictures.
type detector struct {
	api        *rekognition.Client
	attributes []string
	shown      []attribute
	drawing    drawing
	show       *show
	faces      int
	estimated  map[types.Attribute]bool // whether the server has estimated an attribute of any face
}

func (d *detector) columns() []column {
	columns := []column{pictureColumn(), {head: "NO.", name: "FaceNumber"}, confidenceColumn(),
		placeColumn(), {head: "BRIGHTNESS", name: "Brightness"},
		{head: "SHARPNESS", name: "Sharpness"}, {head: "YAW", name: "Yaw"},
		{head: "PITCH", name: "Pitch"}, {head: "ROLL", name: "Roll"}}
	for _, a := range d.shown {
		columns = append(columns, column{head: a.head, name: a.csv, optional: true})
	}
	return columns
}

func (d *detector) detect(ctx context.Context, name string, image *types.Image) (bool, error) {
	input := rekognition.DetectFacesInput{Image: image}
	for _, a := range d.attributes {
		input.Attributes = append(input.Attributes, types.Attribute(a))
	}
	found, err := d.api.DetectFaces(ctx, &input)
	if err != nil {
		return false, err
	}
	var marks []mark
	for i, f := range found.FaceDetails {
		cells := []any{name, i + 1, *f.Confidence, f.BoundingBox, *f.Quality.Brightness,
			*f.Quality.Sharpness, *f.Pose.Yaw, *f.Pose.Pitch, *f.Pose.Roll}
		for _, a := range d.shown {
			text := a.text(f)
			d.noteEstimate(a.name, text != "")
			cells = append(cells, text)
		}
		d.show.row(cells...)
		marks = append(marks, mark{box: f.BoundingBox, name: fmt.Sprint(i + 1)})
	}
	d.faces += len(found.FaceDetails)
	if len(found.FaceDetails) == 0 {
		d.show.note(name + ": " + noFaceIn(image))
	}
	if err := d.drawing.write(image.Bytes, marks); err != nil {
		return false, err
	}
	return len(found.FaceDetails) > 0, d.show.object(struct {
		Picture string
		*rekognition.DetectFacesOutput
	}{name, found})
}

// noteEstimate remembers whether the server estimated an attribute of a face.
func (d *detector) noteEstimate(a types.Attribute, estimated bool) {
	if d.estimated == nil {
		d.estimated = map[types.Attribute]bool{}
	}
	d.estimated[a] = d.estimated[a] || estimated
}

// noteMissing lists the attributes that were asked for and that the server estimated of no face.
func (d *detector) noteMissing() {
	var missing []string
	for _, a := range d.shown {
		if !d.estimated[a.name] {
			missing = append(missing, string(a.name))
		}
	}
	if d.faces > 0 && len(missing) > 0 {
		d.show.note("the server's networks do not estimate " + strings.Join(missing, ", "))
	}
}
