package rekognition_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/smithy-go"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
)

// gate is an engine whose pictures wait until it is opened.
type gate struct {
	face.Engine
	waiting atomic.Int64
	gone    atomic.Int64 // whose client went away while they waited
	opened  chan struct{}
	panics  atomic.Bool
}

func newGate() *gate { return &gate{Engine: enginetest.Engine("1.0"), opened: make(chan struct{})} }

func (g *gate) Detect(ctx context.Context, picture []byte, want face.Attributes) (face.Photo,
	error) {
	if g.panics.Load() {
		panic("a fault of the engine")
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	select {
	case <-g.opened:
		return g.Engine.Detect(ctx, picture, want)
	case <-ctx.Done():
		g.gone.Add(1)
		return nil, ctx.Err()
	}
}

func (g *gate) await(t *testing.T, what string, counter *atomic.Int64, want int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); counter.Load() != want; time.Sleep(
		time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d %s, want %d", counter.Load(), what, want)
		}
	}
}

func bounds(requests, pictures int) func(*rekognition.Config) {
	return func(cfg *rekognition.Config) { cfg.MaxRequests, cfg.MaxPictures = requests, pictures }
}

// [{"Person":1,"Size":0.5}]
var detectOne = []byte(`{"Image":{"Bytes":"W3siUGVyc29uIjoxLCJTaXplIjowLjV9XQ=="}}`)

func wantAnswer(t *testing.T, resp *http.Response, body string, status int, part string) {
	t.Helper()
	if resp.StatusCode != status || !strings.Contains(body, part) ||
		resp.Header.Get("x-amzn-RequestId") == "" {
		t.Errorf("answered %d %s (request id %q), want %d with %s", resp.StatusCode, body,
			resp.Header.Get("x-amzn-RequestId"), status, part)
	}
}

const slowDown = `"Message":"Slow down; sudden increase in rate of requests."`

// TestOverloadIsShed: the excess is refused at once, those admitted succeed, and the bounds are
// free afterwards.
func TestOverloadIsShed(t *testing.T) {
	g := newGate()
	d := openWith(t, g, bounds(5, 3), func(*httptest.Server) {})
	type answer struct {
		resp *http.Response
		body string
	}
	admitted := make(chan answer, 3)
	for range 3 {
		go func() {
			resp, body := d.post(t, "DetectFaces", detectOne)
			admitted <- answer{resp, body}
		}()
	}
	g.await(t, "pictures at work", &g.waiting, 3)

	for _, operation := range []string{"IndexFaces", "SearchFacesByImage", "SearchUsersByImage",
		"DetectFaces", "CompareFaces"} {
		start := time.Now()
		resp, body := d.post(t, operation, detectOne)
		wantAnswer(t, resp, body, 400,
			`{"__type":"ThrottlingException","Code":"ThrottlingException","Logref":"`)
		wantAnswer(t, resp, body, 400, slowDown)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s was refused after %v", operation, took)
		}
	}
	// Operations without networks have places of their own.
	resp, body := d.post(t, "ListCollections", []byte(`{}`))
	wantAnswer(t, resp, body, 200, "CollectionIds")
	// Nobody without a key can tell that the server is busy, or takes a place.
	resp, body = d.post(t, "DetectFaces", detectOne, replace(keyID, "AKIDEXAMPLE00001"))
	wantAnswer(t, resp, body, 400, "UnrecognizedClientException")

	close(g.opened)
	for range 3 {
		a := <-admitted
		wantAnswer(t, a.resp, a.body, 200, "FaceDetails")
	}
	wantFree(t, d, g, 3)
}

// wantFree sees to it that as many pictures as ever are let in together.
func wantFree(t *testing.T, d *testServer, g *gate, n int64) {
	t.Helper()
	g.opened = make(chan struct{})
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			resp, body := d.post(t, "DetectFaces", detectOne)
			wantAnswer(t, resp, body, 200, "FaceDetails")
		})
	}
	g.await(t, "pictures at work", &g.waiting, n)
	resp, body := d.post(t, "DetectFaces", detectOne)
	wantAnswer(t, resp, body, 400, slowDown)
	close(g.opened)
	group.Wait()
}

