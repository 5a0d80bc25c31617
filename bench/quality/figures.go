package main

import (
	"math"
	"slices"

	"github.com/recollect-dev/recollect/internal/face"
)

// figure is one of the values of a face that a filter compares with a bar.
type figure struct {
	name, unit string
	of         func(d *face.FaceDetail) float32
	most       bool      // a bar is the largest value of a face, not the least
	by         []string  // the degradations that change it; undegraded faces always count
	bars       []float32 // candidates, the one that rejects the fewest first

	// beside is set if the value is bad whenever any other is: its pairs are those that the other
	// bars of LOW accept.
	beside face.Reason
}

func either(angle float32) float32 { return max(angle, -angle) }

var figures = []figure{
	{"brightness", "0 to 100", func(d *face.FaceDetail) float32 { return d.Quality.Brightness },
		false, []string{"dark"},
		[]float32{1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40}, ""},
	{"sharpness", "0 to 100", func(d *face.FaceDetail) float32 { return d.Quality.Sharpness },
		false, []string{"blur", "small"},
		[]float32{0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30}, ""},
	{"glare", "brightness, 0 to 100",
		func(d *face.FaceDetail) float32 { return d.Quality.Brightness }, true, []string{"bright"},
		[]float32{98, 96, 94, 92, 90, 88, 85, 80, 75, 70, 65, 60}, ""},
	{"side", "of the box, pixels", func(d *face.FaceDetail) float32 { return d.Side }, false,
		[]string{"small"},
		[]float32{8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 50, 60}, ""},
	{"confidence", "0 to 100", func(d *face.FaceDetail) float32 { return d.Confidence }, false,
		[]string{"blur", "dark", "bright", "flat", "noise", "small", "turned"},
		[]float32{65, 70, 75, 80, 85, 90, 95, 97, 98, 99, 99.5, 99.9}, face.ReasonLowConfidence},
	{"yaw", "degrees either way", func(d *face.FaceDetail) float32 { return either(d.Pose.Yaw) },
		true, nil,
		[]float32{75, 60, 55, 50, 45, 40, 35, 30, 25, 20, 15, 10}, ""},
	{"pitch", "degrees either way",
		func(d *face.FaceDetail) float32 { return either(d.Pose.Pitch) }, true, nil,
		[]float32{60, 50, 40, 35, 30, 25, 20, 15, 10, 5}, ""},
	{"roll", "degrees either way", func(d *face.FaceDetail) float32 { return either(d.Pose.Roll) },
		true, []string{"turned"},
		[]float32{90, 75, 60, 50, 45, 40, 35, 30, 25, 20, 15, 10}, ""},
}

// bin returns the index of the first bar that rejects a face, and the number of bars if none does.
func (f *figure) bin(d *face.FaceDetail) uint8 {
	v := f.of(d)
	for i, bar := range f.bars {
		if f.most && v > bar || !f.most && v < bar {
			return uint8(i)
		}
	}
	return uint8(len(f.bars))
}

// counts is the number of trials of a kind, and of those that went wrong: genuine pairs below the
// similarity, or impostor pairs at least at it.
type counts struct{ Trials, Wrong int }

func (c *counts) add(wrong bool) {
	c.Trials++
	if wrong {
		c.Wrong++
	}
}

func (c counts) plus(d counts) counts { return counts{c.Trials + d.Trials, c.Wrong + d.Wrong} }

func (c counts) Rate() float64 {
	if c.Trials == 0 {
		return 0
	}
	return float64(c.Wrong) / float64(c.Trials)
}

// tally counts a figure's trials by the bin of the worse face of each pair.
type tally struct {
	faces             []int // undegraded, by their own bin
	genuine, impostor []counts
	alike             []counts // the impostor pairs that are degraded alike
}

// limits are the limits of LOW, MEDIUM and HIGH: the filter rejects faces that are missed in this
// share of their genuine pairs, or match this share of the strangers that are degraded alike.
var limits = [3]struct{ Missed, Alike float64 }{{0.5, 1e-2}, {0.2, 5e-3}, {0.05, 2e-3}}

