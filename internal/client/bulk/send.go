package bulk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/smithy-go"
)

// result is what became of a job, or why it stopped the run, or errUnsent.
type result struct {
	row Row
	err error
}

// sender makes calls, and makes them again.
type sender struct {
	cfg Config

	mutex      sync.Mutex
	lastAnswer time.Time // that was not "later"
}

// What an error means.
type verdict int

const (
	verdictPicture     verdict = iota // it is the picture's
	verdictThrottled                  // later
	verdictUnreachable                // there is no server, or it broke off
	verdictServer                     // a fault of the server
	verdictAll                        // every other call would get it
)

// judge classifies errors by the API's codes.
func judge(err error) verdict {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return verdictUnreachable
	}
	switch e.ErrorCode() {
	case "ThrottlingException", "ProvisionedThroughputExceededException", "RequestTimeoutException":
		return verdictThrottled
	case "InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException",
		"RequestEntityTooLargeException",
		"InvalidS3ObjectException", "ValidationException":
		return verdictPicture
	case "InternalServerError", "UnknownError": // the latter is the SDK's for an error of a proxy
		return verdictServer
	}
	return verdictAll
}

// serverAttempts is how often a call that the server fails is made.
const serverAttempts = 3

// call makes a call until it is answered. What it returns is the answer's error, which is the
// picture's or the server's; errUnsent if ctx ended before an answer came; or a stopError.
func (s *sender) call(ctx context.Context, do func(context.Context) error) error {
	began, unreachable, faults := time.Now(), time.Time{}, 0
	for attempt := 0; ; attempt++ {
		requestCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.RequestTimeout)
		err := do(requestCtx)
		cancel()
		v := verdictPicture
		if err != nil {
			v = judge(err)
		}
		if v != verdictUnreachable {
			unreachable = time.Time{}
		}
		switch v {
		case verdictPicture:
			s.answered()
			return err
		case verdictAll:
			return stopped("", err)
		case verdictServer:
			if faults++; faults == serverAttempts {
				return err
			}
		case verdictThrottled:
			if since := s.silence(began); since > s.cfg.Throttled {
				return stopped(fmt.Sprintf("the server has turned everything away for %v: ",
					since.Round(time.Second)), err)
			}
		case verdictUnreachable:
			if unreachable.IsZero() {
				unreachable = time.Now()
			} else if time.Since(unreachable) > s.cfg.Patience {
				return stopped("the server does not answer: ", err)
			}
		}
		select {
		case <-time.After(backoff(attempt)):
		case <-ctx.Done():
			return errUnsent
		}
	}
}

// backoff is how long to wait after an attempt: up to 0.5 s, twice as long each time, and 10 s at
// most. It is random, so that clients that were throttled together do not retry together.
func backoff(attempt int) time.Duration {
	const first, most = 500 * time.Millisecond, 10 * time.Second
	wait := min(first<<min(attempt, 10), most)
	return wait/4 + rand.N(3*wait/4)
}

func (s *sender) answered() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lastAnswer = time.Now()
}

// silence is for how long no call of the run was answered, since a call began.
func (s *sender) silence(began time.Time) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.lastAnswer.After(began) {
		began = s.lastAnswer
	}
	return time.Since(began)
}

// stopError ends a run.
type stopError struct {
	what string
	err  error
}

func stopped(what string, err error) error { return &stopError{what, err} }

func (e *stopError) Error() string { return e.what + text(e.err) }
func (e *stopError) Unwrap() error { return e.err }

