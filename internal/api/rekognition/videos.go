package rekognition

import (
	"context"
	"strconv"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// maxSightings is how many results of a video a page has, if the request asks for more or says
// nothing.
const maxSightings = 1000

// ofVideos returns the handler of an operation on videos, or that of one that is not built if the
// server has no service of videos.
func (s *Server) ofVideos(name string, h handler) handler {
	if s.videos == nil {
		return notBuilt(name)
	}
	return h
}

func (s *Server) startFaceDetection(ctx context.Context, realm recollect.Realm,
	in *wire.StartFaceDetectionRequest) (*wire.StartFaceDetectionResponse, error) {
	start, err := videoStart(realm, in.Video, in.NotificationChannel, in.ClientRequestToken,
		in.JobTag)
	if err != nil {
		return nil, err
	}
	req := videoface.StartFaceDetectionRequest{Start: start}
	if deref(in.FaceAttributes) == wire.FaceAttributesAll {
		req.Attributes = face.AttributesAll
	}
	result, err := s.videos.StartFaceDetection(ctx, req)
	if err != nil {
		return nil, err
	}
	return &wire.StartFaceDetectionResponse{JobId: &result.JobID}, nil
}

func (s *Server) startFaceSearch(ctx context.Context, realm recollect.Realm,
	in *wire.StartFaceSearchRequest) (*wire.StartFaceSearchResponse, error) {
	start, err := videoStart(realm, in.Video, in.NotificationChannel, in.ClientRequestToken,
		in.JobTag)
	if err != nil {
		return nil, err
	}
	result, err := s.videos.StartFaceSearch(ctx, videoface.StartFaceSearchRequest{Start: start,
		CollectionID: *in.CollectionId,
		Threshold:    float32(valueOr(in.FaceMatchThreshold, defaultFaceMatchThreshold))})
	if err != nil {
		return nil, err
	}
	return &wire.StartFaceSearchResponse{JobId: &result.JobID}, nil
}

func (s *Server) startPersonTracking(ctx context.Context, realm recollect.Realm,
	in *wire.StartPersonTrackingRequest) (*wire.StartPersonTrackingResponse, error) {
	start, err := videoStart(realm, in.Video, in.NotificationChannel, in.ClientRequestToken,
		in.JobTag)
	if err != nil {
		return nil, err
	}
	result, err := s.videos.StartPersonTracking(ctx,
		videoface.StartPersonTrackingRequest{Start: start})
	if err != nil {
		return nil, err
	}
	return &wire.StartPersonTrackingResponse{JobId: &result.JobID}, nil
}

// videoStart is what all requests that start a job on a video have.
func videoStart(realm recollect.Realm, video *wire.Video, channel *wire.NotificationChannel,
	token, tag *string) (videoface.Start, error) {
	object := video.S3Object
	if object == nil || object.Bucket == nil || object.Name == nil {
		return videoface.Start{}, recollect.Errorf(recollect.CodeInvalidParameter,
			"Request has invalid parameters")
	}
	start := videoface.Start{
		Realm: realm,
		Video: job.Object{Bucket: *object.Bucket, Name: *object.Name,
			Version: deref(object.Version)},
		Token: deref(token),
		Tag:   deref(tag),
	}
	if channel != nil {
		start.Topic, start.Role = *channel.SNSTopicArn, *channel.RoleArn
	}
	return start, nil
}

func (s *Server) getFaceDetection(ctx context.Context, realm recollect.Realm,
	in *wire.GetFaceDetectionRequest) (*wire.GetFaceDetectionResponse, error) {
	r, page, err := s.videoResult(ctx, realm, videoface.Detection, *in.JobId, in.MaxResults,
		in.NextToken, wire.FaceSearchSortByTimestamp)
	if err != nil {
		return nil, err
	}
	out := &wire.GetFaceDetectionResponse{
		JobStatus: page.status, StatusMessage: page.message, VideoMetadata: page.metadata,
		NextToken: page.next, JobId: page.id, Video: page.video, JobTag: page.tag,
		Faces: make([]wire.FaceDetection, len(r.Sightings)),
	}
	for i, found := range r.Sightings {
		out.Faces[i] = wire.FaceDetection{Timestamp: new(found.Millis),
			Face: new(faceDetail(found.Face))}
	}
	return out, nil
}

func (s *Server) getFaceSearch(ctx context.Context, realm recollect.Realm,
	in *wire.GetFaceSearchRequest) (*wire.GetFaceSearchResponse, error) {
	r, page, err := s.videoResult(ctx, realm, videoface.Search, *in.JobId, in.MaxResults,
		in.NextToken, valueOr(in.SortBy, wire.FaceSearchSortByTimestamp))
	if err != nil {
		return nil, err
	}
	out := &wire.GetFaceSearchResponse{
		JobStatus: page.status, StatusMessage: page.message, VideoMetadata: page.metadata,
		NextToken: page.next, JobId: page.id, Video: page.video, JobTag: page.tag,
		Persons: make([]wire.PersonMatch, len(r.Sightings)),
	}
	for i, found := range r.Sightings {
		out.Persons[i] = wire.PersonMatch{Timestamp: new(found.Millis), Person: personOf(found)}
		if len(found.Matches) > 0 {
			out.Persons[i].FaceMatches = faceMatches(found.Matches, r.FaceModelVersion)
		}
	}
	return out, nil
}

func (s *Server) getPersonTracking(ctx context.Context, realm recollect.Realm,
	in *wire.GetPersonTrackingRequest) (*wire.GetPersonTrackingResponse, error) {
	r, page, err := s.videoResult(ctx, realm, videoface.Tracking, *in.JobId, in.MaxResults,
		in.NextToken, valueOr(in.SortBy, wire.PersonTrackingSortByTimestamp))
	if err != nil {
		return nil, err
	}
	out := &wire.GetPersonTrackingResponse{
		JobStatus: page.status, StatusMessage: page.message, VideoMetadata: page.metadata,
		NextToken: page.next, JobId: page.id, Video: page.video, JobTag: page.tag,
		Persons: make([]wire.PersonDetection, len(r.Sightings)),
	}
	for i, found := range r.Sightings {
		out.Persons[i] = wire.PersonDetection{Timestamp: new(found.Millis), Person: personOf(found)}
	}
	return out, nil
}

// personOf returns a person of a video. The box of a body that was not detected is left out.
func personOf(found videoface.Sighting) *wire.PersonDetail {
	out := &wire.PersonDetail{Index: new(found.Track), Face: new(faceDetail(found.Face))}
	if found.Body != nil {
		out.BoundingBox = new(boundingBox(*found.Body))
	}
	return out
}

// videoPage is what all answers with the results of a job on a video have.
type videoPage struct {
	id, status, message, next, tag *string
	metadata                       *wire.VideoMetadata
	video                          *wire.Video
}

// videoResult reads a page of the results of a job of a kind.
func (s *Server) videoResult(ctx context.Context, realm recollect.Realm, kind, id string,
	maxResults *int32, token *string, sortBy string) (*videoface.Result, videoPage, error) {
	binding := []string{kind, realm.Account, realm.Region, id, sortBy}
	after := int64(-1)
	last, err := s.cursor(token, binding...)
	if err == nil && token != nil {
		if after, err = strconv.ParseInt(last, 10, 64); err != nil {
			err = invalidToken()
		}
	}
	if err != nil {
		return nil, videoPage{}, err
	}
	req := videoface.ResultRequest{Realm: realm, Kind: kind, JobID: id, After: after,
		Limit: min(int(valueOr(maxResults, maxSightings)), maxSightings)}
	if sortBy == wire.FaceSearchSortByIndex {
		req.Order = job.ByKey
	}
	r, err := s.videos.Result(ctx, req)
	if err != nil {
		return nil, videoPage{}, err
	}
	page := videoPage{
		id:      &r.Job.ID,
		status:  new(string(r.Job.Status)),
		message: optional(r.Job.Message),
		tag:     optional(r.Job.Tag),
		video: &wire.Video{S3Object: &wire.S3Object{Bucket: &r.Job.Source.Bucket,
			Name: &r.Job.Source.Name, Version: optional(r.Job.Source.Version)}},
	}
	if r.Job.Status == job.Succeeded {
		page.metadata = videoMetadata(r.Metadata)
	}
	if r.More {
		page.next = new(s.tokens.seal(strconv.FormatInt(r.Last, 10), binding...))
	}
	return r, page, nil
}

func videoMetadata(m videoface.Metadata) *wire.VideoMetadata {
	return &wire.VideoMetadata{
		Codec:          &m.Codec,
		DurationMillis: &m.DurationMillis,
		Format:         &m.Format,
		FrameRate:      new(wire.Float(m.FrameRate)),
		FrameHeight:    &m.FrameHeight,
		FrameWidth:     &m.FrameWidth,
		ColorRange:     optional(m.ColorRange),
	}
}
