package rekognition

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/exchange"
)

// TestBudget: bodies take no more memory together than there is, and give all of it back.
func TestBudget(t *testing.T) {
	const room = 1 << 20
	pool := semaphore.NewWeighted(room)
	read := func(size, length int) (*budget, error) {
		memory := &budget{pool: pool}
		body, err := readBody(strings.NewReader(strings.Repeat("x", size)), int64(length), memory)
		if err == nil && len(body) != size {
			t.Errorf("%d bytes of a body of %d", len(body), size)
		}
		return memory, err
	}
	free := func() bool {
		ok := pool.TryAcquire(room)
		if ok {
			pool.Release(room)
		}
		return ok
	}

	if _, err := read(freeBody, freeBody); err != nil || !free() {
		t.Errorf("a small body takes of the memory for large ones: %v", err)
	}
	first, err := read(600<<10, 600<<10)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := read(600<<10, 600<<10); !errors.Is(err, errSlowDown) ||
		!errors.Is(err, exchange.ErrUnread) {
		t.Errorf("a body for which there is no room: %v", err)
	} else {
		second.release()
	}
	growing, err := read(600<<10, -1)
	if !errors.Is(err, errSlowDown) || !errors.Is(err, exchange.ErrUnread) || growing.taken == 0 {
		t.Errorf("a body that grows beyond the room: %v, takes %d", err, growing.taken)
	}
	growing.release()
	first.release()
	if !free() {
		t.Error("memory is lost")
	}
	if growing, err = read(900<<10, -1); err != nil || growing.taken < 900<<10 {
		t.Errorf("a growing body with room: %v, takes %d", err, growing.taken)
	}
	growing.release()
	if short, err := read(100<<10, 200<<10); !errors.Is(err, errBrokenBody) ||
		short.taken != 128<<10 {
		t.Errorf("a body that ends early: %v, takes %d", err, short.taken)
	} else {
		short.release()
	}
	if idle, err := read(0, maxBody); !errors.Is(err, errBrokenBody) || idle.taken != 0 {
		t.Errorf("a body that does not come: %v, takes %d", err, idle.taken)
	}
	if _, err := read(0, maxBody+1); !errors.Is(err, errTooLarge) || !free() {
		t.Errorf("a body that says it is too large: %v", err)
	}
}

func TestReadAll(t *testing.T) {
	enough := func() *budget { return &budget{pool: semaphore.NewWeighted(4 * maxBody)} }
	for _, size := range []int{0, 1, 4<<10 - 1, 4 << 10, 4<<10 + 1, maxBody - 1, maxBody, maxBody +
		1} {
		want := bytes.Repeat([]byte("x"), size)
		for name, r := range map[string]io.Reader{"whole": bytes.NewReader(want),
			"halves":        iotest.HalfReader(bytes.NewReader(want)),
			"end with data": iotest.DataErrReader(bytes.NewReader(want))} {
			got, err := readAll(r, enough())
			if size > maxBody {
				if !errors.Is(err, errTooLarge) {
					t.Errorf("%s, %d bytes: %v", name, size, err)
				}
			} else if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes: %d, %v", name, size, len(got), err)
			}
		}
	}
	if _, err := readAll(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("abc"))),
		enough()); !errors.Is(err, errBrokenBody) {
		t.Errorf("a body that breaks: %v", err)
	}
}

// FuzzDecompressed: no body unpacks to more than a body may have, and what it says of it is fit to
// be shown.
func FuzzDecompressed(f *testing.F) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(`{"MaxResults":1}`))
	w.Close()
	f.Add(b.Bytes(), "gzip")
	f.Add(append(b.Bytes(), b.Bytes()...), " GZip ")
	f.Add(b.Bytes()[:12], "x-gzip")
	f.Add([]byte("{}"), "identity, gzip")
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		pool := semaphore.NewWeighted(4 * maxBody)
		memory := &budget{pool: pool}
		unpacked, err := decompressed(
			&http.Request{Header: http.Header{"Content-Encoding": {encoding}}}, body, memory)
		if len(unpacked) > maxBody && len(unpacked) > len(body) {
			t.Errorf("%d bytes", len(unpacked))
		}
		if err != nil && faultOf(err).status >= 500 {
			t.Errorf("%v", err)
		}
		memory.release()
		if !pool.TryAcquire(4 * maxBody) {
			t.Error("memory is lost")
		}
	})
}

func FuzzAcceptsGzip(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0")
	f.Add(";,=q;q=;")
	f.Fuzz(func(t *testing.T, value string) {
		if acceptsGzip(http.Header{"Accept-Encoding": {value}}) &&
			!strings.Contains(strings.ToLower(value), "gzip") && !strings.Contains(value, "*") {
			t.Errorf("%q does not name it", value)
		}
	})
}
