package wire_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

const uuidPattern = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

func TestValidate(t *testing.T) {
	image := &wire.Image{Bytes: []byte{1}}
	notification := func(topic string) any {
		return &wire.StartFaceDetectionRequest{Video: &wire.Video{},
			NotificationChannel: &wire.NotificationChannel{
				SNSTopicArn: &topic, RoleArn: new("arn:aws:iam::123456789012:role/r")}}
	}
	key := func(key string) any {
		return &wire.CreateProjectVersionRequest{
			ProjectArn:   new("arn:aws:rekognition:us-east-1:123456789012:project/p/1"),
			VersionName:  new("v"),
			OutputConfig: &wire.OutputConfig{},
			KmsKeyId:     &key,
		}
	}
	for _, test := range []struct {
		name  string
		input any
		want  string // without the head; empty if nothing is wrong
	}{
		{"nothing demanded", &wire.ListCollectionsRequest{}, ""},
		{"missing", &wire.CreateCollectionRequest{},
			"Value null at 'collectionId' failed to satisfy constraint: Member must not be null"},
		{"missing structure", &wire.DetectFacesRequest{},
			"Value null at 'image' failed to satisfy constraint: Member must not be null"},
		{"pattern", &wire.CreateCollectionRequest{CollectionId: new("my faces")},
			`Value 'my faces' at 'collectionId' failed to satisfy constraint: Member must ` +
				`satisfy regular expression pattern: [a-zA-Z0-9_.\-]+`},
		{"pattern with a line break at the end",
			&wire.CreateCollectionRequest{CollectionId: new("faces\n")},
			"Value 'faces\n' at 'collectionId' failed to satisfy constraint: " +
				`Member must satisfy regular expression pattern: [a-zA-Z0-9_.\-]+`},
		{"empty", &wire.DescribeCollectionRequest{CollectionId: new("")},
			`Value '' at 'collectionId' failed to satisfy constraint: Member must satisfy ` +
				`regular expression pattern: [a-zA-Z0-9_.\-]+; ` +
				"Value '' at 'collectionId' failed to satisfy constraint: Member must have " +
				"length greater than or equal to 1"},
		{"too long", &wire.DescribeCollectionRequest{CollectionId: new(strings.Repeat("c", 256))},
			"Value '" + strings.Repeat("c", 256) +
				"' at 'collectionId' failed to satisfy constraint: Member must have length less " +
				"than or equal to 255"},
		{"empty blob", &wire.DetectTextRequest{Image: &wire.Image{Bytes: []byte{}}},
			"Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'image.bytes' failed to " +
				"satisfy constraint: Member must have length greater than or equal to 1"},
		{"blob too long", &wire.DetectTextRequest{Image: &wire.Image{Bytes: make([]byte, 7843602)}},
			"Value 'java.nio.HeapByteBuffer[pos=0 lim=7843602 cap=7843602]' at 'image.bytes' " +
				"failed to satisfy constraint: Member must have length less than or equal to " +
				"5242880"},
		{"integer too large",
			&wire.ListFacesRequest{CollectionId: new("c"), MaxResults: new(int32(4097))},
			"Value '4097' at 'maxResults' failed to satisfy constraint: Member must have value " +
				"less than or equal to 4096"},
		{"integer too small",
			&wire.IndexFacesRequest{CollectionId: new("c"), Image: image, MaxFaces: new(int32(0))},
			"Value '0' at 'maxFaces' failed to satisfy constraint: Member must have value " +
				"greater than or equal to 1"},
		{"integer zero", &wire.ListFacesRequest{CollectionId: new("c"), MaxResults: new(int32(0))},
			""},
		{"float too large",
			&wire.SearchFacesByImageRequest{CollectionId: new("c"), Image: image,
				FaceMatchThreshold: new(wire.Float(100.1))},
			"Value '100.1' at 'faceMatchThreshold' failed to satisfy constraint: Member must " +
				"have value less than or equal to 100"},
		{"float too small",
			&wire.CompareFacesRequest{SourceImage: image, TargetImage: image,
				SimilarityThreshold: new(wire.Float(-1))},
			"Value '-1.0' at 'similarityThreshold' failed to satisfy constraint: Member must " +
				"have value greater than or equal to 0"},
		{"float that is not a number",
			&wire.SearchFacesRequest{CollectionId: new("c"),
				FaceId:             new("01234567-89ab-cdef-0123-456789abcdef"),
				FaceMatchThreshold: new(wire.Float(math.NaN()))},
			"Value 'NaN' at 'faceMatchThreshold' failed to satisfy constraint: Member must have " +
				"value less than or equal to 100; " +
				"Value 'NaN' at 'faceMatchThreshold' failed to satisfy constraint: Member must " +
				"have value greater than or equal to 0"},
		{"infinite float",
			&wire.CompareFacesRequest{SourceImage: image, TargetImage: image,
				SimilarityThreshold: new(wire.Float(math.Inf(1)))},
			"Value 'Infinity' at 'similarityThreshold' failed to satisfy constraint: Member must " +
				"have value less than or equal to 100"},
		{"infinite float below",
			&wire.CompareFacesRequest{SourceImage: image, TargetImage: image,
				SimilarityThreshold: new(wire.Float(math.Inf(-1)))},
			"Value '-Infinity' at 'similarityThreshold' failed to satisfy constraint: Member " +
				"must have value greater than or equal to 0"},
		{"float without bounds that is not a number",
			&wire.DetectTextRequest{Image: image, Filters: &wire.DetectTextFilters{
				RegionsOfInterest: []wire.RegionOfInterest{{BoundingBox: &wire.BoundingBox{
					Left: new(wire.Float(math.NaN())), Top: new(wire.Float(2))}}}}},
			"Value 'NaN' at 'filters.regionsOfInterest.1.member.boundingBox.left' failed to " +
				"satisfy constraint: Member must be a finite number"},
		{"enumeration",
			&wire.CompareFacesRequest{SourceImage: image, TargetImage: image,
				QualityFilter: new("BEST")},
			"Value 'BEST' at 'qualityFilter' failed to satisfy constraint: Member must satisfy " +
				"enum value set: [NONE, AUTO, LOW, MEDIUM, HIGH]"},
		{"nested", &wire.IndexFacesRequest{CollectionId: new("c"),
			Image: &wire.Image{S3Object: &wire.S3Object{Bucket: new("b")}}},
			"Value 'b' at 'image.s3Object.bucket' failed to satisfy constraint: Member must have " +
				"length greater than or equal to 3"},
		{"empty list", &wire.DeleteFacesRequest{CollectionId: new("c"), FaceIds: []string{}},
			"Value '[]' at 'faceIds' failed to satisfy constraint: Member must have length " +
				"greater than or equal to 1"},
		{"list elements",
			&wire.DeleteFacesRequest{CollectionId: new("c"),
				FaceIds: []string{"x", "01234567-89ab-cdef-0123-456789abcdef", "y"}},
			"Value '[x, 01234567-89ab-cdef-0123-456789abcdef, y]' at 'faceIds' failed to satisfy " +
				"constraint: " +
				"Member must satisfy constraint: [Member must satisfy regular expression " +
				"pattern: " + uuidPattern + "]"},
		{"list elements with several constraints",
			&wire.DescribeProjectsRequest{ProjectNames: []string{""}},
			"Value '[]' at 'projectNames' failed to satisfy constraint: Member must satisfy " +
				"constraint: [Member must have length less than or equal to 255, " +
				`Member must have length greater than or equal to 1, Member must satisfy ` +
				`regular expression pattern: [a-zA-Z0-9_.\-]+]`},
		{"list of an enumeration",
			&wire.DetectFacesRequest{Image: image, Attributes: []string{"ALL", "HAT"}},
			"Value '[ALL, HAT]' at 'attributes' failed to satisfy constraint: Member must " +
				"satisfy constraint: [Member must satisfy enum value set: " +
				"[DEFAULT, ALL, AGE_RANGE, BEARD, EMOTIONS, EYE_DIRECTION, EYEGLASSES, " +
				"EYES_OPEN, GENDER, MOUTH_OPEN, MUSTACHE, FACE_OCCLUDED, SMILE, SUNGLASSES]]"},
		{"structures in a list",
			&wire.DistributeDatasetEntriesRequest{Datasets: []wire.DistributeDataset{
				{Arn: new("arn:aws:rekognition:us-east-1:123456789012:project/p/dataset/test/1")},
				{}}},
			"Value null at 'datasets.2.member.arn' failed to satisfy constraint: Member must not " +
				"be null"},
		{"number of structures",
			&wire.DistributeDatasetEntriesRequest{Datasets: []wire.DistributeDataset{
				{Arn: new("arn:aws:rekognition:us-east-1:123456789012:project/p/dataset/test/1")}}},
			"Value '[DistributeDataset]' at 'datasets' failed to satisfy constraint: Member must " +
				"have length greater than or equal to 2"},
		{"map keys and values",
			&wire.TagResourceRequest{ResourceArn: new(strings.Repeat("a", 20)),
				Tags: map[string]string{"b": "#", "aws:a": "x"}},
			"Value '{aws:a=x, b=#}' at 'tags' failed to satisfy constraint: Map keys must " +
				"satisfy constraint: [Member must have length less than or equal to 128, " +
				`Member must have length greater than or equal to 1, Member must satisfy ` +
				`regular expression pattern: ^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]*$]; ` +
				"Value '{aws:a=x, b=#}' at 'tags' failed to satisfy constraint: Map value must " +
				"satisfy constraint: [Member must have length less than or equal to 256, " +
				`Member must have length greater than or equal to 0, Member must satisfy ` +
				`regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$]`},
		{"forbidden prefix in another case",
			&wire.CreateCollectionRequest{CollectionId: new("c"),
				Tags: map[string]string{"AWS:a": "", "xaws:": ""}}, ""},
		{"length in code points",
			&wire.CreateCollectionRequest{CollectionId: new("c"),
				Tags: map[string]string{"k": strings.Repeat("𝒳", 256)}}, ""},
		{"members in the model's order",
			&wire.AssociateFacesRequest{UserMatchThreshold: new(wire.Float(101)), UserId: new(" ")},
			"Value null at 'collectionId' failed to satisfy constraint: Member must not be null; " +
				`Value ' ' at 'userId' failed to satisfy constraint: Member must satisfy ` +
				`regular expression pattern: [a-zA-Z0-9_.\-:]+; ` +
				"Value null at 'faceIds' failed to satisfy constraint: Member must not be null; " +
				"Value '101.0' at 'userMatchThreshold' failed to satisfy constraint: Member must " +
				"have value less than or equal to 100"},
		{"leading capitals", notification("x"),
			"Value 'x' at 'notificationChannel.sNSTopicArn' failed to satisfy constraint: Member " +
				"must satisfy regular expression pattern: " + `(^arn:aws:sns:.*:\w{12}:.+$)`},
		{"no line terminator for the dot", notification("arn:aws:sns:us\u2028:123456789012:t"),
			"Value 'arn:aws:sns:us\u2028:123456789012:t' at 'notificationChannel.sNSTopicArn' " +
				"failed to satisfy constraint: Member must satisfy regular expression pattern: " +
				`(^arn:aws:sns:.*:\w{12}:.+$)`},
		{"long repetition", key("a" + strings.Repeat("/", 2047)), ""},
		{"repetition of the pattern's full length", key("a" + strings.Repeat("/", 2048)),
			"Value 'a" + strings.Repeat("/", 1023) +
				"...' at 'kmsKeyId' failed to satisfy constraint: Member must have length less " +
				"than or equal to 2048"},
		{"too long a repetition", key("a" + strings.Repeat("/", 2049)),
			"Value 'a" + strings.Repeat("/", 1023) +
				"...' at 'kmsKeyId' failed to satisfy constraint: Member must satisfy regular " +
				"expression pattern: " +
				"^[A-Za-z0-9][A-Za-z0-9:_/+=,@.-]{0,2048}$; " +
				"Value 'a" + strings.Repeat("/", 1023) +
				"...' at 'kmsKeyId' failed to satisfy constraint: Member must have length less " +
				"than or equal to 2048"},
		{"value cut at a character",
			&wire.ListCollectionsRequest{NextToken: new("x" + strings.Repeat("é", 1000))},
			"Value 'x" + strings.Repeat("é", 511) +
				"...' at 'nextToken' failed to satisfy constraint: Member must have length less " +
				"than or equal to 255"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := wire.Validate(test.input)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			n := strings.Count(test.want, " at '")
			head := "1 validation error detected: "
			if n > 1 {
				head = fmt.Sprintf("%d validation errors detected: ", n)
			}
			own, ok := errors.AsType[*wire.ValidationError](err)
			if !ok || own.Error() != head+test.want || len(own.Violations) != n {
				t.Errorf("%v\nwant %s", err, head+test.want)
			}
		})
	}
}

