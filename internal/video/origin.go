package video

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recollect-dev/recollect/internal/videoface"
)

// origin serves one video to FFmpeg on the loopback interface, by ranges, since a pipe cannot be
// read from its end, where many files have their index. Nobody else knows its path.
type origin struct {
	source *source
	url    string
	port   uint16
	server *http.Server
	done   chan struct{} // closed once the server has ended
}

// newOrigin serves a video until close is called. fail is called when the video cannot be read.
func newOrigin(ctx context.Context, in videoface.Input, fail func(error)) (*origin, error) {
	// Only this machine can connect; other users of it do not know the path.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for FFmpeg: %w", err)
	}
	path := "/" + rand.Text()
	port := listener.Addr().(*net.TCPAddr).Port
	o := &origin{source: newSource(ctx, in, fail), port: uint16(port),
		url: fmt.Sprintf("http://127.0.0.1:%d%s", port, path), done: make(chan struct{})}
	o.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path || r.Method != http.MethodGet {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/octet-stream")
			// A video that cannot be read ends the answer before its length.
			http.ServeContent(w, r, "", time.Time{},
				io.NewSectionReader(o.source, 0, o.source.size))
		}),
		// What FFmpeg does not take before it seeks elsewhere was read in vain.
		ConnState: func(c net.Conn, state http.ConnState) {
			if tcp, ok := c.(*net.TCPConn); ok && state == http.StateNew {
				_ = tcp.SetWriteBuffer(writeBuffer) // the system's own will do as well
			}
		},
	}
	go func() {
		defer close(o.done)
		_ = o.server.Serve(listener) // until close
	}()
	return o, nil
}

const writeBuffer = 256 << 10 // bytes

// close ends the server, and waits for what reads the video.
func (o *origin) close() error {
	o.source.stop()
	err := o.server.Close()
	<-o.done
	return err
}

// source reads a video in blocks, of which it keeps the latest, and one ahead of what is read in
// order. It implements [io.ReaderAt], and is safe for concurrent use.
type source struct {
	in     videoface.Input
	size   int64           // bytes
	ctx    context.Context // that of the analysis, under which all is read
	cancel context.CancelFunc
	fail   func(error)
	given  atomic.Int64 // bytes that FFmpeg got
	loads  sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	blocks  []*block // the latest used last
	last    int64    // index of the block that was wanted last
}

const (
	blockSize = 2 << 20 // bytes
	maxBlocks = 8
)

// block is a part of a video.
type block struct {
	index int64
	ready chan struct{} // closed once the others are set
	data  []byte
	err   error
}

func newSource(ctx context.Context, in videoface.Input, fail func(error)) *source {
	s := &source{in: in, size: in.Size(), fail: fail, last: -1}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// stop ends all reading, and waits for it.
func (s *source) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.cancel()
	s.loads.Wait()
}

// ReadAt reads from the video. Once a reading failed, FFmpeg cannot go on: fail is called.
func (s *source) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= s.size {
			return n, io.EOF
		}
		b := s.block(at / blockSize)
		select {
		case <-b.ready:
		case <-s.ctx.Done():
			return n, s.ctx.Err()
		}
		if b.err != nil {
			if s.ctx.Err() == nil {
				s.fail(b.err)
			}
			return n, b.err
		}
		copied := copy(p[n:], b.data[at%blockSize:])
		n += copied
		s.given.Add(int64(copied))
	}
	return n, nil
}

// block returns a block that is there or on its way, and begins to read the next one if it follows
// the one before.
func (s *source) block(index int64) *block {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(index)
	if index == s.last+1 && (index+1)*blockSize < s.size {
		s.find(index + 1)
		s.find(index) // the latest used
	}
	s.last = index
	return b
}

// find returns a block, and begins to read it if it is not there. mu must be held.
func (s *source) find(index int64) *block {
	for i, b := range s.blocks {
		if b.index == index {
			s.blocks = append(append(s.blocks[:i:i], s.blocks[i+1:]...), b)
			return b
		}
	}
	b := &block{index: index, ready: make(chan struct{})}
	s.blocks = append(s.blocks, b)
	if len(s.blocks) > maxBlocks {
		s.blocks = append([]*block(nil), s.blocks[1:]...)
	}
	if s.stopped {
		b.err = context.Canceled
		close(b.ready)
		return b
	}
	s.loads.Go(func() {
		defer close(b.ready)
		b.data, b.err = s.load(index)
	})
	return b
}

func (s *source) load(index int64) ([]byte, error) {
	off := index * blockSize
	data := make([]byte, min(blockSize, s.size-off))
	n, err := s.in.ReadAt(s.ctx, data, off)
	if errors.Is(err, io.EOF) {
		err = nil
		if n < len(data) {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the video at byte %d: %w", off, err)
	}
	return data, nil
}
