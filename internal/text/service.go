package text

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// The service's own limits.
const (
	MaxWords         = 100 // of one picture
	MaxPolygonPoints = 10  // of a region of interest
	minPolygonPoints = 3
)

// DefaultMinConfidence is the least confidence of a word where a request names none, as the
// service's documentation of DetectionFilter says.
const DefaultMinConfidence = 80

// Service implements the operations of the family without HTTP. It is safe for concurrent use.
type Service struct{ engine Engine }

// NewService returns a service. Without an engine its operations say how to install one.
func NewService(engine Engine) *Service { return &Service{engine} }

// DetectRequest is the request of [Service.Detect].
type DetectRequest struct {
	Picture recollect.Picture
	Filter  WordFilter
	Regions []Region // at most 10; none stands for the whole picture
}

// WordFilter is what a word must be like to be returned.
type WordFilter struct {
	MinConfidence float32 // 0 to 100
	// of the box around the word, in ratios of the picture's sides
	MinHeight, MinWidth float32
}

// Region is a part of a picture, in ratios of its sides: a box or a polygon.
type Region struct {
	Box     *recollect.BoundingBox
	Polygon []Point
}

// DetectResult is the result of [Service.Detect].
type DetectResult struct {
	Lines        []Line // with at most MaxWords words together
	ModelVersion string
}

// Detect reads the text of a picture. Words that do not pass the filter, or of which not more than
// half is in one of the regions, are left out, and so are lines without words. A line that loses
// words has the polygon and the confidence of those that are left.
//
// The codes of [Engine.Read]; CodeInvalidParameter if a region is not a part of the picture;
// CodeNotImplemented if no engine is installed.
func (s *Service) Detect(ctx context.Context, req DetectRequest) (*DetectResult, error) {
	regions := make([]polygon, len(req.Regions))
	for i, r := range req.Regions {
		var err error
		if regions[i], err = r.polygon(); err != nil {
			return nil, err
		}
	}
	if s.engine == nil {
		return nil, recollect.Errorf(recollect.CodeNotImplemented,
			"The model pack that reads text is not installed. Install it with: recollect models "+
				"add text")
	}
	data, err := req.Picture(ctx)
	if err != nil {
		return nil, err
	}
	result := &DetectResult{ModelVersion: s.engine.Version()}
	room := MaxWords
	near := func(line Quad) bool { return len(regions) == 0 || touches(line, regions) }
	err = s.engine.Read(ctx, data, near, func(l Line) bool {
		var words []Word
		for _, w := range l.Words {
			if len(words) < room && req.Filter.passes(w) && within(w.Polygon, regions) {
				words = append(words, w)
			}
		}
		if len(words) > 0 {
			result.Lines = append(result.Lines, l.with(words))
			room -= len(words)
		}
		return room > 0
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func (f WordFilter) passes(w Word) bool {
	box := w.Polygon.Box()
	return w.Confidence >= f.MinConfidence && box.Height >= f.MinHeight && box.Width >= f.MinWidth
}

// with returns the line with some of its words, at least one.
func (l Line) with(words []Word) Line {
	if len(words) == len(l.Words) {
		return l
	}
	var confidence float32
	letters := 0
	for _, w := range words {
		length := utf8.RuneCountInString(w.Text)
		confidence += w.Confidence * float32(length)
		letters += length
	}
	first, last := words[0].Polygon, words[len(words)-1].Polygon
	return Line{Words: words, Confidence: confidence / float32(letters),
		Polygon: Quad{first[0], last[1], last[2], first[3]}}
}

// Text is the words of the line, with a space between them.
func (l Line) Text() string {
	words := make([]string, len(l.Words))
	for i, w := range l.Words {
		words[i] = w.Text
	}
	return strings.Join(words, " ")
}
