package videoface_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/videoface"
)

var home = recollect.Realm{Account: "123456789012", Region: "us-east-1"}

// bucket holds videos by name, and counts those that are open.
type bucket struct {
	mu     sync.Mutex
	videos map[string][]byte
	sizes  map[string]int64 // in place of the true ones
	open   int
}

func (b *bucket) Open(_ context.Context, o job.Object) (videoface.Input, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	video, ok := b.videos[o.Name]
	if o.Bucket != "videos" || !ok {
		return nil, recollect.Errorf(recollect.CodeInvalidS3Object, "no such object")
	}
	size, ok := b.sizes[o.Name]
	if !ok {
		size = int64(len(video))
	}
	b.open++
	return &object{bucket: b, Reader: bytes.NewReader(video), size: size}, nil
}

func (b *bucket) put(name string, video []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.videos[name] = video
}

type object struct {
	*bytes.Reader

	bucket *bucket
	size   int64
}

func (o *object) Size() int64 { return o.size }

func (o *object) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return o.Reader.ReadAt(p, off)
}

func (o *object) Close() error {
	o.bucket.mu.Lock()
	defer o.bucket.mu.Unlock()
	o.bucket.open--
	return nil
}

// fixture is a service with all that it needs.
type fixture struct {
	*videoface.Service

	faces  *face.Service
	store  *sqlite.Store
	bucket *bucket
	queue  *job.Queue
}

func newFixture(t *testing.T, analyzer enginetest.Analyzer) *fixture {
	t.Helper()
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	faces, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   exact.New(exact.SourceFunc(store.UserVectors), exact.Options{}),
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bucket{videos: map[string][]byte{"two.mp4": twoPeople().Bytes()},
		sizes: map[string]int64{}}
	runner := &videoface.Runner{Analyzer: analyzer, Videos: b, Faces: faces, Matches: store}
	queue := job.Start(job.Config{Store: store, Runners: runner.Kinds(), Workers: 1,
		Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		if err := errors.Join(queue.Close(), store.Close()); err != nil {
			t.Error(err)
		}
		if b.open != 0 {
			t.Errorf("%d videos are still open", b.open)
		}
	})
	return &fixture{faces: faces, store: store, bucket: b, queue: queue,
		Service: videoface.NewService(videoface.Config{Queue: queue, Store: store, Videos: b,
			Faces: faces})}
}

// twoPeople is a video in which person 7 is seen from the beginning to the end, and person 8, with
// a body, in every other moment.
func twoPeople() enginetest.Video {
	v := enginetest.Video{Millis: 2000}
	for n := range 10 {
		m := enginetest.Moment{Millis: int64(200 * n), Faces: []enginetest.Seen{
			{Track: 0, Face: enginetest.Face{Person: 7, Size: 0.25}}}}
		if n%2 == 1 {
			m.Faces = append(m.Faces, enginetest.Seen{Track: 1,
				Face: enginetest.Face{Person: 8, Shot: 1, Size: 0.125},
				Body: &recollect.BoundingBox{Left: 0.5, Top: 0.25, Width: 0.25, Height: 0.75}})
		}
		v.Moments = append(v.Moments, m)
	}
	return v
}

func start(name string) videoface.Start {
	return videoface.Start{Realm: home, Video: job.Object{Bucket: "videos", Name: name}}
}

// result waits for the end of a job and returns all that it has found, in pages of a size.
func (f *fixture) result(t *testing.T, kind, id string, order job.Order,
	page int) *videoface.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req := videoface.ResultRequest{Realm: home, Kind: kind, JobID: id, Order: order, After: -1,
		Limit: page}
	var all *videoface.Result
	for {
		r, err := f.Result(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		if r.Job.Status == job.InProgress {
			if len(r.Sightings) != 0 || r.More {
				t.Fatalf("a job in progress has results: %+v", r)
			}
			time.Sleep(time.Millisecond)
			continue
		}
		if len(r.Sightings) > page {
			t.Fatalf("a page of %d has %d", page, len(r.Sightings))
		}
		if all == nil {
			all = r
		} else {
			all.Sightings = append(all.Sightings, r.Sightings...)
		}
		if !r.More {
			return all
		}
		req.After = r.Last
	}
}

