// Package videoface is the family of operations on faces in stored videos. It holds their types,
// [Service] with the operations, [Runner] that does the work of their jobs, and the interfaces of
// what these need: [Analyzer], [Videos], [Faces] and [Store].
package videoface

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// The service's own limits of a video.
const (
	MaxBytes    = 10 << 30
	MaxDuration = 6 * time.Hour
)

// The kinds of jobs of this family, which are the operations that start them.
const (
	Detection = "StartFaceDetection"
	Search    = "StartFaceSearch"
	Tracking  = "StartPersonTracking"
)

// Videos opens stored videos.
type Videos interface {
	// Open returns a video, or CodeInvalidS3Object if it cannot be read.
	Open(ctx context.Context, o job.Object) (Input, error)
}

// Faces are the collections that tracks are searched in.
type Faces interface {
	DescribeCollection(ctx context.Context,
		req face.DescribeCollectionRequest) (*face.DescribeCollectionResult, error)
	SearchVector(ctx context.Context, req face.SearchVectorRequest) (*face.SearchVectorResult,
		error)
	StoredFaces(ctx context.Context, req face.StoredFacesRequest) (*face.StoredFacesResult, error)
}

// Queue keeps and runs jobs.
type Queue interface {
	Add(ctx context.Context, j job.Job, once recollect.Once) (id string, err error)
	Repeated(ctx context.Context, once recollect.Once) (id string, ok bool, err error)
	Job(ctx context.Context, realm recollect.Realm, kind, id string) (job.Job, error)
}

// Config is what a [Service] is made of.
type Config struct {
	Queue  Queue
	Store  Store
	Videos Videos
	Faces  Faces

	// Unavailable says why no video can be analyzed, in a sentence for callers; empty: one can.
	Unavailable string
}

// Service implements the operations without HTTP. It is safe for concurrent use. Methods, requests
// and results are as those of [face.Service].
type Service struct {
	queue       Queue
	store       Store
	videos      Videos
	faces       Faces
	unavailable string
	now         func() time.Time
}

// NewService returns a service.
func NewService(cfg Config) *Service {
	return &Service{queue: cfg.Queue, store: cfg.Store, videos: cfg.Videos, faces: cfg.Faces,
		unavailable: cfg.Unavailable, now: time.Now}
}

// Start is what all requests that start a job have.
type Start struct {
	Realm recollect.Realm
	Video job.Object
	Token string // of the client; empty: none
	Tag   string // empty: none
	Topic string // ARN of the topic that the job's end is announced to; empty: none
	Role  string // ARN of a role that may publish there, which is not used
}

// StartResult is the result of a method that starts a job.
type StartResult struct {
	JobID string
}

// input is what a job keeps of its request. Its form is the store's: another form needs a
// migration.
type input struct {
	Attributes face.Attributes  `json:"attributes,omitzero"`
	Threshold  float32          `json:"threshold,omitzero"`
	Collection *inputCollection `json:"collection,omitzero"`
}

// inputCollection is a collection as it was at the start of the job.
type inputCollection struct {
	Key     face.CollectionKey `json:"key"`
	ID      string             `json:"id"`
	Version string             `json:"version"` // of its face model
}

func (c inputCollection) of(realm recollect.Realm) face.Collection {
	return face.Collection{Key: c.Key, Realm: realm, ID: c.ID, FaceModelVersion: c.Version}
}

// StartFaceDetectionRequest is the request of [Service.StartFaceDetection].
type StartFaceDetectionRequest struct {
	Start

	Attributes face.Attributes
}

// StartFaceDetection starts a job that detects the faces of a video. CodeInvalidS3Object,
// CodeVideoTooLarge, CodeInvalidParameter if the topic is not known, CodeLimitExceeded,
// CodeIdempotentMismatch, CodeNotImplemented if no video can be analyzed.
func (s *Service) StartFaceDetection(ctx context.Context,
	req StartFaceDetectionRequest) (*StartResult, error) {
	return s.start(ctx, Detection, req.Start,
		[]string{strconv.FormatUint(uint64(req.Attributes), 10)},
		func() (input, error) { return input{Attributes: req.Attributes}, nil })
}

// StartFaceSearchRequest is the request of [Service.StartFaceSearch].
type StartFaceSearchRequest struct {
	Start

	CollectionID string
	Threshold    float32 // least similarity, 0 to 100
}

// StartFaceSearch starts a job that searches a collection for the people of a video. The codes of
// StartFaceDetection, and CodeNotFound if there is no such collection.
func (s *Service) StartFaceSearch(ctx context.Context,
	req StartFaceSearchRequest) (*StartResult, error) {
	return s.start(ctx, Search, req.Start,
		[]string{req.CollectionID, strconv.FormatFloat(float64(req.Threshold), 'g', -1, 32)},
		func() (input, error) {
			result, err := s.faces.DescribeCollection(ctx, face.DescribeCollectionRequest{
				Realm: req.Realm, CollectionID: req.CollectionID})
			if err != nil {
				return input{}, err
			}
			c := result.Collection
			return input{Threshold: req.Threshold,
				Collection: &inputCollection{c.Key, c.ID, c.FaceModelVersion}}, nil
		})
}

// StartPersonTrackingRequest is the request of [Service.StartPersonTracking].
type StartPersonTrackingRequest struct {
	Start
}

// StartPersonTracking starts a job that tracks the people of a video. The codes of
// StartFaceDetection.
func (s *Service) StartPersonTracking(ctx context.Context,
	req StartPersonTrackingRequest) (*StartResult, error) {
	return s.start(ctx, Tracking, req.Start, nil,
		func() (input, error) { return input{}, nil })
}

