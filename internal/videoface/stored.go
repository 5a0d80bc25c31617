package videoface

import (
	"encoding/binary"
	"math"

	"github.com/go-json-experiment/json"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// storedSighting is the form of a sighting in the store. A video of an hour can have a hundred
// thousand, so names are short. Another form needs a migration.
type storedSighting struct {
	Millis     int64            `json:"t"`
	Track      int64            `json:"n"`
	Body       *[4]float32      `json:"p,omitzero"`
	Box        [4]float32       `json:"b"`
	Confidence float32          `json:"c"`
	Landmarks  []storedLandmark `json:"l,omitzero"`
	Pose       [3]float32       `json:"r"` // roll, yaw, pitch
	Quality    [2]float32       `json:"q"` // brightness, sharpness
	AgeRange   *[2]int32        `json:"a,omitzero"`
	Gender     *storedValue     `json:"g,omitzero"`
	Emotions   []storedValue    `json:"e,omitzero"`
	EyesOpen   *storedJudgement `json:"y,omitzero"`
	MouthOpen  *storedJudgement `json:"m,omitzero"`
	Smile      *storedJudgement `json:"s,omitzero"`
}

type storedLandmark struct {
	Type string  `json:"t"`
	X    float32 `json:"x"`
	Y    float32 `json:"y"`
}

type storedValue struct {
	Value      string  `json:"v"`
	Confidence float32 `json:"c"`
}

type storedJudgement struct {
	Value      bool    `json:"v"`
	Confidence float32 `json:"c"`
}

func storeBox(b recollect.BoundingBox) [4]float32 {
	return [4]float32{b.Left, b.Top, b.Width, b.Height}
}

func readBox(b [4]float32) recollect.BoundingBox {
	return recollect.BoundingBox{Left: b[0], Top: b[1], Width: b[2], Height: b[3]}
}

func storeJudgement(j *face.Judgement) *storedJudgement {
	if j == nil {
		return nil
	}
	return &storedJudgement{j.Value, j.Confidence}
}

func readJudgement(j *storedJudgement) *face.Judgement {
	if j == nil {
		return nil
	}
	return &face.Judgement{Value: j.Value, Confidence: j.Confidence}
}

// encodeSighting returns the form of a face at a moment in the store.
func encodeSighting(millis int64, f TrackedFace) ([]byte, error) {
	d := f.Face
	s := storedSighting{
		Millis:     millis,
		Track:      f.Track,
		Box:        storeBox(d.BoundingBox),
		Confidence: d.Confidence,
		Pose:       [3]float32{d.Pose.Roll, d.Pose.Yaw, d.Pose.Pitch},
		Quality:    [2]float32{d.Quality.Brightness, d.Quality.Sharpness},
		EyesOpen:   storeJudgement(d.EyesOpen),
		MouthOpen:  storeJudgement(d.MouthOpen),
		Smile:      storeJudgement(d.Smile),
	}
	if f.Body != nil {
		s.Body = new(storeBox(*f.Body))
	}
	for _, l := range d.Landmarks {
		s.Landmarks = append(s.Landmarks, storedLandmark(l))
	}
	if d.AgeRange != nil {
		s.AgeRange = &[2]int32{d.AgeRange.Low, d.AgeRange.High}
	}
	if d.Gender != nil {
		s.Gender = &storedValue{d.Gender.Value, d.Gender.Confidence}
	}
	for _, e := range d.Emotions {
		s.Emotions = append(s.Emotions, storedValue{e.Type, e.Confidence})
	}
	return json.Marshal(s)
}

// decodeSighting returns a sighting, without matches, of its form in the store.
func decodeSighting(text []byte) (Sighting, error) {
	var s storedSighting
	if err := json.Unmarshal(text, &s); err != nil {
		return Sighting{}, err
	}
	f := TrackedFace{Track: s.Track, Face: face.FaceDetail{
		BoundingBox: readBox(s.Box),
		Confidence:  s.Confidence,
		Pose:        face.Pose{Roll: s.Pose[0], Yaw: s.Pose[1], Pitch: s.Pose[2]},
		Quality:     face.Quality{Brightness: s.Quality[0], Sharpness: s.Quality[1]},
		EyesOpen:    readJudgement(s.EyesOpen),
		MouthOpen:   readJudgement(s.MouthOpen),
		Smile:       readJudgement(s.Smile),
	}}
	if s.Body != nil {
		f.Body = new(readBox(*s.Body))
	}
	for _, l := range s.Landmarks {
		f.Face.Landmarks = append(f.Face.Landmarks, face.Landmark(l))
	}
	if s.AgeRange != nil {
		f.Face.AgeRange = &face.AgeRange{Low: s.AgeRange[0], High: s.AgeRange[1]}
	}
	if s.Gender != nil {
		f.Face.Gender = &face.Gender{Value: s.Gender.Value, Confidence: s.Gender.Confidence}
	}
	for _, e := range s.Emotions {
		f.Face.Emotions = append(f.Face.Emotions,
			face.Emotion{Type: e.Value, Confidence: e.Confidence})
	}
	return Sighting{Millis: s.Millis, TrackedFace: f}, nil
}

// sortKey places a sighting in the order of tracks, and of a track the most certain first.
func sortKey(f TrackedFace) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(f.Track))
	// The bits of floats from 0 on are in the order of the floats.
	return binary.BigEndian.AppendUint32(key, ^math.Float32bits(max(f.Face.Confidence, 0)))
}
