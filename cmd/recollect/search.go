package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

// mostOfAFace is the most matches of each face that the server returns from a search with every
// face of a picture, or in several collections.
const mostOfAFace = 100

func searchCommand() *cobra.Command {
	var c client
	s := searcher{client: &c}
	var output string
	cmd := &cobra.Command{
		Use:   "search IMAGE... --collection COLLECTION",
		Short: "Search a collection for the faces of a picture",
		Long: "Search a collection for the largest face of each picture, or with --all for every " +
			"face. The search is among the collection's faces, or with --users among its users. " +
			"Several collections are searched at once, and their matches are listed together, " +
			"the most similar first.\n\n" + aboutPictures +
			"\n\nThe exit status is 0 if there is a match for any of the pictures, 1 if there is " +
			"no match or no face, 3 if a picture could not be searched.",
		Example: `  recollect search street.jpg --collection people
  recollect search group.jpg --collection people --all --draw group-with-names.png
  recollect search door.jpg --collection staff --collection visitors
  recollect search *.jpg --collection people --output json | jq -r .FaceMatches[].Face
  if recollect search door.jpg --collection staff --users >/dev/null; then echo welcome; fi`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(s.Validate(), validOutput(output),
				s.drawing.Validate(args...)); err != nil {
				return err
			}
			api, err := c.api(cmd.Context())
			if err != nil {
				return err
			}
			s.api, s.show = api, newShow(cmd, output, s.columns()...)
			do := s.faces
			switch {
			case s.own():
				do = s.picture
			case s.Users:
				do = s.users
			}
			return s.show.end(eachPicture(cmd, args, "no match", do))
		},
	}
	c.addFlags(cmd.Flags())
	s.matching.addFlags(cmd)
	cmd.Flags().Int32Var(&s.matching.Max, "max", 10,
		"most matches of a face; 0: all that the server gives, 100 with --all or several "+
			"collections")
	cmd.Flags().StringSliceVar(&s.Collections, "collection", nil,
		"collection to search; more of them after commas, or with the flag again")
	cmd.Flags().BoolVar(&s.Users, "users", false, "search users instead of faces")
	cmd.Flags().BoolVar(&s.All, "all", false, "look for every face of a picture")
	s.drawing.addFlags(cmd, "the picture")
	addOutput(cmd, &output)
	cmd.MarkFlagRequired("collection")
	cmd.RegisterFlagCompletionFunc("collection", c.completeCollection)
	return cmd
}

// searcher searches pictures.
type searcher struct {
	Collections []string
	Users, All  bool
	matching
	drawing drawing

	client *client
	api    *rekognition.Client
	show   *show
}

// own reports whether the search is one that the API does not have: of every face, or in several
// collections.
func (s *searcher) own() bool { return s.All || len(s.Collections) > 1 }

// Validate reports every fault at once.
func (s *searcher) Validate() error {
	faults := []error{s.matching.Validate()}
	if s.own() && s.matching.Max > mostOfAFace {
		faults = append(faults, fmt.Errorf(
			"--max must be 0 to %d with --all or several collections", mostOfAFace))
	}
	return errors.Join(faults...)
}

func (s *searcher) columns() []column {
	columns := []column{pictureColumn()}
	if s.own() {
		columns = append(columns, column{head: "NO.", name: "FaceNumber", once: true},
			column{head: "PLACE", box: true, once: true})
	}
	columns = append(columns, similarityColumn())
	if len(s.Collections) > 1 {
		columns = append(columns, collectionColumn())
	}
	user, external, face := userColumn(), externalColumn(), faceColumn()
	user.optional, external.optional, face.optional = true, true, true
	return append(columns, user, external, face)
}

