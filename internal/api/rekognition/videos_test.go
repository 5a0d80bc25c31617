package rekognition_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// videos are the objects of the bucket "videos".
type videos map[string][]byte

func (v videos) Open(_ context.Context, o job.Object) (videoface.Input, error) {
	video, ok := v[o.Name]
	if o.Bucket != "videos" || !ok || o.Version != "" && o.Version != "v1" {
		return nil, recollect.Errorf(recollect.CodeInvalidS3Object, "no such object")
	}
	return video1{bytes.NewReader(video)}, nil
}

type video1 struct{ *bytes.Reader }

func (v video1) Size() int64 {
	if v.Len() == 3 { // "huge" without an e
		return videoface.MaxBytes + 1
	}
	return v.Reader.Size()
}

func (v video1) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return v.Reader.ReadAt(p, off)
}

func (video1) Close() error { return nil }

// topics takes every topic of SNS and keeps what was announced.
type topics chan string

func (topics) Knows(string) bool { return true }

func (a topics) Announce(_ context.Context, topic, _ string, message []byte) error {
	a <- topic + " " + string(message)
	return nil
}

const videoTopic = "arn:aws:sns:us-east-1:123456789012:AmazonRekognitionVideos"

func openVideos(t *testing.T, analyzer videoface.Analyzer, workers int) (*testServer, topics) {
	t.Helper()
	announced := make(topics, 100)
	source := videos{"huge": []byte("hug"), "text": []byte("no video"),
		"two.mp4": twoPeople().Bytes()}
	d := openOn(t, enginetest.Engine("1.0"),
		func(cfg *rekognition.Config, store *sqlite.Store) {
			runner := &videoface.Runner{Analyzer: analyzer, Videos: source, Faces: cfg.Service,
				Matches: store}
			queue := job.Start(job.Config{Store: store, Runners: runner.Kinds(), Workers: workers,
				Announcer: announced, MaxActive: 2, Log: slog.New(slog.DiscardHandler)})
			t.Cleanup(func() { queue.Close() })
			cfg.Videos = videoface.NewService(videoface.Config{Queue: queue, Store: store,
				Videos: source, Faces: cfg.Service})
		}, func(*httptest.Server) {})
	return d, announced
}

// twoPeople is a video in which person 7 is seen twice, and person 8 once, with a body.
func twoPeople() enginetest.Video {
	seven := enginetest.Seen{Track: 0, Face: enginetest.Face{Person: 7, Size: 0.25}}
	eight := enginetest.Seen{Track: 1, Face: enginetest.Face{Person: 8, Size: 0.125},
		Body: &recollect.BoundingBox{Left: 0.5, Top: 0.25, Width: 0.25, Height: 0.75}}
	return enginetest.Video{Millis: 600, Moments: []enginetest.Moment{
		{Millis: 0, Faces: []enginetest.Seen{seven}},
		{Millis: 200, Faces: []enginetest.Seen{seven, eight}},
		{Millis: 400},
	}}
}

func inS3(name string) *types.Video {
	return &types.Video{S3Object: &types.S3Object{Bucket: aws.String("videos"), Name: &name}}
}

// await calls get until a job has ended.
func await[T any](t *testing.T, get func() (T, types.VideoJobStatus, error)) T {
	t.Helper()
	for {
		out, status, err := get()
		if err != nil {
			t.Fatal(err)
		}
		if status != types.VideoJobStatusInProgress {
			return out
		}
		time.Sleep(time.Millisecond)
	}
}

