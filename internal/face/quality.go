package face

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Reason is the reason why a detected face is not used.
type Reason string

// The reasons of the API that follow from the default attributes.
const (
	ReasonExceedsMaxFaces  Reason = "EXCEEDS_MAX_FACES"
	ReasonFaceNotLargest   Reason = "FACE_NOT_LARGEST"
	ReasonExtremePose      Reason = "EXTREME_POSE"
	ReasonLowBrightness    Reason = "LOW_BRIGHTNESS"
	ReasonLowSharpness     Reason = "LOW_SHARPNESS"
	ReasonLowConfidence    Reason = "LOW_CONFIDENCE"
	ReasonSmallBoundingBox Reason = "SMALL_BOUNDING_BOX"
	ReasonLowFaceQuality   Reason = "LOW_FACE_QUALITY"
)

// QualityBounds are the bounds that a quality filter sets to a face.
type QualityBounds struct {
	Brightness, Sharpness, Confidence float32 // least, 0 to 100
	MostBrightness                    float32 // 0 to 100
	Side                              float32 // least, of the box, pixels
	Yaw, Pitch, Roll                  float32 // most, degrees either way
}

// Bounds returns the filter's bounds, false if it has none.
//
// They are chosen from measurements (bench/results/quality.md). LOW rejects faces that other
// pictures of their person miss more often than not, or that match strangers ten times as often as
// other faces do in an equal picture; MEDIUM those that are missed one time in five or match five
// times as often; HIGH one time in twenty or twice as often. By that rule the bounds of confidence
// would be higher, nearly all because of heads that lie on their side. LOW's is chosen for what is
// no face: of 1,193 pictures without a person none has one of 90, and four have one of 80. Yaw and
// pitch do no harm within the range of the data, and their bounds are near the ends of that range.
//
// The service chooses what AUTO stands for. Here it is LOW: a face that is not indexed is never
// found.
func (f QualityFilter) Bounds() (QualityBounds, bool) {
	switch f {
	case QualityAuto, QualityLow:
		return QualityBounds{Brightness: 6, Sharpness: 5, Confidence: 85, MostBrightness: 96,
			Side: 18, Yaw: 60, Pitch: 40, Roll: 60}, true
	case QualityMedium:
		return QualityBounds{Brightness: 8, Sharpness: 6, Confidence: 98, MostBrightness: 94,
			Side: 20, Yaw: 50, Pitch: 30, Roll: 50}, true
	case QualityHigh:
		return QualityBounds{Brightness: 15, Sharpness: 10, Confidence: 99.5, MostBrightness: 80,
			Side: 24, Yaw: 40, Pitch: 25, Roll: 40}, true
	default:
		return QualityBounds{}, false
	}
}

// or returns f, or the operation's default if f is empty.
func (f QualityFilter) or(def QualityFilter) QualityFilter {
	if f == "" {
		return def
	}
	return f
}

// Reasons lists every bound of the filter that a face violates: none if the face passes. Every face
// passes NONE.
func (f QualityFilter) Reasons(d FaceDetail) []Reason {
	if b, ok := f.Bounds(); ok {
		return b.reasons(d)
	}
	return nil
}

func (b QualityBounds) reasons(d FaceDetail) []Reason {
	var reasons []Reason
	fails := func(failed bool, r Reason) {
		if failed {
			reasons = append(reasons, r)
		}
	}
	abs := func(x float32) float32 { return max(x, -x) }
	fails(abs(d.Pose.Yaw) > b.Yaw || abs(d.Pose.Pitch) > b.Pitch || abs(d.Pose.Roll) > b.Roll,
		ReasonExtremePose)
	fails(d.Quality.Brightness < b.Brightness, ReasonLowBrightness)
	fails(d.Quality.Sharpness < b.Sharpness, ReasonLowSharpness)
	fails(d.Confidence < b.Confidence, ReasonLowConfidence)
	fails(d.Side < b.Side, ReasonSmallBoundingBox)
	// overexposed
	fails(d.Quality.Brightness > b.MostBrightness, ReasonLowFaceQuality)
	return reasons
}

