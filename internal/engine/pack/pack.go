// Package pack reads model packs. A pack is a folder with a manifest, pack.json, and the networks
// that it names. Packs are data, so other networks can be used without a new build of the program.
package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
)

// Format is the version of the manifest's format that this package reads. Others are rejected.
const Format = 1

// ManifestName is the manifest's file name inside a pack's folder.
const ManifestName = "pack.json"

const (
	maxManifest = 1 << 20 // bytes
	maxNetwork  = 1 << 30 // bytes
)

// Pack is the manifest of a model pack, with the bytes of its networks after [Load].
type Pack struct {
	// Format is the version of the manifest's format, see the constant [Format].
	Format int `json:"format"`

	// Version is the face model version that collections keep. Vectors of different versions are
	// not comparable.
	Version string `json:"version"`

	Name    string `json:"name"`
	Licence string `json:"licence"` // SPDX identifier of the networks' licence
	Source  string `json:"source"`  // where the networks come from, with their version

	// Family is the family of operations that the pack is for. The fields below, up to Calibration,
	// are of packs of faces; those of other families have one field each.
	Family Family `json:"family,omitempty"`

	Text *Text `json:"text,omitempty"` // of the family text

	Detect Network `json:"detect,omitzero"`

	// Confirm is a second detector, which looks at each face that Detect found from near: Crop is
	// what it sees of it. Where it finds none there is none. It may be left out.
	Confirm *Network `json:"confirm,omitempty"`

	Landmark Network `json:"landmark,omitzero"`
	Pose     Network `json:"pose,omitzero"`
	Embed    Network `json:"embed,omitzero"`

	// EmbedSecond is a second embedding network, which sees the same crop. A vector is then that of
	// Embed and that of EmbedSecond, one behind the other, scaled so that the cosine of two vectors
	// is the mean of the networks' cosines, in which EmbedSecond has the weight EmbedSecondWeight,
	// between 0 and 1. It may be left out.
	EmbedSecond       *Network `json:"embedSecond,omitempty"`
	EmbedSecondWeight float32  `json:"embedSecondWeight,omitempty"`

	// Attributes has the networks of the facial attributes. An attribute without a network is not
	// detected.
	Attributes Attributes `json:"attributes,omitzero"`

	Detection Detection `json:"detection,omitzero"`

	// Similarity has the knots of the curve that maps the cosine of two vectors to the API's
	// similarity. Both rise strictly from knot to knot, the first similarity is 0 and the last is
	// 100.
	Similarity []Knot `json:"similarity,omitempty"`

	// Calibration has the error rates of some similarities, as measured with these networks and
	// this curve. It may be empty. Similarities rise from one to the next, and rates fall.
	Calibration []Calibrated `json:"calibration,omitempty"`
}

// Calibrated is the error rates of one similarity as a threshold.
type Calibrated struct {
	Similarity float32 `json:"similarity"` // 0 to 100
	// share of the pairs of two people that reach it, 0 to 1
	FalseMatchRate float64 `json:"falseMatchRate"`
	// share of the pairs of one person that reach it, 0 to 1
	TrueAcceptRate float64 `json:"trueAcceptRate"`
}

// Network is one ONNX file, with the format of its input and outputs.
type Network struct {
	// Decoder names the format of the outputs, for example ultraface or ibug68.
	Decoder string `json:"decoder"`

	File    string   `json:"file"`   // base name inside the pack's folder
	SHA256  string   `json:"sha256"` // of the file, 64 lower-case hexadecimal digits
	Input   Input    `json:"input"`
	Outputs []string `json:"outputs"` // names, in the decoder's order

	// Crop is the part of the picture that is the network's input. It is left out if the decoder
	// determines it.
	Crop *Crop `json:"crop,omitempty"`

	// Classes names the values of an output, in their order, if the decoder does not.
	Classes []string `json:"classes,omitempty"`

	// Model is the file's bytes. [Load] sets it.
	Model []byte `json:"-"`
}

// Attributes are the networks of the facial attributes, each of them optional.
type Attributes struct {
	Age *Network `json:"age,omitempty"`
	// classes Female and Male: the meanings of the least and the highest value
	Gender *Network `json:"gender,omitempty"`
	// classes are names of the API's emotions, HAPPY among them
	Expression *Network `json:"expression,omitempty"`
	Eyes       *Network `json:"eyes,omitempty"` // of one eye; classes OPEN and CLOSED

	// the age in years of the network's value 1; its 0 is birth
	AgeSpan float32 `json:"ageSpan,omitempty"`
	// half the width of an age range in years: the expected error of an estimate
	AgeMargin float32 `json:"ageMargin,omitempty"`
}

// Input describes a network's input: one float32 tensor of shape 1 x channels x height x width,
// each value (pixel - mean) / std with the pixel in 0..255. A grey input has one channel, or three
// equal ones.
type Input struct {
	Name  string     `json:"name"`
	Shape [4]int64   `json:"shape"`
	Color ColorOrder `json:"color"`
	Mean  []float32  `json:"mean"` // one per channel, in the order of Color
	Std   []float32  `json:"std"`  // one per channel, in the order of Color
}

