package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A request of an unmodified client has a trace with a span for each stage, down to the networks,
// the index and the store.
func TestTraceOfARequest(t *testing.T) {
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	var mu sync.Mutex
	parents, ids := map[string][]string{}, map[string]string{} // of spans: parents' ids; names
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request coltrace.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, of := range request.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				for _, span := range scope.Spans {
					ids[hex.EncodeToString(span.SpanId)] = span.Name
					parents[span.Name] = append(parents[span.Name],
						hex.EncodeToString(span.ParentSpanId))
				}
			}
		}
	}))
	defer collector.Close()
	cfg := config(t)
	cfg.OTLP = collector.URL
	a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	key := credentials.NewStaticCredentialsProvider("AKIDAKIDAKIDAKIDAKID",
		strings.Repeat("s", 40), "")
	client := rekognition.New(rekognition.Options{Region: "us-east-1", RetryMaxAttempts: 1,
		BaseEndpoint: aws.String(a.URL), Credentials: key})
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 100, 100)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateCollection(ctx, &rekognition.CreateCollectionInput{
		CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.IndexFaces(ctx, &rekognition.IndexFacesInput{
		CollectionId: aws.String("people"),
		Image:        &types.Image{Bytes: picture.Bytes()}}); err != nil {
		t.Fatal(err)
	}
	tokens := sts.New(sts.Options{Region: "us-east-1", RetryMaxAttempts: 1,
		BaseEndpoint: aws.String(a.URL), Credentials: key})
	if _, err := tokens.GetCallerIdentity(ctx, nil); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	const request = "RekognitionService/IndexFaces"
	for name, within := range map[string]string{
		request:                                  "",
		"RekognitionService/CreateCollection":    "",
		"SecurityTokenService/GetCallerIdentity": "",
		"read the signature":                     request, "read the body": request,
		"verify the signature": request, "decode the input": request, "authorize": request,
		"run the operation": request, "encode the answer": request,
		"read a collection": "run the operation", "detect faces": "run the operation",
	} {
		found := false
		for _, parent := range parents[name] {
			found = found || ids[parent] == within
		}
		if !found {
			t.Errorf("there is no span %q within %q", name, within)
		}
	}
}
