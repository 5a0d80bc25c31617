// Package bulk imports pictures into a collection by the thousand, as any client of the API would:
// several at a time, retrying what the server throttles, with a report that has the outcome of each
// picture, and from which a later run continues.
//
// Only the report is kept. A picture whose row was lost in a crash is sent again, which changes
// nothing: IndexFaces of the same picture under the same external image id returns the faces that
// are stored already.
package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

// API has the calls of an import. They must not retry by themselves: [Run] does.
type API interface {
	IndexFaces(context.Context, *rekognition.IndexFacesInput,
		...func(*rekognition.Options)) (*rekognition.IndexFacesOutput, error)
	CreateUser(context.Context, *rekognition.CreateUserInput,
		...func(*rekognition.Options)) (*rekognition.CreateUserOutput, error)
	AssociateFaces(context.Context, *rekognition.AssociateFacesInput,
		...func(*rekognition.Options)) (*rekognition.AssociateFacesOutput, error)
}

// Picture is one that a [Source] has.
type Picture struct {
	Path     string // within the source, with slashes
	Bytes    int64
	Modified time.Time
	Skip     string // why it is not sent; empty: it is
}

// Source has the pictures to import. Image may be called by several goroutines at once.
type Source interface {
	// Name identifies the source. It is the same in each run.
	Name() string
	// List returns all pictures in ascending order of their paths, and what is no picture with the
	// reason in Skip.
	List(context.Context) ([]Picture, error)
	// Image returns what is sent for a picture.
	Image(context.Context, Picture) (*types.Image, error)
}

// Config has the settings of an import. Zero means the default.
type Config struct {
	API        API
	Source     Source
	Collection string // its id
	Identity   string // names the very collection: one that is deleted and made again has another
	Report     string // file

	Parallel      int // pictures in flight: 16
	Users         bool
	MaxFaces      int32 // of a picture; 0: all, or with Users the largest
	QualityFilter types.QualityFilter

	RequestTimeout time.Duration // 2 minutes
	Patience       time.Duration // how long to try to reach a server that does not answer: 20 s
	// how long to continue while the server throttles every call: 5 minutes
	Throttled time.Duration

	// Begin, if not nil, is called with the number of pictures to send, and Step, if not nil, after
	// each of them. They are called by one goroutine.
	Begin func(pictures int)
	Step  func()
}

func (c Config) withDefaults() Config {
	c.Parallel = cmp.Or(c.Parallel, 16)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 2*time.Minute)
	c.Patience = cmp.Or(c.Patience, 20*time.Second)
	c.Throttled = cmp.Or(c.Throttled, 5*time.Minute)
	if c.Users {
		c.MaxFaces = cmp.Or(c.MaxFaces, 1)
	}
	return c
}

// Summary counts what a run did.
type Summary struct {
	Pictures   int // that the source has, with what is skipped
	Before     int // done by earlier runs
	Indexed    int // pictures with at least one face, by this run as the following
	Faces      int
	Skipped    int
	Failed     int // to be tried again by the next run
	Users      int // to whom faces were associated
	Associated int // faces
	Refused    int // faces that the server did not associate
}

// errUnsent is the error of a picture that was not sent, or whose outcome is unknown, because the
// run ends.
var errUnsent = errors.New("not sent")

// Run imports. When ctx ends it sends no more, waits for what is in flight, and returns ctx's
// error; so it does at the first failure that would be that of all pictures. The summary is of what
// was done, in any case.
func Run(ctx context.Context, cfg Config) (summary Summary, err error) {
	cfg = cfg.withDefaults()
	identity := cfg.Identity
	if cfg.Users {
		identity += ", with users"
	}
	report, rows, err := OpenReport(cfg.Report, cfg.Source.Name(), identity)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, report.Close()) }()
	pictures, err := cfg.Source.List(ctx)
	if err != nil {
		return summary, fmt.Errorf("list the pictures of %s: %w", cfg.Source.Name(), err)
	}
	r := &run{cfg: cfg, report: report, plan: newPlan(pictures, rows, cfg.Users),
		sender: &sender{cfg: cfg, lastAnswer: time.Now()}}
	r.summary.Pictures, r.summary.Before = len(pictures), r.plan.before
	if cfg.Begin != nil {
		cfg.Begin(len(r.plan.jobs))
	}
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if err := r.associate(sending); err != nil {
		stop(err)
	}
	for result := range r.send(sending) {
		if err := r.record(sending, result); err != nil {
			stop(err)
		}
	}
	if ctx.Err() != nil {
		return r.summary, ctx.Err()
	}
	return r.summary, context.Cause(sending)
}

// run is a run of an import. One goroutine has it.
type run struct {
	cfg     Config
	report  *Report
	plan    *plan
	sender  *sender
	summary Summary

	failures int // pictures that failed one after the other
}

// send sends the pictures, several at a time, until ctx ends.
func (r *run) send(ctx context.Context) <-chan result {
	jobs, results := make(chan job), make(chan result)
	go func() {
		defer close(jobs)
		for _, j := range r.plan.jobs {
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range r.cfg.Parallel {
		workers.Go(func() {
			for j := range jobs {
				if ctx.Err() == nil {
					results <- r.sender.index(ctx, j)
				}
			}
		})
	}
	go func() { workers.Wait(); close(results) }()
	return results
}

// record writes down what became of a picture, and gives a folder that is done to its user. An
// error ends the run.
func (r *run) record(ctx context.Context, res result) error {
	if errors.Is(res.err, errUnsent) {
		return nil
	}
	if res.err != nil {
		return res.err
	}
	if err := r.add(res.row); err != nil {
		return err
	}
	if r.cfg.Step != nil {
		r.cfg.Step()
	}
	if r.failures++; res.row.Status != StatusFailed {
		r.failures = 0
	}
	if r.failures >= maxFailures {
		return fmt.Errorf("%d pictures in a row failed, the last with: %s", r.failures,
			res.row.Reason)
	}
	r.plan.finished(res.row)
	return r.associate(ctx)
}

// associate gives the folders that are done to their users. There are few, each with many faces:
// one at a time is enough.
func (r *run) associate(ctx context.Context) error {
	for _, g := range r.plan.complete() {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the caller reports the interrupt
		}
		row, err := r.sender.associate(ctx, g)
		if errors.Is(err, errUnsent) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.add(row); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) add(row Row) error {
	if err := r.report.Add(row); err != nil {
		return err
	}
	r.summary.count(row)
	return nil
}

// maxFailures is how many pictures may fail one after the other: a cause that is not theirs is
// likely then.
const maxFailures = 20

func (s *Summary) count(r Row) {
	switch r.Status {
	case StatusIndexed:
		s.Indexed++
		s.Faces += r.Faces
	case StatusSkipped:
		s.Skipped++
	case StatusFailed:
		s.Failed++
	case StatusUser:
		s.Users++
		s.Associated += r.Faces
		s.Refused += r.refused
	}
}
