package main

import (
	_ "embed"
	"fmt"
	"runtime"
	"strings"
	"text/template"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
)

//go:embed report.md.tmpl
var text string

const similarity = 80 // the API's default threshold, at which pairs are decided

var filters = []face.QualityFilter{face.QualityLow, face.QualityMedium, face.QualityHigh}

// results is the content of the report.
type results struct {
	Version, Platform, Date string
	Similarity              int
	Cosine                  float32
	Train, Test             size
	Conditions              []conditionRow
	Figures                 []figureTable
	Filters                 []filterRow
	Limits                  [3]struct{ Missed, Alike float64 }
	Faceless                []string // conditions in which no face is detected
}

// size is the numbers of a set.
type size struct{ Pictures, Genuine, Degraded int }

func (s *set) size() size {
	return size{len(s.Clean), len(s.Genuine), len(s.Degraded) / len(conditions())}
}

// conditionRow is the effect of a condition on recognition, and of the filters on its faces.
type conditionRow struct {
	Name                  string
	Unit                  string
	Found                 float64 // share of the pictures
	Missed                counts  // genuine pairs with an undegraded picture, both with a face
	Matched               counts  // impostor pairs with undegraded pictures
	Alike                 counts  // impostor pairs in the same condition
	Brightness, Sharpness float32 // means of the detected faces
	Side, Confidence      float32
	Passed                []float64 // share of the detected faces, by filter
}

type figureTable struct {
	Name, Unit, By string
	Beside         bool // of the faces that the other bars of LOW accept
	Rows           []figureRow
}

type figureRow struct {
	Bar   float32
	Faces float64 // the share of undegraded faces that the bar rejects
	// genuine pairs, and impostor pairs that are degraded alike, between the bar before and this
	// one
	Step, Alike       counts
	Genuine           counts  // rejected by the bar, and of them missed
	GenuineShare      float64 // of all missed ones
	Impostor          counts
	ImpostorShare     float64
	Low, Medium, High bool
}

// filterRow is the effect of a filter on pairs of a kind.
type filterRow struct {
	Pairs    string
	Filter   face.QualityFilter
	Faces    float64 // share of the faces that it rejects
	Genuine  counts  // that it accepts
	Missed   int     // without it
	Impostor counts
	Matched  int
}

// KeptOut and MatchedOut are the errors that a filter prevents.
func (r filterRow) KeptOut() int    { return r.Missed - r.Genuine.Wrong }
func (r filterRow) MatchedOut() int { return r.Matched - r.Impostor.Wrong }

// Kind returns the condition's name without its strength.
func (r conditionRow) Kind() string { return strings.Fields(r.Name)[0] }

func report(engine face.Engine, train, test *set) (string, error) {
	r := results{
		Version: engine.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Date:       time.Now().UTC().Format(time.DateOnly),
		Similarity: similarity, Cosine: engine.Cosine(similarity), Train: train.size(),
		Test: test.size(), Limits: limits,
	}
	for i, t := range measure(train, r.Cosine) {
		r.Figures = append(r.Figures, t.table(&figures[i]))
	}
	for _, row := range conditionRows(test, r.Cosine) {
		if row.Found == 0 {
			r.Faceless = append(r.Faceless, row.Name)
			continue
		}
		r.Conditions = append(r.Conditions, row)
	}
	r.Filters = filterRows(test, r.Cosine)
	t, err := template.New("report").Funcs(template.FuncMap{
		"percent": func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) },
		"rate":    func(x float64) string { return fmt.Sprintf("%.1e", x) },
		"join":    func(s []string) string { return strings.Join(s, ", ") },
		"g":       func(x float32) string { return fmt.Sprintf("%.3g", x) },
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, r)
	return b.String(), err
}

func (t *tally) table(f *figure) figureTable {
	table := figureTable{Name: f.name, Unit: f.unit, By: strings.Join(f.by, ", "),
		Beside: f.beside != ""}
	var faces, outFaces int
	for _, n := range t.faces {
		faces += n
	}
	var genuine, impostor, outGenuine, outImpostor counts
	for i := range t.genuine {
		genuine, impostor = genuine.plus(t.genuine[i]), impostor.plus(t.impostor[i])
	}
	share := func(a, b counts) float64 { return counts{b.Wrong, a.Wrong}.Rate() }
	chosen := t.choose()
	for i, bar := range f.bars {
		outFaces += t.faces[i]
		outGenuine, outImpostor = outGenuine.plus(t.genuine[i]), outImpostor.plus(t.impostor[i])
		table.Rows = append(table.Rows, figureRow{
			Bar: bar, Faces: counts{faces, outFaces}.Rate(), Step: t.genuine[i], Alike: t.alike[i],
			Genuine: outGenuine, GenuineShare: share(outGenuine, genuine),
			Impostor: outImpostor, ImpostorShare: share(outImpostor, impostor),
			Low: chosen[0] == i, Medium: chosen[1] == i, High: chosen[2] == i,
		})
	}
	return table
}

