package rekognition

import (
	"context"
	"math"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/text"
)

func (s *Server) detectText(ctx context.Context, _ recollect.Realm,
	in *wire.DetectTextRequest) (*wire.DetectTextResponse, error) {
	picture, err := s.picture(in.Image)
	if err != nil {
		return nil, err
	}
	req := text.DetectRequest{Picture: picture,
		Filter: text.WordFilter{MinConfidence: text.DefaultMinConfidence}}
	if filters := in.Filters; filters != nil {
		req.Filter = wordFilter(filters.WordFilter)
		req.Regions = textRegions(filters.RegionsOfInterest)
	}
	result, err := s.text.Detect(ctx, req)
	if err != nil {
		return nil, err
	}
	return &wire.DetectTextResponse{TextDetections: textDetections(result.Lines),
		TextModelVersion: new(result.ModelVersion)}, nil
}

func wordFilter(f *wire.DetectionFilter) text.WordFilter {
	if f == nil {
		f = new(wire.DetectionFilter)
	}
	return text.WordFilter{
		MinConfidence: float32(valueOr(f.MinConfidence, text.DefaultMinConfidence)),
		MinHeight:     float32(deref(f.MinBoundingBoxHeight)),
		MinWidth:      float32(deref(f.MinBoundingBoxWidth)),
	}
}

func textRegions(regions []wire.RegionOfInterest) []text.Region {
	// What is missing fails the service's comparisons.
	number := func(v *wire.Float) float32 { return float32(valueOr(v, wire.Float(math.NaN()))) }
	out := make([]text.Region, len(regions))
	for i, r := range regions {
		if b := r.BoundingBox; b != nil {
			out[i].Box = &recollect.BoundingBox{Left: number(b.Left), Top: number(b.Top),
				Width: number(b.Width), Height: number(b.Height)}
		}
		for _, p := range r.Polygon {
			out[i].Polygon = append(out[i].Polygon, text.Point{X: number(p.X), Y: number(p.Y)})
		}
	}
	return out
}

// textDetections lists the lines and then their words. The ids count both.
func textDetections(lines []text.Line) []wire.TextDetection {
	out := make([]wire.TextDetection, 0, 2*len(lines))
	add := func(kind, detected string, confidence float32, polygon text.Quad, parent *int32) {
		out = append(out, wire.TextDetection{DetectedText: &detected, Type: &kind,
			Id: new(int32(len(out))), ParentId: parent, Confidence: new(wire.Float(confidence)),
			Geometry: geometry(polygon)})
	}
	for _, l := range lines {
		add("LINE", l.Text(), l.Confidence, l.Polygon, nil)
	}
	for i, l := range lines {
		for _, w := range l.Words {
			add("WORD", w.Text, w.Confidence, w.Polygon, new(int32(i)))
		}
	}
	return out
}

func geometry(polygon text.Quad) *wire.Geometry {
	out := &wire.Geometry{BoundingBox: new(boundingBox(polygon.Box()))}
	for _, p := range polygon {
		out.Polygon = append(out.Polygon,
			wire.Point{X: new(wire.Float(p.X)), Y: new(wire.Float(p.Y))})
	}
	return out
}
