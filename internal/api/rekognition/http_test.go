package rekognition_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
)

// line is a connection that requests are written to by hand.
type line struct {
	net.Conn
	r *bufio.Reader
}

func (d *testServer) dial(t *testing.T) *line {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &line{conn, bufio.NewReader(conn)}
}

func (l *line) send(t *testing.T, data []byte) {
	t.Helper()
	if _, err := l.Write(data); err != nil {
		t.Fatal(err)
	}
}

func readAnswer(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// split cuts a request into its head, with the empty line, and its body.
func split(request []byte) (head, body []byte) {
	i := bytes.Index(request, []byte("\r\n\r\n")) + 4
	return request[:i], request[i:]
}

// withHeader adds a header that is not signed.
func withHeader(head []byte, header string) []byte {
	return slices.Concat(bytes.TrimSuffix(head, []byte("\r\n")), []byte(header+"\r\n\r\n"))
}

// large is a DetectFaces request of n bytes that is answered with no faces.
func large(n int) []byte {
	picture := append(bytes.Repeat([]byte(" "), n*3/4-100), "[]"...)
	return []byte(`{"Image":{"Bytes":"` + base64.StdEncoding.EncodeToString(picture) + `"}}`)
}

func TestExpectContinue(t *testing.T) {
	d := open(t)
	head, body := split(d.raw(t, "DetectFaces", large(2<<20)))
	expecting := withHeader(head, "Expect: 100-continue")

	l := d.dial(t)
	l.send(t, expecting)
	resp, err := http.ReadResponse(l.r, nil)
	if err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("before the body: %v, %v; want 100", resp, err)
	}
	l.send(t, body)
	resp, answer := readAnswer(t, l.r)
	wantAnswer(t, resp, answer, 200, `{"FaceDetails":[]}`)
	l.send(t, d.raw(t, "ListCollections", []byte(`{}`)))
	resp, answer = readAnswer(t, l.r)
	wantAnswer(t, resp, answer, 200, "CollectionIds")

	// Refused by the headers alone: nobody is told to go on, and no byte of a body is sent.
	for name, c := range map[string]struct {
		head   []byte
		status int
		want   string
	}{
		"unknown key": {bytes.Replace(expecting, []byte(keyID), []byte("AKIDEXAMPLE00001"), 1),
			400, "UnrecognizedClientException"},
		"no signature": {bytes.Replace(expecting, []byte("Authorization:"), []byte("X-Other:"), 1),
			400, "MissingAuthenticationTokenException"},
		"other region": {bytes.Replace(expecting, []byte("us-east-1"), []byte("us-east-9"), 1), 400,
			"InvalidSignatureException"},
		"old": {bytes.Replace(expecting, []byte("X-Amz-Date: 20"),
			[]byte("X-Amz-Date: 19"), 1), 400, "InvalidSignatureException"},
		"too large": {bytes.Replace(expecting, []byte("Content-Length: "),
			[]byte("Content-Length: 9"), 1), 413, "RequestEntityTooLargeException"},
		"another path": {bytes.Replace(expecting, []byte("POST / "), []byte("POST /x "), 1), 404,
			"UnknownOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			l := d.dial(t)
			l.send(t, c.head)
			resp, answer := readAnswer(t, l.r)
			wantAnswer(t, resp, answer, c.status, c.want)
			if !resp.Close {
				t.Error("the connection stays, though the body was not read")
			}
		})
	}
	t.Run("another expectation", func(t *testing.T) {
		l := d.dial(t)
		l.send(t, withHeader(head, "Expect: the-best"))
		if resp, _ := readAnswer(t, l.r); resp.StatusCode != http.StatusExpectationFailed {
			t.Errorf("answered %d, want 417", resp.StatusCode)
		}
	})
}

func TestExpectContinueUnderOverload(t *testing.T) {
	g := newGate()
	d := openWith(t, g, bounds(8, 1), func(*httptest.Server) {})
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.post(t, "DetectFaces", detectOne)
	}()
	g.await(t, "pictures at work", &g.waiting, 1)
	head, _ := split(d.raw(t, "DetectFaces", detectOne))
	l := d.dial(t)
	l.send(t, withHeader(head, "Expect: 100-continue"))
	resp, answer := readAnswer(t, l.r)
	wantAnswer(t, resp, answer, 400, slowDown)
	close(g.opened)
	<-done
}

