package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
)

// encodingFloat32 is the only way so far in which a vector is kept: IEEE 754 binary32,
// little-endian.
const encodingFloat32 = 1

func encodeVector(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func decodeVector(encoding int, b []byte) ([]float32, error) {
	if encoding != encodingFloat32 {
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

// parseID reads a lower-case UUID; 16 bytes sort as their texts do. Every id that the API accepts
// or the server makes is one.
func parseID(text string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && id.String() == text // Parse takes other spellings too
}

// parseIDs returns those of the texts that are ids, as a JSON array for json_each.
func parseIDs(texts []string) string {
	ids := make([]string, 0, len(texts))
	for _, text := range texts {
		if _, ok := parseID(text); ok {
			ids = append(ids, text)
		}
	}
	return toJSON(ids)
}

// toJSON cannot fail on the slices of numbers and ids that it is used for.
func toJSON[T any](values []T) string {
	b, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return string(b)
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

// record is a face in the form in which it is kept.
type record struct {
	face       face.Face // with numbers as stored
	id, image  uuid.UUID
	externalID any // a string, or nil for NULL
	vector     []byte
}

func newRecord(f face.Face) (record, error) {
	r := record{face: f, vector: encodeVector(f.Vector)}
	var ok bool
	if r.id, ok = parseID(f.ID); !ok {
		return record{}, errors.New("the face's id is not a lower-case UUID")
	}
	if r.image, ok = parseID(f.ImageID); !ok {
		return record{}, errors.New("the face's image id is not a lower-case UUID")
	}
	if f.ExternalImageID != "" {
		r.externalID = f.ExternalImageID
	}
	if len(f.Vector) == 0 || !finite(f.Vector...) {
		return record{}, errors.New("the face's vector is empty or not finite")
	}
	box := &r.face.BoundingBox
	for _, x := range []*float32{&box.Left, &box.Top, &box.Width, &box.Height, &r.face.Confidence} {
		if !finite(*x) {
			return record{}, errors.New("the face's box or confidence is not finite")
		}
		*x = stored(*x)
	}
	return r, nil
}

func finite(numbers ...float32) bool {
	for _, x := range numbers {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}
