package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/jpeg"
	"io"
	"math"
	"os"
	"strings"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/recollect"
)

//go:embed evalreport.html
var evalReport string

const (
	thumbnailSide    = 160 // pixels
	thumbnailQuality = 80
)

// reportPair is a pair as the report shows it.
type reportPair struct {
	Pictures   [2]reportPicture
	Line       int
	Compared   bool
	Cosine     float32
	Similarity float32
	Wrong      bool // at the threshold
}

type reportPicture struct {
	Name   string
	Source template.URL // data:
	Box    *recollect.BoundingBox
}

// writeReport writes one HTML file that contains its pictures and styles.
func (e *evaluation) writeReport(ctx context.Context, w io.Writer, engine *vision.Engine,
	paths []string) error {
	funcs := template.FuncMap{
		"percent":   func(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) },
		"thousands": thousands,
		"rate":      func(r float64) string { return fmt.Sprintf("%.2g", r) },
		"power": func(r float64) string {
			return fmt.Sprintf("10⁻%c", []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[int(math.Round(-math.Log10(r)))])
		},
		"cosine": func(c float32) string { return fmt.Sprintf("%.3f", c) },
		"one":    func(s float32) string { return fmt.Sprintf("%.1f", s) },
		"share":  func(s float32) float64 { return 100 * float64(s) },
		"ms":     func(s stageTime) string { return fmt.Sprintf("%.1f ms", 1000*s.Mean.Seconds()) },
	}
	page, err := template.New("report").Funcs(funcs).Parse(evalReport)
	if err != nil {
		return err
	}
	thumbnails := map[string]template.URL{}
	var groups [2][]reportPair
	for i, pairs := range [2][]scoredPair{e.worst.same, e.worst.different} {
		for _, p := range pairs {
			shown := reportPair{Line: p.Line, Compared: p.Cosine != verification.NoFace,
				Cosine: p.Cosine, Similarity: p.Similarity,
				Wrong: (p.Cosine >= e.Threshold) != p.Same()}
			for j, n := range [2]int{p.a, p.b} {
				source, ok := thumbnails[paths[n]]
				if !ok {
					if source, err = thumbnail(ctx, engine, paths[n]); err != nil {
						return fmt.Errorf("%s: %w", paths[n], err)
					}
					thumbnails[paths[n]] = source
				}
				shown.Pictures[j] = reportPicture{Name: [2]verification.Picture{p.A, p.B}[j].Name(),
					Source: source}
				if e.faces[n].Found > 0 {
					shown.Pictures[j].Box = &e.faces[n].Box
				}
			}
			groups[i] = append(groups[i], shown)
		}
	}
	return page.Execute(w, struct {
		*evaluation
		Recollect string
		Speed     string
		Chart     chart
		Worst     []worstGroup
	}{e, programVersion(), fmt.Sprintf("%.1f", float64(e.Pictures)/e.Took.Seconds()),
		newChart(e.Sets),
		[]worstGroup{
			{"The same person, least alike", groups[0]},
			{"Different people, most alike", groups[1]},
		}})
}

type worstGroup struct {
	Title string
	Pairs []reportPair
}

// thumbnail returns a picture as a data: URL, reduced and upright.
func thumbnail(ctx context.Context, engine *vision.Engine, path string) (template.URL, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	small, err := engine.Thumbnail(ctx, data, thumbnailSide)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: thumbnailQuality}); err != nil {
		return "", err
	}
	//nolint:gosec // G203: the text is base64 of a JPEG that this program has encoded
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())),
		nil
}

// chart is the receiver operating characteristic in the coordinates of the drawing: the false match
// rate on a logarithmic scale, the true accept rate from a round number below the lowest one shown.
type chart struct {
	Width, Height            int
	Left, Top, Right, Bottom float64
	Curves                   []chartCurve
	X, Y                     []chartTick
}

type chartCurve struct {
	Name   string
	Points string // of a polyline
}

type chartTick struct {
	At    float64
	Label string
}

func newChart(sets []impostorSet) chart {
	const steps = 30 // points of a curve for each power of ten
	c := chart{Width: 720, Height: 420, Left: 64, Top: 16, Right: 704, Bottom: 372}
	powers := 1
	for _, s := range sets {
		powers = max(powers, min(6, int(math.Log10(float64(s.ROC.Impostors())))))
	}
	lowest := 1.0
	curves := make([][][2]float64, len(sets))
	for i, s := range sets {
		for step := range powers*steps + 1 {
			rate := math.Pow(10, -float64(step)/steps)
			if rate*float64(s.ROC.Impostors()) < 1 {
				break
			}
			p := s.ROC.At(rate)
			curves[i] = append(curves[i], [2]float64{float64(step) / steps, p.TrueAcceptRate})
			lowest = min(lowest, p.TrueAcceptRate)
		}
	}
	bottom, unit := 0.0, 0.2
	for _, scale := range [][2]float64{{0.5, 0.1}, {0.8, 0.05}, {0.9, 0.02}, {0.95, 0.01},
		{0.98, 0.005}} {
		if lowest > scale[0] {
			bottom, unit = scale[0], scale[1]
		}
	}
	x := func(power float64) float64 { return c.Right - (c.Right-c.Left)*power/float64(powers) }
	y := func(rate float64) float64 { return c.Bottom - (c.Bottom-c.Top)*(rate-bottom)/(1-bottom) }
	for i, points := range curves {
		var b strings.Builder
		for _, p := range points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p[0]), y(p[1]))
		}
		c.Curves = append(c.Curves, chartCurve{sets[i].Short, b.String()})
	}
	for power := range powers + 1 {
		label := "1"
		if power > 0 {
			label = "10" + string([]rune("⁰¹²³⁴⁵⁶")[power])
			label = strings.Replace(label, "10", "10⁻", 1)
		}
		c.X = append(c.X, chartTick{x(float64(power)), label})
	}
	for i := 0; bottom+float64(i)*unit < 1+1e-9; i++ {
		rate := bottom + float64(i)*unit
		c.Y = append(c.Y, chartTick{y(rate), fmt.Sprintf("%g %%", math.Round(1000*rate)/10)})
	}
	return c
}
