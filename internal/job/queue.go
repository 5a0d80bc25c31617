package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Runner runs the jobs of some kinds.
type Runner interface {
	// Run runs a job to its end. A nil error means that it succeeded. A [recollect.Error] with a
	// code other than CodeInternal means that it failed, with the error's message; any other error
	// that the server failed, and the job is run again later. It returns soon after ctx ends.
	//
	// A job that is run again is run from its start: nothing of an earlier run is stored.
	Run(ctx context.Context, w *Work) error
}

// Config is what a [Queue] is made of. Store and Log are required.
type Config struct {
	Store     Store
	Runners   map[string]Runner // by kind
	Announcer Announcer         // nil: no topic is known
	Workers   int               // jobs that are run at one moment; 0: none is run here
	Retention time.Duration     // how long a finished job is kept; 0: [DefaultRetention]
	MaxActive int               // jobs of a realm in progress; 0: [DefaultMaxActive]
	Log       *slog.Logger

	// Of tests; 0 stands for the default.
	lease, poll, pause time.Duration
	now                func() time.Time
}

const (
	// DefaultRetention is the service's.
	DefaultRetention = 7 * 24 * time.Hour

	// DefaultMaxActive is the service's quota of concurrent jobs on stored videos.
	DefaultMaxActive = 20

	// MaxFailures is how often a job may end with the server, or with an error of the server,
	// before it is given up.
	MaxFailures = 5

	defaultLease = 30 * time.Second

	// defaultPoll is how often the queue looks for what other servers of the store have left, and
	// for what was put off. Jobs that are started here are taken up at once.
	defaultPoll = 2 * time.Second

	// The pause after a failure doubles with each, from defaultPause to maxPause.
	defaultPause = time.Second
	maxPause     = 10 * time.Minute

	// cleaning is how often finished jobs are looked for that are to be deleted.
	cleaning = 10 * time.Minute
)

// gaveUp is the message of a job that is given up, and of one that failed by the server's doing.
const gaveUp = "Internal server error"

// errStopping is the cause of the end of a job's context when the queue stops.
var errStopping = errors.New("the server stops")

// Queue runs jobs. It is safe for concurrent use.
//
// A worker claims a job for the length of a lease and renews the claim while it runs the job. What
// it stores for the job is stored only while the claim is its own, so that a worker that was taken
// for dead, and is not, changes nothing. A server that stops gives its jobs back; one that crashes
// leaves claims whose leases end.
type Queue struct {
	store     Store
	runners   map[string]Runner
	announcer Announcer
	retention time.Duration
	maxActive int
	lease     time.Duration
	poll      time.Duration
	pause     time.Duration // after the first failure
	log       *slog.Logger
	now       func() time.Time

	stop    context.CancelCauseFunc
	done    sync.WaitGroup
	started chan struct{} // wakes a worker
	ends    chan struct{} // wakes an announcer
}

// Start returns a queue that runs jobs until Close.
func Start(cfg Config) *Queue {
	q := &Queue{
		store:     cfg.Store,
		runners:   cfg.Runners,
		announcer: cfg.Announcer,
		retention: cmp.Or(cfg.Retention, DefaultRetention),
		maxActive: cmp.Or(cfg.MaxActive, DefaultMaxActive),
		lease:     cmp.Or(cfg.lease, defaultLease),
		poll:      cmp.Or(cfg.poll, defaultPoll),
		pause:     cmp.Or(cfg.pause, defaultPause),
		log:       cfg.Log,
		now:       cfg.now,
		started:   make(chan struct{}, max(1, cfg.Workers)),
		ends:      make(chan struct{}, 1),
	}
	if q.announcer == nil {
		q.announcer = nowhere{}
	}
	if q.now == nil {
		q.now = time.Now
	}
	var ctx context.Context
	ctx, q.stop = context.WithCancelCause(context.Background())
	for range cfg.Workers {
		q.done.Go(func() { q.work(ctx) })
	}
	for range announcers {
		q.done.Go(func() { q.announce(ctx) })
	}
	q.done.Go(func() { q.clean(ctx) })
	return q
}

// announcers is how many announcements are attempted at one moment.
const announcers = 2

// Close ends the queue: jobs that are run are given back. It returns when nothing of the queue runs
// any more.
func (q *Queue) Close() error {
	q.stop(errStopping)
	q.done.Wait()
	return nil
}

