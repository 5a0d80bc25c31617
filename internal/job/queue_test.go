package job_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

const kind, topic = "StartFaceDetection", "arn:aws:sns:us-east-1:123456789012:AmazonRekognition"

var realm = recollect.Realm{Account: "123456789012", Region: "us-east-1"}

// runner runs a job by calling itself.
type runner func(context.Context, *job.Work) error

func (r runner) Run(ctx context.Context, w *job.Work) error { return r(ctx, w) }

// announcements is an announcer that fails as often as it is told to.
type announcements struct {
	mu       sync.Mutex
	failures int
	got      []string // topic, id and message of each attempt
	failed   int
}

func (a *announcements) Knows(topic string) bool { return strings.HasPrefix(topic, "arn:") }

func (a *announcements) Announce(_ context.Context, topic, id string, message []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed < a.failures {
		a.failed++
		return errors.New("the topic is not there")
	}
	a.got = append(a.got, topic+" "+id+" "+string(message))
	return nil
}

func (a *announcements) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.got)
}

func openStore(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func start(t *testing.T, cfg job.Config) *job.Queue {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Workers == 0 {
		cfg.Workers = 1
	}
	q := job.Start(cfg)
	t.Cleanup(func() { q.Close() })
	return q
}

// soon are times for tests that wait for what a queue does by itself.
func soon(cfg job.Config) job.Config {
	return cfg.WithTimes(0, time.Millisecond, time.Millisecond, nil)
}

func add(t *testing.T, q *job.Queue) string {
	t.Helper()
	id, err := q.Add(t.Context(), job.Job{Realm: realm, Kind: kind, Tag: "a tag", Topic: topic,
		Source: job.Object{Bucket: "videos", Name: "a.mp4"}}, recollect.Once{})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func end(t *testing.T, q *job.Queue, id string) job.Job {
	t.Helper()
	var j job.Job
	await(t, "the job ends", func() bool {
		var err error
		if j, err = q.Job(t.Context(), realm, kind, id); err != nil {
			t.Fatal(err)
		}
		return j.Status != job.InProgress
	})
	return j
}

func items(t *testing.T, s job.Store, j job.Job) []job.Item {
	t.Helper()
	items, err := s.Items(t.Context(), j.Key, job.BySeq, -1, 10000)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func TestSuccess(t *testing.T) {
	s, a := openStore(t, t.TempDir()), &announcements{}
	release := make(chan struct{})
	q := start(t, soon(job.Config{Store: s, Announcer: a, Runners: map[string]job.Runner{
		kind: runner(func(ctx context.Context, w *job.Work) error {
			if err := w.Describe(ctx, []byte("described")); err != nil {
				return err
			}
			w.Progress(0.5)
			for n := range 1234 {
				if err := w.Add(ctx, []byte("key"), fmt.Appendf(nil, "%d", n)); err != nil {
					return err
				}
			}
			<-release
			return w.Flush(ctx)
		})}}))
	id := add(t, q)
	await(t, "the job is described", func() bool {
		j, err := q.Job(t.Context(), realm, kind, id)
		return err == nil && string(j.Summary) == "described" && j.Status == job.InProgress
	})
	if got := a.all(); len(got) != 0 {
		t.Errorf("it was announced before its end: %v", got)
	}
	close(release)
	j := end(t, q, id)
	if j.Status != job.Succeeded || j.Message != "" || j.Progress != 1 || j.Finished.IsZero() {
		t.Errorf("the job is %+v", j)
	}
	all := items(t, s, j)
	if len(all) != 1234 || string(all[1233].Body) != "1233" {
		t.Errorf("%d items are stored", len(all))
	}
	await(t, "the announcement", func() bool { return len(a.all()) > 0 })
	want := fmt.Sprintf(`%s %s {"JobId":"%s","Status":"SUCCEEDED","API":"StartFaceDetection",`+
		`"JobTag":"a tag","Timestamp":%d,"Video":{"S3ObjectName":"a.mp4",`+
		`"S3Bucket":"videos"}}`, topic, id, id, j.Finished.UnixMilli())
	if got := a.all(); len(got) != 1 || got[0] != want {
		t.Errorf("announced %v, want %s", got, want)
	}
}

func TestJobIsOfItsRealmAndKind(t *testing.T) {
	q := start(t, job.Config{Store: openStore(t, t.TempDir()), Announcer: &announcements{},
		Runners: map[string]job.Runner{kind: runner(func(context.Context, *job.Work) error {
			return nil
		})}})
	id := add(t, q)
	abroad := recollect.Realm{Account: realm.Account, Region: "eu-west-1"}
	for _, c := range []struct {
		realm    recollect.Realm
		kind, id string
	}{{abroad, kind, id}, {realm, "StartFaceSearch", id}, {realm, kind, "none"}} {
		_, err := q.Job(t.Context(), c.realm, c.kind, c.id)
		if recollect.CodeOf(err) != recollect.CodeNotFound ||
			!strings.HasPrefix(err.Error(), "Could not find JobId") {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// A job fails by what its runner says to its starter, and nothing that it stored is left.
func TestFailure(t *testing.T) {
	s, a := openStore(t, t.TempDir()), &announcements{}
	runs := 0
	q := start(t, soon(job.Config{Store: s, Announcer: a, Runners: map[string]job.Runner{
		kind: runner(func(ctx context.Context, w *job.Work) error {
			runs++
			if err := errors.Join(w.Add(ctx, nil, []byte("x")), w.Flush(ctx)); err != nil {
				return err
			}
			return fmt.Errorf("analyze: %w",
				recollect.Errorf(recollect.CodeInvalidVideo, "It is no video."))
		})}}))
	j := end(t, q, add(t, q))
	if j.Status != job.Failed || j.Message != "It is no video." || runs != 1 {
		t.Errorf("after %d runs the job is %+v", runs, j)
	}
	if all := items(t, s, j); len(all) != 0 {
		t.Errorf("%d items are left", len(all))
	}
	await(t, "the announcement", func() bool { return len(a.all()) > 0 })
	if got := a.all(); len(got) != 1 || !strings.Contains(got[0], `"Status":"FAILED"`) {
		t.Errorf("announced %v", got)
	}
}

// A job that the server could not run is run again from its start, and given up in the end.
func TestFailureOfTheServer(t *testing.T) {
	full := func() error { return errors.New("the disk is full") }
	for _, c := range []struct {
		failures int
		fail     func() error
		status   job.Status
	}{
		{job.MaxFailures - 1, full, job.Succeeded},
		{job.MaxFailures, full, job.Failed},
		{1, func() error { panic("a fault") }, job.Succeeded},
	} {
		s := openStore(t, t.TempDir())
		runs := 0
		q := start(t, soon(job.Config{Store: s, Announcer: &announcements{},
			Runners: map[string]job.Runner{
				kind: runner(func(ctx context.Context, w *job.Work) error {
					runs++
					err := errors.Join(w.Add(ctx, nil, []byte("x")), w.Flush(ctx))
					if err == nil && runs <= c.failures {
						err = c.fail()
					}
					return err
				})}}))
		j := end(t, q, add(t, q))
		if j.Status != c.status || runs != min(c.failures+1, job.MaxFailures) {
			t.Errorf("%d failures: %s after %d runs", c.failures, j.Status, runs)
		}
		want := 1
		if c.status == job.Failed {
			want = 0
			if j.Message != "Internal server error" {
				t.Errorf("the message is %q", j.Message)
			}
		}
		if all := items(t, s, j); len(all) != want {
			t.Errorf("%d items are stored, want %d", len(all), want)
		}
	}
}

// A queue that is closed gives its jobs back, which is no failure of theirs.
func TestClose(t *testing.T) {
	s := openStore(t, t.TempDir())
	var claims []job.Claim
	running := make(chan struct{})
	waits := runner(func(ctx context.Context, w *job.Work) error {
		claims = append(claims, w.Claim)
		if err := errors.Join(w.Add(ctx, nil, []byte("old")), w.Flush(ctx)); err != nil {
			return err
		}
		close(running)
		<-ctx.Done()
		return errors.New("FFmpeg was killed")
	})
	first := start(t, soon(job.Config{Store: s, Announcer: &announcements{},
		Runners: map[string]job.Runner{kind: waits}}))
	id := add(t, first)
	<-running
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, soon(job.Config{Store: s, Announcer: &announcements{},
		Runners: map[string]job.Runner{kind: runner(
			func(ctx context.Context, w *job.Work) error {
				claims = append(claims, w.Claim)
				return errors.Join(w.Add(ctx, nil, []byte("new")), w.Flush(ctx))
			})}}))
	j := end(t, second, id)
	if len(claims) != 2 || claims[1].Failures != 0 {
		t.Errorf("the claims were %+v", claims)
	}
	if all := items(t, s, j); len(all) != 1 || string(all[0].Body) != "new" {
		t.Errorf("the items are %+v", all)
	}
}

// losing is a store whose claims are lost when they are renewed.
type losing struct{ job.Store }

func (losing) RenewJob(context.Context, job.Claim, float32, time.Duration) error {
	return fmt.Errorf("renew: %w", job.ErrLost)
}

// A worker whose claim was lost stops, and changes nothing.
func TestLostClaim(t *testing.T) {
	s := openStore(t, t.TempDir())
	stopped := make(chan error, 1)
	q := start(t, job.Config{Store: losing{s}, Announcer: &announcements{},
		Runners: map[string]job.Runner{kind: runner(func(ctx context.Context, _ *job.Work) error {
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return ctx.Err()
		})}}.WithTimes(30*time.Millisecond, time.Hour, 0, nil))
	id := add(t, q)
	if err := <-stopped; !errors.Is(err, job.ErrLost) {
		t.Errorf("it was stopped by %v", err)
	}
	q.Close()
	j, err := s.Job(t.Context(), realm, id)
	if err != nil || j.Status != job.InProgress {
		t.Errorf("the job is %+v, %v", j, err)
	}
	// The claim was not given back: it was not the worker's any more.
	await(t, "the lease ends", func() bool {
		_, c, ok, err := s.ClaimJob(t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if ok && c.Failures != 1 {
			t.Errorf("the claim is %+v", c)
		}
		return ok
	})
}

// A claim is renewed while the job is run, with its progress.
func TestRenewal(t *testing.T) {
	s := openStore(t, t.TempDir())
	release := make(chan struct{})
	q := start(t, job.Config{Store: s, Announcer: &announcements{}, Workers: 2,
		Runners: map[string]job.Runner{kind: runner(func(_ context.Context, w *job.Work) error {
			w.Progress(0.75)
			<-release
			return nil
		})}}.WithTimes(time.Second, time.Millisecond, 0, nil))
	id := add(t, q)
	begun := time.Now()
	await(t, "several leases have ended", func() bool {
		j, err := q.Job(t.Context(), realm, kind, id)
		return err == nil && j.Progress == 0.75 && time.Since(begun) > 3*time.Second
	})
	close(release)
	if j := end(t, q, id); j.Status != job.Succeeded {
		t.Errorf("the job is %+v", j)
	}
	_, c, ok, err := s.ClaimJob(t.Context(), time.Hour)
	if ok || err != nil {
		t.Errorf("the job was claimed again: %+v, %v", c, err)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	const workers, jobs = 2, 7
	var running, most, runs atomic.Int32
	step := make(chan struct{})
	q := start(t, soon(job.Config{Store: openStore(t, t.TempDir()), Announcer: &announcements{},
		Workers: workers,
		Runners: map[string]job.Runner{kind: runner(func(context.Context, *job.Work) error {
			runs.Add(1)
			n := running.Add(1)
			defer running.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			<-step
			return nil
		})}}))
	ids := make([]string, jobs)
	for i := range ids {
		ids[i] = add(t, q)
	}
	await(t, "all workers are busy", func() bool { return running.Load() == workers })
	for range jobs {
		step <- struct{}{}
	}
	for _, id := range ids {
		end(t, q, id)
	}
	if most.Load() != workers || runs.Load() != jobs {
		t.Errorf("%d jobs were run %d times, at most %d at once", jobs, runs.Load(), most.Load())
	}
}

func TestQuota(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	q := start(t, job.Config{Store: openStore(t, t.TempDir()), Announcer: &announcements{},
		MaxActive: 2,
		Runners: map[string]job.Runner{kind: runner(func(context.Context, *job.Work) error {
			<-block
			return nil
		})}})
	add(t, q)
	add(t, q)
	_, err := q.Add(t.Context(), job.Job{Realm: realm, Kind: kind}, recollect.Once{})
	if recollect.CodeOf(err) != recollect.CodeLimitExceeded {
		t.Errorf("the third job: %v", err)
	}
}

func TestAnnouncementIsTriedAgain(t *testing.T) {
	a := &announcements{failures: 4}
	q := start(t, soon(job.Config{Store: openStore(t, t.TempDir()), Announcer: a,
		Runners: map[string]job.Runner{kind: runner(func(context.Context, *job.Work) error {
			return nil
		})}}))
	ids := []string{add(t, q), add(t, q)}
	await(t, "both are announced", func() bool { return len(a.all()) >= 2 })
	got := a.all()
	if len(got) != 2 || !strings.Contains(strings.Join(got, " "), ids[0]) ||
		!strings.Contains(strings.Join(got, " "), ids[1]) || a.failed != 4 {
		t.Errorf("after %d failures: %v", a.failed, got)
	}
}

func TestUnknownTopic(t *testing.T) {
	for name, cfg := range map[string]job.Config{"no announcer": {},
		"another topic": {Announcer: &announcements{}}} {
		cfg.Store = openStore(t, t.TempDir())
		q := start(t, cfg)
		_, err := q.Add(t.Context(), job.Job{Realm: realm, Kind: kind, Topic: "topic"},
			recollect.Once{})
		if recollect.CodeOf(err) != recollect.CodeInvalidParameter {
			t.Errorf("%s: %v", name, err)
		}
		if _, err = q.Add(t.Context(), job.Job{Realm: realm, Kind: kind},
			recollect.Once{}); err != nil {
			t.Errorf("%s: no topic: %v", name, err)
		}
	}
}

// A job is found for as long as it is to be kept, and is deleted afterwards.
func TestRetention(t *testing.T) {
	s := openStore(t, t.TempDir())
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	cfg := job.Config{Store: s, Announcer: &announcements{}, Retention: 24 * time.Hour,
		Runners: map[string]job.Runner{kind: runner(func(ctx context.Context, w *job.Work) error {
			return errors.Join(w.Add(ctx, nil, []byte("x")), w.Flush(ctx))
		})}}.WithTimes(0, time.Millisecond, 0, now)
	q := start(t, cfg)
	id := add(t, q)
	j := end(t, q, id)
	ahead.Store(int64(23 * time.Hour))
	if _, err := q.Job(t.Context(), realm, kind, id); err != nil {
		t.Errorf("after 23 hours: %v", err)
	}
	ahead.Store(int64(25 * time.Hour))
	if _, err := q.Job(t.Context(), realm, kind, id); recollect.CodeOf(err) !=
		recollect.CodeNotFound {
		t.Errorf("after 25 hours: %v", err)
	}
	q.Close()
	if all := items(t, s, j); len(all) != 1 {
		t.Errorf("%d items are stored", len(all))
	}
	start(t, cfg)
	await(t, "the job is deleted", func() bool {
		_, err := s.Job(t.Context(), realm, id)
		return recollect.CodeOf(err) == recollect.CodeNotFound
	})
	if all := items(t, s, j); len(all) != 0 {
		t.Errorf("%d items are left", len(all))
	}
}