// choose returns for each of the limits the highest of the bars whose step, from the bar before to
// it, reaches the limit, as all steps before do. Steps with too few pairs are merged with those
// after. -1 means no bar.
func (t *tally) choose() (chosen [3]int) {
	const leastGenuine, leastAlike = 10, 1000 // pairs
	for i, limit := range limits {
		chosen[i] = -1
		var genuine, alike counts
		for bar := range t.genuine[:len(t.genuine)-1] {
			genuine, alike = genuine.plus(t.genuine[bar]), alike.plus(t.alike[bar])
			if genuine.Trials < leastGenuine && alike.Trials < leastAlike {
				continue
			}
			missed := genuine.Trials >= leastGenuine && genuine.Rate() >= limit.Missed
			matched := alike.Trials >= leastAlike && alike.Rate() >= limit.Alike
			if !missed && !matched {
				break
			}
			chosen[i], genuine, alike = bar, counts{}, counts{}
		}
	}
	return chosen
}

// measure computes the tallies of all values. cut is the cosine of the similarity at which pairs
// are decided.
func measure(s *set, cut float32) []tally {
	tallies := make([]tally, len(figures))
	for i, f := range figures {
		n := len(f.bars) + 1
		tallies[i] = tally{make([]int, n), make([]counts, n), make([]counts, n), make([]counts, n)}
	}
	clean, degraded := binned(s.Clean), binned(s.Degraded)
	for i := range clean {
		if s.Clean[i].Found {
			for k := range figures {
				if clean[i][k] != leftOut {
					tallies[k].faces[clean[i][k]]++
				}
			}
		}
	}
	all := make([]int, len(figures))
	for k := range all {
		all[k] = k
	}
	for _, p := range s.Genuine {
		count(tallies, all, &s.Clean[p[0]], &s.Clean[p[1]], clean[p[0]], clean[p[1]], cut)
	}
	for i := range s.Clean {
		for j := range i {
			if s.Clean[i].Person != s.Clean[j].Person {
				count(tallies, all, &s.Clean[i], &s.Clean[j], clean[i], clean[j], cut)
			}
		}
	}
	for i := range s.Degraded {
		d := &s.Degraded[i]
		var concerned []int
		for k, f := range figures {
			if slices.Contains(f.by, degradations[d.Condition.Degradation].name) {
				concerned = append(concerned, k)
			}
		}
		count(tallies, concerned, d, &s.Clean[s.Partner[i]], degraded[i], clean[s.Partner[i]], cut)
		for j := range s.Clean {
			if d.Person != s.Clean[j].Person {
				count(tallies, concerned, d, &s.Clean[j], degraded[i], clean[j], cut)
			}
		}
		for j := i - 1; j >= 0 && s.Degraded[j].Condition == d.Condition; j-- {
			if d.Person != s.Degraded[j].Person {
				count(tallies, concerned, d, &s.Degraded[j], degraded[i], degraded[j], cut)
			}
		}
	}
	return tallies
}

// bins has a bin for each figure of a face.
type bins []uint8

// leftOut is the bin of faces that are not counted for a figure.
const leftOut = math.MaxUint8

func binned(samples []sample) []bins {
	all := make([]bins, len(samples))
	for i := range samples {
		all[i] = make(bins, len(figures))
		for k := range figures {
			all[i][k] = figures[k].bin(&samples[i].Detail)
			others := func(r face.Reason) bool { return r != figures[k].beside }
			if figures[k].beside != "" &&
				slices.ContainsFunc(face.QualityLow.Reasons(samples[i].Detail), others) {
				all[i][k] = leftOut
			}
		}
	}
	return all
}

// count counts a pair for some of the figures. A pair with an undetected face is not counted: no
// filter could help.
func count(tallies []tally, which []int, a, b *sample, binsA, binsB bins, cut float32) {
	if !a.Found || !b.Found {
		return
	}
	genuine := a.Person == b.Person
	matches := cosine(a, b) >= cut
	for _, k := range which {
		if binsA[k] == leftOut || binsB[k] == leftOut {
			continue
		}
		bin := min(binsA[k], binsB[k])
		switch {
		case genuine:
			tallies[k].genuine[bin].add(!matches)
		case a.Condition.Degradation != asIs && a.Condition == b.Condition:
			tallies[k].alike[bin].add(matches)
			fallthrough
		default:
			tallies[k].impostor[bin].add(matches)
		}
	}
}