// TestOneConnection makes many requests on one connection, also after errors and one behind the
// other without waiting.
func TestOneConnection(t *testing.T) {
	d := open(t)
	l := d.dial(t)
	for range 20 {
		for _, c := range []struct {
			operation, body string
			status          int
			want            string
		}{
			{"ListCollections", `{}`, 200, "CollectionIds"},
			{"ListCollections", `{`, 400, "SerializationException"},
			{"DescribeCollection", `{}`, 400, "ValidationException"},
			{"DescribeCollection", `{"CollectionId":"absent"}`, 400, "ResourceNotFoundException"},
			{"NoSuchOperation", `{}`, 400, "UnknownOperationException"},
			{"DetectLabels", `{"Image":{"Bytes":"W10="}}`, 501, "NotImplementedException"},
			{"DetectFaces", `{"Image":{"Bytes":"bm8="}}`, 400, "InvalidImageFormatException"},
		} {
			l.send(t, d.raw(t, c.operation, []byte(c.body)))
			resp, answer := readAnswer(t, l.r)
			wantAnswer(t, resp, answer, c.status, c.want)
			if resp.Close || resp.ContentLength != int64(len(answer)) {
				t.Fatalf("%s: close %v, length %d of %d", c.want, resp.Close, resp.ContentLength,
					len(answer))
			}
		}
	}
	one := d.raw(t, "ListCollections", []byte(`{}`))
	l.send(t, bytes.Repeat(one, 50))
	for range 50 {
		resp, answer := readAnswer(t, l.r)
		wantAnswer(t, resp, answer, 200, "CollectionIds")
	}
}

