package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/face"
)

// experiment enrols the same number of faces of each person and compares the others with them.
type experiment struct {
	people     [][]shot // each with enough shots
	impostors  []shot   // of all other people
	distractor []int    // one of the impostors a person
	enrolled   int      // faces of each person
}

func newExperiment(shots []shot, least, enrolled int) (*experiment, error) {
	byPerson := map[string][]shot{}
	var names []string
	for _, s := range shots {
		if byPerson[s.person] == nil {
			names = append(names, s.person)
		}
		byPerson[s.person] = append(byPerson[s.person], s)
	}
	e := &experiment{enrolled: enrolled}
	for _, name := range names {
		if all := byPerson[name]; len(all) >= least {
			e.people = append(e.people, all)
		} else {
			e.distractor = append(e.distractor, len(e.impostors))
			e.impostors = append(e.impostors, all...)
		}
	}
	if len(e.people) < 2 {
		return nil, fmt.Errorf("only %d people have %d pictures", len(e.people), least)
	}
	return e, nil
}

func (e *experiment) peopleInAll() int { return len(e.people) + len(e.distractor) }

// The ways in which a person is compared with a probe.
const (
	single = iota
	best
	user
	ways
)

var names = [ways]string{single: "one face", best: "the most similar face",
	user: "**the user's vector**"}

// outcome is the results of one way in a draw.
type outcome struct {
	rank1                     float64
	accepted3, accepted4      float64 // true accept rates at false match rates of 1e-3 and 1e-4
	acceptedAt80, matchedAt80 float64 // true accept and false match rate at similarity 80
}

// figures returns an outcome's figures, in the order of the report.
func (o outcome) figures() []float64 {
	return []float64{o.rank1, o.accepted3, o.accepted4, o.acceptedAt80, o.matchedAt80}
}

// report prints a table of the ways.
func (e *experiment) report(w io.Writer, engine face.Engine, splits int) {
	var sums, squares [ways][]float64
	probes := 0
	for seed := range splits {
		outcomes, n := e.draw(rand.New(rand.NewPCG(uint64(seed), uint64(e.enrolled))),
			engine.Cosine(80))
		probes = n
		for way, o := range outcomes {
			for i, x := range o.figures() {
				if seed == 0 {
					sums[way], squares[way] = append(sums[way], 0), append(squares[way], 0)
				}
				sums[way][i] += x
				squares[way][i] += x * x
			}
		}
	}
	fmt.Fprintf(w, "\n## %d faces a user, %d probes a draw\n\n"+
		"| a person is compared by | rank 1 | accepted at FMR 1e-3 | accepted at FMR 1e-4 | "+
		"accepted at similarity 80 | FMR at similarity 80 |\n|---|---|---|---|---|---|\n",
		e.enrolled, probes)
	for way, name := range names {
		fmt.Fprintf(w, "| %s |", name)
		for i := range sums[way] {
			n := float64(splits)
			mean := sums[way][i] / n
			deviation := math.Sqrt(max(0, squares[way][i]/n-mean*mean))
			if i == len(sums[way])-1 {
				fmt.Fprintf(w, " %.1e |", mean)
				continue
			}
			fmt.Fprintf(w, " %.2f %% ± %.2f |", 100*mean, 100*deviation)
		}
		fmt.Fprintln(w)
	}
}

// draw selects the enrolled faces at random and measures each way.
func (e *experiment) draw(random *rand.Rand, at80 float32) (outcomes [ways]outcome, probes int) {
	type gallery struct {
		faces [][]float32
		user  []float32
		rest  []shot
	}
	people := make([]gallery, len(e.people))
	for i, all := range e.people {
		for j, k := range random.Perm(len(all)) {
			if j < e.enrolled {
				people[i].faces = append(people[i].faces, all[k].vector)
			} else {
				people[i].rest = append(people[i].rest, all[k])
			}
		}
		people[i].user = face.Aggregate(people[i].faces)
	}
	compare := func(g gallery, probe []float32) (scores [ways]float32) {
		for i, f := range g.faces {
			c := verification.Dot(f, probe)
			if i == 0 {
				scores[single], scores[best] = c, c
			}
			scores[best] = max(scores[best], c)
		}
		scores[user] = verification.Dot(g.user, probe)
		return scores
	}

	var genuine, impostor [ways][]float32
	var first [ways]int
	for i := range people {
		for _, probe := range people[i].rest {
			probes++
			own := compare(people[i], probe.vector)
			// of the distractors, who have one face in all ways
			nearest := float32(-1)
			for _, d := range e.distractor {
				nearest = max(nearest, verification.Dot(e.impostors[d].vector, probe.vector))
			}
			others := [ways]float32{nearest, nearest, nearest}
			for j := range people {
				if j == i {
					continue
				}
				for way, c := range compare(people[j], probe.vector) {
					impostor[way] = append(impostor[way], c)
					others[way] = max(others[way], c)
				}
			}
			for way, c := range own {
				genuine[way] = append(genuine[way], c)
				if c > others[way] {
					first[way]++
				}
			}
		}
		for _, s := range e.impostors {
			for way, c := range compare(people[i], s.vector) {
				impostor[way] = append(impostor[way], c)
			}
		}
	}
	for way := range ways {
		slices.SortFunc(impostor[way], func(a, b float32) int {
			switch {
			case a > b:
				return -1
			case a < b:
				return 1
			}
			return 0
		})
		n := len(impostor[way])
		outcomes[way] = outcome{
			rank1:        float64(first[way]) / float64(probes),
			accepted3:    share(genuine[way], impostor[way][n/1_000]),
			accepted4:    share(genuine[way], impostor[way][n/10_000]),
			acceptedAt80: share(genuine[way], math.Nextafter32(at80, -1)),
			matchedAt80:  share(impostor[way], math.Nextafter32(at80, -1)),
		}
	}
	return outcomes, probes
}

// share returns the share of the cosines above a bound.
func share(cosines []float32, bound float32) float64 {
	n := 0
	for _, c := range cosines {
		if c > bound {
			n++
		}
	}
	return float64(n) / float64(len(cosines))
}