// Explain returns a sentence for each of the reasons why a face is not used, with the value that it
// has and the bound of the filter, so that it says what would pass.
func (f QualityFilter) Explain(d FaceDetail, reasons []Reason) []string {
	b, _ := f.Bounds()
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = b.explain(f, d, r)
	}
	return texts
}

func (b QualityBounds) explain(f QualityFilter, d FaceDetail, r Reason) string {
	least := func(what string, value, bound float32) string {
		return fmt.Sprintf("%s is %s, and %s needs at least %s.", what, decimal(value), f,
			decimal(bound))
	}
	switch r {
	case ReasonExtremePose:
		return fmt.Sprintf("The head is turned by yaw %.0f, pitch %.0f and roll %.0f degrees, "+
			"and %s allows %.0f, %.0f and %.0f either way.", d.Pose.Yaw, d.Pose.Pitch, d.Pose.Roll,
			f, b.Yaw, b.Pitch, b.Roll)
	case ReasonLowBrightness:
		return least("The brightness", d.Quality.Brightness, b.Brightness)
	case ReasonLowSharpness:
		return least("The sharpness", d.Quality.Sharpness, b.Sharpness)
	case ReasonLowConfidence:
		return least("The confidence that it is a face", d.Confidence, b.Confidence)
	case ReasonSmallBoundingBox:
		return least("The shorter side of the face in pixels", d.Side, b.Side)
	case ReasonLowFaceQuality:
		return fmt.Sprintf("The brightness is %s, and %s allows at most %s.",
			decimal(d.Quality.Brightness), f, decimal(b.MostBrightness))
	case ReasonExceedsMaxFaces, ReasonFaceNotLargest:
		return "Larger faces of the picture were enough."
	default:
		return string(r)
	}
}

// decimal writes a value with at most two decimals, rounded down, so that a value below a bound
// does not look equal to it.
func decimal(x float32) string {
	return strconv.FormatFloat(math.Floor(float64(x)*100)/100, 'f', -1, 64)
}

// selectFaces returns the indexes of the faces that pass the filter, at most maxFaces (0: all), and
// the others with every reason that applies. The largest face is the first of faces, so that the
// smallest ones exceed maxFaces.
func selectFaces(faces []FaceDetail, filter QualityFilter, maxFaces int) (keep []int,
	rest []UnindexedFace) {
	for i, d := range faces {
		reasons := filter.Reasons(d)
		if maxFaces > 0 && len(keep) == maxFaces {
			reasons = append(reasons, ReasonExceedsMaxFaces)
		}
		if len(reasons) > 0 {
			rest = append(rest, UnindexedFace{Detail: d, Reasons: reasons})
			continue
		}
		keep = append(keep, i)
	}
	return keep, rest
}

// clearFace is the confidence from which on a person would call a face one.
const clearFace = 90

// selectSearched returns the index of the face that a picture is searched or compared by, and the
// others with every reason against them, as [selectFaces] does for one face. It is the largest that
// passes the filter and is clearly a face, or the largest that passes where none is clear. A larger
// one that is passed over has too low a confidence.
func selectSearched(faces []FaceDetail, filter QualityFilter) (keep []int, rest []UnindexedFace) {
	passes := func(d FaceDetail) bool { return len(filter.Reasons(d)) == 0 }
	isClear := func(d FaceDetail) bool { return passes(d) && d.Confidence >= clearFace }
	first := slices.IndexFunc(faces, isClear)
	if first < 0 {
		return selectFaces(faces, filter, 1)
	}
	for i, d := range faces[:first] {
		reasons := filter.Reasons(d)
		if len(reasons) == 0 {
			reasons = []Reason{ReasonLowConfidence}
		}
		rest = append(rest, UnindexedFace{Detail: faces[i], Reasons: reasons})
	}
	_, smaller := selectFaces(faces[first:], filter, 1)
	return []int{first}, append(rest, smaller...)
}