// start starts a job. The texts are what the request has beside req; prepare returns what the job
// keeps of it.
func (s *Service) start(ctx context.Context, kind string, req Start, texts []string,
	prepare func() (input, error)) (*StartResult, error) {
	if s.unavailable != "" {
		return nil, recollect.Errorf(recollect.CodeNotImplemented, "%s", s.unavailable)
	}
	once := s.once(kind, req, texts)
	// Before what may have changed since the first call is looked at.
	id, repeated, err := s.queue.Repeated(ctx, once)
	if err != nil {
		return nil, err
	}
	if repeated {
		return &StartResult{JobID: id}, nil
	}
	in, err := prepare()
	if err != nil {
		return nil, err
	}
	video, err := openVideo(ctx, s.videos, req.Video)
	if err != nil {
		return nil, err
	}
	if err := video.Close(); err != nil {
		return nil, fmt.Errorf("close the video: %w", err)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	id, err = s.queue.Add(ctx, job.Job{Realm: req.Realm, Kind: kind, Tag: req.Tag,
		Topic: req.Topic, Source: req.Video, Input: text}, once)
	if err != nil {
		return nil, err
	}
	return &StartResult{JobID: id}, nil
}

// openVideo opens a video that is not too large.
func openVideo(ctx context.Context, videos Videos, o job.Object) (Input, error) {
	video, err := videos.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if video.Size() > MaxBytes {
		if err := video.Close(); err != nil {
			return nil, fmt.Errorf("close the video: %w", err)
		}
		return nil, recollect.Errorf(recollect.CodeVideoTooLarge,
			"Video size is too large: at most 10 GB are supported.")
	}
	return video, nil
}

// once describes a call. The digest is of its input, each part preceded by its length.
func (s *Service) once(kind string, req Start, texts []string) recollect.Once {
	h := sha256.New()
	for _, text := range append([]string{kind, req.Video.Bucket, req.Video.Name,
		req.Video.Version, req.Tag, req.Topic, req.Role}, texts...) {
		h.Write(binary.AppendUvarint(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	now := s.now()
	o := recollect.Once{Realm: req.Realm, Operation: kind, Token: req.Token, Now: now,
		Expires: now.Add(recollect.TokenLife)}
	h.Sum(o.Digest[:0])
	return o
}

// ResultRequest is the request of [Service.Result].
type ResultRequest struct {
	Realm recollect.Realm
	Kind  string // that the job has to be of
	JobID string
	Order job.Order // BySeq: by time; ByKey: by track, and of a track the most certain first
	After int64     // the Last of the page before; negative: the first page
	Limit int       // at least 1
}

// Result is the result of [Service.Result]: what a job has found.
type Result struct {
	Job              job.Job
	Metadata         Metadata // of the video, if the job has succeeded, as all that follows
	Sightings        []Sighting
	FaceModelVersion string // of the matches' collection
	More             bool
	Last             int64 // of the page; the After of the next one
}

// Sighting is a face at a moment of the video.
type Sighting struct {
	Millis int64
	TrackedFace

	Matches []face.Match // of the track, the most similar first
}

// Result returns a page of what a job has found. CodeNotFound if there is no such job, or one of
// another kind.
func (s *Service) Result(ctx context.Context, req ResultRequest) (*Result, error) {
	j, err := s.queue.Job(ctx, req.Realm, req.Kind, req.JobID)
	if err != nil {
		return nil, err
	}
	result := &Result{Job: j}
	if j.Status != job.Succeeded {
		return result, nil
	}
	if err := json.Unmarshal(j.Summary, &result.Metadata); err != nil {
		return nil, fmt.Errorf("read the metadata of a job: %w", err)
	}
	items, err := s.store.Items(ctx, j.Key, req.Order, req.After, req.Limit+1)
	if err != nil {
		return nil, err
	}
	if result.More = len(items) > req.Limit; result.More {
		items = items[:req.Limit]
	}
	for _, item := range items {
		sighting, err := decodeSighting(item.Body)
		if err != nil {
			return nil, fmt.Errorf("read a result of a job: %w", err)
		}
		result.Sightings = append(result.Sightings, sighting)
		result.Last = item.Seq
	}
	if req.Kind == Search {
		err = s.addMatches(ctx, j, result)
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// addMatches adds the matches of a page's tracks, with the faces as they are now.
func (s *Service) addMatches(ctx context.Context, j job.Job, result *Result) error {
	var in input
	if err := json.Unmarshal(j.Input, &in); err != nil || in.Collection == nil {
		return fmt.Errorf("read the input of a job: %w", err)
	}
	result.FaceModelVersion = in.Collection.Version
	var tracks []int64
	seen := map[int64]bool{}
	for _, sighting := range result.Sightings {
		if !seen[sighting.Track] {
			seen[sighting.Track] = true
			tracks = append(tracks, sighting.Track)
		}
	}
	found, err := s.store.Matches(ctx, j.Key, tracks)
	if err != nil {
		return err
	}
	var keys []face.FaceKey
	for _, matches := range found {
		for _, m := range matches {
			keys = append(keys, m.Face)
		}
	}
	stored, err := s.faces.StoredFaces(ctx, face.StoredFacesRequest{
		Collection: in.Collection.of(j.Realm), Keys: keys})
	if err != nil {
		return err
	}
	byTrack := map[int64][]face.Match{}
	for track, matches := range found {
		for _, m := range matches {
			if f, ok := stored.Faces[m.Face]; ok {
				byTrack[track] = append(byTrack[track],
					face.Match{Similarity: m.Similarity, Face: f})
			}
		}
	}
	for i, sighting := range result.Sightings {
		result.Sightings[i].Matches = byTrack[sighting.Track]
	}
	return nil
}
