// Package record has what all stores do alike and no database is needed for: the form in which they
// keep faces and vectors, how rows become values, and the errors of what callers ask for in vain.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
)

// EncodingFloat32 is the only way so far in which a vector is kept: IEEE 754 binary32,
// little-endian.
const EncodingFloat32 = 1

// EncodeVector returns the bytes that are kept of a vector, in [EncodingFloat32].
func EncodeVector(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// DecodeVector returns the vector that is kept in an encoding.
func DecodeVector(encoding int, b []byte) ([]float32, error) {
	if encoding != EncodingFloat32 {
		return nil, fmt.Errorf("a vector is kept in encoding %d, which this program does not know",
			encoding)
	}
	if len(b) == 0 || len(b)%4 != 0 {
		return nil, fmt.Errorf("a vector of %d bytes is damaged", len(b))
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}

// ParseID reads a lower-case UUID; 16 bytes sort as their texts do. Every id that the API accepts
// or the server makes is one.
func ParseID(text string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && id.String() == text // Parse takes other spellings too
}

// stored rounds a number as the service does before it keeps it: to six significant digits, and
// then to float32.
func stored(x float32) float32 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', 6, 64), 32)
	if err != nil {
		return x // out of float32's range, which rounding the largest numbers can lead to
	}
	return float32(rounded)
}

// Face is a face in the form in which it is kept.
type Face struct {
	Face       face.Face // with numbers as stored
	ID, Image  uuid.UUID
	ExternalID *string // nil: none
	Vector     []byte  // in [EncodingFloat32]
}

// NewFace returns the form of a face. It is an error if an id is not a UUID or a number not finite.
func NewFace(f face.Face) (Face, error) {
	r := Face{Face: f, Vector: EncodeVector(f.Vector)}
	var ok bool
	if r.ID, ok = ParseID(f.ID); !ok {
		return Face{}, errors.New("the face's id is not a lower-case UUID")
	}
	if r.Image, ok = ParseID(f.ImageID); !ok {
		return Face{}, errors.New("the face's image id is not a lower-case UUID")
	}
	if f.ExternalImageID != "" {
		r.ExternalID = &f.ExternalImageID
	}
	if len(f.Vector) == 0 || !Finite(f.Vector...) {
		return Face{}, errors.New("the face's vector is empty or not finite")
	}
	box := &r.Face.BoundingBox
	for _, x := range []*float32{&box.Left, &box.Top, &box.Width, &box.Height, &r.Face.Confidence} {
		if !Finite(*x) {
			return Face{}, errors.New("the face's box or confidence is not finite")
		}
		*x = stored(*x)
	}
	return r, nil
}

// NewFaces returns the forms of faces, as [NewFace] does.
func NewFaces(faces []face.Face) ([]Face, error) {
	records := make([]Face, len(faces))
	for i, f := range faces {
		var err error
		if records[i], err = NewFace(f); err != nil {
			return nil, fmt.Errorf("face %d: %w", i, err)
		}
	}
	return records, nil
}

// Finite reports whether all numbers are finite.
func Finite(numbers ...float32) bool {
	for _, x := range numbers {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}

// SameDimension returns the dimension that vectors have in common with a collection's, which is 0
// if there are none yet. Vectors of different dimensions cannot be compared, so that one of them
// would make each search of its collection fail.
func SameDimension(dimension int, vectors ...[]float32) (int, error) {
	for _, v := range vectors {
		switch {
		case len(v) == 0:
			return 0, errors.New("a vector has no numbers")
		case dimension == 0:
			dimension = len(v)
		case len(v) != dimension:
			return 0, fmt.Errorf("a vector has %d numbers, and those of its collection have %d",
				len(v), dimension)
		}
	}
	return dimension, nil
}
