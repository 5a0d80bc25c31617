package rekognition_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/text"
)

// reader reads two lines in every picture.
type reader struct{}

func (reader) Version() string { return "3.1" }

func (reader) Read(_ context.Context, _ []byte, _ func(text.Quad) bool,
	yield func(text.Line) bool) error {
	word := func(written string, confidence, x, y float32) text.Word {
		return text.Word{Text: written, Confidence: confidence,
			Polygon: text.Quad{{X: x, Y: y}, {X: x + 0.2, Y: y + 0.1},
				{X: x + 0.15, Y: y + 0.2}, {X: x - 0.05, Y: y + 0.1}}}
	}
	for _, l := range []text.Line{
		{Words: []text.Word{word("Mind", 99, 0.1, 0.1), word("the", 79, 0.3, 0.2)}, Confidence: 90},
		{Words: []text.Word{word("step", 95, 0.5, 0.5)}, Confidence: 95},
	} {
		l.Polygon = l.Words[0].Polygon
		if !yield(l) {
			break
		}
	}
	return nil
}

func TestDetectText(t *testing.T) {
	d := openWith(t, enginetest.Engine("1.0"),
		func(cfg *rekognition.Config) { cfg.Text = text.NewService(reader{}) },
		func(*httptest.Server) {})
	in := &sdk.DetectTextInput{Image: &types.Image{Bytes: []byte("a picture")}}
	out, err := d.client().DetectText(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if *out.TextModelVersion != "3.1" || len(out.TextDetections) != 4 {
		t.Fatalf("the answer is %+v", out)
	}
	for i, want := range []struct {
		text   string
		kind   types.TextTypes
		parent *int32
	}{{"Mind", "LINE", nil}, {"step", "LINE", nil}, {"Mind", "WORD", aws.Int32(0)},
		{"step", "WORD", aws.Int32(1)}} {
		got := out.TextDetections[i]
		if *got.DetectedText != want.text || got.Type != want.kind || *got.Id != int32(i) ||
			(got.ParentId == nil) != (want.parent == nil) ||
			want.parent != nil && *got.ParentId != *want.parent {
			t.Errorf("detection %d is %s %s %v", i, *got.DetectedText, got.Type, got.ParentId)
		}
	}
	g := out.TextDetections[3].Geometry
	near := func(got *float32, want float32) bool { return *got-want < 1e-6 && want-*got < 1e-6 }
	if !near(g.BoundingBox.Left, 0.45) || !near(g.BoundingBox.Top, 0.5) ||
		!near(g.BoundingBox.Width, 0.25) || !near(g.BoundingBox.Height, 0.2) ||
		len(g.Polygon) != 4 || *g.Polygon[0].X != 0.5 || *g.Polygon[1].Y != 0.6 {
		t.Errorf("the place is %+v %+v", g.BoundingBox, g.Polygon)
	}

	// A lower threshold than the default, and a region.
	in.Filters = &types.DetectTextFilters{
		WordFilter: &types.DetectionFilter{MinConfidence: aws.Float32(70)},
		RegionsOfInterest: []types.RegionOfInterest{{BoundingBox: &types.BoundingBox{
			Left: aws.Float32(0), Top: aws.Float32(0), Width: aws.Float32(1),
			Height: aws.Float32(0.45)}}}}
	if out, err = d.client().DetectText(t.Context(), in); err != nil ||
		len(out.TextDetections) != 3 || *out.TextDetections[0].DetectedText != "Mind the" {
		t.Errorf("the answer is %+v, %v", out, err)
	}
	// A region without one of its members.
	in.Filters.RegionsOfInterest[0].BoundingBox.Width = nil
	_, err = d.client().DetectText(t.Context(), in)
	wantCode(t, err, "InvalidParameterException")
}

// Without the model pack the answer names the command that installs it.
func TestDetectTextNotInstalled(t *testing.T) {
	d := openWith(t, enginetest.Engine("1.0"), func(*rekognition.Config) {},
		func(*httptest.Server) {})
	resp, body := d.post(t, "DetectText", []byte(`{"Image":{"Bytes":"AAAA"}}`))
	if resp.StatusCode != http.StatusNotImplemented ||
		!strings.Contains(body, "NotImplementedException") ||
		!strings.Contains(body, "recollect models add text") {
		t.Errorf("the answer is %d %s", resp.StatusCode, body)
	}
}
