package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/face"
)

// people returns faces of as many people with so many pictures each, whose vectors are near one of
// their person.
func people(n, pictures int) []verification.Labelled {
	r := rand.New(rand.NewPCG(5, 6))
	random := func(spread float64, around []float32) []float32 {
		v := make([]float32, 64)
		for i := range v {
			v[i] = float32(spread * r.NormFloat64())
			if around != nil {
				v[i] += around[i]
			}
		}
		return face.Aggregate([][]float32{v, v})
	}
	var faces []verification.Labelled
	for person := range n {
		name := fmt.Sprint("person ", person)
		centre := random(1, nil)
		for range pictures {
			faces = append(faces,
				verification.Labelled{Person: name, Label: name, Vector: random(0.05, centre)})
		}
	}
	return faces
}

func TestMeasure(t *testing.T) {
	faces := people(150, 5)
	faces[7].Label = "somebody else" // a wrong label that is corrected
	m, err := measure(t.Context(), enginetest.Engine("1"),
		[]pack.Knot{{Cosine: -1}, {Cosine: 0.3, Similarity: 80}, {Cosine: 1, Similarity: 100}},
		faces)
	if err != nil {
		t.Fatal(err)
	}
	if m.Genuine != 150*10 || m.Impostors != 750*749/2-150*10 || m.Moved != 4 || m.People != 150 {
		t.Errorf("%d genuine, %d impostor pairs, %d moved, %d people", m.Genuine, m.Impostors,
			m.Moved, m.People)
	}
	for i, r := range m.Rows {
		if i > 0 && (r.Cosine <= m.Rows[i-1].Cosine || r.Measured > m.Rows[i-1].Measured ||
			r.Fitted > m.Rows[i-1].Fitted) {
			t.Errorf("the rows do not fall: %+v", r)
		}
		if r.Low > r.Fitted || r.High < r.Fitted || r.ByLabels < r.Measured*0.99 {
			t.Errorf("got %+v", r)
		}
	}
	if len(m.Users) != 4 || m.Users[0].Users != 150 {
		t.Errorf("got users %+v", m.Users)
	}
	page, err := m.page()
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`NaN|Inf|%!|<no value>`).Find(page); found != nil {
		t.Errorf("the page has %q:\n%s", found, page)
	}
	if !bytes.Contains(page, []byte("750 pictures")) ||
		!strings.Contains(m.suggestion(), "fit 0.") {
		t.Errorf("the page or the curve lack what they are for:\n%s\n%s", page, m.suggestion())
	}
	decoder := xml.NewDecoder(bytes.NewReader(m.drawing()))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the drawing is not XML: %v", err)
		}
	}
}

// Two people enrolled, and a stranger similar to both, computed by hand.
func TestUsersByHand(t *testing.T) {
	var faces []verification.Labelled
	add := func(person string, n int, v ...float32) {
		for range n {
			faces = append(faces, verification.Labelled{Person: person, Vector: v})
		}
	}
	add("A", 5, 1, 0, 0)
	add("B", 5, 0, 1, 0)
	add("stranger", 1, 0, 0.995, 0.0999)
	// A meets six pictures of others, none alike. B meets six, the stranger's alike: one of twelve.
	for _, r := range users(enginetest.Engine("1"), faces) {
		if r.Users != 2 || !slices.Equal(r.Rates, []float64{1.0 / 12, 1.0 / 12, 1.0 / 12}) {
			t.Errorf("got %+v", r)
		}
	}
}

func TestNumbers(t *testing.T) {
	for rate, want := range map[float64]string{0: "0", 0.1: "0.1", 0.01: "0.01", 1e-3: "1e-3",
		9.7e-4: "9.7e-4", 1.66e-10: "1.7e-10"} {
		if got := scientific(rate); got != want {
			t.Errorf("%v is written %s, want %s", rate, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000",
		12_454_330: "12,454,330"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

// TestManifestSaysWhatWasMeasured: the pack's calibration is that of the page in its folder.
func TestManifestSaysWhatWasMeasured(t *testing.T) {
	manifest, err := os.ReadFile("../../packs/default/pack.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack.Parse(manifest)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../packs/default/SIMILARITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var measured []pack.Calibrated
	for _, row := range regexp.MustCompile(
		`(?m)^\| ([\d.]+) \| [\d.]+ \| (\S+) \| \S* ?\| ([\d,]+) \|.*\| ([\d.]+) % \|$`).
		FindAllStringSubmatch(string(page), -1) {
		matches, _ := strconv.Atoi(strings.ReplaceAll(row[3], ",", ""))
		similarity, _ := strconv.ParseFloat(row[1], 32)
		rate, _ := strconv.ParseFloat(row[2], 64)
		accepted, _ := strconv.ParseFloat(row[4], 64)
		if matches >= leastMatches {
			measured = append(measured,
				pack.Calibrated{Similarity: float32(similarity), FalseMatchRate: rate,
					TrueAcceptRate: math.Round(accepted*10) / 1000})
		}
	}
	if len(measured) < 10 || !slices.Equal(measured, p.Calibration) {
		t.Errorf("the manifest has %v, the page %v", p.Calibration, measured)
	}
}