// Add starts a job, of which the fields up to Input are set but Key, ID and Created, and returns
// its id: that of the earlier one if the call is repeated. CodeLimitExceeded, CodeInvalidParameter
// if its topic is not known, CodeIdempotentMismatch.
func (q *Queue) Add(ctx context.Context, j Job, once recollect.Once) (id string, err error) {
	if j.Topic != "" && !q.announcer.Knows(j.Topic) {
		return "", recollect.Errorf(recollect.CodeInvalidParameter,
			"The topic %s cannot be published to: the server has neither an SNS endpoint nor a "+
				"webhook for it.", j.Topic)
	}
	j.ID, j.Created = NewID(), q.now()
	if id, err = q.store.CreateJob(ctx, j, once, q.maxActive); err != nil {
		return "", err
	}
	wake(q.started)
	return id, nil
}

// Repeated returns the id of the job that a repeated call started, and whether it is repeated.
// CodeIdempotentMismatch.
func (q *Queue) Repeated(ctx context.Context, once recollect.Once) (id string, ok bool,
	err error) {
	if once.Token == "" {
		return "", false, nil
	}
	return q.store.RepeatedJob(ctx, once)
}

// Job returns a job of a kind that is not older than the retention. CodeNotFound.
func (q *Queue) Job(ctx context.Context, realm recollect.Realm, kind, id string) (Job, error) {
	j, err := q.store.Job(ctx, realm, id)
	if err == nil && (j.Kind != kind ||
		!j.Finished.IsZero() && q.now().Sub(j.Finished) > q.retention) {
		err = recollect.Errorf(recollect.CodeNotFound, "the job is another one or too old")
	}
	if recollect.CodeOf(err) == recollect.CodeNotFound {
		err = &recollect.Error{Code: recollect.CodeNotFound, Message: "Could not find JobId",
			Err: err}
	}
	if err != nil {
		return Job{}, err
	}
	return j, nil
}

// nowhere is an announcer that knows no topic.
type nowhere struct{}

func (nowhere) Knows(string) bool { return false }

func (nowhere) Announce(context.Context, string, string, []byte) error {
	return errors.New("no SNS endpoint and no webhook is configured")
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // as many are awake as there are
	}
}

// wait returns when there may be something to do.
func (q *Queue) wait(ctx context.Context, woken <-chan struct{}) {
	timer := time.NewTimer(q.poll)
	defer timer.Stop()
	select {
	case <-woken:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// work runs jobs until ctx ends.
func (q *Queue) work(ctx context.Context) {
	for ctx.Err() == nil {
		j, claim, ok, err := q.store.ClaimJob(ctx, q.lease)
		if err != nil && ctx.Err() == nil {
			q.log.Error("looking for a job failed, and will be tried again", "error", err)
		}
		if err != nil || !ok {
			q.wait(ctx, q.started)
			continue
		}
		q.runClaimed(ctx, j, claim)
	}
}

// runClaimed runs a job that was claimed, and stores what became of it.
func (q *Queue) runClaimed(ctx context.Context, j Job, claim Claim) {
	log := q.log.With("job", j.ID, "operation", j.Kind, "account", j.Realm.Account)
	log.Info("a job is run", "failures", claim.Failures)
	begun := q.now()
	err := q.run(ctx, j, claim)
	stopping := ctx.Err() != nil
	// What became of it is stored also while the queue stops.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.lease)
	defer cancel()
	outcome := Outcome{Status: Succeeded, At: q.now()}
	failure, told := errors.AsType[*recollect.Error](err)
	switch {
	case err == nil:
	case errors.Is(err, ErrLost):
		log.Warn("a job was lost to another server, or deleted")
		return
	case stopping:
		log.Info("a job is given back, since the server stops")
		q.settle(log, q.store.ReleaseJob(ctx, claim, 0, false))
		return
	case told && failure.Code != recollect.CodeInternal:
		outcome.Status, outcome.Message = Failed, failure.Message
		log.Warn("a job failed", "error", err)
	case claim.Failures+1 >= MaxFailures:
		outcome.Status, outcome.Message = Failed, gaveUp
		log.Error("a job failed, and is given up", "error", err)
	default:
		pause := q.pauseAfter(claim.Failures + 1)
		log.Error("a job failed, and will be run again", "error", err, "after", pause)
		q.settle(log, q.store.ReleaseJob(ctx, claim, pause, true))
		return
	}
	if outcome.Status == Failed {
		if err := q.discard(ctx, claim); err != nil {
			log.Error("deleting what a job has stored failed", "error", err)
		}
	}
	if !q.settle(log, q.store.FinishJob(ctx, claim, outcome)) {
		return
	}
	log.Info("a job ended", "status", outcome.Status, "duration", q.now().Sub(begun))
	wake(q.ends)
}

// pauseAfter is the pause after a failure, which counts from 1.
func (q *Queue) pauseAfter(failure int) time.Duration {
	pause := q.pause
	for range failure - 1 {
		if pause *= 2; pause >= maxPause {
			return maxPause
		}
	}
	return pause
}

// settle logs the error of a claim's last step. The job is run again then.
func (q *Queue) settle(log *slog.Logger, err error) (ok bool) {
	if err != nil {
		log.Error("storing the end of a job's run failed: it will be run again", "error", err)
	}
	return err == nil
}

// run runs a job while its claim is renewed.
func (q *Queue) run(ctx context.Context, j Job, claim Claim) (err error) {
	if claim.Failures >= MaxFailures {
		return fmt.Errorf("the job has ended with the server %d times", claim.Failures)
	}
	runner, ok := q.runners[j.Kind]
	if !ok {
		return fmt.Errorf("there is no runner of %s", j.Kind)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &Work{Job: j, Claim: claim, store: q.store}
	var renewer sync.WaitGroup
	renewer.Go(func() { q.renew(ctx, w, cancel) })
	defer renewer.Wait()
	defer cancel(nil)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause // instead of what the runner made of it
		}
	}()
	if err := q.discard(ctx, claim); err != nil {
		return err
	}
	return runner.Run(ctx, w)
}

// renew keeps the claim of a job until ctx ends, and ends ctx if it cannot.
func (q *Queue) renew(ctx context.Context, w *Work, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(q.lease / 3)
	defer ticker.Stop()
	ends := q.now().Add(q.lease)
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		asked := q.now()
		limited, done := context.WithTimeout(ctx, q.lease/3)
		err := q.store.RenewJob(limited, w.Claim, w.progress(), q.lease)
		done()
		switch {
		case err == nil:
			ends = asked.Add(q.lease)
		case errors.Is(err, ErrLost):
			cancel(err)
			return
		case q.now().Add(q.lease / 3).After(ends):
			// Another worker will have it before the next attempt returns.
			cancel(fmt.Errorf("%w: it could not be renewed: %w", ErrLost, err))
			return
		}
	}
}

