package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/notify"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

const videoTopic = "arn:aws:sns:us-east-1:123456789012:AmazonRekognitionVideos"

// putVideo writes a video with a face into a bucket of a folder. It returns the folder.
func putVideo(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	v := enginetest.Video{Millis: 1000, Moments: []enginetest.Moment{{Millis: 0,
		Faces: []enginetest.Seen{{Face: enginetest.Face{Person: 1, Size: 0.5}}}}}}
	if err := errors.Join(os.Mkdir(filepath.Join(root, "videos"), 0o700),
		os.WriteFile(filepath.Join(root, "videos", "a.mp4"), v.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return root
}

// webhooks writes a file that maps the topic to an address, and returns its path.
func webhooks(t *testing.T, address string) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "key"), []byte(strings.Repeat("k", 32)), 0o600),
		os.WriteFile(filepath.Join(dir, "hooks.json"), []byte(`{"webhooks": [{"topic": "`+
			videoTopic+`", "url": "`+address+`", "secretFile": "key"}]}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "hooks.json")
}

// serve opens a server, and returns a client of it and what stops it.
func serve(t *testing.T, cfg Config) (client *rekognition.Client, stop func()) {
	t.Helper()
	a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	return rekognition.New(rekognition.Options{Region: "us-east-1",
			BaseEndpoint: aws.String(a.URL), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("AKIDAKIDAKIDAKIDAKID",
				strings.Repeat("s", 40), "")}), func() {
			cancel()
			if err := <-ran; err != nil {
				t.Error(err)
			}
		}
}

// A server that stops gives its jobs back, and takes them up when it starts again. The end of a
// job is announced once, by a signed call of the webhook.
func TestJobOutlivesTheServer(t *testing.T) {
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	type call struct {
		header http.Header
		body   string
	}
	calls := make(chan call, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		calls <- call{r.Header, string(body)}
	}))
	defer receiver.Close()
	cfg := config(t)
	cfg.Images.Root = putVideo(t)
	cfg.Webhooks = webhooks(t, receiver.URL)
	running := make(chan struct{})
	cfg.analyzer = enginetest.Analyzer{Before: func(ctx context.Context, _ int) error {
		close(running)
		<-ctx.Done()
		return ctx.Err()
	}}
	client, stop := serve(t, cfg)
	start := func(topic string) (*rekognition.StartPersonTrackingOutput, error) {
		return client.StartPersonTracking(t.Context(), &rekognition.StartPersonTrackingInput{
			Video: &types.Video{S3Object: &types.S3Object{Bucket: aws.String("videos"),
				Name: aws.String("a.mp4")}},
			NotificationChannel: &types.NotificationChannel{SNSTopicArn: &topic,
				RoleArn: aws.String("arn:aws:iam::123456789012:role/any")}})
	}
	if _, err := start(videoTopic + "2"); err == nil ||
		!strings.Contains(err.Error(), "InvalidParameterException") {
		t.Errorf("a topic without a webhook: %v", err)
	}
	started, err := start(videoTopic)
	if err != nil {
		t.Fatal(err)
	}
	<-running
	stop()
	cfg.analyzer = enginetest.Analyzer{}
	client, stop = serve(t, cfg)
	got := <-calls
	out, err := client.GetPersonTracking(t.Context(),
		&rekognition.GetPersonTrackingInput{JobId: started.JobId})
	if err != nil || out.JobStatus != types.VideoJobStatusSucceeded || len(out.Persons) != 1 {
		t.Errorf("the result is %+v, %v", out, err)
	}
	stop()
	signature := "v1=" + notify.Sign([]byte(strings.Repeat("k", 32)),
		got.header.Get(notify.TimestampHeader), []byte(got.body))
	if got.header.Get(notify.SignatureHeader) != signature ||
		!strings.Contains(got.body, `"JobId":"`+*started.JobId+`","Status":"SUCCEEDED"`) {
		t.Errorf("announced %s with %v", got.body, got.header)
	}
	if len(calls) != 0 {
		t.Errorf("it was announced again: %+v", <-calls)
	}
}

func TestVideoSource(t *testing.T) {
	root := putVideo(t)
	missing := job.Object{Bucket: "videos", Name: "b.mp4"}
	there := job.Object{Bucket: "videos", Name: "a.mp4"}
	server := httptest.NewServer(http.StripPrefix("/", http.FileServer(http.Dir(root))))
	defer server.Close()
	for name, cfg := range map[string]S3Config{"folder": {Root: root},
		"endpoint": {Endpoint: server.URL, Region: "us-east-1"}, "none": {}} {
		source, err := openVideoSource(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = source.Open(t.Context(), missing)
		if recollect.CodeOf(err) != recollect.CodeInvalidS3Object {
			t.Errorf("%s: no object: %v", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err = source.Open(ctx, there); name != "none" && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: a caller that has gone: %v", name, err)
		}
		if name == "none" {
			continue
		}
		in, err := source.Open(t.Context(), there)
		if err != nil {
			t.Fatal(err)
		}
		begin := make([]byte, 10)
		if _, err := in.ReadAt(t.Context(), begin, 0); err != nil ||
			string(begin) != `{"Millis":` {
			t.Errorf("%s: read %q, %v", name, begin, err)
		}
		if _, err := in.ReadAt(t.Context(), begin, in.Size()); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", name, err)
		}
		if _, ok := in.(videoface.FileInput); ok != (name == "folder") {
			t.Errorf("%s: a file: %v", name, ok)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}
