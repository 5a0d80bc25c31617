package exact

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/recollect-dev/recollect/internal/face"
)

// fill loads the vectors that a source yields. Full slabs are made in parallel with the reading, on
// as many cores as the tokens in cores allow, and are published together at the end.
func (g *gallery) fill(ctx context.Context, cores chan struct{},
	embeddings iter.Seq2[face.Embedding, error]) error {
	var c *coder
	var slabs []*slab
	var working sync.WaitGroup
	defer working.Wait()
	var batch []face.Embedding
	for embedding, err := range embeddings {
		if err != nil {
			return err
		}
		if batch = append(batch, embedding); len(batch) < slabSlots {
			continue
		}
		if c == nil {
			if c, err = g.coderFor(batch[0]); err != nil {
				return err
			}
		}
		if err := c.fits(batch); err != nil {
			return err
		}
		select {
		case cores <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		s, vectors := new(slab), batch
		slabs, batch = append(slabs, s), make([]face.Embedding, 0, slabSlots)
		working.Go(func() {
			*s = *g.makeSlab(c, vectors)
			<-cores
		})
	}
	working.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := g.install(c, slabs); err != nil {
		return err
	}
	return g.load(batch)
}

// makeSlab makes a full slab of vectors, and writes it to a file if possible.
func (g *gallery) makeSlab(c *coder, embeddings []face.Embedding) *slab {
	s := newSlab(c, slabSlots, false)
	scratch := make([]float32, c.width)
	for slot, e := range embeddings {
		s.put(c, slot, e, scratch)
	}
	if sealed := g.seal(c, s,
		func(slot int) []float32 { return embeddings[slot].Vector }); sealed != nil {
		return sealed
	}
	r := s.resized(c, slabSlots) // with room for the vectors
	for slot, e := range embeddings {
		copy(r.inMemory(c, slot), e.Vector)
	}
	return r
}

// coderFor returns the gallery's coder, or one for vectors like this.
func (g *gallery) coderFor(e face.Embedding) (*coder, error) {
	if v := g.view.Load(); v.n > 0 {
		return v.coder, nil
	}
	dimension := len(e.Vector)
	if dimension == 0 || dimension > maxDimension {
		return nil, fmt.Errorf("a vector has %d numbers; it must have 1 to %d", dimension,
			maxDimension)
	}
	return g.coders.of(dimension), nil
}

// fits returns an error unless all vectors have the coder's dimension.
func (c *coder) fits(embeddings []face.Embedding) error {
	for _, e := range embeddings {
		if len(e.Vector) != c.dimension {
			return fmt.Errorf("a vector of %d numbers does not fit in a collection of %d",
				len(e.Vector), c.dimension)
		}
	}
	return nil
}