// discard deletes what was stored for a job.
func (q *Queue) discard(ctx context.Context, claim Claim) error {
	for {
		if more, err := q.store.DiscardItems(ctx, claim); err != nil || !more {
			return err
		}
	}
}

// clean deletes the jobs whose retention has ended, until ctx ends. It pauses after each step for
// as long as the step took.
func (q *Queue) clean(ctx context.Context) {
	for {
		begun := time.Now()
		more, err := q.store.DeleteFinishedJob(ctx, q.now().Add(-q.retention))
		rest := time.Since(begun)
		if err != nil && ctx.Err() == nil {
			q.log.Error("deleting old jobs failed, and will be tried again", "error", err)
		}
		if err != nil || !more {
			rest = cleaning
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// Work is a job that is run, with what its runner stores for it. Its methods are for one goroutine
// at a time, but Progress. They return [ErrLost] if the job is not this worker's any more.
type Work struct {
	Job   Job
	Claim Claim

	store Store
	part  atomic.Uint32 // of the work, in millionths
	next  int64         // number of the next item
	batch []Item
	bytes int // of the batch
}

// A batch of items is stored when it has reached either.
const (
	batchItems = 500
	batchBytes = 1 << 20
)

// Progress notes which part of the work is done, 0 to 1.
func (w *Work) Progress(part float64) {
	w.part.Store(uint32(min(max(part, 0), 1) * 1e6))
}

func (w *Work) progress() float32 { return float32(w.part.Load()) / 1e6 }

// Describe stores a summary of the job's source.
func (w *Work) Describe(ctx context.Context, summary []byte) error {
	return w.store.DescribeJob(ctx, w.Claim, summary)
}

// Add adds a result with its key in the other order. The slices are the work's from then on. Flush
// stores those that were added last.
func (w *Work) Add(ctx context.Context, key, body []byte) error {
	w.batch = append(w.batch, Item{Seq: w.next, Key: key, Body: body})
	w.next++
	w.bytes += len(key) + len(body)
	if len(w.batch) < batchItems && w.bytes < batchBytes {
		return nil
	}
	return w.Flush(ctx)
}

// Flush stores what Add has added.
func (w *Work) Flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.store.AddItems(ctx, w.Claim, w.batch); err != nil {
		return err
	}
	clear(w.batch)
	w.batch, w.bytes = w.batch[:0], 0
	return nil
}
