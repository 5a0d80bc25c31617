package rekognition_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
)

// forge opens a connection with the head of a request whose signature is forged and whose body of
// 16 MiB does not follow.
func (d *testServer) forge(t *testing.T, operation string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	now := time.Now().UTC()
	if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Date: %s\r\n"+
		"X-Amz-Target: RekognitionService.%s\r\nContent-Type: application/x-amz-json-1.1\r\n"+
		"Content-Length: %d\r\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/%s/"+
		"us-east-1/rekognition/aws4_request, "+
		"SignedHeaders=host;x-amz-date;x-amz-target, Signature=%s\r\n\r\n",
		now.Format("20060102T150405Z"), operation, 16<<20, keyID, now.Format("20060102"),
		strings.Repeat("0", 64)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestIdleBodies: connections that declare large bodies and send none of them, with the id of a key
// whose secret they do not have, keep neither the key's owner nor anybody else from the server.
func TestIdleBodies(t *testing.T) {
	for _, operation := range []string{"ListCollections", "DetectFaces"} {
		t.Run(operation, func(t *testing.T) {
			const idle, share = 200, 50
			d := openWith(t, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
				cfg.MaxRequests, cfg.MaxPictures = 4*share, 256
			}, func(*httptest.Server) {})
			other := d.newKey(t, "123456789012", "other", `{"Version":"2012-10-17",
				"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
			var conns []net.Conn
			for range idle {
				conns = append(conns, d.forge(t, operation))
			}
			for end := time.Now().Add(20 * time.Second); strings.Count(d.log.String(),
				"ThrottlingException") < idle-share; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the server turned %d of %d idle connections away, want %d",
						strings.Count(d.log.String(), "ThrottlingException"), idle, idle-share)
				}
			}
			if operation == "DetectFaces" { // until the last of them has had its start
				for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
					resp, _ := d.post(t, operation, detectOne)
					if resp.StatusCode == http.StatusOK {
						break
					}
				}
			}
			for range 20 {
				for _, call := range []struct {
					operation string
					body      []byte
				}{{"ListCollections", []byte(`{}`)}, {"DetectFaces", detectOne},
					{"DetectFaces", large(2 << 20)}} {
					resp, body := d.post(t, call.operation, call.body)
					wantAnswer(t, resp, body, 200, "")
				}
				if _, err := d.clientOf(other).ListCollections(t.Context(), nil); err != nil {
					t.Error(err)
				}
			}
			if operation == "DetectFaces" {
				return
			}
			// The oldest were answered, and their connections are closed.
			conns[0].SetReadDeadline(time.Now().Add(10 * time.Second))
			resp, body := readAnswer(t, bufio.NewReader(conns[0]))
			wantAnswer(t, resp, body, http.StatusBadRequest, slowDown)
			if !resp.Close {
				t.Error("the connection stays, though the body was not read")
			}
		})
	}
}

// TestIdleBodiesOfHTTP2: bodies that do not arrive are bounded on the streams of one connection as
// on connections of their own.
func TestIdleBodiesOfHTTP2(t *testing.T) {
	const idle, share = 60, 50
	var client *http.Client
	d := openWith(t, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
		cfg.MaxRequests = 4 * share
	}, func(server *httptest.Server) {
		server.EnableHTTP2 = true
		server.StartTLS()
		client = server.Client()
	})
	statuses := make(chan int, idle)
	for range idle {
		body, writer := io.Pipe()
		t.Cleanup(func() { writer.Close() })
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url, body)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().UTC()
		r.ContentLength = 16 << 20
		r.Header = http.Header{
			"X-Amz-Date":   {now.Format("20060102T150405Z")},
			"X-Amz-Target": {"RekognitionService.ListCollections"},
			"Content-Type": {"application/x-amz-json-1.1"},
			"Authorization": {
				fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/rekognition/"+
					"aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=%s", keyID,
					now.Format("20060102"), strings.Repeat("0", 64))},
		}
		go func() {
			resp, err := client.Do(r)
			if err != nil {
				return // the test has ended
			}
			resp.Body.Close()
			if resp.ProtoMajor != 2 {
				t.Errorf("the answer came by %s", resp.Proto)
			}
			statuses <- resp.StatusCode
		}()
	}
	for range idle - share {
		select {
		case status := <-statuses:
			if status != http.StatusBadRequest {
				t.Errorf("got status %d", status)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("idle bodies beyond their share were not ended")
		}
	}
	if n := strings.Count(d.log.String(), "ThrottlingException"); n < idle-share {
		t.Errorf("%d were throttled, want %d", n, idle-share)
	}
}
