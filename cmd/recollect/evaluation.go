package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/face"
)

// maxCrossPairs bounds the memory of comparing every picture with every other one, at 4 bytes a
// pair.
const maxCrossPairs = 25_000_000

// rates are the false match rates at which true accept rates are reported.
var rates = [...]float64{1e-2, 1e-3, 1e-4}

// enoughMatches is how many false matches a rate should rest on: with 30 the truth is within 30 %
// of what was measured, nine times out of ten (the rule of 30: Doddington et al., The NIST Speaker
// Recognition Evaluation, 2000).
const enoughMatches = 30

// evaluation is the result of eval, for the terminal and for the report.
type evaluation struct {
	PairsFile, TrainFile, Images string // base names
	Version                      string
	When                         time.Time
	Same, Different              int // pairs
	Pictures                     int // of the pairs and the training pairs
	Faceless                     []string
	Several                      int // pictures with more than one face
	Lost                         int // pairs that could not be compared

	Threshold     float32 // cosine
	ThresholdFrom string
	Similarity    float32 // of the threshold
	Accuracy      float64
	Best          float64 // the accuracy at the best threshold
	WrongSame     int     // pairs of the same person, rejected at the threshold
	WrongOther    int     // pairs of different people, accepted at it

	Sets   []impostorSet
	Server []serverPoint

	Took   time.Duration
	Stages []stageTime

	worst worstPairs
	faces []verification.Face
}

// impostorSet is a set of impostor pairs, on which false match rates are measured.
type impostorSet struct {
	Name  string
	Short string
	ROC   *verification.ROC
	Rows  []rateRow
}

// rateRow is the true accept rate at a false match rate, and the number of pairs behind it.
type rateRow struct {
	verification.Point
	Similarity float32
	Measured   bool   // there are enough pairs to measure this rate at all
	Basis      string // in words
}

// serverPoint is the rates of a similarity threshold of the API on these pairs.
type serverPoint struct {
	Similarity, Cosine float32
	TrueAcceptRate     float64
	FalseMatchRates    []float64 // by set
}

// scoredPair is a pair that was compared.
type scoredPair struct {
	verification.Pair
	Cosine     float32
	Similarity float32
	a, b       int // indices of the pictures
}

// worstPairs are the pairs that the threshold decides wrongly, or rightly by little, the worst
// first.
type worstPairs struct{ same, different []scoredPair }

