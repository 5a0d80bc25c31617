package exact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/recollect-dev/recollect/internal/face"
)

// disk is the files of one collection, for one gallery.
type disk struct {
	files      *Files
	collection face.CollectionKey
	log        *slog.Logger
	failed     atomic.Bool // writing has failed, which is logged once
	left       atomic.Bool // the gallery has left the index and must not change files
}

// begin returns the paths of the existing files, after galleries of the collection that have left
// the index have stopped changing them.
func (d *disk) begin() []string {
	defer d.files.locks.exclude(d.collection)()
	return d.files.list(d.collection)
}

// clear removes the files, unless the gallery has left the index.
func (d *disk) clear() error { return d.files.dropUnless(d.collection, d.left.Load) }

// write writes a full slab and its vectors to a file, and returns the slab to use instead, or nil
// if that fails or the gallery has left the index.
func (d *disk) write(c *coder, s *slab, vector func(slot int) []float32) *slab {
	defer d.files.locks.share(d.collection)()
	if d.left.Load() {
		return nil
	}
	sealed, err := d.files.write(d.collection, c, s, vector)
	if err != nil {
		if !d.failed.Swap(true) {
			d.log.Warn("the index cannot write a file and keeps vectors in memory", "collection",
				d.collection, "error", err)
		}
		return nil
	}
	return sealed
}

// remove removes an unneeded file, unless the gallery has left the index.
func (d *disk) remove(path string) {
	defer d.files.locks.share(d.collection)()
	if d.left.Load() {
		return
	}
	if err := os.Remove(path); err != nil {
		d.log.Warn("the index cannot remove a file that it does not need", "error", err)
	}
}

// read returns the slabs in some files, without those that are damaged.
func (d *disk) read(ctx context.Context, known *coders, paths []string) (*coder, []*slab) {
	var c *coder
	for _, path := range paths {
		if dimension, err := dimensionOf(path); err == nil {
			c = known.of(dimension)
			break
		}
	}
	slabs := make([]*slab, len(paths))
	var next atomic.Int64
	var working sync.WaitGroup
	const readers = 8 // a disk reads faster if it can reorder requests
	for range min(len(paths), max(readers, runtime.GOMAXPROCS(0))) {
		working.Go(func() {
			var head []byte
			if c != nil {
				head = make([]byte, headBytes(c))
			}
			for {
				i := int(next.Add(1)) - 1
				if i >= len(paths) || ctx.Err() != nil {
					return
				}
				err := errDamaged
				if c != nil {
					slabs[i], err = readSlab(paths[i], c, head)
				}
				switch {
				case err == nil:
				case !errors.Is(err, errDamaged):
					d.log.Warn("the index cannot read a file", "file", paths[i], "error", err)
				default:
					d.log.Warn(
						"the index found a damaged file and reads its vectors from the database",
						"file", paths[i], "error", err)
					d.remove(paths[i])
				}
			}
		})
	}
	working.Wait()
	return c, slices.DeleteFunc(slabs, func(s *slab) bool { return s == nil })
}

// reconcile clears slots whose keys the record does not have or an earlier slab has too, and drops
// slabs with more holes than vectors. It returns the remaining slabs, and the record's keys that
// are in none of them. Keys are in ascending order.
func (d *disk) reconcile(slabs []*slab, keys []face.VectorKey) (left []*slab,
	missing []face.VectorKey) {
	there := make([]bool, len(keys))
	var places []int
	next := 0 // most files have consecutive keys
	for _, s := range slabs {
		places = places[:0]
		for slot := range s.keys {
			key := face.VectorKey(s.keys[slot].Load())
			place, ok := next, next < len(keys) && keys[next] == key
			if !ok {
				place, ok = slices.BinarySearch(keys, key)
			}
			if next = place; ok {
				next++
			}
			if !ok || there[place] {
				s.keys[slot].Store(0)
				continue
			}
			if len(places) == 0 {
				s.low, s.high = key, key
			}
			s.low, s.high = min(s.low, key), max(s.high, key)
			there[place] = true
			places = append(places, place)
		}
		if s.live = len(places); 2*s.live >= slabSlots {
			left = append(left, s)
			continue
		}
		for _, place := range places {
			there[place] = false
		}
		d.remove(s.file.path)
	}
	for place, key := range keys {
		if !there[place] {
			missing = append(missing, key)
		}
	}
	return left, missing
}

// install inserts full slabs before the vectors that were added while the slabs were read. The
// error is errDropped if the gallery was freed.
func (g *gallery) install(c *coder, slabs []*slab) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.freed {
		return errDropped
	}
	v := *g.view.Load()
	if len(slabs) == 0 {
		return nil
	}
	if v.coder != nil && v.coder.dimension != c.dimension {
		return fmt.Errorf("the collection has vectors of %d numbers, and one of %d was added",
			c.dimension, v.coder.dimension)
	}
	if v.coder == nil {
		v.coder = c
	}
	for _, s := range slabs {
		for _, newer := range []map[face.VectorKey]struct{}{g.removed, g.added} {
			for key := range newer {
				if slot := s.find(key); slot >= 0 {
					s.clear(slot)
				}
			}
		}
	}
	v.slabs = append(slabs, v.slabs...)
	v.n += len(slabs) * slabSlots
	g.publish(&v)
	return nil
}
