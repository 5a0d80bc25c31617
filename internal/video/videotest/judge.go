package videotest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// Score is how well the tracks of a sequence agree with what is known of it.
type Score struct {
	Visible  int // heads of which most is seen, in all frames
	Found    int // of these, those with a face at an intersection over union above 0.5
	Faces    int // that were reported
	Away     int // of these, those that are at no person
	Switches int // changes of a person's track, also after the person was away
	Tracks   int
	Invented []int64       // tracks that are nobody's
	Of       map[int64]int // the person of each other track, by most of its faces
	Missed   []int         // people without a track
	counts   map[int64]map[int]int
}

const (
	mostly    = 0.8 // share of a head that is seen: then it has to be found
	partly    = 0.5 // the same: then its track counts
	agreement = 0.5 // intersection over union, more
)

// Judge compares the frames of an analysis with a sequence.
func Judge(s *Sequence, frames []videoface.Frame) *Score {
	score := &Score{Of: map[int64]int{}, counts: map[int64]map[int]int{}}
	last := map[int]int64{}
	for _, f := range frames {
		seen := s.Truth(float64(f.Millis) / 1000)
		used := make([]bool, len(f.Faces))
		for i, face := range match(seen, f.Faces) {
			if seen[i].Visible >= mostly {
				score.Visible++
				if face >= 0 {
					score.Found++
				}
			}
			if face < 0 {
				continue
			}
			used[face] = true
			track, actor := f.Faces[face].Track, seen[i].Actor
			score.count(track, actor)
			if seen[i].Visible < partly {
				continue // it can be the face of who is in front
			}
			if before, ok := last[actor]; ok && before != track {
				score.Switches++
			}
			last[actor] = track
		}
		for i, x := range f.Faces {
			score.Faces++
			part := func(k Seen) bool { return inside(x.Face.BoundingBox, k.Box) > agreement }
			if used[i] {
				continue
			}
			score.count(x.Track, nobody)
			if !slices.ContainsFunc(seen, part) {
				score.Away++
			}
		}
	}
	score.sum(len(s.Actors))
	return score
}

const nobody = -1

func (s *Score) count(track int64, actor int) {
	if s.counts[track] == nil {
		s.counts[track] = map[int]int{}
	}
	s.counts[track][actor]++
}

// sum decides whose each track is.
func (s *Score) sum(actors int) {
	found := make([]bool, actors)
	for track, counts := range s.counts {
		s.Tracks++
		person, most := nobody, 0
		for actor, n := range counts {
			if actor != nobody && n > most {
				person, most = actor, n
			}
		}
		if person == nobody {
			s.Invented = append(s.Invented, track)
			continue
		}
		s.Of[track], found[person] = person, true
	}
	slices.Sort(s.Invented)
	for actor, ok := range found {
		if !ok {
			s.Missed = append(s.Missed, actor)
		}
	}
}

func (s *Score) String() string {
	return fmt.Sprintf("%d of %d heads found (%.1f %%), %d faces of which %d are nobody's, "+
		"%d tracks of which %d are nobody's, %d switches, %d people missed", s.Found, s.Visible,
		100*float64(s.Found)/float64(max(s.Visible, 1)), s.Faces, s.Away, s.Tracks,
		len(s.Invented), s.Switches, len(s.Missed))
}

// match returns the index of each person's face, -1 where there is none: the pairs that agree best
// first.
func match(seen []Seen, faces []videoface.TrackedFace) []int {
	type pair struct {
		seen, face int
		common     float32
	}
	var pairs []pair
	for i := range seen {
		for j := range faces {
			common := seen[i].Box.IntersectionOverUnion(faces[j].Face.BoundingBox)
			if common > agreement {
				pairs = append(pairs, pair{i, j, common})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.common, a.common) })
	of, used := make([]int, len(seen)), make([]bool, len(faces))
	for i := range of {
		of[i] = -1
	}
	for _, p := range pairs {
		if of[p.seen] < 0 && !used[p.face] {
			of[p.seen], used[p.face] = p.face, true
		}
	}
	return of
}

// inside is the share of a that is in b.
func inside(a, b recollect.BoundingBox) float32 {
	common := a.IntersectionOverUnion(b)
	both := common * (a.Width*a.Height + b.Width*b.Height) / (1 + common)
	return both / (a.Width * a.Height)
}
