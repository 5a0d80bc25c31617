package rekognition

import (
	"context"
	"errors"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

const defaultSimilarityThreshold = 80

// maxS3Object is the size of the largest picture that is read from S3, in bytes.
const maxS3Object = 15 << 20

func (s *Server) detectFaces(ctx context.Context, _ recollect.Realm,
	in *wire.DetectFacesRequest) (*wire.DetectFacesResponse, error) {
	picture, err := s.picture(in.Image)
	if err != nil {
		return nil, err
	}
	result, err := s.service.DetectFaces(ctx, face.DetectFacesRequest{Picture: picture,
		Attributes: attributesOf(in.Attributes)})
	if err != nil {
		return nil, err
	}
	out := &wire.DetectFacesResponse{FaceDetails: make([]wire.FaceDetail, len(result.Faces))}
	for i, f := range result.Faces {
		out.FaceDetails[i] = faceDetail(f)
	}
	return out, nil
}

func (s *Server) compareFaces(ctx context.Context, _ recollect.Realm,
	in *wire.CompareFacesRequest) (*wire.CompareFacesResponse, error) {
	source, err := s.picture(in.SourceImage)
	if err != nil {
		return nil, err
	}
	target, err := s.picture(in.TargetImage)
	if err != nil {
		return nil, err
	}
	result, err := s.service.CompareFaces(ctx, face.CompareFacesRequest{
		Source:        source,
		Target:        target,
		Threshold:     float32(valueOr(in.SimilarityThreshold, defaultSimilarityThreshold)),
		QualityFilter: face.QualityFilter(deref(in.QualityFilter)),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.CompareFacesResponse{
		SourceImageFace: &wire.ComparedSourceImageFace{
			BoundingBox: new(boundingBox(result.Source.BoundingBox)),
			Confidence:  new(wire.Float(result.Source.Confidence)),
		},
		FaceMatches:    make([]wire.CompareFacesMatch, len(result.Matches)),
		UnmatchedFaces: make([]wire.ComparedFace, len(result.Unmatched)),
	}
	for i, m := range result.Matches {
		out.FaceMatches[i] = wire.CompareFacesMatch{Similarity: new(wire.Float(m.Similarity)),
			Face: new(comparedFace(m.Detail))}
	}
	for i, f := range result.Unmatched {
		out.UnmatchedFaces[i] = comparedFace(f)
	}
	return out, nil
}

// picture returns what reads an image when the operation needs it. An image is given either as
// bytes or as an object in S3, which has a bucket and a name.
func (s *Server) picture(image *wire.Image) (recollect.Picture, error) {
	object := image.S3Object
	switch {
	case image.Bytes != nil && object != nil:
		return nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"Request has invalid parameters")
	case image.Bytes != nil:
		return recollect.Bytes(image.Bytes), nil
	case object == nil || object.Bucket == nil || object.Name == nil:
		return nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"Requested image should either contain bytes or s3 object.")
	}
	return func(ctx context.Context) ([]byte, error) {
		picture, err := s.images.Get(ctx, *object.Bucket, *object.Name, deref(object.Version),
			maxS3Object)
		if err != nil && ctx.Err() == nil && recollect.CodeOf(err) == recollect.CodeInternal {
			err = noObject(err)
		}
		return picture, err
	}, nil
}

// noObject returns the error of an object that cannot be read. The reason is only logged.
func noObject(err error) error {
	return &recollect.Error{Code: recollect.CodeInvalidS3Object, Err: err,
		Message: "Unable to get object metadata from S3. Check object key, region and/or access " +
			"permissions."}
}

// noImages has no object.
type noImages struct{}

func (noImages) Get(context.Context, string, string, string, int64) ([]byte, error) {
	return nil, errors.New("no source of S3 objects is configured")
}

// attributesOf reads a list of attribute names. An empty list asks for the default ones.
func attributesOf(names []string) (want face.Attributes) {
	byName := map[string]face.Attributes{
		"ALL":           face.AttributesAll,
		"AGE_RANGE":     face.AttributeAgeRange,
		"BEARD":         face.AttributeBeard,
		"EMOTIONS":      face.AttributeEmotions,
		"EYE_DIRECTION": face.AttributeEyeDirection,
		"EYEGLASSES":    face.AttributeEyeglasses,
		"EYES_OPEN":     face.AttributeEyesOpen,
		"FACE_OCCLUDED": face.AttributeFaceOccluded,
		"GENDER":        face.AttributeGender,
		"MOUTH_OPEN":    face.AttributeMouthOpen,
		"MUSTACHE":      face.AttributeMustache,
		"SMILE":         face.AttributeSmile,
		"SUNGLASSES":    face.AttributeSunglasses,
	}
	for _, name := range names {
		want |= byName[name]
	}
	return want
}

func boundingBox(b recollect.BoundingBox) wire.BoundingBox {
	return wire.BoundingBox{
		Width:  new(wire.Float(b.Width)),
		Height: new(wire.Float(b.Height)),
		Left:   new(wire.Float(b.Left)),
		Top:    new(wire.Float(b.Top)),
	}
}

func landmarks(points []face.Landmark) []wire.Landmark {
	out := make([]wire.Landmark, len(points))
	for i, p := range points {
		out[i] = wire.Landmark{Type: new(p.Type), X: new(wire.Float(p.X)), Y: new(wire.Float(p.Y))}
	}
	return out
}

func pose(p face.Pose) *wire.Pose {
	return &wire.Pose{Roll: new(wire.Float(p.Roll)), Yaw: new(wire.Float(p.Yaw)),
		Pitch: new(wire.Float(p.Pitch))}
}

func quality(q face.Quality) *wire.ImageQuality {
	return &wire.ImageQuality{Brightness: new(wire.Float(q.Brightness)),
		Sharpness: new(wire.Float(q.Sharpness))}
}

func faceDetail(d face.FaceDetail) wire.FaceDetail {
	out := wire.FaceDetail{
		BoundingBox: new(boundingBox(d.BoundingBox)),
		Confidence:  new(wire.Float(d.Confidence)),
		Landmarks:   landmarks(d.Landmarks),
		Pose:        pose(d.Pose),
		Quality:     quality(d.Quality),
	}
	if r := d.AgeRange; r != nil {
		out.AgeRange = &wire.AgeRange{Low: new(r.Low), High: new(r.High)}
	}
	if g := d.Gender; g != nil {
		out.Gender = &wire.Gender{Value: new(g.Value), Confidence: new(wire.Float(g.Confidence))}
	}
	for _, e := range d.Emotions {
		out.Emotions = append(out.Emotions,
			wire.Emotion{Type: new(e.Type), Confidence: new(wire.Float(e.Confidence))})
	}
	if j := d.EyesOpen; j != nil {
		out.EyesOpen = &wire.EyeOpen{Value: new(j.Value), Confidence: new(wire.Float(j.Confidence))}
	}
	if j := d.MouthOpen; j != nil {
		out.MouthOpen = &wire.MouthOpen{Value: new(j.Value),
			Confidence: new(wire.Float(j.Confidence))}
	}
	if j := d.Smile; j != nil {
		out.Smile = &wire.Smile{Value: new(j.Value), Confidence: new(wire.Float(j.Confidence))}
	}
	return out
}

func comparedFace(d face.FaceDetail) wire.ComparedFace {
	return wire.ComparedFace{
		BoundingBox: new(boundingBox(d.BoundingBox)),
		Confidence:  new(wire.Float(d.Confidence)),
		Landmarks:   landmarks(d.Landmarks),
		Pose:        pose(d.Pose),
		Quality:     quality(d.Quality),
	}
}