// places are the moments and tracks of sightings.
func places(r *videoface.Result) []string {
	var all []string
	for _, s := range r.Sightings {
		all = append(all, fmt.Sprintf("%d:%d", s.Millis, s.Track))
	}
	return all
}

func TestFaceDetection(t *testing.T) {
	f := newFixture(t, enginetest.Analyzer{})
	started, err := f.StartFaceDetection(t.Context(), videoface.StartFaceDetectionRequest{
		Start: start("two.mp4"), Attributes: face.AttributesAll})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []int{1, 4, 15, 1000} {
		r := f.result(t, videoface.Detection, started.JobID, job.BySeq, page)
		if r.Job.Status != job.Succeeded || r.Metadata != (videoface.Metadata{Codec: "json",
			DurationMillis: 2000, Format: "JSON", FrameRate: 25, FrameWidth: 1920,
			FrameHeight: 1080, ColorRange: "LIMITED"}) {
			t.Errorf("the job is %+v of %+v", r.Job, r.Metadata)
		}
		want := []string{"0:0", "200:0", "200:1", "400:0", "600:0", "600:1", "800:0", "1000:0",
			"1000:1", "1200:0", "1400:0", "1400:1", "1600:0", "1800:0", "1800:1"}
		if got := places(r); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", page, got, want)
		}
		// What is stored of a face is all that the engine says of it, but its size in pixels.
		photo, err := enginetest.Engine("1.0").Detect(t.Context(), enginetest.Picture(
			enginetest.Face{Size: 0.125}), face.AttributesAll)
		if err != nil {
			t.Fatal(err)
		}
		detail := photo.Faces()[0]
		detail.Side, detail.Confidence = 0, 90.09
		if got := r.Sightings[14].Face; !reflect.DeepEqual(got, detail) {
			t.Errorf("the face is %+v, want %+v", got, detail)
		}
	}
}

func TestPersonTracking(t *testing.T) {
	f := newFixture(t, enginetest.Analyzer{})
	started, err := f.StartPersonTracking(t.Context(),
		videoface.StartPersonTrackingRequest{Start: start("two.mp4")})
	if err != nil {
		t.Fatal(err)
	}
	// The most certain moment of a track is the last one.
	want := []string{"1800:0", "1600:0", "1400:0", "1200:0", "1000:0", "800:0", "600:0", "400:0",
		"200:0", "0:0", "1800:1", "1400:1", "1000:1", "600:1", "200:1"}
	for _, page := range []int{1, 4, 1000} {
		r := f.result(t, videoface.Tracking, started.JobID, job.ByKey, page)
		if got := places(r); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", page, got, want)
		}
		first, last := r.Sightings[0], r.Sightings[14]
		if first.Body != nil || last.Body == nil || last.Body.Height != 0.75 ||
			first.Face.AgeRange != nil {
			t.Errorf("the sightings are %+v and %+v", first, last)
		}
	}
}

// index stores faces of people in the collection and returns their ids by person.
func (f *fixture) index(t *testing.T, people ...int) map[int]string {
	t.Helper()
	_, err := f.faces.CreateCollection(t.Context(),
		face.CreateCollectionRequest{Realm: home, CollectionID: "staff"})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int]string{}
	for _, person := range people {
		r, err := f.faces.IndexFaces(t.Context(), face.IndexFacesRequest{Realm: home,
			CollectionID: "staff", ExternalImageID: fmt.Sprint(person),
			Picture: recollect.Bytes(enginetest.Picture(enginetest.Face{Person: person,
				Size: 0.5}))})
		if err != nil {
			t.Fatal(err)
		}
		ids[person] = r.Indexed[0].Face.ID
	}
	return ids
}

func (f *fixture) startSearch(t *testing.T) string {
	t.Helper()
	started, err := f.StartFaceSearch(t.Context(), videoface.StartFaceSearchRequest{
		Start: start("two.mp4"), CollectionID: "staff", Threshold: 80})
	if err != nil {
		t.Fatal(err)
	}
	return started.JobID
}