func newEvaluation(ctx context.Context, cfg evalConfig, engine face.Engine, pairs,
	train []verification.Pair,
	pictures []verification.Picture, faces []verification.Face) (*evaluation, error) {
	e := &evaluation{
		PairsFile: filepath.Base(cfg.Pairs), Images: cfg.Images, Version: engine.Version(),
		When: time.Now().UTC(), Pictures: len(pictures), faces: faces,
	}
	index := map[verification.Picture]int{}
	for i, p := range pictures {
		index[p] = i
		switch {
		case faces[i].Found == 0:
			e.Faceless = append(e.Faceless, p.Name())
		case faces[i].Found > 1:
			e.Several++
		}
	}
	if len(e.Faceless) == len(pictures) {
		return nil, fmt.Errorf(
			"no face was found in any of the %d pictures of %s: there is nothing to measure",
			len(pictures), cfg.Images)
	}
	compare := func(p verification.Pair) float32 {
		return verification.Cosine(faces[index[p.A]],
			faces[index[p.B]])
	}

	var scored []scoredPair
	for _, p := range pairs {
		c := compare(p)
		if c == verification.NoFace {
			e.Lost++
		}
		scored = append(scored,
			scoredPair{Pair: p, Cosine: c, Similarity: engine.Similarity(c), a: index[p.A],
				b: index[p.B]})
	}
	genuine, impostor := verification.Split(pairs, compare)
	e.Same, e.Different = len(genuine), len(impostor)
	if e.Lost == len(pairs) {
		return nil, fmt.Errorf(
			"none of the %d pairs can be compared: no face was found in %d of the %d pictures",
			len(pairs), len(e.Faceless), len(pictures))
	}
	roc := verification.NewROC(slices.Clone(genuine), impostor)

	var best float32
	best, e.Best = roc.Best()
	e.Threshold, e.ThresholdFrom = best,
		"the best threshold of the same pairs, which is optimistic: name others with --train"
	if train != nil {
		e.TrainFile = filepath.Base(cfg.Train)
		e.Threshold, _ = verification.NewROC(verification.Split(train, compare)).Best()
		e.ThresholdFrom = fmt.Sprintf("the best threshold of the %s pairs of %s",
			thousands(len(train)), e.TrainFile)
	}
	e.Accuracy, e.Similarity = roc.Accuracy(e.Threshold), engine.Similarity(e.Threshold)
	e.WrongOther = roc.FalseMatches(e.Threshold)
	e.WrongSame = e.Same - int(math.Round(roc.TrueAcceptRate(e.Threshold)*float64(e.Same)))

	all, name, err := crossImpostors(ctx, verification.Pictures(pairs), faces, index)
	if err != nil {
		return nil, err
	}
	e.Sets = []impostorSet{{Name: fmt.Sprintf("%s pairs of different people of the file",
		thousands(e.Different)), Short: "pairs of the file", ROC: roc}}
	if len(all) > e.Different {
		e.Sets = append(e.Sets,
			impostorSet{Name: name, Short: "all pairs of the pictures",
				ROC: verification.NewROC(genuine, all)})
	}
	for i := range e.Sets {
		e.Sets[i].Rows = rateRows(e.Sets[i].ROC, engine)
	}
	for _, s := range []float32{80, 90, 95, 99} {
		p := serverPoint{Similarity: s, Cosine: engine.Cosine(s),
			TrueAcceptRate: roc.TrueAcceptRate(engine.Cosine(s))}
		for _, set := range e.Sets {
			p.FalseMatchRates = append(p.FalseMatchRates, set.ROC.FalseMatchRate(p.Cosine))
		}
		e.Server = append(e.Server, p)
	}
	e.worst = worst(scored)
	return e, nil
}

// crossImpostors compares each picture with a face with those of all other people, or, if that
// would be too many pairs, every nth picture with every nth. It returns a name for these pairs.
func crossImpostors(ctx context.Context, pictures []verification.Picture, faces []verification.Face,
	index map[verification.Picture]int) ([]float32, string, error) {
	var labelled []verification.Labelled
	for _, p := range pictures {
		if v := faces[index[p]].Vector; v != nil {
			labelled = append(labelled, verification.Labelled{Person: p.Person, Vector: v})
		}
	}
	every := 1
	for n := len(labelled); n/every*(n/every-1)/2 > maxCrossPairs; {
		every++
	}
	thinned := labelled[:0]
	for i := 0; i < len(labelled); i += every {
		thinned = append(thinned, labelled[i])
	}
	_, impostor, err := verification.AllPairs(ctx, thinned, nil)
	if err != nil {
		return nil, "", fmt.Errorf("compare all pictures with each other: %w", err)
	}
	name := fmt.Sprintf("all %s pairs of different people among the file's pictures",
		thousands(len(impostor)))
	if every > 1 {
		name += fmt.Sprintf(" (one picture in %d)", every)
	}
	return impostor, name, nil
}

func rateRows(roc *verification.ROC, engine face.Engine) []rateRow {
	var rows []rateRow
	n := roc.Impostors()
	for _, rate := range rates {
		p := roc.At(rate)
		row := rateRow{Point: p, Similarity: engine.Similarity(p.Threshold),
			Measured: rate*float64(n) >= 1}
		low, high := verification.Interval(p.FalseMatches, n)
		switch {
		case !row.Measured:
			row.Basis = fmt.Sprintf(
				"cannot be measured on %s impostor pairs: at this cosine none matches, and the "+
					"rate may be %.1g", thousands(n), high)
		case p.FalseMatches < enoughMatches:
			row.Basis = fmt.Sprintf(
				"rests on %d of %s impostor pairs: the rate may be %.1g to %.1g", p.FalseMatches,
				thousands(n), low, high)
		default:
			row.Basis = fmt.Sprintf("rests on %s of %s impostor pairs", thousands(p.FalseMatches),
				thousands(n))
		}
		rows = append(rows, row)
	}
	return rows
}

