package wire_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

func BenchmarkDecodeImage(b *testing.B) {
	for _, size := range []int{20 << 10, 5 << 20} {
		body := []byte(`{"Image":{"Bytes":"` +
			base64.StdEncoding.EncodeToString(make([]byte, size)) + `"}}`)
		for name, body := range map[string][]byte{
			"plain":   body,
			"escaped": []byte(strings.ReplaceAll(string(body), "AAAAAAAA", `AAAAAAA\/`)),
		} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					var in wire.DetectFacesRequest
					if err := wire.Decode(body, &in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func listFaces(ids int) []byte {
	var list []string
	for i := range ids {
		list = append(list, fmt.Sprintf(`"01234567-89ab-cdef-0123-%012x"`, i))
	}
	return []byte(`{"CollectionId":"family","MaxResults":10,"FaceIds":[` + strings.Join(list, ",") +
		`]}`)
}

func BenchmarkListFaces(b *testing.B) {
	for _, ids := range []int{1, 4096} {
		body := listFaces(ids)
		var in wire.ListFacesRequest
		b.Run(fmt.Sprintf("decode/%d", ids), func(b *testing.B) {
			for b.Loop() {
				in = wire.ListFacesRequest{}
				if err := wire.Decode(body, &in); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("validate/%d", ids), func(b *testing.B) {
			for b.Loop() {
				if err := wire.Validate(&in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeListCollections(b *testing.B) {
	for _, n := range []int{10, 4096} {
		out := &wire.ListCollectionsResponse{NextToken: new("token")}
		for i := range n {
			out.CollectionIds = append(out.CollectionIds, fmt.Sprint("collection-", i))
			out.FaceModelVersions = append(out.FaceModelVersions, "7.0")
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := wire.Encode(out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeFaces(b *testing.B) {
	f := wire.FaceMatch{Similarity: new(wire.Float(99.5)), Face: &wire.Face{
		FaceId:     new("01234567-89ab-cdef-0123-456789abcdef"),
		ImageId:    new("01234567-89ab-cdef-0123-456789abcdef"),
		Confidence: new(wire.Float(99.99)), BoundingBox: &wire.BoundingBox{
			Left: new(wire.Float(0.1)), Top: new(wire.Float(0.2)), Width: new(wire.Float(0.3)),
			Height: new(wire.Float(0.4))}}}
	out := &wire.SearchFacesResponse{FaceMatches: make([]wire.FaceMatch, 100)}
	for i := range out.FaceMatches {
		out.FaceMatches[i] = f
	}
	for b.Loop() {
		if _, err := wire.Encode(out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidateTypical(b *testing.B) {
	in := &wire.IndexFacesRequest{CollectionId: new("family"), ExternalImageId: new("photo-1.jpg"),
		Image:               &wire.Image{Bytes: make([]byte, 1000)},
		DetectionAttributes: []string{wire.AttributeAll},
		MaxFaces:            new(int32(5)), QualityFilter: new(wire.QualityFilterAuto)}
	for b.Loop() {
		if err := wire.Validate(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for b.Loop() {
		if _, ok := wire.Lookup("SearchFacesByImage"); !ok {
			b.Fatal("not found")
		}
	}
}