// found returns the ids of the faces that each track matches.
func found(t *testing.T, r *videoface.Result) map[int64][]string {
	t.Helper()
	all := map[int64][]string{}
	for _, s := range r.Sightings {
		var ids []string
		for _, m := range s.Matches {
			if m.Similarity < 80 {
				t.Errorf("a match has the similarity %v", m.Similarity)
			}
			ids = append(ids, m.Face.ID)
		}
		if old, ok := all[s.Track]; ok && !slices.Equal(old, ids) {
			t.Errorf("track %d has the matches %v and %v", s.Track, old, ids)
		}
		all[s.Track] = ids
	}
	return all
}

func TestFaceSearch(t *testing.T) {
	f := newFixture(t, enginetest.Analyzer{})
	ids := f.index(t, 7, 9)
	id := f.startSearch(t)
	r := f.result(t, videoface.Search, id, job.BySeq, 3)
	want := map[int64][]string{0: {ids[7]}, 1: nil}
	if got := found(t, r); !reflect.DeepEqual(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	match := r.Sightings[0].Matches[0].Face
	if match.ExternalImageID != "7" || r.FaceModelVersion != "1.0" {
		t.Errorf("the match is %+v of version %s", match, r.FaceModelVersion)
	}
	// A face that is deleted is not found any more: nothing is kept of it.
	if _, err := f.faces.DeleteFaces(t.Context(), face.DeleteFacesRequest{Realm: home,
		CollectionID: "staff", FaceIDs: []string{ids[7]}}); err != nil {
		t.Fatal(err)
	}
	r = f.result(t, videoface.Search, id, job.BySeq, 3)
	if got := found(t, r); len(r.Sightings) != 15 || got[0] != nil {
		t.Errorf("after the deletion: %v", got)
	}
}

// A collection that is deleted during the job, or deleted and made again, is not searched.
func TestCollectionIsDeletedDuringTheJob(t *testing.T) {
	for _, again := range []bool{false, true} {
		running, release := make(chan struct{}), make(chan struct{})
		f := newFixture(t, enginetest.Analyzer{Before: func(_ context.Context, n int) error {
			if n == 5 {
				close(running)
				<-release
			}
			return nil
		}})
		f.index(t, 7)
		id := f.startSearch(t)
		<-running
		err := f.faces.DeleteCollection(t.Context(), face.DeleteCollectionRequest{Realm: home,
			CollectionID: "staff"})
		if err != nil {
			t.Fatal(err)
		}
		if again {
			f.index(t, 7)
		}
		close(release)
		r := f.result(t, videoface.Search, id, job.BySeq, 3)
		if r.Job.Status != job.Failed ||
			r.Job.Message != "The collection id: staff does not exist" || r.Sightings != nil {
			t.Errorf("the result is %+v", r)
		}
	}
}

func TestStartIsRefused(t *testing.T) {
	f := newFixture(t, enginetest.Analyzer{})
	f.bucket.sizes["two.mp4"] = videoface.MaxBytes + 1
	f.bucket.put("one.mp4", nil)
	_, err := f.StartFaceDetection(t.Context(),
		videoface.StartFaceDetectionRequest{Start: start("none.mp4")})
	wantCode(t, err, recollect.CodeInvalidS3Object)
	_, err = f.StartFaceDetection(t.Context(),
		videoface.StartFaceDetectionRequest{Start: start("two.mp4")})
	wantCode(t, err, recollect.CodeVideoTooLarge)
	_, err = f.StartFaceSearch(t.Context(),
		videoface.StartFaceSearchRequest{Start: start("one.mp4"), CollectionID: "none"})
	wantCode(t, err, recollect.CodeNotFound)
	topic := start("one.mp4")
	topic.Topic = "arn:aws:sns:us-east-1:123456789012:topic"
	_, err = f.StartPersonTracking(t.Context(),
		videoface.StartPersonTrackingRequest{Start: topic})
	wantCode(t, err, recollect.CodeInvalidParameter)
}

func TestUnavailable(t *testing.T) {
	f := newFixture(t, enginetest.Analyzer{})
	id := f.startSearchOf(t)
	without := videoface.NewService(videoface.Config{Queue: f.queue, Store: f.store,
		Videos: f.bucket, Faces: f.faces, Unavailable: "There is no FFmpeg."})
	_, err := without.StartPersonTracking(t.Context(),
		videoface.StartPersonTrackingRequest{Start: start("two.mp4")})
	wantCode(t, err, recollect.CodeNotImplemented)
	if !strings.Contains(err.Error(), "There is no FFmpeg.") {
		t.Error(err)
	}
	f.Service = without // what was found is still there
	if r := f.result(t, videoface.Search, id, job.BySeq, 100); len(r.Sightings) != 15 {
		t.Errorf("%d sightings", len(r.Sightings))
	}
}

func (f *fixture) startSearchOf(t *testing.T) string {
	t.Helper()
	f.index(t, 7)
	id := f.startSearch(t)
	f.result(t, videoface.Search, id, job.BySeq, 100)
	return id
}

func wantCode(t *testing.T, err error, code recollect.Code) {
	t.Helper()
	if err == nil || recollect.CodeOf(err) != code {
		t.Errorf("got error %v (code %d), want code %d", err, recollect.CodeOf(err), code)
	}
}

// A call with a token starts one job, also if what it names is gone when it is repeated.
func TestClientToken(t *testing.T) {
	f := newFixture(t, enginetest.Analyzer{})
	f.index(t, 7)
	req := videoface.StartFaceSearchRequest{Start: start("two.mp4"), CollectionID: "staff",
		Threshold: 80}
	req.Token, req.Tag = "token", "tag"
	first, err := f.StartFaceSearch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	f.result(t, videoface.Search, first.JobID, job.BySeq, 100)
	f.bucket.mu.Lock()
	delete(f.bucket.videos, "two.mp4")
	f.bucket.mu.Unlock()
	if err := f.faces.DeleteCollection(t.Context(), face.DeleteCollectionRequest{Realm: home,
		CollectionID: "staff"}); err != nil {
		t.Fatal(err)
	}
	again, err := f.StartFaceSearch(t.Context(), req)
	if err != nil || again.JobID != first.JobID {
		t.Errorf("the repeated call: %+v, %v", again, err)
	}
	for name, change := range map[string]func(*videoface.StartFaceSearchRequest){
		"bucket":     func(r *videoface.StartFaceSearchRequest) { r.Video.Bucket = "b" },
		"name":       func(r *videoface.StartFaceSearchRequest) { r.Video.Name = "b" },
		"version":    func(r *videoface.StartFaceSearchRequest) { r.Video.Version = "b" },
		"tag":        func(r *videoface.StartFaceSearchRequest) { r.Tag = "b" },
		"topic":      func(r *videoface.StartFaceSearchRequest) { r.Topic = "b" },
		"role":       func(r *videoface.StartFaceSearchRequest) { r.Role = "b" },
		"collection": func(r *videoface.StartFaceSearchRequest) { r.CollectionID = "b" },
		"threshold":  func(r *videoface.StartFaceSearchRequest) { r.Threshold = 81 },
	} {
		other := req
		change(&other)
		_, err := f.StartFaceSearch(t.Context(), other)
		if recollect.CodeOf(err) != recollect.CodeIdempotentMismatch {
			t.Errorf("another %s: %v", name, err)
		}
	}
	tracking := videoface.StartPersonTrackingRequest{Start: req.Start}
	_, err = f.StartPersonTracking(t.Context(), tracking)
	wantCode(t, err, recollect.CodeInvalidS3Object) // the token is another operation's
}

func TestBadVideos(t *testing.T) {
	f := newFixture(t, enginetest.Analyzer{})
	f.bucket.put("text.mp4", []byte("no video"))
	f.bucket.put("empty.mp4", nil)
	f.bucket.put("long.mp4", enginetest.Video{
		Millis: (videoface.MaxDuration + time.Second).Milliseconds()}.Bytes())
	for name, want := range map[string]string{"text.mp4": "The video cannot be read.",
		"empty.mp4": "The video cannot be read.", "long.mp4": "The video is too long."} {
		started, err := f.StartFaceDetection(t.Context(),
			videoface.StartFaceDetectionRequest{Start: start(name)})
		if err != nil {
			t.Fatal(err)
		}
		r := f.result(t, videoface.Detection, started.JobID, job.BySeq, 10)
		if r.Job.Status != job.Failed || r.Job.Message != want {
			t.Errorf("%s: %s %q, want %q", name, r.Job.Status, r.Job.Message, want)
		}
	}
}