func TestFaceDetectionInVideo(t *testing.T) {
	d, announced := openVideos(t, enginetest.Analyzer{}, 1)
	client := d.client()
	video := inS3("two.mp4")
	video.S3Object.Version = aws.String("v1")
	started, err := client.StartFaceDetection(t.Context(), &sdk.StartFaceDetectionInput{
		Video: video, JobTag: aws.String("my:tag"), FaceAttributes: types.FaceAttributesAll,
		NotificationChannel: &types.NotificationChannel{SNSTopicArn: aws.String(videoTopic),
			RoleArn: aws.String("arn:aws:iam::123456789012:role/any")}})
	if err != nil {
		t.Fatal(err)
	}
	out := await(t, func() (*sdk.GetFaceDetectionOutput, types.VideoJobStatus, error) {
		out, err := client.GetFaceDetection(t.Context(),
			&sdk.GetFaceDetectionInput{JobId: started.JobId})
		if err != nil {
			return nil, "", err
		}
		if out.JobStatus == types.VideoJobStatusInProgress && (len(out.Faces) != 0 ||
			out.VideoMetadata != nil) {
			t.Errorf("in progress: %+v", out)
		}
		return out, out.JobStatus, nil
	})
	if out.JobStatus != types.VideoJobStatusSucceeded || aws.ToString(out.JobId) !=
		aws.ToString(started.JobId) || aws.ToString(out.JobTag) != "my:tag" ||
		out.StatusMessage != nil || out.NextToken != nil ||
		!reflect.DeepEqual(out.Video.S3Object, video.S3Object) {
		t.Errorf("the answer is %+v", out)
	}
	m := out.VideoMetadata
	if *m.Codec != "json" || *m.DurationMillis != 600 || *m.Format != "JSON" ||
		*m.FrameRate != 25 || *m.FrameHeight != 1080 || *m.FrameWidth != 1920 ||
		m.ColorRange != types.VideoColorRangeLimited {
		t.Errorf("the metadata is %+v", m)
	}
	if len(out.Faces) != 3 || out.Faces[2].Timestamp != 200 || *out.Faces[2].Face.Confidence !=
		90.01 || out.Faces[0].Face.AgeRange == nil || len(out.Faces[0].Face.Landmarks) != 2 {
		t.Errorf("the faces are %+v", out.Faces)
	}
	topic, text, _ := strings.Cut(<-announced, " ")
	var message map[string]any
	if err := json.Unmarshal([]byte(text), &message); err != nil {
		t.Fatal(err)
	}
	at, _ := message["Timestamp"].(float64)
	want := map[string]any{"JobId": *started.JobId, "Status": "SUCCEEDED",
		"API": "StartFaceDetection", "JobTag": "my:tag", "Timestamp": at,
		"Video": map[string]any{"S3ObjectName": "two.mp4", "S3Bucket": "videos"}}
	if topic != videoTopic || !reflect.DeepEqual(message, want) ||
		time.Since(time.UnixMilli(int64(at))).Abs() > time.Hour {
		t.Errorf("announced %s %s", topic, text)
	}
}

