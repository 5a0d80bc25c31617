package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// endpoint serves handler and returns a client of it.
func endpoint(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t,
		Config{Endpoint: server.URL, AccessKeyID: "AKIDEXAMPLE",
			SecretAccessKey: "do-not-print-this", PathStyle: true, Timeout: 5 * time.Second})
}

func TestPathsReachTheEndpointAsTheyAre(t *testing.T) {
	var uri, host string
	c := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		uri, host = r.RequestURI, r.Host
		io.WriteString(w, "x")
	})
	for _, s := range []struct{ bucket, key, version, want string }{
		{"photos", "a b/ü+%?#&=.jpg", "",
			"/photos/a%20b/%C3%BC%2B%25%3F%23%26%3D.jpg?x-id=GetObject"},
		{"photos", "/leading//double/", "", "/photos//leading//double/?x-id=GetObject"},
		{"photos", "./a/./b/.", "", "/photos/./a/./b/.?x-id=GetObject"},
		{"photos", "..a/b../...", "", "/photos/..a/b../...?x-id=GetObject"},
		{"photos", `a\..\b`, "", "/photos/a%5C..%5Cb?x-id=GetObject"},
		{"Under_score.d", "k", "v 1&x=y",
			"/Under_score.d/k?versionId=v%201%26x%3Dy&x-id=GetObject"},
		{"shop--use1-az4--x-s3", "k", "", "/shop--use1-az4--x-s3/k?x-id=GetObject"},
		{"...", "k", "", "/.../k?x-id=GetObject"},
	} {
		uri = ""
		if _, err := c.Get(t.Context(), s.bucket, s.key, s.version, 10); err != nil {
			t.Errorf("%q in %q: %v", s.key, s.bucket, err)
		}
		if got := strings.ReplaceAll(uri, "v+1", "v%201"); got != s.want {
			t.Errorf("%q in %q: asked for %s, want %s", s.key, s.bucket, uri, s.want)
		}
	}
	if !strings.HasPrefix(host, "127.0.0.1:") {
		t.Errorf("host %s", host)
	}
	uri = ""
	for _, bucket := range []string{"", "ab", "a/b", "a b",
		"arn:aws:s3:us-east-1:123456789012:accesspoint/x", "host@x", strings.Repeat("x", 256)} {
		if _, err := c.Get(t.Context(), bucket, "k", "", 10); !errors.Is(err, ErrNotFound) ||
			uri != "" {
			t.Errorf("bucket %q: %v, asked for %q", bucket, err, uri)
		}
	}
	for _, key := range []string{"..", "../private/a.jpg", "a/../../private/a.jpg", "a/../b",
		"a/..", "./..", "/../a", "a//..//b"} {
		if _, err := c.Get(t.Context(), "photos", key, "", 10); !errors.Is(err, ErrNotFound) ||
			uri != "" {
			t.Errorf("key %q: %v, asked for %q", key, err, uri)
		}
	}
}

// A key leads to no other bucket than the one that policies allowed, also where a proxy in front of
// the endpoint removes dot segments from paths.
func TestCleanedPathsStayInTheBucket(t *testing.T) {
	var read string
	c := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		read = path.Clean(r.URL.Path)
		io.WriteString(w, "x")
	})
	for _, key := range []string{"../private/a.jpg", "a/../../private/a.jpg", "//../private/a.jpg",
		"./../private/a.jpg", "..", "a/b/../../../private", "./a.jpg", "/a.jpg", "a//b.jpg"} {
		read = ""
		_, err := c.Get(t.Context(), "public", key, "", 10)
		if read != "" && !strings.HasPrefix(read, "/public/") {
			t.Errorf("key %q: read %s (%v)", key, read, err)
		}
	}
}

func TestVirtualHost(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Host + r.URL.Path
		io.WriteString(w, "x")
	}))
	defer server.Close()
	c := newClient(t, Config{Endpoint: "http://s3.example.com:9000"})
	c.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	for bucket, want := range map[string]string{
		"photos":      "photos.s3.example.com:9000/k",
		"Under_score": "s3.example.com:9000/Under_score/k", // which no host can be named
	} {
		if _, err := c.Get(t.Context(), bucket, "k", "", 10); err != nil || got != want {
			t.Errorf("bucket %s: asked %s (%v), want %s", bucket, got, err, want)
		}
	}
}

func TestSizeIsKnownBeforeTheDownload(t *testing.T) {
	var sent atomic.Int64
	c := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(64<<20))
		piece := make([]byte, 64<<10)
		for {
			n, err := w.Write(piece)
			sent.Add(int64(n))
			if err != nil || sent.Load() == 64<<20 {
				return
			}
		}
	})
	if _, err := c.Get(t.Context(), "photos", "big", "", 15<<20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("64 MiB of at most 15: %v", err)
	}
	if n := sent.Load(); n > 16<<20 {
		t.Errorf("%d bytes were sent", n)
	}
}

func TestEndlessBodyWithoutASize(t *testing.T) {
	c := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		for { // chunked
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	if _, err := c.Get(t.Context(), "photos", "endless", "", 1<<20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an endless object: %v", err)
	}
	c = endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		io.WriteString(w, "chunked")
	})
	if object, err := c.Get(t.Context(), "photos", "chunked", "", 7); err != nil ||
		string(object) != "chunked" {
		t.Errorf("an object without a size: %q, %v", object, err)
	}
}

