package video

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
)

// countedInput counts how often each block is read.
type countedInput struct {
	bytesInput
	mu    sync.Mutex
	reads map[int64]int
}

func (c *countedInput) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	c.mu.Lock()
	c.reads[off]++
	c.mu.Unlock()
	return c.bytesInput.ReadAt(ctx, p, off)
}

func randomInput(n int) bytesInput {
	random := rand.New(rand.NewPCG(1, 2))
	in := make(bytesInput, n)
	for i := range in {
		in[i] = byte(random.Uint32())
	}
	return in
}

func get(t *testing.T, url, ranges string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ranges != "" {
		r.Header.Set("Range", ranges)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, data
}

// The video can be had by ranges, on its own path alone, and each block is read once.
func TestOrigin(t *testing.T) {
	in := &countedInput{bytesInput: randomInput(5*blockSize + 12345), reads: map[int64]int{}}
	o, err := newOrigin(t.Context(), in, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := o.close(); err != nil {
			t.Error(err)
		}
	}()
	if status, data := get(t, o.url, ""); status != http.StatusOK || !bytes.Equal(data,
		in.bytesInput) {
		t.Errorf("status %d, %d bytes", status, len(data))
	}
	for off, n := range in.reads {
		if n != 1 {
			t.Errorf("byte %d is read %d times", off, n)
		}
	}
	if len(in.reads) != 6 {
		t.Errorf("%d blocks are read", len(in.reads))
	}
	status, data := get(t, o.url, "bytes=2097100-2097199") // on both sides of a block's end
	if status != http.StatusPartialContent || !bytes.Equal(data, in.bytesInput[2097100:2097200]) {
		t.Errorf("status %d, %d bytes", status, len(data))
	}
	if status, _ := get(t, o.url+"x", ""); status != http.StatusNotFound {
		t.Errorf("another path: status %d", status)
	}
}

// However large a video is, a bounded part of it is in memory.
func TestSourceIsBounded(t *testing.T) {
	in := &countedInput{bytesInput: randomInput(20 * blockSize), reads: map[int64]int{}}
	s := newSource(t.Context(), in, func(err error) { t.Error(err) })
	defer s.stop()
	random := rand.New(rand.NewPCG(3, 4))
	p := make([]byte, 1000)
	for range 500 {
		off := random.Int64N(in.Size() - int64(len(p)))
		if _, err := s.ReadAt(p, off); err != nil || !bytes.Equal(p, in.bytesInput[off:][:1000]) {
			t.Fatalf("reading at %d: %v", off, err)
		}
		s.mu.Lock()
		kept := len(s.blocks)
		s.mu.Unlock()
		if kept > maxBlocks {
			t.Fatalf("%d blocks are kept", kept)
		}
	}
	if n, err := s.ReadAt(p, in.Size()-10); n != 10 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes at the end, %v", n, err)
	}
}
