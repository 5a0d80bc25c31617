package face

import (
	"slices"
	"testing"
)

// A larger face that is hardly one is not what a picture is searched by.
func TestSelectSearched(t *testing.T) {
	low, more := ReasonLowConfidence, ReasonExceedsMaxFaces
	for name, test := range map[string]struct {
		confidences []float32 // of the faces, the largest first
		keep        []int
		reasons     []Reason // of the others
	}{
		"nothing":               {nil, nil, nil},
		"the largest":           {[]float32{95, 99, 70}, []int{0}, []Reason{more, more}},
		"a larger fist":         {[]float32{75, 99.9, 80}, []int{1}, []Reason{low, more}},
		"two larger ones":       {[]float32{75, 89, 90}, []int{2}, []Reason{low, low}},
		"nothing that is clear": {[]float32{75, 89}, []int{0}, []Reason{more}},
	} {
		faces := make([]FaceDetail, len(test.confidences))
		for i, c := range test.confidences {
			faces[i].Confidence = c
		}
		keep, rest := selectSearched(faces, QualityNone)
		var reasons []Reason
		for _, f := range rest {
			reasons = append(reasons, f.Reasons...)
		}
		if !slices.Equal(keep, test.keep) || !slices.Equal(reasons, test.reasons) {
			t.Errorf("%s: kept %v, and %v, want %v and %v", name, keep, reasons, test.keep,
				test.reasons)
		}
	}
}
