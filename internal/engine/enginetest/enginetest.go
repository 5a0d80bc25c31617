// Package enginetest is a face engine for tests of the code around the networks: its pictures are
// JSON that lists their faces.
package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Dimension is the length of the engine's vectors.
const Dimension = 64

// Face is one face of a picture.
type Face struct {
	Person int     // faces of the same person are similar
	Shot   int     // faces of the same person and shot are identical
	Size   float32 // side of the box, 0 to 1
	Poor   bool    // fails every quality filter
}

// Picture returns a picture with these faces.
func Picture(faces ...Face) []byte {
	b, err := json.Marshal(faces)
	if err != nil {
		panic(err) // the type has nothing that cannot be marshalled
	}
	return b
}

// Engine is a [face.Engine] of the version given.
type Engine string

// Version returns the engine's name.
func (e Engine) Version() string { return string(e) }

// Detect reads a picture that [Picture] made.
//
// Every face has the same attributes, limited to those in want. There are none for glasses, beards
// and the like.
func (e Engine) Detect(ctx context.Context, picture []byte, want face.Attributes) (face.Photo,
	error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var faces []Face
	if err := json.Unmarshal(picture, &faces); err != nil {
		return nil, &recollect.Error{Code: recollect.CodeInvalidImageFormat,
			Message: "Request has invalid image format", Err: err}
	}
	p := photo{faces: faces}
	for _, f := range faces {
		p.details = append(p.details, detailOf(f, want))
	}
	return p, nil
}

func addAttributes(d *face.FaceDetail, want face.Attributes) {
	if want&face.AttributeAgeRange != 0 {
		d.AgeRange = &face.AgeRange{Low: 0, High: 18}
	}
	if want&face.AttributeGender != 0 {
		d.Gender = &face.Gender{Value: "Female", Confidence: 97.5}
	}
	if want&face.AttributeEmotions != 0 {
		d.Emotions = []face.Emotion{{Type: "HAPPY", Confidence: 90}, {Type: "CALM", Confidence: 10},
			{Type: "FEAR", Confidence: 0}}
	}
	if want&face.AttributeEyesOpen != 0 {
		d.EyesOpen = &face.Judgement{Value: true, Confidence: 99}
	}
	if want&face.AttributeMouthOpen != 0 {
		d.MouthOpen = &face.Judgement{Value: false, Confidence: 98}
	}
	if want&face.AttributeSmile != 0 {
		d.Smile = &face.Judgement{Value: true, Confidence: 90}
	}
	if want&face.AttributeAllLandmarks != 0 {
		d.Landmarks = append(d.Landmarks, face.Landmark{Type: "chinBottom", X: 0.4, Y: 0.75})
	}
}

// Similarity returns the cosine in percent, and 0 for a negative one.
func (e Engine) Similarity(cosine float32) float32 { return max(0, min(100, 100*cosine)) }

// Cosine is the inverse of [Engine.Similarity].
func (e Engine) Cosine(similarity float32) float32 {
	if similarity <= 0 {
		return -1
	}
	c := similarity / 100
	for e.Similarity(c) < similarity {
		c = math.Nextafter32(c, 2)
	}
	return c
}

type photo struct {
	faces   []Face
	details []face.FaceDetail
}

func (p photo) Faces() []face.FaceDetail { return p.details }

// Thumbnail returns a text that identifies the face.
func (p photo) Thumbnail(f int) ([]byte, error) {
	return fmt.Appendf(nil, "person %d, shot %d", p.faces[f].Person, p.faces[f].Shot), nil
}

func (p photo) Embed(_ context.Context, faces ...int) ([][]float32, error) {
	vectors := make([][]float32, len(faces))
	for i, f := range faces {
		vectors[i] = Vector(p.faces[f])
	}
	return vectors, nil
}

// Vector returns the unit vector of a face. Two shots of a person have a cosine near 0.99, two
// people one near 0.
func Vector(f Face) []float32 {
	person := rand.New(rand.NewPCG(1, uint64(f.Person)))
	shot := rand.New(rand.NewPCG(uint64(f.Person)+2, uint64(f.Shot)))
	v := make([]float32, Dimension)
	var norm float64
	for i := range v {
		v[i] = float32(person.NormFloat64() + 0.1*shot.NormFloat64())
		norm += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}
