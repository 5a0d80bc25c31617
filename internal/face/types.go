package face

import (
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// The store assigns the keys. They are positive, and that of something deleted is not used again.
type (
	// CollectionKey identifies a collection inside the server.
	CollectionKey int64
	// FaceKey identifies a face inside the server.
	FaceKey int64
	// UserKey identifies a user inside the server.
	UserKey int64
)

// VectorKey identifies a vector in an index: it is the [FaceKey] of a face's vector, and the
// [UserKey] of a user's.
type VectorKey int64

// Collection is a named set of faces, all embedded by one face model version, and of users who own
// some of them.
type Collection struct {
	Key              CollectionKey
	Realm            recollect.Realm
	ID               string // 1 to 255 of a-z A-Z 0-9 _ . -
	FaceModelVersion string
	CreatedAt        time.Time // milliseconds
	FaceCount        int64
	UserCount        int64
}

// Face is a stored face: its place in its picture and its vector, without the picture.
type Face struct {
	Key             FaceKey
	ID              string // lower-case UUID
	ImageID         string // lower-case UUID, the same for the same picture
	ExternalImageID string // empty if none was given
	BoundingBox     recollect.BoundingBox
	Confidence      float32 // 0 to 100
	UserID          string  // empty while the face belongs to no user
	Vector          []float32
	Thumbnail       []byte // a JPEG, for FaceStore.AddFaces alone; nil: none
}

// FaceFilter narrows a listing of faces. Zero fields do not filter; a face passes if it passes all
// others.
type FaceFilter struct {
	After            string   // only ids that sort after this one
	IDs              []string // only these ids, if not nil
	ImageIDs         []string // only faces of these pictures, if not nil
	ExternalImageIDs []string // only faces with one of these external ids, if not nil
	UserID           string   // only faces of this user, if not empty
	WithoutUser      bool     // only faces that belong to no user
}

// Landmark is a named point of a face. X and Y are ratios of the upright picture's width and
// height. Left and right are the viewer's.
type Landmark struct {
	Type string // a value of the API's LandmarkType, for example eyeLeft
	X, Y float32
}

// Pose is a head's rotation in degrees. Positive roll: clockwise as seen in the picture; positive
// yaw: nose towards the picture's right; positive pitch: face tilted up.
type Pose struct {
	Roll, Yaw, Pitch float32
}

// Quality rates the picture of a face, 0 to 100 each.
type Quality struct {
	Brightness, Sharpness float32
}

// FaceDetail is a detected face of a picture. The attributes below Quality are set if the request
// has them and the engine can compute them.
type FaceDetail struct {
	BoundingBox recollect.BoundingBox
	Side        float32    // the shorter one of the box, in pixels
	Confidence  float32    // that this is a face, 0 to 100
	Landmarks   []Landmark // five, or thirty with AttributeAllLandmarks
	Pose        Pose
	Quality     Quality

	AgeRange  *AgeRange
	Gender    *Gender
	Emotions  []Emotion // those of the engine, the highest confidence first
	EyesOpen  *Judgement
	MouthOpen *Judgement
	Smile     *Judgement
}

// AgeRange is an estimate of a person's age in years, both ends included. Low is at least 0.
type AgeRange struct {
	Low, High int32
}

// Gender is an estimate from a face's appearance, which need not be the person's gender.
type Gender struct {
	Value      string  // Female or Male
	Confidence float32 // in Value, 50 to 100
}

// Emotion is an estimate of an emotion from a facial expression.
type Emotion struct {
	Type       string  // a value of the API's EmotionName, for example HAPPY
	Confidence float32 // 0 to 100
}

// Judgement is an estimate of an attribute that a face has or does not have.
type Judgement struct {
	Value      bool
	Confidence float32 // in Value, whether true or false, 50 to 100
}

// Attributes is the set of facial attributes that a request wants beside the default ones.
type Attributes uint32

// The attributes. Zero stands for the default ones alone: box, confidence, five landmarks, pose and
// quality.
const (
	AttributeAgeRange Attributes = 1 << iota
	AttributeBeard
	AttributeEmotions
	AttributeEyeDirection
	AttributeEyeglasses
	AttributeEyesOpen
	AttributeFaceOccluded
	AttributeGender
	AttributeMouthOpen
	AttributeMustache
	AttributeSmile
	AttributeSunglasses
	AttributeAllLandmarks

	AttributesAll = AttributeAllLandmarks<<1 - 1
)

// QualityFilter is the least quality that a face must have to be used.
type QualityFilter string

// The quality filters of the API.
const (
	QualityNone   QualityFilter = "NONE"
	QualityAuto   QualityFilter = "AUTO"
	QualityLow    QualityFilter = "LOW"
	QualityMedium QualityFilter = "MEDIUM"
	QualityHigh   QualityFilter = "HIGH"
)