// index sends a picture.
func (s *sender) index(ctx context.Context, j job) result {
	row := j.row()
	if j.picture.Skip != "" {
		row.Status, row.Reason = StatusSkipped, j.picture.Skip
		return result{row: row}
	}
	image, err := s.cfg.Source.Image(ctx, j.picture)
	if err != nil {
		if ctx.Err() != nil {
			return result{err: errUnsent}
		}
		row.Status, row.Reason = StatusFailed, err.Error()
		return result{row: row}
	}
	input := &rekognition.IndexFacesInput{CollectionId: &s.cfg.Collection, Image: image,
		ExternalImageId: &j.externalID, QualityFilter: s.cfg.QualityFilter}
	if s.cfg.MaxFaces > 0 {
		input.MaxFaces = &s.cfg.MaxFaces
	}
	var output *rekognition.IndexFacesOutput
	err = s.call(ctx, func(ctx context.Context) (err error) {
		output, err = s.cfg.API.IndexFaces(ctx, input)
		return err
	})
	if err == nil {
		row.Time = time.Now()
		row.Status, row.Reason = outcome(output)
		for _, r := range output.FaceRecords {
			row.FaceIDs = append(row.FaceIDs, aws.ToString(r.Face.FaceId))
		}
		row.Faces = len(row.FaceIDs)
		return result{row: row}
	}
	if _, ok := errors.AsType[*stopError](err); ok || errors.Is(err, errUnsent) {
		return result{err: err}
	}
	row.Status, row.Reason = StatusFailed, text(err)
	if e, ok := errors.AsType[smithy.APIError](err); ok && slices.Contains(unfit, e.ErrorCode()) {
		row.Status = StatusSkipped
	}
	return result{row: row}
}

// unfit are the codes for a picture that is no better the next time.
var unfit = []string{"InvalidImageFormatException", "ImageTooLargeException",
	"InvalidParameterException", "RequestEntityTooLargeException"}

// outcome returns the outcome of a picture by the answer of IndexFaces.
func outcome(o *rekognition.IndexFacesOutput) (status, reason string) {
	var reasons []string
	for _, u := range o.UnindexedFaces {
		for _, r := range u.Reasons {
			if !slices.Contains(reasons, string(r)) {
				reasons = append(reasons, string(r))
			}
		}
	}
	left := len(o.UnindexedFaces)
	switch {
	case len(o.FaceRecords) == 0 && left == 0:
		return StatusSkipped, "no face"
	case len(o.FaceRecords) == 0:
		return StatusSkipped,
			fmt.Sprintf("no face that is good enough, of %d: %s", left, strings.Join(reasons, " "))
	case left > 0:
		return StatusIndexed, fmt.Sprintf("%d left out: %s", left, strings.Join(reasons, " "))
	}
	return StatusIndexed, ""
}

// text is the error that the server returned, without the text that the SDK adds.
func text(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode() + ": " + e.ErrorMessage()
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// maxAssociate is the most faces of a call of AssociateFaces, and of a user.
const maxAssociate = 100

// associate makes a folder's user, if it is not there, and gives it the folder's faces. The row
// names the faces that need not be sent again.
func (s *sender) associate(ctx context.Context, g *group) (Row, error) {
	row := Row{Status: StatusUser, Picture: g.folder, User: g.user, FaceIDs: g.faces}
	err := s.call(ctx, func(ctx context.Context) error {
		_, err := s.cfg.API.CreateUser(ctx,
			&rekognition.CreateUserInput{CollectionId: &s.cfg.Collection, UserId: &g.user})
		if _, ok := errors.AsType[*types.ConflictException](err); ok {
			return nil // it is there
		}
		return err
	})
	if err != nil {
		return row, err
	}
	var output *rekognition.AssociateFacesOutput
	err = s.call(ctx, func(ctx context.Context) (err error) {
		output, err = s.cfg.API.AssociateFaces(ctx, &rekognition.AssociateFacesInput{
			CollectionId: &s.cfg.Collection, UserId: &g.user,
			FaceIds: g.faces[:min(len(g.faces), maxAssociate)],
		})
		return err
	})
	var quota *types.ServiceQuotaExceededException
	switch {
	case errors.As(err, &quota):
		row.refused, row.Reason = len(g.faces), text(quota)
		return row, nil
	case err != nil:
		return row, err
	}
	var reasons []string
	for _, f := range output.UnsuccessfulFaceAssociations {
		for _, r := range f.Reasons {
			if !slices.Contains(reasons, string(r)) {
				reasons = append(reasons, string(r))
			}
		}
	}
	if over := len(g.faces) - maxAssociate; over > 0 {
		row.refused = over
		reasons = append(reasons, fmt.Sprintf("a user has %d faces at most", maxAssociate))
	}
	row.refused += len(output.UnsuccessfulFaceAssociations)
	row.Faces = len(g.faces) - row.refused
	if row.refused > 0 {
		row.Reason = fmt.Sprintf("%d not associated: %s", row.refused, strings.Join(reasons, " "))
	}
	return row, nil
}