// TestMessagesAreBounded sends requests of several megabytes in which everything is wrong.
func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("é ", 2<<20)
	many := make([]string, 1<<20)
	points := make([]wire.DistributeDataset, 1<<20)
	pairs := map[string]string{}
	for i := range many {
		many[i] = "bad id"
		if i < 1<<17 {
			pairs[fmt.Sprint("#", i)] = "#"
		}
	}
	for name, input := range map[string]any{
		"text":      &wire.CreateCollectionRequest{CollectionId: &long},
		"ARN":       &wire.CreateStreamProcessorRequest{RoleArn: &long},
		"list":      &wire.ListFacesRequest{CollectionId: new("c"), FaceIds: many},
		"long list": &wire.ListFacesRequest{CollectionId: new("c"), FaceIds: []string{long, long}},
		"map":       &wire.TagResourceRequest{ResourceArn: &long, Tags: pairs},
		"long map": &wire.TagResourceRequest{ResourceArn: &long,
			Tags: map[string]string{long: long}},
		"structures": &wire.DistributeDatasetEntriesRequest{Datasets: points},
		"everything": &wire.AssociateFacesRequest{CollectionId: &long, UserId: &long,
			ClientRequestToken: &long, FaceIds: many},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			err := wire.Validate(input)
			own, ok := errors.AsType[*wire.ValidationError](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if len(own.Violations) > 20 {
				t.Errorf("%d violations", len(own.Violations))
			}
			for _, v := range own.Violations {
				if len(v) > 2048 {
					t.Errorf("a violation of %d bytes", len(v))
				}
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestValidateLongPatterns holds texts against the patterns that cost the most.
func TestValidateLongPatterns(t *testing.T) {
	for _, text := range []string{
		"arn:aws:sns:" + strings.Repeat(":123456789012", 600_000) + ":",
		"arn:aws:sns:" + strings.Repeat(":12345678901", 5_000),
		"arn:aws:sns:" + strings.Repeat("x", 60_000) + ":123456789012:",
	} {
		start := time.Now()
		err := wire.Validate(&wire.StartFaceDetectionRequest{Video: &wire.Video{},
			NotificationChannel: &wire.NotificationChannel{
				SNSTopicArn: &text, RoleArn: new("arn:aws:iam::123456789012:role/r")}})
		if err == nil {
			t.Errorf("%.30s... is taken", text)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%.30s... took %v", text, took)
		}
	}
}