// TestAllRequestsAreBounded: the bound on requests holds for those without networks too, and before
// authentication.
func TestAllRequestsAreBounded(t *testing.T) {
	g := newGate()
	d := openWith(t, g, bounds(3, 3), func(*httptest.Server) {})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { d.post(t, "DetectFaces", detectOne) })
	}
	g.await(t, "pictures at work", &g.waiting, 3)
	resp, body := d.post(t, "ListCollections", []byte(`{}`))
	wantAnswer(t, resp, body, 400, slowDown)
	close(g.opened)
	group.Wait()
	for range 10 {
		resp, body = d.post(t, "ListCollections", []byte(`{}`))
		wantAnswer(t, resp, body, 200, "CollectionIds")
	}
	wantFree(t, d, g, 3)
}

// TestPlacesOfLostRequestsAreFree: clients that go away, panics and every kind of refusal give
// their places back.
func TestPlacesOfLostRequestsAreFree(t *testing.T) {
	g := newGate()
	d := openWith(t, g, bounds(8, 2), func(*httptest.Server) {})
	for round := range 3 {
		ctx, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				_, err := d.client().DetectFaces(ctx,
					&sdk.DetectFacesInput{Image: &types.Image{Bytes: enginetest.Picture(
						enginetest.Face{Size: 0.5})}})
				if err == nil {
					t.Error("answered though the client went away")
				}
			})
		}
		g.await(t, "pictures at work", &g.waiting, 2)
		leave()
		group.Wait()
		g.await(t, "requests seen to be lost", &g.gone, int64(2*(round+1)))
		g.await(t, "pictures at work", &g.waiting, 0)
	}
	g.panics.Store(true)
	for range 20 {
		resp, body := d.post(t, "DetectFaces", detectOne)
		wantAnswer(t, resp, body, 500, "InternalServerError")
	}
	g.panics.Store(false)
	for range 20 {
		d.post(t, "DetectFaces", []byte(`{`))
		d.post(t, "DetectFaces", []byte(`{}`))
		d.post(t, "DetectFaces", detectOne,
			func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })
		d.post(t, "DetectFaces", detectOne,
			func(r *http.Request) { r.Header.Set("Content-Encoding", "br") })
		d.post(t, "SearchUsersByImage", []byte(`{}`))
	}
	for range 5 { // half a body, and gone
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn,
			string(d.raw(t, "DetectFaces", detectOne))[:len(d.raw(t, "DetectFaces", detectOne))-10])
		conn.Close()
	}
	// The server learns of those a moment later.
	for end := time.Now().Add(20 * time.Second); strings.Count(d.log.String(),
		"SerializationException") < 20+20+5 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	wantFree(t, d, g, 2)
}

// TestOverloadIsRefusedUnread: a refused picture is not read, and its connection is closed if it is
// a large one.
func TestOverloadIsRefusedUnread(t *testing.T) {
	g := newGate()
	d := openWith(t, g, bounds(8, 1), func(*httptest.Server) {})
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.post(t, "DetectFaces", detectOne)
	}()
	g.await(t, "pictures at work", &g.waiting, 1)
	for size, wantClose := range map[int]bool{1 << 10: false, 10 << 20: true} {
		body := bytes.Repeat([]byte(" "), size)
		head, _, _ := bytes.Cut(d.raw(t, "DetectFaces", body), []byte("\r\n\r\n"))
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(conn, "%s\r\n\r\n", head)
		if !wantClose {
			conn.Write(body)
		} // else not one byte of it is sent
		resp, answer := readAnswer(t, bufio.NewReader(conn))
		wantAnswer(t, resp, answer, 400, slowDown)
		if resp.Close != wantClose {
			t.Errorf("a body of %d bytes: the connection is closed: %v, want %v", size, resp.Close,
				wantClose)
		}
	}
	close(g.opened)
	<-done
}

// fast is a client whose retries do not wait for seconds.
func (d *testServer) fast(r aws.Retryer) *sdk.Client {
	return sdk.New(d.client().Options(),
		func(o *sdk.Options) { o.Retryer, o.RetryMaxAttempts = r, 0 })
}

