package text_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/text"
)

// engine reads the same lines in every picture.
type engine []text.Line

func (engine) Version() string { return "9.1" }

func (e engine) Read(_ context.Context, _ []byte, wanted func(text.Quad) bool,
	yield func(text.Line) bool) error {
	for _, l := range e {
		if wanted(l.Polygon) && !yield(l) {
			break
		}
	}
	return nil
}

// at is a word whose box has its left upper corner at x, y.
func at(word string, confidence, x, y, width, height float32) text.Word {
	return text.Word{Text: word, Confidence: confidence, Polygon: text.Quad{{x, y}, {x + width, y},
		{x + width, y + height}, {x, y + height}}}
}

func lineOf(confidence float32, words ...text.Word) text.Line {
	first, last := words[0].Polygon, words[len(words)-1].Polygon
	return text.Line{Words: words, Confidence: confidence,
		Polygon: text.Quad{first[0], last[1], last[2], first[3]}}
}

func texts(lines []text.Line) (all []string) {
	for _, l := range lines {
		all = append(all, l.Text())
	}
	return all
}

func detect(t *testing.T, e text.Engine, req text.DetectRequest) *text.DetectResult {
	t.Helper()
	req.Picture = recollect.Bytes([]byte("a picture"))
	result, err := text.NewService(e).Detect(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestWordFilter(t *testing.T) {
	e := engine{
		lineOf(90, at("sure", 99, 0.1, 0.1, 0.2, 0.1), at("no", 60, 0.4, 0.1, 0.1, 0.1)),
		lineOf(85, at("wide", 85, 0.1, 0.3, 0.5, 0.02)),
	}
	for name, c := range map[string]struct {
		filter text.WordFilter
		want   []string
	}{
		"no filter":      {text.WordFilter{}, []string{"sure no", "wide"}},
		"confidence":     {text.WordFilter{MinConfidence: 85}, []string{"sure", "wide"}},
		"all confidence": {text.WordFilter{MinConfidence: 100}, nil},
		"height":         {text.WordFilter{MinHeight: 0.05}, []string{"sure no"}},
		"width":          {text.WordFilter{MinWidth: 0.15}, []string{"sure", "wide"}},
	} {
		got := texts(detect(t, e, text.DetectRequest{Filter: c.filter}).Lines)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	// A line that loses a word is that of the others.
	l := detect(t, e, text.DetectRequest{Filter: text.WordFilter{MinConfidence: 85}}).Lines[0]
	if l.Confidence != 99 || l.Polygon != e[0].Words[0].Polygon {
		t.Errorf("the line is %+v", l)
	}
	if got := detect(t, e, text.DetectRequest{}); got.ModelVersion != "9.1" ||
		got.Lines[0].Confidence != 90 {
		t.Errorf("the result is %+v", got)
	}
}

func TestRegions(t *testing.T) {
	box := func(left, top, width, height float32) text.Region {
		return text.Region{Box: &recollect.BoundingBox{Left: left, Top: top, Width: width,
			Height: height}}
	}
	e := engine{lineOf(90, at("left", 99, 0.1, 0.1, 0.2, 0.1), at("right", 99, 0.6, 0.1, 0.2, 0.1))}
	turned := engine{lineOf(99, text.Word{Text: "turned", Confidence: 99, Polygon: text.Quad{
		{0.5, 0.2}, {0.8, 0.5}, {0.5, 0.8}, {0.2, 0.5}}})}
	for name, c := range map[string]struct {
		engine  engine
		regions []text.Region
		want    []string
	}{
		"none":              {e, nil, []string{"left right"}},
		"all":               {e, []text.Region{box(0, 0, 1, 1)}, []string{"left right"}},
		"one side":          {e, []text.Region{box(0, 0, 0.5, 1)}, []string{"left"}},
		"two":               {e, []text.Region{box(0, 0, 0.5, 1), box(0.5, 0, 0.5, 1)}, []string{"left right"}},
		"elsewhere":         {e, []text.Region{box(0, 0.5, 1, 0.5)}, nil},
		"more than half":    {e, []text.Region{box(0, 0, 0.21, 1)}, []string{"left"}},
		"less than half":    {e, []text.Region{box(0, 0, 0.19, 1)}, nil},
		"half in two parts": {e, []text.Region{box(0, 0, 0.19, 1), box(0.21, 0, 0.1, 1)}, nil},
		"a triangle": {e, []text.Region{{Polygon: []text.Point{{0, 0}, {0.6, 0}, {0, 0.6}}}},
			[]string{"left"}},
		// A notch that reaches over the word from above leaves less than half of it.
		"a notch": {e, []text.Region{{Polygon: []text.Point{{0, 0}, {0.12, 0}, {0.12, 0.19},
			{0.28, 0.19}, {0.28, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}}}, nil},
		"a turned word":       {turned, []text.Region{box(0, 0, 0.55, 1)}, []string{"turned"}},
		"half a turned word":  {turned, []text.Region{box(0, 0, 0.45, 1)}, nil},
		"its box, not itself": {turned, []text.Region{box(0.2, 0.2, 0.15, 0.6)}, nil},
	} {
		got := texts(detect(t, c.engine, text.DetectRequest{Regions: c.regions}).Lines)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	nan := float32(0)
	nan /= nan
	for name, r := range map[string]text.Region{
		"nothing":            {},
		"both":               {Box: &recollect.BoundingBox{Width: 1, Height: 1}, Polygon: []text.Point{{0, 0}, {1, 0}, {1, 1}}},
		"no width":           box(0.5, 0.5, 0, 0.5),
		"no height":          box(0.5, 0.5, 0.5, 0),
		"beyond the right":   box(0.6, 0, 0.5, 1),
		"beyond the bottom":  box(0, 0.6, 1, 0.5),
		"beyond the left":    box(-0.1, 0, 0.5, 1),
		"not a number":       box(nan, 0, 0.5, 1),
		"two points":         {Polygon: []text.Point{{0, 0}, {1, 1}}},
		"eleven points":      {Polygon: make([]text.Point, 11)},
		"a point outside":    {Polygon: []text.Point{{0, 0}, {1.1, 0}, {1, 1}}},
		"a point without X":  {Polygon: []text.Point{{0, 0}, {nan, 0}, {1, 1}}},
		"points in one line": {Polygon: []text.Point{{0, 0}, {0.5, 0.5}, {1, 1}}},
	} {
		_, err := text.NewService(e).Detect(t.Context(), text.DetectRequest{
			Picture: recollect.Bytes(nil), Regions: []text.Region{box(0, 0, 1, 1), r}})
		if recollect.CodeOf(err) != recollect.CodeInvalidParameter {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A picture has at most 100 words, those of its first lines. Lines after them are not read.
func TestMostWords(t *testing.T) {
	var e engine
	for range 9 {
		e = append(e, lineOf(90, slices.Repeat([]text.Word{at("w", 99, 0, 0, 0.1, 0.1)}, 16)...))
	}
	counting := &counter{engine: e}
	lines := detect(t, counting, text.DetectRequest{}).Lines
	if len(lines) != 7 || len(lines[5].Words) != 16 || len(lines[6].Words) != 4 {
		t.Errorf("the lines are %q", texts(lines))
	}
	if counting.read != 7 {
		t.Errorf("%d lines were read, want 7", counting.read)
	}
}

// Lines that are in no region are not read.
func TestUnwantedLines(t *testing.T) {
	counting := &counter{engine: engine{lineOf(90, at("above", 99, 0.1, 0.1, 0.2, 0.1)),
		lineOf(90, at("below", 99, 0.1, 0.7, 0.2, 0.1))}}
	lines := detect(t, counting, text.DetectRequest{Regions: []text.Region{{
		Polygon: []text.Point{{0, 0.5}, {1, 0.5}, {1, 1}, {0, 1}}}}}).Lines
	if got := texts(lines); !slices.Equal(got, []string{"below"}) || counting.read != 1 {
		t.Errorf("%d lines were read, and %q is returned", counting.read, got)
	}
}

// counter counts the lines that are read.
type counter struct {
	engine
	read int
}

func (c *counter) Read(ctx context.Context, picture []byte, wanted func(text.Quad) bool,
	yield func(text.Line) bool) error {
	return c.engine.Read(ctx, picture, wanted, func(l text.Line) bool {
		c.read++
		return yield(l)
	})
}

func TestNotInstalled(t *testing.T) {
	_, err := text.NewService(nil).Detect(t.Context(), text.DetectRequest{
		Picture: func(context.Context) ([]byte, error) {
			t.Error("the picture is read")
			return nil, errors.New("no picture")
		}})
	if recollect.CodeOf(err) != recollect.CodeNotImplemented ||
		!strings.Contains(err.Error(), "recollect models add text") {
		t.Errorf("the error is %v", err)
	}
}

// An error of reading the picture, or of the engine, is the answer.
func TestErrors(t *testing.T) {
	want := recollect.Errorf(recollect.CodeInvalidS3Object, "no object")
	_, err := text.NewService(engine{}).Detect(t.Context(), text.DetectRequest{
		Picture: func(context.Context) ([]byte, error) { return nil, want }})
	if !errors.Is(err, want) {
		t.Errorf("the error is %v", err)
	}
	_, err = text.NewService(broken{}).Detect(t.Context(), text.DetectRequest{
		Picture: recollect.Bytes(nil)})
	if !errors.Is(err, errBroken) {
		t.Errorf("the error is %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{ engine }

func (broken) Read(context.Context, []byte, func(text.Quad) bool, func(text.Line) bool) error {
	return errBroken
}