func TestFaceSearchInVideo(t *testing.T) {
	d, _ := openVideos(t, enginetest.Analyzer{}, 1)
	client := d.client()
	_, err := client.CreateCollection(t.Context(),
		&sdk.CreateCollectionInput{CollectionId: aws.String("staff")})
	if err != nil {
		t.Fatal(err)
	}
	indexed, err := client.IndexFaces(t.Context(), &sdk.IndexFacesInput{
		CollectionId: aws.String("staff"), ExternalImageId: aws.String("anna"),
		Image: &types.Image{Bytes: enginetest.Picture(enginetest.Face{Person: 7, Shot: 3,
			Size: 0.5})}})
	if err != nil {
		t.Fatal(err)
	}
	started, err := client.StartFaceSearch(t.Context(), &sdk.StartFaceSearchInput{
		Video: inS3("two.mp4"), CollectionId: aws.String("staff")})
	if err != nil {
		t.Fatal(err)
	}
	get := func(in *sdk.GetFaceSearchInput) *sdk.GetFaceSearchOutput {
		in.JobId = started.JobId
		return await(t, func() (*sdk.GetFaceSearchOutput, types.VideoJobStatus, error) {
			out, err := client.GetFaceSearch(t.Context(), in)
			if err != nil {
				return nil, "", err
			}
			return out, out.JobStatus, nil
		})
	}
	out := get(&sdk.GetFaceSearchInput{})
	if len(out.Persons) != 3 || out.Persons[0].Person.Index != 0 ||
		out.Persons[2].Person.Index != 1 || out.Persons[2].Timestamp != 200 {
		t.Fatalf("the persons are %+v", out.Persons)
	}
	seven, eight := out.Persons[1], out.Persons[2]
	if seven.Person.BoundingBox != nil || eight.Person.BoundingBox == nil ||
		*eight.Person.BoundingBox.Height != 0.75 || eight.Person.Face == nil ||
		eight.Person.Face.AgeRange != nil {
		t.Errorf("the persons are %+v and %+v", seven.Person, eight.Person)
	}
	if len(seven.FaceMatches) != 1 || eight.FaceMatches != nil {
		t.Fatalf("the matches are %+v and %+v", seven.FaceMatches, eight.FaceMatches)
	}
	match := seven.FaceMatches[0]
	if *match.Similarity < 80 || *match.Face.FaceId != *indexed.FaceRecords[0].Face.FaceId ||
		*match.Face.ExternalImageId != "anna" || *match.Face.IndexFacesModelVersion != "1.0" ||
		match.Face.ImageId == nil || match.Face.Confidence == nil ||
		match.Face.BoundingBox == nil {
		t.Errorf("the match is %+v", match.Face)
	}

	for sort, want := range map[types.FaceSearchSortBy]string{"": "0:0 200:0 200:1",
		types.FaceSearchSortByTimestamp: "0:0 200:0 200:1",
		types.FaceSearchSortByIndex:     "200:0 0:0 200:1"} {
		in := &sdk.GetFaceSearchInput{SortBy: sort, MaxResults: aws.Int32(1)}
		var all []string
		for {
			out := get(in)
			for _, p := range out.Persons {
				all = append(all, fmt.Sprintf("%d:%d", p.Timestamp, p.Person.Index))
			}
			if out.VideoMetadata == nil {
				t.Error("a page without metadata")
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("order %q: %s, want %s", sort, got, want)
		}
	}
}

func TestPersonTrackingInVideo(t *testing.T) {
	d, _ := openVideos(t, enginetest.Analyzer{}, 1)
	client := d.client()
	started, err := client.StartPersonTracking(t.Context(),
		&sdk.StartPersonTrackingInput{Video: inS3("two.mp4")})
	if err != nil {
		t.Fatal(err)
	}
	out := await(t, func() (*sdk.GetPersonTrackingOutput, types.VideoJobStatus, error) {
		out, err := client.GetPersonTracking(t.Context(), &sdk.GetPersonTrackingInput{
			JobId: started.JobId, SortBy: types.PersonTrackingSortByIndex,
			MaxResults: aws.Int32(5000)})
		if err != nil {
			return nil, "", err
		}
		return out, out.JobStatus, nil
	})
	if len(out.Persons) != 3 || out.Persons[0].Timestamp != 200 || out.Persons[1].Timestamp != 0 ||
		out.Persons[2].Person.Index != 1 || out.Persons[0].Person.Face.BoundingBox == nil {
		t.Errorf("the persons are %+v", out.Persons)
	}
}

// raises checks that an error is one of the API's, and that its operation declares it.
func raises[E error](t *testing.T, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		t.Errorf("%s: %v", what, err)
	}
}