// raw serves one answer, byte for byte, to each connection.
func raw(t testing.TB, answer string) *Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.Read(make([]byte, 64<<10))
				io.WriteString(conn, answer)
			}()
		}
	}()
	return newClient(t,
		Config{Endpoint: "http://" + listener.Addr().String(), PathStyle: true,
			Timeout: 5 * time.Second})
}

func TestBrokenAnswers(t *testing.T) {
	const garbage = "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n<not><xml"
	for _, c := range []struct {
		answer string
		is     error
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", io.ErrUnexpectedEOF},
		{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", nil},
		{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx", nil},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshor", io.ErrUnexpectedEOF},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx", ErrTooLarge},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20), nil},
		{garbage, ErrNotFound},
		{"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", ErrDenied},
		{"HTTP/1.1 500 Oops\r\nContent-Length: 7\r\n\r\n<Error>", nil},
		{"HTTP/1.1 200 OK\r\nx-amz-checksum-crc32: AAAAAA==\r\nContent-Length: 5\r\n\r\nwrong",
			nil},
		{"SSH-2.0-OpenSSH_9.9\r\n", nil},
		{"", nil},
	} {
		start := time.Now()
		object, err := raw(t, c.answer).Get(t.Context(), "photos", "k", "", 1000)
		if err == nil || object != nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%.60q: %q, %v", c.answer, object, err)
		}
		if errors.Is(err, ErrTimeout) || time.Since(start) > 5*time.Second {
			t.Errorf("%.60q: took %v: %v", c.answer, time.Since(start), err)
		}
	}
	sum := make([]byte, 4)
	binary.BigEndian.PutUint32(sum, crc32.ChecksumIEEE([]byte("right")))
	c := raw(t, "HTTP/1.1 200 OK\r\nx-amz-checksum-crc32: "+base64.StdEncoding.EncodeToString(sum)+
		"\r\nContent-Length: 5\r\n\r\nright")
	if object, err := c.Get(t.Context(), "photos", "k", "", 1000); err != nil ||
		string(object) != "right" {
		t.Errorf("a right checksum: %q, %v", object, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed.Store(true)
		io.WriteString(w, "secret")
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/photos/k", status)
		})
		if object, err := c.Get(t.Context(), "photos", "k", "", 1000); err == nil ||
			object != nil || followed.Load() {
			t.Errorf("%d: %q, %v, followed %v", status, object, err, followed.Load())
		}
	}
}

func TestHangingEndpoints(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // connects, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() }) // the subtests outlive this function
	stalled := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "the rest never comes")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(stalled.Close)
	for name, cfg := range map[string]Config{
		"no answer": {Endpoint: "http://" + listener.Addr().String(),
			Timeout: 300 * time.Millisecond},
		"no answer, some retries": {Endpoint: "http://" + listener.Addr().String(),
			Timeout: 2 * time.Second, HeaderTimeout: 50 * time.Millisecond},
		"no handshake": {Endpoint: "https://" + listener.Addr().String(),
			Timeout: 2 * time.Second, ConnectTimeout: 50 * time.Millisecond},
		"half an object": {Endpoint: stalled.URL, Timeout: 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.PathStyle = true
			c := newClient(t, cfg)
			start := time.Now()
			if _, err := c.Get(context.Background(), "photos", "k", "", 1000); !errors.Is(err,
				ErrTimeout) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(start); took > cfg.Timeout+time.Second {
				t.Errorf("took %v with a timeout of %v", took, cfg.Timeout)
			}
		})
	}
}

func TestCallerGoesAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := newClient(t, Config{Endpoint: "http://" + listener.Addr().String(), PathStyle: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	if _, err := c.Get(ctx, "photos", "k", "", 1000); !errors.Is(err, context.Canceled) ||
		errors.Is(err, ErrTimeout) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	var now, most atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		io.WriteString(w, "x")
	}))
	defer server.Close()
	c := newClient(t, Config{Endpoint: server.URL, PathStyle: true, Concurrency: 3})
	errs := make(chan error)
	for range 30 {
		go func() {
			_, err := c.Get(context.Background(), "photos", "k", "", 1000)
			errs <- err
		}()
	}
	for range 30 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 3 {
		t.Errorf("%d at one moment, want 3", most.Load())
	}
}

func TestPassingFaultsAreRetried(t *testing.T) {
	var requests atomic.Int32
	c := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) < attempts {
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "x")
	})
	if object, err := c.Get(t.Context(), "photos", "k", "", 10); err != nil ||
		string(object) != "x" {
		t.Errorf("%q, %v", object, err)
	}
}

func TestConfigReportsEveryFaultAndNoSecret(t *testing.T) {
	_, err := NewClient(Config{Endpoint: "ftp://user:do-not-print-this@host",
		SecretAccessKey: "do-not-print-this", Timeout: -1})
	for _, want := range []string{"endpoint", "region", "together", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
	for _, bad := range []string{"http://user:do-not-print-this@host", "http://h?x=1", "host:9000",
		"http://\x7f", "http://"} {
		if err := (Config{Endpoint: bad, Region: "x"}).Validate(); err == nil ||
			strings.Contains(err.Error(), "do-not-print") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	cfg := Config{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKeyID: "AKIDEXAMPLE",
		SecretAccessKey: "do-not-print-this"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "cfg", cfg)
	_, err = newClient(t, cfg).Get(t.Context(), "photos", "k", "", 1)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), log.String(),
		fmt.Sprint(err)} {
		if strings.Contains(s, cfg.SecretAccessKey) {
			t.Errorf("the secret is in %s", s)
		}
	}
}