// Crop is a rectangle around a face's bounding box, with the same centre, or a square that is
// aligned to the face's landmarks.
type Crop struct {
	// Scale is the ratio of the crop's side to the box's; for an aligned crop, to the side of the
	// embedding network's crop; for an eye, to the distance of the eye's corners.
	Scale float32 `json:"scale"`

	Square bool `json:"square,omitempty"` // both sides are the box's height times Scale

	// Aligned crops are aligned to the landmarks like the embedding network's crop: the face in it
	// is upright. Shift moves the crop down, in sides of the crop.
	Aligned bool    `json:"aligned,omitempty"`
	Shift   float32 `json:"shift,omitempty"`
}

// Detection has the detector's thresholds.
type Detection struct {
	Score float32 `json:"score"` // least score of a face, 0 to 1
	// least intersection over union at which the lower score is suppressed, 0 to 1
	Overlap float32 `json:"overlap"`

	// Confirm is the least score that a face has by both networks where there is one that confirms,
	// 0 to 1; Confidence then maps that score. Score is what makes a candidate.
	Confirm float32 `json:"confirm,omitempty"`

	// Confidence has the knots of the curve that maps a score to the API's confidence, to which the
	// quality filters' thresholds apply. Both rise strictly from knot to knot. Without knots a
	// confidence is the score in percent.
	Confidence []ScoreKnot `json:"confidence,omitempty"`
}

// ScoreKnot is one point of the confidence curve.
type ScoreKnot struct {
	Score      float32 `json:"score"`      // 0 to 1
	Confidence float32 `json:"confidence"` // 0 to 100
}

// Knot is one point of the similarity curve.
type Knot struct {
	Cosine     float32 `json:"cosine"`     // -1 to 1
	Similarity float32 `json:"similarity"` // 0 to 100
}

// ColorOrder is the order of a picture's channels in a network's input.
type ColorOrder string

// The color orders.
const (
	RGB  ColorOrder = "RGB"
	BGR  ColorOrder = "BGR"
	Grey ColorOrder = "GREY" // luma of ITU-R BT.601
)

// FileError is a fault of one of a pack's files. A new installation of the pack repairs it.
type FileError struct {
	File string // path
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("model pack: %s: %v", e.File, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

// ErrAltered says that a file has another hash than the manifest.
var ErrAltered = errors.New(
	"its SHA-256 is not the expected one: the file is altered or incomplete")

// Networks returns the networks that the pack has, by role.
func (p *Pack) Networks() map[string]*Network {
	if p.Text != nil {
		return p.Text.networks()
	}
	networks := map[string]*Network{
		"detect":      &p.Detect,
		"confirm":     p.Confirm,
		"landmark":    &p.Landmark,
		"pose":        &p.Pose,
		"embed":       &p.Embed,
		"embedSecond": p.EmbedSecond,
		"age":         p.Attributes.Age,
		"gender":      p.Attributes.Gender,
		"expression":  p.Attributes.Expression,
		"eyes":        p.Attributes.Eyes,
	}
	maps.DeleteFunc(networks, func(_ string, n *Network) bool { return n == nil })
	return networks
}

// Load reads the manifest of the pack in dir and all its networks, and verifies them. Every fault
// is reported, joined into one error; a missing or altered file is a [FileError].
func Load(dir string) (*Pack, error) {
	p, err := readManifest(os.DirFS(dir), ".", filepath.Join(dir, ManifestName))
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, n := range p.Networks() {
		path := filepath.Join(dir, n.File)
		model, err := readFile(path, maxNetwork)
		if err == nil && hash(model) != n.SHA256 {
			err = &FileError{File: path, Err: ErrAltered}
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		n.Model = model
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// Parse reads and validates a manifest. An unknown member is a fault.
func Parse(manifest []byte) (*Pack, error) {
	// The format is checked first, so that the fault of a newer manifest is its format, not its
	// unknown members.
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(manifest, &head); err != nil {
		return nil, fmt.Errorf("parsing the manifest: %w", err)
	}
	if head.Format != Format {
		return nil, fmt.Errorf("the manifest has format %d, and this program reads format %d "+
			"alone",
			head.Format, Format)
	}
	decoder := json.NewDecoder(bytes.NewReader(manifest))
	decoder.DisallowUnknownFields()
	var p Pack
	if err := decoder.Decode(&p); err != nil {
		return nil, fmt.Errorf("parsing the manifest: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parsing the manifest: there is something after its end")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &p, nil
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &FileError{File: path, Err: bare(err)}
	}
	defer f.Close()
	data, err := readAll(f, limit)
	if err != nil {
		return nil, &FileError{File: path, Err: err}
	}
	return data, nil
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return data, err
}

// bare returns an error without its path, which FileError has.
func bare(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
