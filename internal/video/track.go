package video

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// tracker follows faces from moment to moment. Faces are assigned to predicted places at the least
// cost, as in SORT (Bewley et al., 2016); where a place does not decide, because faces meet, one
// was not seen for a while or a scene begins, their embeddings count as well (Wojke et al., Simple
// Online and Realtime Tracking with a Deep Association Metric, 2017).
type tracker struct {
	bounds *bounds       // nil: faces are not embedded
	aspect float64       // width of a frame by its height
	before time.Duration // the moment before now
	now    time.Duration
	active []*tracklet
}

// bounds are cosines that decide whether two faces are the same person's.
type bounds struct {
	join   float32 // from which on two tracks far from each other in time are one person's
	accept float32 // from which on faces on both sides of a cut are
	differ float32 // below which they are not, whatever their places say
}

// The similarities of bounds. With the default pack 2 in 10 million pairs of people are joined
// where one in 20 pairs of pictures of a person is not, see its pack.json.
const (
	joinSimilarity   = 97
	acceptSimilarity = 80
	differSimilarity = 15
)

func boundsOf(engine face.Engine) *bounds {
	return &bounds{engine.Cosine(joinSimilarity), engine.Cosine(acceptSimilarity),
		engine.Cosine(differSimilarity)}
}

const (
	// patience is the time for which a face that is not seen is expected where it would be.
	patience = 1500 * time.Millisecond

	// Of a pair: the distance from the predicted place in standard deviations and, as a share of
	// the height, however uncertain; the share of the smaller height.
	maxDeviations = 3.5
	maxDistance   = 2.5
	leastSize     = 0.5

	// certain is the cost of a place up to which it is not doubted.
	certain = 0.25

	// doubt is the difference of costs from which on another pair is not the right one.
	doubt = 0.3

	// unlikely is the cost from which on a face is rather that of a new track, and never that of a
	// pair which is out of the question.
	unlikely = 0.75
	never    = 10

	// appearance is the weight of the embeddings beside the place.
	appearance = 0.7
)

// tracklet is a face that was followed without a break.
type tracklet struct {
	motion  motion
	born    time.Duration
	seen    time.Duration // last
	seenAs  recollect.BoundingBox
	moments []moment // the best ones, the best first
	surest  float32  // highest confidence
	times   int      // that it was seen
	partly  bool     // once at the edge of the frame, or with another face over or under it
	unsure  bool     // places that do not decide made it what it is, and it was not compared since

	person *person // nil until it is decided
}

// moment is a face of a frame, with what it takes to embed it.
type moment struct {
	at     time.Duration
	worth  float64
	photo  face.Photo // nil once it is embedded
	face   int
	vector []float32
}

// maxMoments are embedded of each track, at least apart from each other.
const (
	maxMoments = 3
	apart      = 300 * time.Millisecond
)

// worth rates a face for recognition: size, confidence and how much it looks at the camera. It is 0
// if the quality filter LOW rejects the face.
func worth(d *face.FaceDetail) float64 {
	if len(face.QualityLow.Reasons(*d)) > 0 {
		return 0
	}
	cos := func(degrees float32) float64 { return math.Cos(float64(degrees) * math.Pi / 180) }
	size := math.Min(float64(d.Side)/enough, 1)
	return size * float64(d.Confidence) / 100 * cos(d.Pose.Yaw) * cos(d.Pose.Pitch)
}

// enough is the side of a face, in pixels, from which on a larger one is not recognized better: the
// embedding's crop has no more.
const enough = 112

