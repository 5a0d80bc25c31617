package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// measureSmall measures a server with very many small collections: after its start, after searches
// of some, and after searches of all.
func measureSmall(ctx context.Context, o options, f *filler, data string, w io.Writer) error {
	ids, known, err := f.collections(ctx, o.collections, o.each)
	if err = errors.Join(err, f.store.Close()); err != nil {
		return err
	}
	s, err := start(o, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	fmt.Fprintf(w, "\n## %d collections with %d faces each\n"+
		"\nReady %.2f s after the start.\n\n| | memory | open files |\n|---|---|---|\n",
		o.collections, o.each, s.ready.Seconds())
	row := func(when string) error {
		memory, err := s.memory()
		if err != nil {
			return err
		}
		files, err := s.openFiles()
		fmt.Fprintf(w, "| %s | %d MB | %d |\n", when, memory>>20, files)
		return err
	}
	if err := row("after the start"); err != nil {
		return err
	}
	search := func(c *client, i int) (time.Duration, error) {
		began := time.Now()
		hits, err := c.searchFaces(ids[i], known[i])
		if err == nil && hits != o.each-1 {
			err = fmt.Errorf("the search found %d faces", hits)
		}
		return time.Since(began), err
	}

	// One at a time, far apart, so that none was read before.
	some := min(500, o.collections)
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	var cold, warm []time.Duration
	for _, took := range []*[]time.Duration{&cold, &warm} {
		for i := range some {
			d, err := search(c, i*(o.collections/some))
			if err != nil {
				return err
			}
			*took = append(*took, d)
		}
		slices.Sort(*took)
	}
	if err := row(fmt.Sprintf("after a search in %d of them", some)); err != nil {
		return err
	}
	const clients = 16
	failures := make([]error, clients)
	var next atomic.Int64
	var working sync.WaitGroup
	began := time.Now()
	for w := range clients {
		working.Go(func() {
			c, err := s.dial()
			if err != nil {
				failures[w] = err
				return
			}
			defer c.conn.Close()
			for failures[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= o.collections {
					return
				}
				_, failures[w] = search(c, i)
			}
		})
	}
	working.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	took := time.Since(began)
	if err := row("after a search in each of them"); err != nil {
		return err
	}
	at := func(d []time.Duration,
		share float64) float64 {
		return 1e3 * d[int(share*float64(len(d)-1))].Seconds()
	}
	fmt.Fprintf(w, "\n| a request, one at a time | p50 | p99 |\n"+
		"|---|---|---|\n| the first search in a collection | %.2f ms | %.2f ms |\n"+
		"| the second | %.2f ms | %.2f ms |\n\n"+
		"%d clients: %.0f first searches a second.\n", at(cold, 0.5), at(cold, 0.99), at(warm, 0.5),
		at(warm, 0.99), clients, float64(o.collections)/took.Seconds())
	return nil
}