func conditionRows(s *set, cut float32) []conditionRow {
	rows := []conditionRow{conditionOf(s, s.Clean, nil, "as it is", cut)}
	n := s.size().Degraded
	for i, c := range conditions() {
		row := conditionOf(s, s.Degraded[i*n:][:n], s.Partner[i*n:][:n], c.String(), cut)
		row.Unit = degradations[c.Degradation].unit
		rows = append(rows, row)
	}
	return rows
}

// conditionOf measures samples of one condition. Without partners they are the set's own undegraded
// pictures.
func conditionOf(s *set, samples []sample, partner []int, name string, cut float32) conditionRow {
	row := conditionRow{Name: name, Passed: make([]float64, len(filters))}
	var found float32
	for i := range samples {
		a := &samples[i]
		if !a.Found {
			continue
		}
		found++
		d := a.Detail
		row.Brightness += d.Quality.Brightness
		row.Sharpness += d.Quality.Sharpness
		row.Side += d.Side
		row.Confidence += d.Confidence
		for k, f := range filters {
			if len(f.Reasons(d)) == 0 {
				row.Passed[k]++
			}
		}
		if partner != nil && s.Clean[partner[i]].Found {
			row.Missed.add(cosine(a, &s.Clean[partner[i]]) < cut)
		}
		for j := range s.Clean {
			if b := &s.Clean[j]; partner != nil && b.Found && a.Person != b.Person {
				row.Matched.add(cosine(a, b) >= cut)
			}
		}
		for j := range samples[:i] {
			if b := &samples[j]; b.Found && a.Person != b.Person {
				row.Alike.add(cosine(a, b) >= cut)
			}
		}
	}
	if partner == nil {
		for _, p := range s.Genuine {
			if a, b := &s.Clean[p[0]], &s.Clean[p[1]]; a.Found && b.Found {
				row.Missed.add(cosine(a, b) < cut)
			}
		}
		row.Matched = row.Alike
	}
	row.Found = float64(found) / float64(len(samples))
	for _, mean := range []*float32{&row.Brightness, &row.Sharpness, &row.Side, &row.Confidence} {
		*mean /= max(found, 1)
	}
	for k := range row.Passed {
		row.Passed[k] /= float64(max(found, 1))
	}
	return row
}

func filterRows(s *set, cut float32) []filterRow {
	var rows []filterRow
	for _, pairs := range []string{"as they are", "one degraded"} {
		for _, f := range append([]face.QualityFilter{face.QualityNone}, filters...) {
			row := filterRow{Pairs: pairs, Filter: f}
			clean, degraded := passing(s.Clean, f), passing(s.Degraded, f)
			genuine := func(a, b *sample, pass bool) {
				if a.Found && b.Found {
					missed := cosine(a, b) < cut
					if missed {
						row.Missed++
					}
					if pass {
						row.Genuine.add(missed)
					}
				}
			}
			impostor := func(a, b *sample, pass bool) {
				if a.Found && b.Found && a.Person != b.Person {
					matched := cosine(a, b) >= cut
					if matched {
						row.Matched++
					}
					if pass {
						row.Impostor.add(matched)
					}
				}
			}
			if pairs == "as they are" {
				row.Faces = out(s.Clean, clean)
				for _, p := range s.Genuine {
					genuine(&s.Clean[p[0]], &s.Clean[p[1]], clean[p[0]] && clean[p[1]])
				}
				for i := range s.Clean {
					for j := range i {
						impostor(&s.Clean[i], &s.Clean[j], clean[i] && clean[j])
					}
				}
			} else {
				row.Faces = out(s.Degraded, degraded)
				for i := range s.Degraded {
					genuine(&s.Degraded[i], &s.Clean[s.Partner[i]], degraded[i] &&
						clean[s.Partner[i]])
					for j := range s.Clean {
						impostor(&s.Degraded[i], &s.Clean[j], degraded[i] && clean[j])
					}
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func passing(samples []sample, f face.QualityFilter) []bool {
	passed := make([]bool, len(samples))
	for i := range samples {
		passed[i] = samples[i].Found && len(f.Reasons(samples[i].Detail)) == 0
	}
	return passed
}

// out returns the share of the detected faces that were rejected.
func out(samples []sample, passed []bool) float64 {
	var c counts
	for i := range samples {
		if samples[i].Found {
			c.add(!passed[i])
		}
	}
	return c.Rate()
}
