package rekognition

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recollect-dev/recollect/internal/api/clientaddr"
)

// The signature of a request cannot be verified before its body has arrived, and the id of an
// access key is no secret. Such bodies are bounded by how slowly they arrive and by how many there
// are of one origin.
const (
	// leastUploadRate is the rate, in bytes a second over each uploadWindow, below which a body is
	// no longer read. A poor mobile uplink has ten times as much. A body that is smaller than a
	// window's bytes has to arrive within the window.
	leastUploadRate = 4 << 10
	uploadWindow    = 10 * time.Second

	// originShare is the part, 1/originShare, of the requests and of the memory for bodies that the
	// unverified bodies of one access key or of one client address may have. Where a new one would
	// exceed it, the oldest ones are no longer read: a client that uploads quickly is not kept from
	// the server by those of the same origin that send nothing.
	originShare = 4
	// leastUploads is how many bodies an origin may have where its share would be less.
	leastUploads = 16
)

// origin is an access key's id or a client's network, either of which is empty.
type origin struct {
	keyID   string
	network netip.Prefix
}

// uploads are the bodies that are being read. It is safe for concurrent use.
type uploads struct {
	most      int   // bodies of an origin
	mostBytes int64 // of an origin's bodies

	mu       sync.Mutex
	byOrigin map[origin][]*upload // the oldest first
}

// newUploads returns uploads of a server that serves so many requests at one moment, and whose
// bodies have at most so many bytes together.
func newUploads(requests int, bytes int64) *uploads {
	return &uploads{most: max(requests/originShare, leastUploads),
		mostBytes: bytes / originShare, byOrigin: map[origin][]*upload{}}
}

// connection is what a body arrives on, an [*net/http.ResponseController].
type connection interface{ SetReadDeadline(time.Time) error }

// upload is a body that is being read. It is an allowance: its memory counts for its origins.
type upload struct {
	in      *uploads
	origins [2]origin
	body    io.Reader
	conn    connection
	place   *place
	memory  *budget
	arrived atomic.Int64 // bytes

	// guarded by in.mu
	bytes   int64 // of memory
	checked int64 // of arrived, when the rate was last checked
	timer   *time.Timer
	ended   bool
	stopped error // why the body is no longer read
}

// begin counts a body for the access key and the client that it comes from, until its end is
// called. Bodies of theirs that are too many are stopped.
func (s *uploads) begin(body io.Reader, conn connection, keyID string, client netip.Addr,
	place *place, memory *budget) *upload {
	u := &upload{in: s, origins: [2]origin{{keyID: keyID}, {network: clientaddr.Network(client)}},
		body: body, conn: conn, place: place, memory: memory}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range u.origins {
		if others := s.byOrigin[o]; len(others) >= s.most {
			others[0].stop(errSlowDown)
		}
		s.byOrigin[o] = append(s.byOrigin[o], u)
	}
	u.timer = time.AfterFunc(uploadWindow, u.checkRate)
	return u
}

// Read reads the body. A body that was stopped fails with the error that the client gets.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.body.Read(p)
	u.arrived.Add(int64(n))
	u.place.arrive(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		u.in.mu.Lock()
		defer u.in.mu.Unlock()
		if u.stopped != nil {
			err = u.stopped
		}
	}
	return n, err
}

// reach takes memory, at the expense of the oldest bodies of the same origin if it has too much.
func (u *upload) reach(size int64) error {
	if size <= freeBody {
		return nil
	}
	if err := u.count(size); err != nil {
		return err
	}
	return u.memory.reach(size)
}

func (u *upload) count(size int64) error {
	u.in.mu.Lock()
	defer u.in.mu.Unlock()
	if u.stopped != nil {
		return u.stopped
	}
	u.bytes = size
	for _, o := range u.origins {
		for bytesOf(u.in.byOrigin[o]) > u.in.mostBytes {
			i := slices.IndexFunc(u.in.byOrigin[o],
				func(other *upload) bool { return other != u && other.bytes > 0 })
			if i < 0 {
				return errSlowDown
			}
			u.in.byOrigin[o][i].stop(errSlowDown)
		}
	}
	return nil
}

func bytesOf(all []*upload) (sum int64) {
	for _, u := range all {
		sum += u.bytes
	}
	return sum
}

// checkRate stops the body if too little of it arrived since the last check.
func (u *upload) checkRate() {
	u.in.mu.Lock()
	defer u.in.mu.Unlock()
	if u.ended {
		return
	}
	arrived := u.arrived.Load()
	if float64(arrived-u.checked) < leastUploadRate*uploadWindow.Seconds() {
		u.stop(errBodyTimeout)
		return
	}
	u.checked = arrived
	u.timer.Reset(uploadWindow)
}

// stop ends the upload: what reads the body gets err. The caller holds u.in.mu.
func (u *upload) stop(err error) {
	u.stopped = err
	u.remove()
	// A connection without deadlines is read until the client ends.
	_ = u.conn.SetReadDeadline(time.Now())
}

// end takes a body out of the count, and returns why it was stopped if it was: its connection
// cannot be read from any more, even if the body has arrived.
func (u *upload) end() error {
	u.in.mu.Lock()
	defer u.in.mu.Unlock()
	u.remove()
	return u.stopped
}

// remove takes the upload out of its origins. The caller holds u.in.mu.
func (u *upload) remove() {
	if u.ended {
		return
	}
	u.ended = true
	u.timer.Stop()
	for _, o := range u.origins {
		u.in.byOrigin[o] = slices.DeleteFunc(u.in.byOrigin[o],
			func(other *upload) bool { return other == u })
		if len(u.in.byOrigin[o]) == 0 {
			delete(u.in.byOrigin, o)
		}
	}
}
