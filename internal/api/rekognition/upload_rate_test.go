package rekognition

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/iam"
)

// anyKey is identities with every key, whose secret nobody has.
type anyKey struct{ Identities }

func (anyKey) AccessKey(context.Context, string) (iam.AccessKey, bool, error) {
	return iam.AccessKey{Secret: "unknown"}, true, nil
}

// pipes is a listener for connections within the process.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error { return nil }

func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// TestLeastUploadRate: a body has to arrive at leastUploadRate over each window.
func TestLeastUploadRate(t *testing.T) {
	const slow = "RequestTimeoutException"
	const complete = "InvalidSignatureException" // the body was read, and the signature is forged
	for name, c := range map[string]struct {
		length, piece int
		every         time.Duration
		want          string
		after         time.Duration
	}{
		"nothing":            {1 << 20, 0, time.Second, slow, uploadWindow},
		"a trickle":          {1 << 20, 1, time.Millisecond, slow, uploadWindow},
		"just too slow":      {1 << 20, 3700, time.Second, slow, uploadWindow},
		"a poor uplink":      {100 << 10, 5 << 10, time.Second, complete, 19 * time.Second},
		"in bursts":          {100 << 10, 50 << 10, 9 * time.Second, complete, 9 * time.Second},
		"a small body":       {100, 10, time.Second, complete, 9 * time.Second},
		"a small slow body":  {100, 1, time.Second, slow, uploadWindow},
		"quick, then silent": {100 << 10, 99 << 10, time.Hour, slow, 2 * uploadWindow},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := make(pipes)
				s := New(Config{Identities: anyKey{}, Regions: []string{"us-east-1"},
					Log: slog.New(slog.DiscardHandler)})
				closed := make(chan struct{})
				server := &http.Server{Handler: s,
					ConnState: func(_ net.Conn, state http.ConnState) {
						if state == http.StateClosed {
							close(closed)
						}
					}}
				go server.Serve(listener)
				client, conn := net.Pipe()
				listener <- conn
				now := time.Now().UTC()
				fmt.Fprintf(client, "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Date: %s\r\n"+
					"X-Amz-Target: %s.ListCollections\r\nContent-Length: %d\r\n"+
					"Content-Type: %s\r\n"+
					"Authorization: AWS4-HMAC-SHA256 Credential=KEY/%s/us-east-1/rekognition/"+
					"aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, "+
					"Signature=%s\r\n\r\n",
					now.Format("20060102T150405Z"), wire.TargetPrefix, c.length, wire.MediaType,
					now.Format("20060102"), strings.Repeat("0", 64))
				start := time.Now()
				var sending sync.WaitGroup
				sending.Go(func() {
					for left := c.length; left > 0; left -= c.piece {
						piece := strings.Repeat("x", min(left, c.piece))
						if _, err := io.WriteString(client, piece); err != nil {
							return
						}
						if left > c.piece {
							time.Sleep(c.every)
						}
					}
				})
				resp, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				body, err := io.ReadAll(resp.Body)
				if err != nil || !strings.Contains(string(body), c.want) || took != c.after {
					t.Errorf("%s after %v, %v; want %s after %v", body, took, err, c.want, c.after)
				}
				if resp.Close != (c.want != complete) {
					t.Errorf("the connection is closed: %v", resp.Close)
				}
				client.Close()
				sending.Wait()
				<-closed
				close(listener)
				server.Close()
				if len(s.uploads.byOrigin) != 0 {
					t.Errorf("origins are left: %v", s.uploads.byOrigin)
				}
			})
		})
	}
}

// deadline records whether the reads of a connection were ended.
type deadline struct{ set bool }

func (d *deadline) SetReadDeadline(time.Time) error {
	d.set = true
	return nil
}

// TestOrigins: the bodies of an access key, and of a client's address, have at most their share of
// requests and of memory; the oldest ones are stopped.
func TestOrigins(t *testing.T) {
	pool := semaphore.NewWeighted(1 << 30)
	begin := func(s *uploads, key, client string) *upload {
		u := s.begin(strings.NewReader(""), new(deadline), key, netip.MustParseAddr(client), nil,
			&budget{pool: pool})
		t.Cleanup(func() { u.end() })
		return u
	}
	stopped := func(u *upload) bool {
		if err := u.end(); err != nil && !errors.Is(err, errSlowDown) {
			t.Errorf("stopped by %v", err)
		}
		if set := u.conn.(*deadline).set; set != (u.stopped != nil) {
			t.Errorf("stopped by %v, and reads are ended: %v", u.stopped, set)
		}
		return u.stopped != nil
	}
	for name, c := range map[string]struct {
		key, client func(i int) string
		bound       bool
	}{
		"one key": {func(int) string { return "a" },
			func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }, true},
		"one address": {func(i int) string { return fmt.Sprint(i) },
			func(int) string { return "192.0.2.1" }, true},
		"one network of IPv6": {func(i int) string { return fmt.Sprint(i) },
			func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, true},
		"networks of IPv6": {func(i int) string { return fmt.Sprint(i) },
			func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i) }, false},
		"keys and addresses": {func(i int) string { return fmt.Sprint(i) },
			func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newUploads(80, 400<<20)
			neighbour := begin(s, "other", "198.51.100.1")
			var all []*upload
			for i := range 25 {
				all = append(all, begin(s, c.key(i), c.client(i)))
			}
			for i, u := range all {
				if got, want := stopped(u), c.bound && i < 5; got != want {
					t.Errorf("the body %d of 25 is stopped: %v, want %v", i, got, want)
				}
			}
			all = nil
			for i := range 10 { // of 16 MiB, where 100 MiB are the share
				u := begin(s, c.key(i), c.client(i))
				if err := u.reach(maxBody); err != nil {
					t.Errorf("the body %d: %v", i, err)
				}
				all = append(all, u)
			}
			for i, u := range all {
				if got, want := stopped(u), c.bound && i < 4; got != want {
					t.Errorf("the large body %d of 10 is stopped: %v, want %v", i, got, want)
				}
			}
			if stopped(neighbour) {
				t.Error("a body of another origin was stopped")
			}
			if len(s.byOrigin) != 0 {
				t.Errorf("origins are left: %v", s.byOrigin)
			}
		})
	}
}
