// Package migration computes the vectors of a collection's faces with another face model, from the
// pictures that the faces were indexed from.
//
// The faces of a picture are identified by their image id, which is made of the picture's bytes and
// its external image id, or, if the bytes have changed, by the external image id that an import
// makes of the picture's path. The faces within a picture are identified by their boxes.
//
// Each picture is written to a journal when it is done, and a later run continues from there.
package migration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/recollect-dev/recollect/internal/client/bulk"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

const (
	// Least intersection over union of a face's box with the one that it had: where the picture is
	// the very same, and where its name alone is. Detectors draw boxes differently, and no two
	// faces of a picture have boxes that overlap by so much.
	leastOverlap     = 0.3
	leastOverlapName = 0.5

	// maxGuesses bounds how many image ids are tried in a run for pictures whose external image id
	// does not come from their path.
	maxGuesses = 100_000_000
)

// Source is where the pictures are. Read may be called by several goroutines at once.
type Source interface {
	List(context.Context) ([]bulk.Picture, error)
	Read(context.Context, bulk.Picture) ([]byte, error)
}

// Config has the settings of a migration. All fields but the last two are required.
type Config struct {
	Engine  face.Engine // of the face model to move to
	Source  Source
	Faces   []archive.Face // of the collection
	Journal *Journal

	// Begin, if not nil, is called with the number of pictures to process, and Step, if not nil,
	// after each of them. They are called by one goroutine at a time.
	Begin func(pictures int)
	Step  func()
}

// Fault is a picture that could not be used.
type Fault struct {
	Picture string // path
	Err     error
}

// Run detects the collection's faces in the pictures and writes their vectors to the journal. A
// picture that cannot be used is no error, unless the source fails. Faces that were found in no
// picture are not in the journal afterwards.
func Run(ctx context.Context, c Config) ([]Fault, error) {
	all, err := c.Source.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the pictures: %w", err)
	}
	pictures := slices.DeleteFunc(all, func(p bulk.Picture) bool { return p.Skip != "" })
	m := newMatcher(c.Faces, c.Journal, len(pictures))
	if len(m.byImage) == 0 {
		pictures = nil
	}
	if c.Begin != nil {
		c.Begin(len(pictures))
	}
	var mu sync.Mutex
	var faults []Fault
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) + 1) // one reads while the others detect
	for _, p := range pictures {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			found, fault, err := c.look(working, m, p)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if fault != nil {
				faults = append(faults, Fault{p.Path, fault})
			} else if err := c.Journal.add(found); err != nil {
				return err
			}
			if c.Step != nil {
				c.Step()
			}
			return nil
		})
	}
	err = cmp.Or(group.Wait(), ctx.Err())
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Picture, b.Picture) })
	return faults, errors.Join(err, c.Journal.sync())
}

// look finds the collection's faces in a picture.
func (c Config) look(ctx context.Context, m *matcher, p bulk.Picture) (found []Found, fault,
	err error) {
	data, err := c.Source.Read(ctx, p)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", p.Path, err)
	}
	wanted, least := m.facesOf(p.Path, data)
	if len(wanted) == 0 {
		return nil, nil, nil
	}
	photo, err := c.Engine.Detect(ctx, data, 0)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, err, nil
	}
	details := photo.Faces()
	var places []int
	for _, faces := range wanted {
		for _, pair := range pairUp(faces, details, least) {
			found = append(found,
				Found{FaceID: faces[pair.face].FaceId,
					BoundingBox: details[pair.detail].BoundingBox,
					Confidence:  details[pair.detail].Confidence})
			places = append(places, pair.detail)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the collection's faces of it are not found there"), nil
	}
	vectors, err := photo.Embed(ctx, places...)
	if err != nil {
		return nil, nil, fmt.Errorf("embed the faces of %s: %w", p.Path, err)
	}
	for i := range found {
		found[i].Vector = vectors[i]
	}
	return found, nil, nil
}

type pair struct{ face, detail int }

// pairUp pairs faces with detected ones, each at most once: the pair of the largest overlap first.
func pairUp(faces []archive.Face, details []face.FaceDetail, least float32) (pairs []pair) {
	type candidate struct {
		pair
		overlap float32
	}
	var candidates []candidate
	for i, f := range faces {
		for j, d := range details {
			if o := d.BoundingBox.IntersectionOverUnion(
				recollect.BoundingBox(f.BoundingBox)); o >= least {
				candidates = append(candidates, candidate{pair{i, j}, o})
			}
		}
	}
	slices.SortStableFunc(candidates,
		func(a, b candidate) int { return cmp.Compare(b.overlap, a.overlap) })
	faceDone, detailDone := map[int]bool{}, map[int]bool{}
	for _, c := range candidates {
		if !faceDone[c.face] && !detailDone[c.detail] {
			faceDone[c.face], detailDone[c.detail] = true, true
			pairs = append(pairs, c.pair)
		}
	}
	return pairs
}

// matcher finds the faces of a picture. It is immutable, and safe for concurrent use.
type matcher struct {
	byImage    map[string][]archive.Face // of those that are not done, by image id
	byExternal map[string][]archive.Face
	// external image ids, if there are few enough to try all for every picture; else nil
	externals []string
}

func newMatcher(faces []archive.Face, done *Journal, pictures int) *matcher {
	m := &matcher{byImage: map[string][]archive.Face{}, byExternal: map[string][]archive.Face{}}
	for _, f := range faces {
		if done.Has(f.FaceId) {
			continue
		}
		m.byImage[f.ImageId] = append(m.byImage[f.ImageId], f)
		m.byExternal[f.ExternalImageId] = append(m.byExternal[f.ExternalImageId], f)
	}
	if len(m.byExternal)*pictures <= maxGuesses {
		m.externals = slices.AppendSeq([]string{}, maps.Keys(m.byExternal))
	}
	return m
}

// facesOf returns the faces of a picture, for each time that it was indexed, and how much their
// boxes must overlap with detected ones.
func (m *matcher) facesOf(name string, data []byte) (indexed [][]archive.Face, least float32) {
	bare := strings.TrimSuffix(name, path.Ext(name))
	byName := []string{bulk.ExternalID(name), bulk.ExternalID(bare)}
	ids := m.externals
	if ids == nil {
		folder, _, _ := strings.Cut(name, "/")
		ids = append(slices.Clone(byName), path.Base(name), path.Base(bare),
			bulk.ExternalID(path.Dir(name)), folder, "")
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	imageID := face.ImageIDs(data)
	for _, id := range ids {
		if faces := m.byImage[imageID(id)]; faces != nil {
			indexed = append(indexed, faces)
		}
	}
	if indexed != nil {
		return indexed, leastOverlap
	}
	for _, id := range byName {
		if faces := m.byExternal[id]; faces != nil {
			return [][]archive.Face{faces}, leastOverlapName
		}
	}
	return nil, 0
}
