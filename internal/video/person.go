package video

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/recollect-dev/recollect/internal/videoface"
)

// person is one or more tracklets of the same face: somebody who leaves and comes back.
type person struct {
	index   int64 // -1: no face
	moments []moment
	vector  []float32 // of the moments; nil: none is embedded
	spans   []span    // in which it was seen
}

// span is a stretch of time, both ends included.
type span struct{ from, to time.Duration }

// cast is the list of people of a video. Tracklets are decided when their first moment is reported,
// which is some time after it was seen, so that a face has been seen well by then.
type cast struct {
	bounds *bounds // nil: nobody is recognized
	people []*person
}

const (
	// sure is the confidence that one face of a track has at least: the quality filter LOW's, by
	// which it is no pattern that looks like a face.
	sure = 85

	// passing is the number of moments up to which a face that is there in part only, and is not
	// recognized, is nobody new: half a face looks like another person's.
	passing = 2

	// maxPeople are compared with a new tracklet, the latest.
	maxPeople = 10000
)

// nobody is the person of tracklets that are no faces.
func nobody() *person { return &person{index: -1} }

// decide sets the person of a tracklet.
func (c *cast) decide(ctx context.Context, x *tracklet) error {
	if x.person != nil {
		return nil
	}
	if x.surest < sure {
		x.person = nobody()
		return nil
	}
	if c.bounds != nil {
		if err := x.embed(ctx); err != nil {
			return err
		}
		if x.person = c.find(x); x.person != nil {
			x.person.add(x)
			return nil
		}
	}
	if x.partly && x.times <= passing {
		x.person = nobody()
		return nil
	}
	x.person = &person{index: int64(len(c.people))}
	c.people = append(c.people, x.person)
	x.person.add(x)
	return nil
}

// find returns the person whose face is most like a tracklet's, if it is the same by a strict bound
// and was not seen beside it.
func (c *cast) find(x *tracklet) *person {
	vector := together(x.moments)
	if vector == nil {
		return nil
	}
	var found *person
	highest := c.bounds.join
	for _, p := range c.people[max(0, len(c.people)-maxPeople):] {
		if p.vector == nil || p.during(x.born, x.seen) {
			continue
		}
		if cosine := dot(p.vector, vector); cosine >= highest {
			found, highest = p, cosine
		}
	}
	return found
}

// close adds what became of a tracklet after its person was decided.
func (c *cast) close(ctx context.Context, x *tracklet) error {
	if err := c.decide(ctx, x); err != nil {
		return err
	}
	if c.bounds != nil && x.person.index >= 0 {
		if err := x.embed(ctx); err != nil {
			return err
		}
	}
	x.person.add(x)
	x.moments = nil
	return nil
}

// embed embeds the moments of a tracklet.
func (x *tracklet) embed(ctx context.Context) error {
	all := make([]*moment, len(x.moments))
	for i := range x.moments {
		all[i] = &x.moments[i]
	}
	return embed(ctx, all)
}

// add adds what is known of a tracklet by now.
func (p *person) add(x *tracklet) {
	i := slices.IndexFunc(p.spans, func(s span) bool { return s.from == x.born })
	if i < 0 {
		i = len(p.spans)
		p.spans = append(p.spans, span{from: x.born})
	}
	p.spans[i].to = x.seen
	for _, m := range x.moments {
		known := func(k moment) bool { return k.at == m.at }
		if m.vector != nil && !slices.ContainsFunc(p.moments, known) {
			p.moments = append(p.moments, m)
		}
	}
	p.moments = best(p.moments)
	p.vector = together(p.moments)
}

// during tells whether the person was seen at a time from one to another.
func (p *person) during(from, to time.Duration) bool {
	return slices.ContainsFunc(p.spans, func(s span) bool { return s.from <= to && s.to >= from })
}

// together returns the unit vector of the sum of embedded moments, nil of none.
func together(moments []moment) []float32 {
	var sum []float32
	for _, m := range moments {
		if m.vector == nil {
			continue
		}
		if sum == nil {
			sum = make([]float32, len(m.vector))
		}
		for i, v := range m.vector {
			sum[i] += v
		}
	}
	length := math.Sqrt(float64(dot(sum, sum)))
	if length == 0 {
		return nil
	}
	for i := range sum {
		sum[i] = float32(float64(sum[i]) / length)
	}
	return sum
}

// tracks returns the tracks of the people.
func (c *cast) tracks() []videoface.Track {
	tracks := make([]videoface.Track, len(c.people))
	for i, p := range c.people {
		tracks[i] = videoface.Track{Index: p.index, Vector: p.vector}
	}
	return tracks
}