func (s *searcher) faces(ctx context.Context, name string, image *types.Image) (bool, error) {
	found, err := s.api.SearchFacesByImage(ctx, &rekognition.SearchFacesByImageInput{
		CollectionId: &s.Collections[0], Image: image, FaceMatchThreshold: &s.Threshold,
		MaxFaces: s.most(), QualityFilter: types.QualityFilter(s.Quality),
	})
	if noFace(err) {
		return false, s.noFace(ctx, name, image)
	}
	if err != nil {
		return false, err
	}
	searched := mark{box: found.SearchedFaceBoundingBox, dim: true}
	for i, m := range found.FaceMatches {
		s.show.row(name, *m.Similarity, aws.ToString(m.Face.UserId),
			aws.ToString(m.Face.ExternalImageId), aws.ToString(m.Face.FaceId))
		if i == 0 {
			searched.dim = false
			searched.name = nameOf(m.Face.UserId, m.Face.ExternalImageId, m.Face.FaceId,
				m.Similarity)
		}
	}
	if err := s.drawing.write(image.Bytes, []mark{searched}); err != nil {
		return false, err
	}
	return len(found.FaceMatches) > 0, s.show.object(struct {
		Picture string
		*rekognition.SearchFacesByImageOutput
	}{name, found})
}

func (s *searcher) users(ctx context.Context, name string, image *types.Image) (bool, error) {
	found, err := s.api.SearchUsersByImage(ctx, &rekognition.SearchUsersByImageInput{
		CollectionId: &s.Collections[0], Image: image, UserMatchThreshold: &s.Threshold,
		MaxUsers: s.most(), QualityFilter: types.QualityFilter(s.Quality),
	})
	if err == nil && found.SearchedFace == nil || noFace(err) {
		return false, s.noFace(ctx, name, image)
	}
	if err != nil {
		return false, err
	}
	searched := mark{box: found.SearchedFace.FaceDetail.BoundingBox, dim: true}
	for i, m := range found.UserMatches {
		s.show.row(name, *m.Similarity, aws.ToString(m.User.UserId), "", "")
		if i == 0 {
			searched.dim, searched.name = false, nameOf(m.User.UserId, nil, nil, m.Similarity)
		}
	}
	if err := s.drawing.write(image.Bytes, []mark{searched}); err != nil {
		return false, err
	}
	return len(found.UserMatches) > 0, s.show.object(struct {
		Picture string
		*rekognition.SearchUsersByImageOutput
	}{name, found})
}

// pictureAnswer is what the server answers to a search of a picture's faces.
type pictureAnswer struct {
	FaceModelVersion string
	SearchedFaces    []struct {
		FaceDetail  types.FaceDetail
		FaceMatches []pictureMatch
		UserMatches []pictureMatch
	}
	UnsearchedFaces []unsearchedFace
}

type pictureMatch struct {
	CollectionId string
	Similarity   float32
	Face         types.Face
	User         types.MatchedUser
}

type unsearchedFace struct {
	FaceDetail            types.FaceDetail
	Reasons, Explanations []string
}

// ask searches for every face of a picture. It returns the answer, and the JSON of it as it came.
func (s *searcher) ask(ctx context.Context, image *types.Image) (pictureAnswer, json.RawMessage,
	error) {
	request := struct {
		CollectionIds  []string
		Image          *types.Image
		SearchFor      string `json:",omitempty"`
		MatchThreshold float32
		MaxMatches     int32
		MaxFaces       int32  `json:",omitempty"`
		QualityFilter  string `json:",omitempty"`
	}{CollectionIds: s.Collections, Image: image, MatchThreshold: s.Threshold,
		MaxMatches: s.matching.Max, QualityFilter: s.Quality}
	if request.MaxMatches == 0 || request.MaxMatches > mostOfAFace {
		request.MaxMatches = mostOfAFace
	}
	if s.Users {
		request.SearchFor = "USERS"
	}
	if !s.All {
		request.MaxFaces = 1
	}
	var answer pictureAnswer
	text, err := s.client.post(ctx, "search", request)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer, text, err
}