// add assigns the faces of the next moment to tracklets, and returns that of each face.
func (t *tracker) add(ctx context.Context, at time.Duration, cut bool, photo face.Photo,
	faces []face.FaceDetail) ([]*tracklet, error) {
	t.predict(at)
	seen := make([]moment, len(faces))
	for i := range faces {
		seen[i] = moment{at: at, worth: worth(&faces[i]), photo: photo, face: i}
	}
	costs := t.places(cut, faces)
	unsure, err := t.compare(ctx, cut, seen, costs)
	if err != nil {
		return nil, err
	}
	assigned := assign(costs, unlikely)
	all := make([]*tracklet, len(faces))
	for i := range faces {
		box := faces[i].BoundingBox
		if assigned[i] >= 0 {
			all[i] = t.active[assigned[i]]
			all[i].motion.see(box, t.aspect)
			if unsure, compared := unsure[pair{i, assigned[i]}]; compared {
				all[i].unsure = unsure
			}
		} else {
			all[i] = &tracklet{motion: newMotion(box, t.aspect), born: at}
		}
		all[i].seen, all[i].seenAs = at, box
		all[i].surest = max(all[i].surest, faces[i].Confidence)
		all[i].times++
		all[i].partly = all[i].partly || partly(faces, i)
		all[i].keep(seen[i])
	}
	for i, x := range all {
		if assigned[i] < 0 {
			t.active = append(t.active, x)
		}
	}
	return all, nil
}

// partly tells whether a face may be there in part only: at the edge of the frame, or where another
// one is.
func partly(faces []face.FaceDetail, i int) bool {
	b := faces[i].BoundingBox
	if b.Left < margin || b.Top < margin || b.Left+b.Width > 1-margin ||
		b.Top+b.Height > 1-margin {
		return true
	}
	for j := range faces {
		if j != i && b.IntersectionOverUnion(faces[j].BoundingBox) > 0 {
			return true
		}
	}
	return false
}

// margin is a distance from the edge of the frame, as a share of its sides.
const margin = 0.01

// predict moves all tracklets to a time.
func (t *tracker) predict(at time.Duration) {
	for _, x := range t.active {
		x.motion.predict((at - t.now).Seconds())
	}
	t.before, t.now = t.now, at
}

// end removes and returns the tracklets that were not seen for too long, or all.
func (t *tracker) end(all bool) []*tracklet {
	var ended []*tracklet
	t.active = slices.DeleteFunc(t.active, func(x *tracklet) bool {
		over := all || t.now-x.seen > patience
		if over {
			ended = append(ended, x)
		}
		return over
	})
	return ended
}

// pair is a face of a moment and an active tracklet.
type pair struct{ face, tracklet int }

// places returns the cost of each face as the next one of each tracklet by their places.
func (t *tracker) places(cut bool, faces []face.FaceDetail) [][]float64 {
	costs := make([][]float64, len(faces))
	for i := range faces {
		costs[i] = make([]float64, len(t.active))
		for j, x := range t.active {
			switch {
			case !cut:
				costs[i][j] = t.distance(x, faces[i].BoundingBox)
			case t.bounds != nil:
				costs[i][j] = 1 // after a cut a face can be everywhere
			default:
				costs[i][j] = never
			}
		}
	}
	return costs
}

// distance returns the cost of a box as the next one of a tracklet by their places: 0 to 1, or
// never.
func (t *tracker) distance(x *tracklet, box recollect.BoundingBox) float64 {
	cx, cy, height, _ := measure(box, t.aspect)
	expected := math.Max(x.motion.height.value, 1e-6)
	mean := (height + expected) / 2
	away := math.Hypot(cx-x.motion.x.value, cy-x.motion.y.value)
	deviation := math.Sqrt((x.motion.x.p00+x.motion.y.p00)/2 +
		math.Pow(seenNoise*mean, 2))
	if away > maxDeviations*deviation || away > maxDistance*mean ||
		math.Min(height, expected) < leastSize*math.Max(height, expected) {
		return never
	}
	common := float64(box.IntersectionOverUnion(x.motion.box(t.aspect)))
	return (1 - common + away/(maxDistance*mean)) / 2
}

