package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/face"
)

const (
	mostRate, leastRate = 1e-1, 1e-5 // the range of the fit
	groups              = 20         // of people, one of them left out at a time
	draws               = 20         // of the users' faces
	leastMatches        = 10         // of a rate that is reported without a remark
)

// similarities are the rows of the table.
var similarities = []float32{25, 55, 70, 80, 85, 90, 92, 95, 97, 98, 99, 99.3, 99.5}

// measurement is the content of the page.
type measurement struct {
	Version   string
	When      time.Time
	Faces     int
	Faceless  int
	People    int
	Genuine   int
	Impostors int
	Moved     int // impostor pairs by their labels that are of one person
	Tail      verification.Tail
	// fits to other ranges, which show the uncertainty of the extrapolation
	Others []verification.Tail
	Rows   []row
	Users  []userRow
	Knots  []pack.Knot

	roc, labelled *verification.ROC // by the corrected and by the original labels
	engine        face.Engine
}

// row is the rates of one similarity.
type row struct {
	Similarity, Cosine float32
	Measured           float64 // false match rate
	Error              float64 // its standard error
	Matches            int
	ByLabels           float64 // false match rate with the original labels
	Fitted             float64
	Low, High          float64 // of all fits
	Accepted           float64
}

// userRow has the false match rates of users' vectors.
type userRow struct {
	Faces, Users int
	Rates        []float64 // at userSimilarities
}

// userSimilarities are similarities with dozens of false matches in a draw.
var userSimilarities = []float32{55, 80, 92}

func measure(ctx context.Context, engine face.Engine, knots []pack.Knot,
	faces []verification.Labelled) (*measurement, error) {
	m := &measurement{Version: engine.Version(), When: time.Now().UTC(), Faces: len(faces),
		Knots: knots, engine: engine}
	persons := map[string]int{} // group of each
	var names []string
	for _, f := range faces {
		if _, ok := persons[f.Person]; !ok {
			persons[f.Person] = 0
			names = append(names, f.Person)
		}
	}
	m.People = len(names)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(names),
		func(i, j int) { names[i], names[j] = names[j], names[i] })
	for i, name := range names {
		persons[name] = i % groups
	}
	rates := func(faces []verification.Labelled, same func(i, j int) bool) (*verification.ROC,
		error) {
		genuine, impostor, err := verification.AllPairs(ctx, faces, same)
		if err != nil {
			return nil, err
		}
		return verification.NewROC(genuine, impostor), nil
	}
	var err error
	if m.roc, err = rates(faces, nil); err != nil {
		return nil, err
	}
	if m.labelled, err = rates(faces,
		func(i, j int) bool { return faces[i].Label == faces[j].Label }); err != nil {
		return nil, err
	}
	m.Genuine, m.Impostors = m.roc.Genuine(), m.roc.Impostors()
	m.Moved = m.labelled.Impostors() - m.Impostors
	if m.Tail, err = verification.FitTail(m.roc, mostRate, leastRate); err != nil {
		return nil, err
	}
	for _, r := range [][2]float64{{1e-1, 1e-4}, {3e-2, 1e-5}, {1e-2, 1e-5}} {
		t, err := verification.FitTail(m.roc, r[0], r[1])
		if err != nil {
			return nil, err
		}
		m.Others = append(m.Others, t)
	}
	for _, s := range similarities {
		c := engine.Cosine(s)
		r := row{Similarity: s, Cosine: c, Measured: m.roc.FalseMatchRate(c),
			Matches:  m.roc.FalseMatches(c),
			ByLabels: m.labelled.FalseMatchRate(c), Fitted: m.Tail.Rate(c),
			Accepted: m.roc.TrueAcceptRate(c)}
		r.Low, r.High = r.Fitted, r.Fitted
		for _, t := range m.Others {
			r.Low, r.High = min(r.Low, t.Rate(c)), max(r.High, t.Rate(c))
		}
		m.Rows = append(m.Rows, r)
	}
	// The jackknife over people (Tukey, 1958), since people are independent and pairs are not.
	var without [][]float64
	for g := range groups {
		rest := slices.DeleteFunc(slices.Clone(faces),
			func(f verification.Labelled) bool { return persons[f.Person] == g })
		roc, err := rates(rest, nil)
		if err != nil {
			return nil, err
		}
		at := make([]float64, len(m.Rows))
		for i, r := range m.Rows {
			at[i] = roc.FalseMatchRate(r.Cosine)
		}
		without = append(without, at)
	}
	for i := range m.Rows {
		var mean, squares float64
		for _, at := range without {
			mean += at[i] / groups
		}
		for _, at := range without {
			squares += (at[i] - mean) * (at[i] - mean)
		}
		m.Rows[i].Error = math.Sqrt(squares * (groups - 1) / groups)
	}
	m.Users = users(engine, faces)
	return m, nil
}