// chunked is a request whose body has no length.
func (d *testServer) chunked(t *testing.T, operation string, body []byte, chunk int) []byte {
	t.Helper()
	head, _ := split(d.raw(t, operation, body, func(r *http.Request) {
		r.ContentLength = -1
		r.TransferEncoding = []string{"chunked"}
	}))
	var b bytes.Buffer
	b.Write(head)
	for len(body) > 0 {
		n := min(chunk, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

func TestChunkedBody(t *testing.T) {
	d := open(t)
	l := d.dial(t)
	for _, c := range []struct{ size, chunk int }{{200, 1}, {5000, 999}, {300_000, 4096},
		{6 << 20, 1 << 20}} {
		request := d.chunked(t, "DetectFaces", large(c.size), c.chunk)
		if !bytes.Contains(request, []byte("Transfer-Encoding: chunked")) ||
			bytes.Contains(request, []byte("Content-Length")) {
			t.Fatalf("not a chunked request: %.500s", request)
		}
		l.send(t, request)
		resp, answer := readAnswer(t, l.r)
		wantAnswer(t, resp, answer, 200, `{"FaceDetails":[]}`)
	}
	l.send(t, d.chunked(t, "ListCollections", nil, 1))
	resp, answer := readAnswer(t, l.r)
	wantAnswer(t, resp, answer, 200, `{"CollectionIds":[],"FaceModelVersions":[]}`)
	// Broken chunks.
	request := d.chunked(t, "ListCollections", []byte(`{}`), 1)
	l.send(t, bytes.Replace(request, []byte("1\r\n{"), []byte("x\r\n{"), 1))
	resp, answer = readAnswer(t, l.r)
	wantAnswer(t, resp, answer, 400, "SerializationException")
	if !resp.Close {
		t.Error("the connection stays, though where the next request begins is not known")
	}
}

func TestGzipAnswers(t *testing.T) {
	d := open(t)
	client := d.client()
	for i := range 100 {
		if _, err := client.CreateCollection(t.Context(),
			&sdk.CreateCollectionInput{CollectionId: aws.String(fmt.Sprintf("a-collection-%03d",
				i))}); err != nil {
			t.Fatal(err)
		}
	}
	l := d.dial(t)
	ask := func(body, accept string) (*http.Response, string) {
		t.Helper()
		head, b := split(d.raw(t, "ListCollections", []byte(body)))
		if accept != "" {
			head = withHeader(head, "Accept-Encoding: "+accept)
		}
		l.send(t, slices.Concat(head, b))
		resp, answer := readAnswer(t, l.r)
		if resp.ContentLength != int64(len(answer)) || resp.Close {
			t.Errorf("%s: length %d of %d, close %v", accept, resp.ContentLength, len(answer),
				resp.Close)
		}
		return resp, answer
	}
	plain, want := ask(`{}`, "")
	if plain.Header.Get("Content-Encoding") != "" ||
		plain.Header.Get("Vary") != "Accept-Encoding" || len(want) < 1400 {
		t.Errorf("plain: %v", plain.Header)
	}
	for _, accept := range []string{"gzip", "gzip, deflate, br", "*"} {
		packed, answer := ask(`{}`, accept)
		if packed.Header.Get("Content-Encoding") != "gzip" ||
			packed.Header.Get("Vary") != "Accept-Encoding" ||
			packed.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Fatalf("%s: %v", accept, packed.Header)
		}
		r, err := gzip.NewReader(strings.NewReader(answer))
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, err := io.ReadAll(r); err != nil || string(unpacked) != want ||
			len(answer) > len(want)/3 {
			t.Errorf("%s: %d bytes unpack to %d, want %d: %v", accept, len(answer), len(unpacked),
				len(want), err)
		}
	}
	for _, accept := range []string{"identity", "gzip;q=0", "br"} {
		if resp, answer := ask(`{}`, accept); resp.Header.Get("Content-Encoding") != "" ||
			answer != want {
			t.Errorf("%s: %v", accept, resp.Header)
		}
	}
	for _, body := range []string{`{"MaxResults":5}`, `{`} {
		if resp, _ := ask(body, "gzip"); resp.Header.Get("Content-Encoding") != "" ||
			resp.Header.Get("Vary") != "" {
			t.Errorf("a small answer: %v", resp.Header)
		}
	}
	// Go's SDK asks for gzip and unpacks by itself.
	if list, err := client.ListCollections(t.Context(), &sdk.ListCollectionsInput{}); err != nil ||
		len(list.CollectionIds) != 100 {
		t.Errorf("the SDK lists %v, %v", list, err)
	}
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGzipBodies(t *testing.T) {
	d := open(t)
	l := d.dial(t)
	encoding := func(v string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Content-Encoding", v) }
	}
	small := packed(t, []byte(`{}`))
	for name, c := range map[string]struct {
		operation string
		request   []byte
		status    int
		want      string
	}{
		"small": {"ListCollections", d.raw(t, "ListCollections", small, encoding("gzip")),
			200, "CollectionIds"},
		"upper case": {"ListCollections", d.raw(t, "ListCollections", small, encoding("GZIP")),
			200, "CollectionIds"},
		"a picture": {"DetectFaces",
			d.raw(t, "DetectFaces", packed(t, large(6<<20)), encoding("gzip")), 200, "FaceDetails"},
		"two members": {"ListCollections",
			d.raw(t, "ListCollections",
				append(packed(t, []byte(`{"Max`)), packed(t, []byte(`Results":1}`))...),
				encoding("gzip")), 200, "CollectionIds"},
		"identity": {"ListCollections",
			d.raw(t, "ListCollections", []byte(`{}`), encoding("identity")), 200, "CollectionIds"},
		"not packed": {"ListCollections",
			d.raw(t, "ListCollections", []byte(`{}`), encoding("gzip")), 400,
			"SerializationException"},
		"nothing": {"ListCollections", d.raw(t, "ListCollections", nil, encoding("gzip")),
			400, "SerializationException"},
		"cut off": {"ListCollections",
			d.raw(t, "ListCollections", small[:len(small)-4], encoding("gzip")), 400,
			"SerializationException"},
		"wrong checksum": {"ListCollections",
			d.raw(t, "ListCollections", append(bytes.Clone(small[:len(small)-8]), "checksum"...),
				encoding("gzip")), 400, "SerializationException"},
		"rubbish behind": {"ListCollections",
			d.raw(t, "ListCollections", append(bytes.Clone(small), "rubbish"...), encoding("gzip")),
			400, "SerializationException"},
		"brotli": {"ListCollections", d.raw(t, "ListCollections", small, encoding("br")),
			400, "The content encoding is not supported."},
		"twice": {"ListCollections",
			d.raw(t, "ListCollections", packed(t, small), encoding("gzip, gzip")), 400,
			"The content encoding is not supported."},
		"packed unsaid": {"ListCollections", d.raw(t, "ListCollections", small), 400,
			"SerializationException"},
		"just fits": {"ListCollections",
			d.raw(t, "ListCollections",
				packed(t, append([]byte(`{}`), bytes.Repeat([]byte(" "), 16<<20-2)...)),
				encoding("gzip")), 200, "CollectionIds"},
		"just too large": {"ListCollections",
			d.raw(t, "ListCollections",
				packed(t, append([]byte(`{}`), bytes.Repeat([]byte(" "), 16<<20-1)...)),
				encoding("gzip")), 413, "RequestEntityTooLargeException"},
		"signed unpacked": {"ListCollections",
			swapBody(d.raw(t, "ListCollections", []byte(`{}`), encoding("gzip")), small), 400,
			"InvalidSignatureException"},
	} {
		t.Run(name, func(t *testing.T) {
			l.send(t, c.request)
			resp, answer := readAnswer(t, l.r)
			wantAnswer(t, resp, answer, c.status, c.want)
		})
	}
}

// swapBody puts another body into a signed request.
func swapBody(request, body []byte) []byte {
	head, old := split(request)
	head = bytes.Replace(head, []byte("Content-Length: "+strconv.Itoa(len(old))+"\r\n"),
		[]byte("Content-Length: "+strconv.Itoa(len(body))+"\r\n"), 1)
	return slices.Concat(head, body)
}

// TestGzipBomb: what would unpack to 256 MiB is refused in memory that does not depend on it.
func TestGzipBomb(t *testing.T) {
	d := open(t)
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 1 << 8 {
		w.Write(zeros)
	}
	w.Close()
	request := d.raw(t, "ListCollections", b.Bytes(),
		func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
	l := d.dial(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	l.send(t, request)
	resp, answer := readAnswer(t, l.r)
	wantAnswer(t, resp, answer, 413, "RequestEntityTooLargeException")
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 64<<20 {
		t.Errorf("a bomb of %d KB that unpacks to 256 MiB had %d MiB allocated", b.Len()>>10,
			allocated>>20)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestSlowBody: a body that trickles in, or stops, ends with the read timeout, and so does a head.
func TestSlowBody(t *testing.T) {
	d := openWith(t, enginetest.Engine("1.0"), bounds(4, 2), func(s *httptest.Server) {
		s.Config.ReadTimeout = 300 * time.Millisecond
	})
	for _, operation := range []string{"ListCollections", "DetectFaces"} {
		head, body := split(d.raw(t, operation, large(1<<20)))
		l := d.dial(t)
		l.send(t, head)
		go func() {
			for i := range body { // byte by byte
				if _, err := l.Write(body[i : i+1]); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		start := time.Now()
		resp, answer := readAnswer(t, l.r)
		wantAnswer(t, resp, answer, 408, "RequestTimeoutException")
		if took := time.Since(start); took > 5*time.Second || !resp.Close {
			t.Errorf("answered after %v, close %v", took, resp.Close)
		}
	}
	l := d.dial(t)
	l.send(t, []byte("POST / HTTP/1.1\r\nHost: x\r\nX-Amz"))
	if n, err := io.Copy(io.Discard, l.r); err != nil || n > 1000 {
		t.Errorf("after half a head: %d bytes, %v", n, err)
	}
	resp, answer := d.post(t, "DetectFaces", detectOne)
	wantAnswer(t, resp, answer, 200, "FaceDetails")
}

func TestOldAndOtherRequests(t *testing.T) {
	d := openWith(t, enginetest.Engine("1.0"), bounds(0, 0), func(s *httptest.Server) {
		s.Config.DisableGeneralOptionsHandler = true // as the program has it
	})
	for name, c := range map[string]struct {
		request   []byte
		status    int
		want      string
		wantClose bool
	}{
		"HTTP/1.0": {bytes.Replace(d.raw(t, "ListCollections", []byte(`{}`)),
			[]byte("HTTP/1.1"), []byte("HTTP/1.0"), 1), 200, "CollectionIds", true},
		"HTTP/1.0 keep-alive": {bytes.Replace(bytes.Replace(d.raw(t, "ListCollections",
			[]byte(`{}`)), []byte("HTTP/1.1"), []byte("HTTP/1.0"), 1), []byte("Host:"),
			[]byte("Connection: keep-alive\r\nHost:"), 1), 200, "CollectionIds", false},
		"Connection: close": {bytes.Replace(d.raw(t, "ListCollections", []byte(`{}`)),
			[]byte("Host:"), []byte("Connection: close\r\nHost:"), 1), 200, "CollectionIds", true},
		"OPTIONS": {[]byte("OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n"), 404,
			"UnknownOperationException", false},
		"OPTIONS of all": {[]byte("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), 404,
			"UnknownOperationException", false},
		"GET": {[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 404,
			"UnknownOperationException", false},
		"PUT": {[]byte("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
			404, "UnknownOperationException", false},
		"a method of its own": {[]byte("REKOGNISE / HTTP/1.1\r\nHost: x\r\n\r\n"), 404,
			"UnknownOperationException", false},
	} {
		t.Run(name, func(t *testing.T) {
			l := d.dial(t)
			l.send(t, c.request)
			resp, answer := readAnswer(t, l.r)
			wantAnswer(t, resp, answer, c.status, c.want)
			if resp.Close != c.wantClose {
				t.Errorf("close is %v, want %v", resp.Close, c.wantClose)
			}
		})
	}
	// The answer to HEAD has no body, and its connection goes on.
	l := d.dial(t)
	for range 3 {
		l.send(t, []byte("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"))
		resp, err := http.ReadResponse(l.r, &http.Request{Method: http.MethodHead})
		if err != nil || resp.StatusCode != http.StatusNotFound ||
			resp.Header.Get("x-amzn-RequestId") == "" {
			t.Fatalf("HEAD: %v, %v", resp, err)
		}
	}
	l.send(t, d.raw(t, "ListCollections", []byte(`{}`)))
	resp, answer := readAnswer(t, l.r)
	wantAnswer(t, resp, answer, 200, "CollectionIds")
}