// compare adds embeddings to the costs of pairs that their places do not decide. It returns these,
// and which of them it could not compare, because a face is not good enough.
func (t *tracker) compare(ctx context.Context, cut bool, seen []moment, costs [][]float64) (
	unsure map[pair]bool, err error) {
	if t.bounds == nil {
		return nil, nil
	}
	if !cut {
		t.settle(costs)
	}
	unsure = map[pair]bool{}
	var wanted []*moment
	for i := range costs {
		for j, x := range t.active {
			if costs[i][j] >= never || !cut && t.settled(costs, i, j) {
				continue
			}
			unsure[pair{i, j}] = true
			if len(x.moments) > 0 && seen[i].worth > 0 {
				wanted = append(wanted, &seen[i], &x.moments[0])
			}
		}
	}
	if err := embed(ctx, wanted); err != nil {
		return nil, err
	}
	for p := range unsure {
		x, cost := t.active[p.tracklet], &costs[p.face][p.tracklet]
		cosine, ok := x.cosine(&seen[p.face])
		switch {
		case !ok && (cut || x.seen < t.before && *cost > certain):
			*cost = never
		case !ok: // the place alone
		case cosine < t.bounds.differ || cut && cosine < t.bounds.accept:
			*cost = never
		default:
			unsure[p] = false
			*cost = (1-appearance)**cost + appearance*(1-float64(cosine))
		}
	}
	return unsure, nil
}

// settle leaves faces and tracklets whose places decide out of all other pairs.
func (t *tracker) settle(costs [][]float64) {
	var pairs []pair
	for i := range costs {
		for j := range costs[i] {
			if t.settled(costs, i, j) {
				pairs = append(pairs, pair{i, j})
			}
		}
	}
	for _, p := range pairs {
		for i := range costs {
			for j := range costs[i] {
				if (i == p.face) != (j == p.tracklet) {
					costs[i][j] = never
				}
			}
		}
	}
}

// settled tells whether the places of a pair decide: it is near, was seen in the moment before, and
// neither has another one at about this cost.
func (t *tracker) settled(costs [][]float64, i, j int) bool {
	x, cost := t.active[j], costs[i][j]
	if cost > certain || x.unsure || x.seen < t.before {
		return false
	}
	for other := range costs {
		if other != i && costs[other][j] < cost+doubt {
			return false
		}
	}
	for other := range costs[i] {
		if other != j && costs[i][other] < cost+doubt {
			return false
		}
	}
	return true
}

// keep keeps a moment if it is one of the best.
func (x *tracklet) keep(m moment) {
	if m.worth == 0 {
		return
	}
	x.moments = best(append(x.moments, m))
}

// best returns the best moments, the best first. Of those near to each other it takes the best.
func best(moments []moment) []moment {
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(b.worth, a.worth) })
	var kept []moment
	for _, m := range moments {
		near := func(k moment) bool { return max(k.at-m.at, m.at-k.at) < apart }
		if len(kept) < maxMoments && !slices.ContainsFunc(kept, near) {
			kept = append(kept, m)
		}
	}
	return kept
}

// cosine returns that of a face with the embedded moments of a tracklet, the highest. It returns
// false if either has none.
func (x *tracklet) cosine(m *moment) (highest float32, ok bool) {
	if m.vector == nil {
		return 0, false
	}
	highest = -1
	for i := range x.moments {
		if v := x.moments[i].vector; v != nil {
			highest, ok = max(highest, dot(v, m.vector)), true
		}
	}
	return highest, ok
}

// embed computes the vectors of moments that have none, and lets their photos go.
func embed(ctx context.Context, moments []*moment) error {
	for len(moments) > 0 {
		at, photo := moments[0].at, moments[0].photo // one photo a moment
		var faces []int
		var together, others []*moment
		for _, m := range moments {
			switch {
			case m.vector != nil:
			case m.at != at:
				others = append(others, m)
			case !slices.Contains(together, m):
				together, faces = append(together, m), append(faces, m.face)
			}
		}
		if len(faces) > 0 {
			vectors, err := photo.Embed(ctx, faces...)
			if err != nil {
				return fmt.Errorf("embedding the faces of a track: %w", err)
			}
			for i, m := range together {
				m.vector, m.photo = vectors[i], nil
			}
		}
		moments = others
	}
	return nil
}

// dot returns the scalar product of two vectors.
func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
