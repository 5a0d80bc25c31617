package recollect

// Reason says why a face that was found is not used.
type Reason string

// The reasons of the API that the default attributes can tell.
const (
	ReasonExceedsMaxFaces  Reason = "EXCEEDS_MAX_FACES"
	ReasonFaceNotLargest   Reason = "FACE_NOT_LARGEST"
	ReasonExtremePose      Reason = "EXTREME_POSE"
	ReasonLowBrightness    Reason = "LOW_BRIGHTNESS"
	ReasonLowSharpness     Reason = "LOW_SHARPNESS"
	ReasonLowConfidence    Reason = "LOW_CONFIDENCE"
	ReasonSmallBoundingBox Reason = "SMALL_BOUNDING_BOX"
)

// qualityBar is the least that a quality filter asks of a face.
type qualityBar struct {
	brightness, sharpness, confidence float32 // 0 to 100
	side                              float32 // of the box, as a ratio of the picture's side
	yaw, pitch                        float32 // degrees either way
}

// bar returns the filter's bar. The steps follow the service's words: LOW drops only the worst faces, HIGH
// keeps only the best, and AUTO is the service's choice: here LOW's.
func (f QualityFilter) bar() (qualityBar, bool) {
	switch f {
	case QualityAuto, QualityLow:
		return qualityBar{brightness: 12, sharpness: 2, confidence: 65, side: 0.01, yaw: 75, pitch: 60}, true
	case QualityMedium:
		return qualityBar{brightness: 25, sharpness: 10, confidence: 85, side: 0.02, yaw: 50, pitch: 40}, true
	case QualityHigh:
		return qualityBar{brightness: 35, sharpness: 25, confidence: 97, side: 0.04, yaw: 30, pitch: 25}, true
	default:
		return qualityBar{}, false
	}
}

// or returns f, or the operation's default if the caller named none.
func (f QualityFilter) or(def QualityFilter) QualityFilter {
	if f == "" {
		return def
	}
	return f
}

// reasons lists every way in which a face falls short of the bar.
func (b qualityBar) reasons(d FaceDetail) []Reason {
	var reasons []Reason
	fails := func(failed bool, r Reason) {
		if failed {
			reasons = append(reasons, r)
		}
	}
	abs := func(x float32) float32 { return max(x, -x) }
	fails(abs(d.Pose.Yaw) > b.yaw || abs(d.Pose.Pitch) > b.pitch, ReasonExtremePose)
	fails(d.Quality.Brightness < b.brightness, ReasonLowBrightness)
	fails(d.Quality.Sharpness < b.sharpness, ReasonLowSharpness)
	fails(d.Confidence < b.confidence, ReasonLowConfidence)
	fails(min(d.BoundingBox.Width, d.BoundingBox.Height) < b.side, ReasonSmallBoundingBox)
	return reasons
}

// selectFaces returns the indexes of the faces that pass the filter, at most maxFaces (0: all), and the others with
// every reason that applies. Faces come with the largest first, so that it is the smallest that exceed.
func selectFaces(faces []FaceDetail, filter QualityFilter, maxFaces int) (keep []int, rest []UnindexedFace) {
	bar, filtered := filter.bar()
	for i, d := range faces {
		var reasons []Reason
		if filtered {
			reasons = bar.reasons(d)
		}
		if len(reasons) == 0 && maxFaces > 0 && len(keep) == maxFaces {
			reasons = []Reason{ReasonExceedsMaxFaces}
		}
		if len(reasons) > 0 {
			rest = append(rest, UnindexedFace{Detail: d, Reasons: reasons})
			continue
		}
		keep = append(keep, i)
	}
	return keep, rest
}