// picture searches for every face of a picture, or in several collections for its largest.
func (s *searcher) picture(ctx context.Context, name string, image *types.Image) (bool, error) {
	answer, text, err := s.ask(ctx, image)
	if err != nil {
		return false, err
	}
	if len(answer.SearchedFaces) == 0 {
		s.show.note(name + ": " + unsearched(image, answer.UnsearchedFaces))
		return false, s.pictureObject(name, text)
	}
	some, marks := false, []mark{}
	for i, f := range answer.SearchedFaces {
		matches := append(f.FaceMatches, f.UserMatches...)
		m := mark{box: f.FaceDetail.BoundingBox, name: fmt.Sprint(i + 1), dim: true}
		if len(matches) == 0 {
			s.row(name, i, f.FaceDetail.BoundingBox, "", pictureMatch{})
		} else {
			best := matches[0]
			m.dim, some = false, true
			user := best.Face.UserId
			if s.Users {
				user = best.User.UserId
			}
			m.name = fmt.Sprintf("%d: %s", i+1, nameOf(user, best.Face.ExternalImageId,
				best.Face.FaceId, &best.Similarity))
		}
		for _, match := range matches {
			s.row(name, i, f.FaceDetail.BoundingBox, match.Similarity, match)
		}
		marks = append(marks, m)
	}
	for _, f := range answer.UnsearchedFaces {
		marks = append(marks, mark{box: f.FaceDetail.BoundingBox, dim: true})
		if s.All {
			s.show.note(fmt.Sprintf("%s: the face at %s was not searched for. %s", name,
				place(f.FaceDetail.BoundingBox), strings.Join(f.Explanations, " ")))
		}
	}
	if err := s.drawing.write(image.Bytes, marks); err != nil {
		return false, err
	}
	return some, s.pictureObject(name, text)
}

// row shows a match of a face of a picture.
func (s *searcher) row(name string, i int, box *types.BoundingBox, similarity any,
	m pictureMatch) {
	cells := []any{name, i + 1, box, similarity}
	if similarity == "" && s.show.output == outputTable {
		cells[3] = "no match"
	}
	if len(s.Collections) > 1 {
		cells = append(cells, m.CollectionId)
	}
	user := m.Face.UserId
	if s.Users {
		user = m.User.UserId
	}
	s.show.row(append(cells, aws.ToString(user), aws.ToString(m.Face.ExternalImageId),
		aws.ToString(m.Face.FaceId))...)
}

// pictureObject writes an answer as it came, with the name of its picture.
func (s *searcher) pictureObject(name string, answer json.RawMessage) error {
	object := map[string]any{}
	numbers := json.NewDecoder(bytes.NewReader(answer))
	numbers.UseNumber() // as they are written
	if err := numbers.Decode(&object); err != nil {
		return err
	}
	object["Picture"] = name
	return s.show.object(object)
}

// noFace notes why there was no face to search for: the picture has none, or none that is good
// enough. The API does not distinguish these, so with a quality filter the server is asked again.
func (s *searcher) noFace(ctx context.Context, name string, image *types.Image) error {
	why := noFaceIn(image)
	if s.Quality != "" && s.Quality != "NONE" {
		if answer, _, err := s.ask(ctx, image); err == nil {
			why = unsearched(image, answer.UnsearchedFaces)
		}
	}
	s.show.note(name + ": " + why)
	return s.show.object(struct{ Picture string }{name})
}

// unsearched returns why no face of a picture was searched for.
func unsearched(image *types.Image, faces []unsearchedFace) string {
	if len(faces) == 0 {
		return noFaceIn(image)
	}
	which := "its face is"
	if len(faces) > 1 {
		which = fmt.Sprintf("none of its %d faces is good enough; the largest is", len(faces))
	}
	f := faces[0]
	// Rounded down, as in the explanations.
	confidence := math.Floor(100*float64(aws.ToFloat32(f.FaceDetail.Confidence))) / 100
	return fmt.Sprintf("%s not used (confidence %.2f, at %s). %s", which, confidence,
		place(f.FaceDetail.BoundingBox), strings.Join(f.Explanations, " "))
}

// post sends a request to one of Recollect's own operations, and returns the answer.
func (c *client) post(ctx context.Context, path string, request any) (json.RawMessage, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	resp, err := c.call(ctx, http.MethodPost, path, nil, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Close()
	var answer json.RawMessage
	if err := json.NewDecoder(resp).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return answer, nil
}
