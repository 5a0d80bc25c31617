package rekognition_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
)

// The default attributes always come, with those that are named, or with all that the engine sees.
func TestAttributes(t *testing.T) {
	client, ctx := open(t).client(), t.Context()
	image := &types.Image{Bytes: enginetest.Picture(enginetest.Face{Person: 1, Size: 0.5},
		enginetest.Face{Person: 2, Size: 0.4, Poor: true})}
	if _, err := client.CreateCollection(ctx,
		&sdk.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	defaults := []string{"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
	for asked, extra := range map[string]string{
		"":                           "",
		"DEFAULT":                    "",
		"ALL":                        "AgeRange Emotions EyesOpen Gender MouthOpen Smile",
		"ALL DEFAULT":                "AgeRange Emotions EyesOpen Gender MouthOpen Smile",
		"DEFAULT ALL GENDER":         "AgeRange Emotions EyesOpen Gender MouthOpen Smile",
		"AGE_RANGE":                  "AgeRange",
		"DEFAULT GENDER":             "Gender",
		"SMILE EYES_OPEN":            "EyesOpen Smile",
		"EMOTIONS MOUTH_OPEN":        "Emotions MouthOpen",
		"BEARD EYEGLASSES MUSTACHE":  "",
		"SUNGLASSES FACE_OCCLUDED":   "",
		"EYE_DIRECTION SMILE SMILE ": "Smile",
	} {
		var attributes []types.Attribute
		for _, name := range strings.Fields(asked) {
			attributes = append(attributes, types.Attribute(name))
		}
		detected, err := client.DetectFaces(ctx,
			&sdk.DetectFacesInput{Image: image, Attributes: attributes})
		if err != nil || len(detected.FaceDetails) != 2 {
			t.Fatalf("DetectFaces of %q = %+v, %v", asked, detected, err)
		}
		indexed, err := client.IndexFaces(ctx, &sdk.IndexFacesInput{
			CollectionId: aws.String("people"), Image: image, DetectionAttributes: attributes})
		if err != nil || len(indexed.FaceRecords) != 1 || len(indexed.UnindexedFaces) != 1 {
			t.Fatalf("IndexFaces of %q = %+v, %v", asked, indexed, err)
		}
		want := slices.Sorted(slices.Values(slices.Concat(defaults, strings.Fields(extra))))
		for where, d := range map[string]types.FaceDetail{
			"DetectFaces":    detected.FaceDetails[0],
			"FaceRecords":    *indexed.FaceRecords[0].FaceDetail,
			"UnindexedFaces": *indexed.UnindexedFaces[0].FaceDetail,
		} {
			if got := members(t, d); !slices.Equal(got, want) {
				t.Errorf("%s of %q has %v, want %v", where, asked, got, want)
			}
			landmarks := 1
			if strings.Contains(asked, "ALL") {
				landmarks = 2
			}
			if len(d.Landmarks) != landmarks {
				t.Errorf("%s of %q has %d landmarks, want %d", where, asked, len(d.Landmarks),
					landmarks)
			}
		}
	}
	all, err := client.DetectFaces(ctx,
		&sdk.DetectFacesInput{Image: image, Attributes: []types.Attribute{types.AttributeAll}})
	if err != nil {
		t.Fatal(err)
	}
	d := all.FaceDetails[0]
	if *d.AgeRange.Low != 0 || *d.AgeRange.High != 18 || d.Gender.Value != types.GenderTypeFemale ||
		*d.Gender.Confidence != 97.5 ||
		!d.EyesOpen.Value || *d.EyesOpen.Confidence != 99 || d.MouthOpen.Value ||
		*d.MouthOpen.Confidence != 98 ||
		!d.Smile.Value || *d.Smile.Confidence != 90 || len(d.Emotions) != 3 ||
		d.Emotions[0].Type != types.EmotionNameHappy ||
		*d.Emotions[1].Confidence != 10 || *d.Emotions[2].Confidence != 0 {
		t.Errorf("DetectFaces of ALL = %s", marshal(t, d))
	}
}

// members are the names of the members that are there.
func members(t *testing.T, d types.FaceDetail) []string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(marshal(t, d), &all); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return slices.Sorted(maps.Keys(all))
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
