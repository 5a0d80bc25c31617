package videoface

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/job"
)

// maxMatches is how many faces of the collection a track matches at most.
const maxMatches = 10

// Runner runs the jobs of this family. It is a [job.Runner], safe for concurrent use.
type Runner struct {
	Analyzer Analyzer
	Videos   Videos
	Faces    Faces
	Matches  MatchStore
}

// Kinds returns the runner for each kind of job.
func (r *Runner) Kinds() map[string]job.Runner {
	return map[string]job.Runner{Detection: r, Search: r, Tracking: r}
}

// Run implements [job.Runner].
func (r *Runner) Run(ctx context.Context, w *job.Work) (err error) {
	var in input
	if err := json.Unmarshal(w.Job.Input, &in); err != nil {
		return fmt.Errorf("read the input of a job: %w", err)
	}
	if r.Analyzer == nil {
		return errors.New("no video can be analyzed")
	}
	video, err := openVideo(ctx, r.Videos, w.Job.Source)
	if err != nil {
		return err
	}
	defer func() {
		if closed := video.Close(); err == nil && closed != nil {
			err = fmt.Errorf("close the video: %w", closed)
		}
	}()
	o := Options{Attributes: in.Attributes, MaxDuration: MaxDuration}
	if in.Collection != nil {
		o.Embed = in.Collection.Version
	}
	found := &sink{ctx: ctx, work: w}
	tracks, err := r.Analyzer.Analyze(ctx, video, o, found)
	if err != nil {
		return err
	}
	if !found.begun {
		return errors.New("the analyzer did not describe the video")
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	if in.Collection == nil {
		return nil
	}
	return r.search(ctx, w, in, tracks)
}

// search searches the collection for each track and stores what it matches.
func (r *Runner) search(ctx context.Context, w *job.Work, in input, tracks []Track) error {
	for _, track := range tracks {
		if track.Vector == nil {
			continue
		}
		found, err := r.Faces.SearchVector(ctx, face.SearchVectorRequest{
			Collection: in.Collection.of(w.Job.Realm), Vector: track.Vector,
			Threshold: in.Threshold, MaxFaces: maxMatches})
		if err != nil {
			return err
		}
		matches := make([]Match, len(found.Matches))
		for i, m := range found.Matches {
			matches[i] = Match{Face: m.Face.Key, Similarity: m.Similarity}
		}
		if err := r.Matches.AddMatches(ctx, w.Claim, track.Index, matches); err != nil {
			return err
		}
	}
	return nil
}

// sink stores what is found in a video as the results of a job.
type sink struct {
	ctx      context.Context // of the run
	work     *job.Work
	begun    bool
	duration int64 // of the video in ms; 0: not known
}

// Begin implements [Sink].
func (s *sink) Begin(m Metadata) error {
	s.begun, s.duration = true, m.DurationMillis
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.work.Describe(s.ctx, text)
}

// Frame implements [Sink].
func (s *sink) Frame(f Frame) error {
	if s.duration > 0 {
		s.work.Progress(float64(f.Millis) / float64(s.duration))
	}
	for _, found := range f.Faces {
		body, err := encodeSighting(f.Millis, found)
		if err != nil {
			return err
		}
		if err := s.work.Add(s.ctx, sortKey(found), body); err != nil {
			return err
		}
	}
	return nil
}