func TestVideoRefusals(t *testing.T) {
	d, _ := openVideos(t, enginetest.Analyzer{}, 0) // nothing is run
	client := d.client()
	start := func(video *types.Video) error {
		_, err := client.StartFaceDetection(t.Context(),
			&sdk.StartFaceDetectionInput{Video: video})
		return err
	}
	raises[*types.InvalidS3ObjectException](t, "no object", start(inS3("none")))
	raises[*types.VideoTooLargeException](t, "over 10 GB", start(inS3("huge")))
	raises[*types.InvalidParameterException](t, "no S3Object", start(&types.Video{}))
	raises[*types.InvalidParameterException](t, "no name", start(&types.Video{
		S3Object: &types.S3Object{Bucket: aws.String("videos")}}))
	_, err := client.StartFaceSearch(t.Context(), &sdk.StartFaceSearchInput{
		Video: inS3("two.mp4"), CollectionId: aws.String("none")})
	raises[*types.ResourceNotFoundException](t, "no collection", err)

	input := &sdk.StartPersonTrackingInput{Video: inS3("two.mp4"),
		ClientRequestToken: aws.String("t")}
	first, err := client.StartPersonTracking(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.StartPersonTracking(t.Context(), input)
	if err != nil || *again.JobId != *first.JobId {
		t.Errorf("a repeated call: %+v, %v", again, err)
	}
	input.JobTag = aws.String("other")
	_, err = client.StartPersonTracking(t.Context(), input)
	raises[*types.IdempotentParameterMismatchException](t, "another tag", err)
	if err := start(inS3("two.mp4")); err != nil {
		t.Fatal(err)
	}
	raises[*types.LimitExceededException](t, "a third job", start(inS3("two.mp4")))

	_, err = client.GetFaceDetection(t.Context(),
		&sdk.GetFaceDetectionInput{JobId: aws.String("none")})
	raises[*types.ResourceNotFoundException](t, "no job", err)
	_, err = client.GetFaceDetection(t.Context(), &sdk.GetFaceDetectionInput{JobId: first.JobId})
	raises[*types.ResourceNotFoundException](t, "another kind of job", err)
	abroad := d.clientIn("eu-west-1", rootKey)
	_, err = abroad.GetPersonTracking(t.Context(),
		&sdk.GetPersonTrackingInput{JobId: first.JobId})
	raises[*types.ResourceNotFoundException](t, "another region", err)
	_, err = client.GetPersonTracking(t.Context(), &sdk.GetPersonTrackingInput{
		JobId: first.JobId, NextToken: aws.String("token")})
	raises[*types.InvalidPaginationTokenException](t, "another token", err)
}

// A token is good for the job, the order and the operation that it was made for.
func TestVideoTokensAreBound(t *testing.T) {
	d, _ := openVideos(t, enginetest.Analyzer{}, 1)
	client := d.client()
	var ids [2]*string
	for i := range ids {
		started, err := client.StartPersonTracking(t.Context(),
			&sdk.StartPersonTrackingInput{Video: inS3("two.mp4")})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = started.JobId
		await(t, func() (any, types.VideoJobStatus, error) {
			out, err := client.GetPersonTracking(t.Context(),
				&sdk.GetPersonTrackingInput{JobId: ids[i]})
			if err != nil {
				return nil, "", err
			}
			return nil, out.JobStatus, nil
		})
	}
	get := func(id, token *string, by types.PersonTrackingSortBy) (*sdk.GetPersonTrackingOutput,
		error) {
		return client.GetPersonTracking(t.Context(), &sdk.GetPersonTrackingInput{JobId: id,
			NextToken: token, SortBy: by, MaxResults: aws.Int32(1)})
	}
	first, err := get(ids[0], nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(ids[0], first.NextToken, types.PersonTrackingSortByTimestamp); err != nil {
		t.Errorf("the default order, named: %v", err)
	}
	_, err = get(ids[1], first.NextToken, "")
	raises[*types.InvalidPaginationTokenException](t, "another job", err)
	_, err = get(ids[0], first.NextToken, types.PersonTrackingSortByIndex)
	raises[*types.InvalidPaginationTokenException](t, "another order", err)
}

func TestFailedVideo(t *testing.T) {
	d, announced := openVideos(t, enginetest.Analyzer{}, 1)
	client := d.client()
	started, err := client.StartFaceDetection(t.Context(), &sdk.StartFaceDetectionInput{
		Video: inS3("text"), NotificationChannel: &types.NotificationChannel{
			SNSTopicArn: aws.String(videoTopic),
			RoleArn:     aws.String("arn:aws:iam::123456789012:role/any")}})
	if err != nil {
		t.Fatal(err)
	}
	out := await(t, func() (*sdk.GetFaceDetectionOutput, types.VideoJobStatus, error) {
		out, err := client.GetFaceDetection(t.Context(),
			&sdk.GetFaceDetectionInput{JobId: started.JobId})
		if err != nil {
			return nil, "", err
		}
		return out, out.JobStatus, nil
	})
	if out.JobStatus != types.VideoJobStatusFailed ||
		aws.ToString(out.StatusMessage) != "The video cannot be read." ||
		out.VideoMetadata != nil || len(out.Faces) != 0 {
		t.Errorf("the answer is %+v", out)
	}
	if text := <-announced; !strings.Contains(text, `"Status":"FAILED"`) {
		t.Errorf("announced %s", text)
	}
}

// Without a service of videos the operations are not built.
func TestVideosAreNotBuilt(t *testing.T) {
	d := open(t)
	for operation, body := range map[string]string{
		"StartFaceDetection": `{"Video": {}}`, "GetFaceDetection": `{"JobId": "1"}`,
		"StartPersonTracking": `{"Video": {}}`, "GetPersonTracking": `{"JobId": "1"}`,
		"StartFaceSearch": `{"Video": {}, "CollectionId": "a"}`,
		"GetFaceSearch":   `{"JobId": "1"}`,
	} {
		resp, text := d.post(t, operation, []byte(body))
		if resp.StatusCode != http.StatusNotImplemented || !strings.Contains(text, operation) {
			t.Errorf("%s: %d %s", operation, resp.StatusCode, text)
		}
	}
}