// users measures the false match rates of users' vectors: people with enough pictures are enrolled
// with random faces and compared with the pictures of all others. The same people are compared for
// every number of faces.
func users(engine face.Engine, faces []verification.Labelled) []userRow {
	counts := []int{1, 2, 3, 5}
	byPerson := map[string][]int{}
	for i, f := range faces {
		byPerson[f.Person] = append(byPerson[f.Person], i)
	}
	var people []string
	for name, all := range byPerson {
		if len(all) >= counts[len(counts)-1] {
			people = append(people, name)
		}
	}
	slices.Sort(people)
	thresholds := make([]float32, len(userSimilarities))
	for i, s := range userSimilarities {
		thresholds[i] = engine.Cosine(s)
	}
	var rows []userRow
	for _, n := range counts {
		random := rand.New(rand.NewPCG(uint64(n), 3))
		matches, pairs := make([]int, len(userSimilarities)), 0
		for range draws {
			for _, name := range people {
				var vectors [][]float32
				own := byPerson[name]
				for _, k := range random.Perm(len(own))[:n] {
					vectors = append(vectors, faces[own[k]].Vector)
				}
				user := face.Aggregate(vectors)
				for _, f := range faces {
					if f.Person == name {
						continue
					}
					pairs++
					c := verification.Dot(user, f.Vector)
					for i, threshold := range thresholds {
						if c >= threshold {
							matches[i]++
						}
					}
				}
			}
		}
		r := userRow{Faces: n, Users: len(people)}
		for _, k := range matches {
			r.Rates = append(r.Rates, float64(k)/float64(pairs))
		}
		rows = append(rows, r)
	}
	return rows
}

// decades are the rates of the pack's knots.
var decades = map[float32]float64{25: 1e-1, 55: 1e-2, 80: 1e-3, 92: 1e-4, 97: 1e-5, 99: 1e-6}

// suggestion returns the pack's knots beside those of the fit, as lines of a manifest.
func (m *measurement) suggestion() string {
	var b strings.Builder
	for _, k := range m.Knots {
		rate, ok := decades[k.Similarity]
		if !ok {
			fmt.Fprintf(&b, "    {\"cosine\": %g, \"similarity\": %g}\n", k.Cosine, k.Similarity)
			continue
		}
		fmt.Fprintf(&b,
			"    {\"cosine\": %g, \"similarity\": %g}    fit %.3f for %.0e; measured here %.3g, "+
				"fitted %.3g\n",
			k.Cosine, k.Similarity, m.Tail.Cosine(rate), rate, m.roc.FalseMatchRate(k.Cosine),
			m.Tail.Rate(k.Cosine))
	}
	b.WriteString("\nThe manifest's calibration, of rates that rest on enough pairs:\n\n")
	for _, r := range m.Rows {
		if r.Matches >= leastMatches {
			fmt.Fprintf(&b,
				"    {\"similarity\": %g, \"falseMatchRate\": %s, \"trueAcceptRate\": %.3f},\n",
				r.Similarity, scientific(r.Measured), r.Accepted)
		}
	}
	return b.String()
}

// needed returns the similarity with a false match rate of at most the given one, by the fit, and
// its cosine. It returns false if that is above cosine 1.
func (m *measurement) needed(rate float64) (similarity, cosine float32, ok bool) {
	c := m.Tail.Cosine(rate)
	if c >= 1 {
		return 100, 1, false
	}
	return m.engine.Similarity(float32(c)), float32(c), true
}