func TestSDKsRideOutTheRate(t *testing.T) {
	rates := func(cfg *rekognition.Config) {
		cfg.Rates = rekognition.Rates{
			Operations: map[string]rekognition.Rate{"ListCollections": {PerSecond: 150, Burst: 4}}}
	}
	burst := func(client *sdk.Client) (refused int, other error) {
		var group sync.WaitGroup
		var mu sync.Mutex
		for range 24 {
			group.Go(func() {
				_, err := client.ListCollections(t.Context(), &sdk.ListCollectionsInput{})
				mu.Lock()
				defer mu.Unlock()
				if e, ok := errors.AsType[*types.ProvisionedThroughputExceededException](err); ok &&
					e.ErrorMessage() == "Provisioned rate exceeded" &&
					*e.Code == "ProvisionedThroughputExceededException" && *e.Logref != "" {
					refused++
				} else if err != nil {
					other = err
				}
			})
		}
		group.Wait()
		return refused, other
	}
	standard := func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = 10,
			500*time.Millisecond
	}
	for name, r := range map[string]aws.Retryer{
		"standard": retry.NewStandard(standard),
		"adaptive": retry.NewAdaptiveMode(
			func(o *retry.AdaptiveModeOptions) {
				o.StandardOptions = append(o.StandardOptions,
					standard)
			}),
	} {
		t.Run(name, func(t *testing.T) {
			d := openWith(t, enginetest.Engine("1.0"), rates, func(*httptest.Server) {})
			if refused, err := burst(d.fast(r)); refused != 0 || err != nil {
				t.Errorf("%d of 24 calls failed with retries, %v", refused, err)
			}
			if !strings.Contains(d.log.String(), "ProvisionedThroughputExceededException") {
				t.Error("the rate was never exceeded")
			}
		})
	}
	t.Run("no retries", func(t *testing.T) {
		d := openWith(t, enginetest.Engine("1.0"), rates, func(*httptest.Server) {})
		if refused, err := burst(d.client()); refused == 0 || refused > 20 || err != nil {
			t.Errorf("%d of 24 calls were refused, %v", refused, err)
		}
		// Another operation has no rate.
		for range 20 {
			_, err := d.client().DescribeCollection(t.Context(),
				&sdk.DescribeCollectionInput{CollectionId: aws.String("absent")})
			if e, ok := errors.AsType[smithy.APIError](err); !ok ||
				e.ErrorCode() != "ResourceNotFoundException" {
				t.Error(err)
			}
		}
	})
}

// TestRatesCountAuthenticatedCallsAlone: neither strangers nor forgers can use up an account's
// rate, and what is over the rate is not even decoded.
func TestRatesCountAuthenticatedCallsAlone(t *testing.T) {
	d := openWith(t, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
		cfg.Rates = rekognition.Rates{Operations: map[string]rekognition.Rate{
			rekognition.AnyOperation: {PerSecond: 0.001, Burst: 2}}}
	}, func(*httptest.Server) {})
	for range 10 {
		resp, body := d.post(t, "ListCollections", []byte(`{}`), replace(keyID, "AKIDEXAMPLE00001"))
		wantAnswer(t, resp, body, 400, "UnrecognizedClientException")
		resp, body = d.post(t, "ListCollections", []byte(`{}`),
			func(r *http.Request) { r.Header.Set("Content-Type", "x") })
		wantAnswer(t, resp, body, 400, "InvalidSignatureException")
		resp, body = d.post(t, "NoSuchOperation", []byte(`{}`))
		wantAnswer(t, resp, body, 400, "UnknownOperationException")
	}
	resp, body := d.post(t, "ListCollections", []byte(`{}`))
	wantAnswer(t, resp, body, 200, "CollectionIds")
	resp, body = d.post(t, "ListCollections", []byte(`{`)) // counts: it was decoded
	wantAnswer(t, resp, body, 400, "SerializationException")
	resp, body = d.post(t, "ListCollections", []byte(`{`))
	wantAnswer(t, resp, body, 400, "Provisioned rate exceeded")
	resp, body = d.post(t, "DescribeCollection", []byte(`{}`)) // counted apart
	wantAnswer(t, resp, body, 400, "ValidationException")
}