// worst returns the genuine pairs of the lowest and the impostor pairs of the highest cosines.
func worst(pairs []scoredPair) worstPairs {
	const most = 12
	var w worstPairs
	for _, p := range pairs {
		if p.Same() {
			w.same = append(w.same, p)
		} else {
			w.different = append(w.different, p)
		}
	}
	slices.SortStableFunc(w.same,
		func(a, b scoredPair) int { return cmp.Compare(a.Cosine, b.Cosine) })
	slices.SortStableFunc(w.different,
		func(a, b scoredPair) int { return cmp.Compare(b.Cosine, a.Cosine) })
	w.same, w.different = w.same[:min(most, len(w.same))], w.different[:min(most, len(w.different))]
	return w
}

// print writes the figures for a terminal.
func (e *evaluation) print(out io.Writer) error {
	var faults []error
	say := func(w io.Writer, format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		faults = append(faults, err)
	}
	table := func(fill func(w io.Writer)) {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fill(w)
		faults = append(faults, w.Flush())
	}
	say(out, "%s: %s pairs of the same person, %s of different people. Face model version %s.\n",
		e.PairsFile, thousands(e.Same), thousands(e.Different), e.Version)
	say(out, "%s pictures, %d without a face, %d with several. %d pairs could not be compared and "+
		"count as no match.\n", thousands(e.Pictures), len(e.Faceless), e.Several, e.Lost)
	for i, name := range e.Faceless {
		if i == 5 {
			say(out, "  and %d more\n", len(e.Faceless)-i)
			break
		}
		say(out, "  no face: %s\n", name)
	}
	say(out, "\nAccuracy %.2f %% at cosine %.3f, similarity %.1f:\n  %s\n", 100*e.Accuracy,
		e.Threshold, e.Similarity, e.ThresholdFrom)
	say(out, "  %d of the same person rejected, %d of different people accepted\n", e.WrongSame,
		e.WrongOther)
	if e.TrainFile != "" {
		say(out, "  %.2f %% would be the best of all thresholds\n", 100*e.Best)
	}
	for _, set := range e.Sets {
		say(out, "\nTrue accept rate; false match rate on %s:\n", set.Name)
		table(func(w io.Writer) {
			for _, r := range set.Rows {
				say(w, "  %.2f %%\tat %.0e\tcosine %.3f\tsimilarity %.1f\t%s\n",
					100*r.TrueAcceptRate, r.Wanted, r.Threshold, r.Similarity, r.Basis)
			}
		})
	}
	say(out, "\nThresholds of the API:\n")
	table(func(w io.Writer) {
		say(w, "  similarity\tcosine\ttrue accept rate")
		for _, set := range e.Sets {
			say(w, "\tfalse match rate, %s", set.Short)
		}
		say(w, "\n")
		for _, p := range e.Server {
			say(w, "  %.0f\t%.3f\t%.2f %%", p.Similarity, p.Cosine, 100*p.TrueAcceptRate)
			for _, rate := range p.FalseMatchRates {
				say(w, "\t%.2g", rate)
			}
			say(w, "\n")
		}
	})
	say(out, "\n%.1f s, %.1f pictures a second. A stage's mean time, waiting for a core "+
		"included:\n", e.Took.Seconds(), float64(e.Pictures)/e.Took.Seconds())
	table(func(w io.Writer) {
		for _, s := range e.Stages {
			say(w, "  %s\t%.1f ms\t%.0f %%\n", s.Stage, 1000*s.Mean.Seconds(), 100*s.Share)
		}
	})
	return errors.Join(faults...)
}
