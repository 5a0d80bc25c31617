package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"strings"
	"text/template"
)

//go:embed page.md.tmpl
var pageTemplate string

// site is a worked example of a threshold.
type site struct {
	What               string
	Searches, Gallery  float64 // a month; people
	Rate               float64 // that gives one false match a month
	Similarity, Cosine float32
	Low, High          float32 // similarities by the other fits
	Accepted           float64
	Extrapolated       bool
	Possible           bool
}

var sites = []site{
	{What: "an office door, 50 employees, 300 arrivals a day", Searches: 300 * 30, Gallery: 50},
	{What: "a club, 500 members, 1,000 visits a day", Searches: 1000 * 30, Gallery: 500},
	{What: "a shop, 200 people searched for, 10,000 faces a day", Searches: 10_000 * 30,
		Gallery: 200},
	{What: "a station, 1,000 people searched for, 200,000 faces a day", Searches: 200_000 * 30,
		Gallery: 1000},
	{What: "finding duplicates among 1,000,000 customers, 10,000 new ones a month",
		Searches: 10_000, Gallery: 1_000_000},
}

// sites computes the examples.
func (m *measurement) sites() []site {
	var answered []site
	for _, s := range sites {
		s.Rate = 1 / (s.Searches * s.Gallery)
		s.Similarity, s.Cosine, s.Possible = m.needed(s.Rate)
		s.Low, s.High = s.Similarity, s.Similarity
		for _, t := range m.Others {
			other := m.engine.Similarity(float32(min(1, t.Cosine(s.Rate))))
			s.Low, s.High = min(s.Low, other), max(s.High, other)
		}
		s.Accepted = m.roc.TrueAcceptRate(s.Cosine)
		s.Extrapolated = s.Rate < m.Tail.Least
		answered = append(answered, s)
	}
	return answered
}

func (m *measurement) page() ([]byte, error) {
	funcs := template.FuncMap{
		"percent":   func(r float64) string { return fmt.Sprintf("%.1f %%", 100*r) },
		"rate":      scientific,
		"thousands": thousands,
		"count":     func(f float64) string { return thousands(int(f)) },
		"cosine":    func(c float32) string { return fmt.Sprintf("%.3f", c) },
		"g":         func(s float32) string { return fmt.Sprintf("%.4g", s) },
		"factor":    func(a, b float64) string { return fmt.Sprintf("%.1f", a/b) },
		"deviation": func(d float64) string { return fmt.Sprintf("%.0f %%", 100*(d-1)) },
		"first":     func(v []float64) float64 { return v[0] },
	}
	t, err := template.New("page").Funcs(funcs).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		*measurement
		Sites            []site
		UserSimilarities []float32
		Draws, Groups    int
	}{m, m.sites(), userSimilarities, draws, groups})
	return b.Bytes(), err
}

// scientific formats a rate with two digits, as 1.2e-4.
func scientific(r float64) string {
	if r == 0 {
		return "0"
	}
	if r >= 0.0095 {
		return fmt.Sprintf("%.2g", r)
	}
	return strings.NewReplacer(".0e-0", "e-", ".0e", "e", "e-0",
		"e-").Replace(fmt.Sprintf("%.1e", r))
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// drawing returns the curve of the rates over the cosine, as an SVG file for light and dark pages.
func (m *measurement) drawing() []byte {
	const (
		left, right, top, bottom = 70.0, 700.0, 46.0, 400.0
		least, most              = -0.1, 0.75 // cosines
		powers                   = 9
	)
	x := func(c float64) float64 { return left + (right-left)*(c-least)/(most-least) }
	y := func(rate float64) float64 { return top - (bottom-top)*math.Log10(rate)/powers }
	var b bytes.Buffer
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 450"
  font-family="system-ui, sans-serif" font-size="13">
<style>
text { fill: #555b63 } .paper { fill: #fbfaf8 } .grid { stroke: #d9d6d0 }
.seen, .labels, .fit, .accepted { fill: none; stroke-width: 2.2 }
.seen { stroke: #0b62a8 } .labels { stroke: #0b62a8; stroke-width: 1.2; stroke-dasharray: 2 3 }
.fit { stroke: #b4491b; stroke-dasharray: 7 4 } .accepted { stroke: #3b7d3a }
@media (prefers-color-scheme: dark) {
  text { fill: #a5abb3 } .paper { fill: #17191d } .grid { stroke: #373b42 }
  .seen, .labels { stroke: #6cb4f0 } .fit { stroke: #f0955f } .accepted { stroke: #83c982 }
}
</style>
<rect class="paper" width="740" height="450"/>
`)
	gridLine := func(x1, x2, y1, y2 float64) {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`,
			x1, x2, y1, y2)
	}
	label := func(x, y float64, anchor, text string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n",
			x, y, anchor, text)
	}
	for p := range powers + 1 {
		at := y(math.Pow(10, -float64(p)))
		gridLine(left, right, at, at)
		label(left-8, at+4, "end", [...]string{"1", "0.1", "0.01", "1e-3", "1e-4", "1e-5", "1e-6",
			"1e-7", "1e-8", "1e-9"}[p])
	}
	for i := range 9 {
		c := float64(i-1) / 10
		if c > most {
			break
		}
		gridLine(x(c), x(c), top, bottom)
		label(x(c), bottom+18, "middle", fmt.Sprintf("%.1f", c))
	}
	for _, s := range []float32{5, 25, 55, 80, 92, 97, 99} {
		at := x(float64(m.engine.Cosine(s)))
		gridLine(at, at, top-8, top)
		label(at, top-14, "middle", fmt.Sprintf("%g", s))
	}
	label(right, bottom+38, "end", "cosine")
	label(right, 14, "end", "similarity")
	line := func(class string, from, to float64, rate func(c float32) float64) {
		fmt.Fprintf(&b, `<polyline class="%s" points="`, class)
		for c := from; c <= to; c += 0.005 {
			if r := rate(float32(c)); r >= math.Pow(10, -powers) {
				fmt.Fprintf(&b, "%.1f,%.1f ", x(c), y(r))
			}
		}
		b.WriteString("\"/>\n")
	}
	line("labels", least, most, m.labelled.FalseMatchRate)
	line("seen", least, most, m.roc.FalseMatchRate)
	line("fit", float64(m.Tail.Cosine(m.Tail.Most)), most, m.Tail.Rate)
	line("accepted", least, most, m.roc.TrueAcceptRate)
	for i, key := range [][2]string{{"seen", "false match rate"},
		{"labels", "with the labels as they are"}, {"fit", "fit, and its extrapolation"},
		{"accepted", "true accept rate"}} {
		at := bottom - 84 + 20*float64(i)
		fmt.Fprintf(&b,
			`<line class="%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, key[0], left+14, left+50,
			at, at)
		label(left+58, at+4, "start", key[1])
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
