package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// Jobs is a store that keeps jobs beside faces.
type Jobs interface {
	face.Store
	videoface.Store
}

// RunJobs runs the suite of jobs. Each test gets a store of its own from open, which is empty and
// closed by open's cleanup.
func RunJobs(t *testing.T, open func(t *testing.T) Jobs) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Jobs)
	}{
		{"CreateJob", testCreateJob},
		{"JobQuota", testJobQuota},
		{"JobQuotaConcurrent", testJobQuotaConcurrent},
		{"JobOnce", testJobOnce},
		{"JobOnceConcurrent", testJobOnceConcurrent},
		{"ClaimJob", testClaimJob},
		{"ClaimIsLost", testClaimIsLost},
		{"ReleaseJob", testReleaseJob},
		{"ClaimsConcurrent", testClaimsConcurrent},
		{"FinishJob", testFinishJob},
		{"Items", testItems},
		{"DiscardItems", testDiscardItems},
		{"Announcements", testAnnouncements},
		{"AnnouncementsConcurrent", testAnnouncementsConcurrent},
		{"DeleteFinishedJob", testDeleteFinishedJob},
		{"Matches", testMatches},
		{"MatchesOfDeletedFaces", testMatchesOfDeletedFaces},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// forever is a lease, or a pause, that does not end during a test.
const forever = time.Hour

func newJob(realm recollect.Realm) job.Job {
	return job.Job{ID: job.NewID(), Realm: realm, Kind: "StartFaceSearch", Tag: "tag",
		Topic:  "arn:aws:sns:us-east-1:123456789012:AmazonRekognition",
		Source: job.Object{Bucket: "videos", Name: "a/b.mp4", Version: "3"}, Input: []byte("input"),
		Created: now()}
}

// startJob creates a job that no token marks.
func startJob(t *testing.T, s Jobs) job.Job {
	t.Helper()
	j := newJob(home())
	id, err := s.CreateJob(t.Context(), j, recollect.Once{}, 1000)
	must(t, err)
	if id != j.ID {
		t.Fatalf("CreateJob returned id %s, want %s", id, j.ID)
	}
	return readJob(t, s, j.ID)
}

func readJob(t *testing.T, s Jobs, id string) job.Job {
	t.Helper()
	j, err := s.Job(t.Context(), home(), id)
	must(t, err)
	return j
}

func claim(t *testing.T, s Jobs, lease time.Duration) (job.Job, job.Claim) {
	t.Helper()
	j, c, ok, err := s.ClaimJob(t.Context(), lease)
	must(t, err)
	if !ok {
		t.Fatal("there is no job to claim")
	}
	return j, c
}

func wantNoClaim(t *testing.T, s Jobs) {
	t.Helper()
	j, _, ok, err := s.ClaimJob(t.Context(), forever)
	must(t, err)
	if ok {
		t.Fatalf("job %d was claimed", j.Key)
	}
}

func finish(t *testing.T, s Jobs, c job.Claim, at time.Time) {
	t.Helper()
	must(t, s.FinishJob(t.Context(), c, job.Outcome{Status: job.Succeeded, At: at}))
}

func wantLost(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, job.ErrLost) {
		t.Errorf("%s: got error %v, want ErrLost", what, err)
	}
}

func testCreateJob(t *testing.T, s Jobs) {
	want := newJob(home())
	_, err := s.CreateJob(t.Context(), want, recollect.Once{}, 10)
	must(t, err)
	got := readJob(t, s, want.ID)
	if got.Key <= 0 {
		t.Errorf("the key is %d", got.Key)
	}
	want.Key, want.Status = got.Key, job.InProgress
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	plain := job.Job{ID: job.NewID(), Realm: home(), Kind: "k", Created: now()}
	_, err = s.CreateJob(t.Context(), plain, recollect.Once{}, 10)
	must(t, err)
	if got := readJob(t, s, plain.ID); got.Tag != "" || got.Topic != "" || len(got.Input) != 0 ||
		got.Source != (job.Object{}) {
		t.Errorf("a job without all of it: %+v", got)
	}
	for _, other := range []recollect.Realm{
		{Account: home().Account, Region: "eu-west-1"},
		{Account: "210987654321", Region: home().Region},
	} {
		_, err := s.Job(t.Context(), other, want.ID)
		wantCode(t, err, recollect.CodeNotFound)
	}
	_, err = s.Job(t.Context(), home(), "none")
	wantCode(t, err, recollect.CodeNotFound)
}

func testJobQuota(t *testing.T, s Jobs) {
	ctx := t.Context()
	create := func(realm recollect.Realm, most int) error {
		_, err := s.CreateJob(ctx, newJob(realm), recollect.Once{}, most)
		return err
	}
	must(t, create(home(), 2))
	must(t, create(home(), 2))
	wantCode(t, create(home(), 2), recollect.CodeLimitExceeded)
	must(t, create(recollect.Realm{Account: home().Account, Region: "eu-west-1"}, 2))
	_, c := claim(t, s, forever)
	wantCode(t, create(home(), 2), recollect.CodeLimitExceeded) // one that is run counts
	finish(t, s, c, now())
	must(t, create(home(), 2))
	wantCode(t, create(home(), 2), recollect.CodeLimitExceeded)
}

func testJobQuotaConcurrent(t *testing.T, s Jobs) {
	const most = 5
	var group sync.WaitGroup
	var mu sync.Mutex
	created := 0
	for range 4 * most {
		group.Go(func() {
			_, err := s.CreateJob(t.Context(), newJob(home()), recollect.Once{}, most)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				created++
			} else if recollect.CodeOf(err) != recollect.CodeLimitExceeded {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if created != most {
		t.Errorf("%d jobs were created, want %d", created, most)
	}
}

func testJobOnce(t *testing.T, s Jobs) {
	ctx, at := t.Context(), now()
	once := call("StartFaceSearch", "t", "a", at)
	_, ok, err := s.RepeatedJob(ctx, once)
	must(t, err)
	if ok {
		t.Error("a first call is taken for a repeated one")
	}
	j := newJob(home())
	for range 3 {
		id, err := s.CreateJob(ctx, j, once, 1)
		must(t, err)
		if j.ID != id {
			t.Errorf("the call was answered %s, want %s", id, j.ID)
		}
		once.Now = once.Now.Add(time.Minute)
	}
	second := newJob(home())
	id, err := s.CreateJob(ctx, second, once, 1)
	must(t, err)
	if id != j.ID {
		t.Errorf("a repeated call was answered %s, want %s", id, j.ID)
	}
	_, err = s.Job(ctx, home(), second.ID)
	wantCode(t, err, recollect.CodeNotFound)
	id, ok, err = s.RepeatedJob(ctx, once)
	must(t, err)
	if !ok || id != j.ID {
		t.Errorf("RepeatedJob = %q, %v", id, ok)
	}
	other := call("StartFaceSearch", "t", "b", at)
	_, err = s.CreateJob(ctx, newJob(home()), other, 10)
	wantCode(t, err, recollect.CodeIdempotentMismatch)
	_, _, err = s.RepeatedJob(ctx, other)
	wantCode(t, err, recollect.CodeIdempotentMismatch)
	late := once
	late.Now = once.Expires
	if _, ok, err = s.RepeatedJob(ctx, late); ok || err != nil {
		t.Errorf("after the token's life: %v, %v", ok, err)
	}
	// A call that failed is not recorded.
	full := call("StartFaceSearch", "u", "a", at)
	_, err = s.CreateJob(ctx, newJob(home()), full, 1)
	wantCode(t, err, recollect.CodeLimitExceeded)
	if _, ok, err = s.RepeatedJob(ctx, full); ok || err != nil {
		t.Errorf("a call that failed: %v, %v", ok, err)
	}
}

func testJobOnceConcurrent(t *testing.T, s Jobs) {
	once := call("StartFaceSearch", "t", "a", now())
	ids := make([]string, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			var err error
			if ids[i], err = s.CreateJob(t.Context(), newJob(home()), once, 100); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	slices.Sort(ids)
	if unique := slices.Compact(ids); len(unique) != 1 {
		t.Errorf("one call started %d jobs", len(unique))
	}
}

func testClaimJob(t *testing.T, s Jobs) {
	wantNoClaim(t, s)
	first, second := startJob(t, s), startJob(t, s)
	j, c := claim(t, s, forever)
	if !reflect.DeepEqual(j, first) {
		t.Errorf("claimed %+v, want the oldest, %+v", j, first)
	}
	if c != (job.Claim{Job: first.Key, Number: 1}) {
		t.Errorf("the claim is %+v", c)
	}
	if j, _ := claim(t, s, forever); j.Key != second.Key {
		t.Errorf("claimed job %d, want %d", j.Key, second.Key)
	}
	wantNoClaim(t, s)
	must(t, s.RenewJob(t.Context(), c, 0.25, forever))
	must(t, s.DescribeJob(t.Context(), c, []byte("summary")))
	j = readJob(t, s, first.ID)
	if j.Progress != 0.25 || string(j.Summary) != "summary" || j.Status != job.InProgress {
		t.Errorf("the job is %+v", j)
	}
	wantNoClaim(t, s)
}

// A claim whose lease has ended is another worker's, and its former holder changes nothing.
func testClaimIsLost(t *testing.T, s Jobs) {
	ctx := t.Context()
	startJob(t, s)
	_, old := claim(t, s, 0)
	must(t, s.RenewJob(ctx, old, 0.5, 0)) // nobody has claimed it meanwhile
	j, c := claim(t, s, forever)
	if c.Number != old.Number+1 || c.Failures != 1 || j.Progress != 0 {
		t.Errorf("the second claim is %+v of %+v", c, j)
	}
	must(t, s.AddItems(ctx, c, []job.Item{{Body: []byte("mine")}}))
	wantLost(t, "RenewJob", s.RenewJob(ctx, old, 0.9, forever))
	wantLost(t, "DescribeJob", s.DescribeJob(ctx, old, []byte("other")))
	wantLost(t, "AddItems", s.AddItems(ctx, old, []job.Item{{Seq: 1}}))
	_, err := s.DiscardItems(ctx, old)
	wantLost(t, "DiscardItems", err)
	wantLost(t, "AddMatches", s.AddMatches(ctx, old, 0, nil))
	wantLost(t, "ReleaseJob", s.ReleaseJob(ctx, old, 0, true))
	wantLost(t, "FinishJob", s.FinishJob(ctx, old, job.Outcome{Status: job.Failed, At: now()}))
	if j := readJob(t, s, j.ID); j.Summary != nil || j.Progress != 0 ||
		j.Status != job.InProgress {
		t.Errorf("the job was changed: %+v", j)
	}
	items, err := s.Items(ctx, j.Key, job.BySeq, -1, 10)
	must(t, err)
	if len(items) != 1 || string(items[0].Body) != "mine" {
		t.Errorf("the items are %+v", items)
	}
	finish(t, s, c, now())
	wantLost(t, "RenewJob after the end", s.RenewJob(ctx, c, 0.9, forever))
	wantLost(t, "FinishJob after the end", s.FinishJob(ctx, c,
		job.Outcome{Status: job.Failed, At: now()}))
}

func testReleaseJob(t *testing.T, s Jobs) {
	ctx := t.Context()
	startJob(t, s)
	_, c := claim(t, s, forever)
	must(t, s.ReleaseJob(ctx, c, 0, false))
	wantLost(t, "RenewJob", s.RenewJob(ctx, c, 0, forever))
	if _, c = claim(t, s, forever); c.Failures != 0 || c.Number != 2 {
		t.Errorf("after a release the claim is %+v", c)
	}
	must(t, s.ReleaseJob(ctx, c, 0, true))
	if _, c = claim(t, s, forever); c.Failures != 1 {
		t.Errorf("after a failure the claim is %+v", c)
	}
	must(t, s.ReleaseJob(ctx, c, forever, true))
	wantNoClaim(t, s)
}

func testClaimsConcurrent(t *testing.T, s Jobs) {
	const jobs = 12
	for range jobs {
		startJob(t, s)
	}
	var mu sync.Mutex
	claimed := map[job.Key]int{}
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			for {
				j, _, ok, err := s.ClaimJob(t.Context(), forever)
				if err != nil {
					t.Error(err)
				}
				if !ok || err != nil {
					return
				}
				mu.Lock()
				claimed[j.Key]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for key, n := range claimed {
		if n != 1 {
			t.Errorf("job %d was claimed %d times", key, n)
		}
	}
	// A worker may find none while another claims the last one, and there are no more than one
	// such for each worker.
	for {
		j, _, ok, err := s.ClaimJob(t.Context(), forever)
		must(t, err)
		if !ok {
			break
		}
		claimed[j.Key]++
	}
	if len(claimed) != jobs {
		t.Errorf("%d jobs were claimed, want %d", len(claimed), jobs)
	}
}

func testFinishJob(t *testing.T, s Jobs) {
	ctx := t.Context()
	done, failed := startJob(t, s), startJob(t, s)
	at := now()
	_, c := claim(t, s, forever)
	must(t, s.FinishJob(ctx, c, job.Outcome{Status: job.Succeeded, At: at}))
	_, c = claim(t, s, forever)
	must(t, s.FinishJob(ctx, c, job.Outcome{Status: job.Failed, Message: "why", At: at}))
	wantNoClaim(t, s)
	done.Status, done.Progress, done.Finished = job.Succeeded, 1, at
	failed.Status, failed.Progress, failed.Finished, failed.Message = job.Failed, 1, at, "why"
	for _, want := range []job.Job{done, failed} {
		if got := readJob(t, s, want.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// newItems returns items whose keys are in the reverse order, two items of each.
func newItems(from, n int) []job.Item {
	items := make([]job.Item, n)
	for i := range items {
		seq := from + i
		items[i] = job.Item{Seq: int64(seq), Key: fmt.Appendf(nil, "%06d", 999999-seq/2),
			Body: fmt.Appendf(nil, "body %d", seq)}
	}
	return items
}

func testItems(t *testing.T, s Jobs) {
	ctx := t.Context()
	j, other := startJob(t, s), startJob(t, s)
	_, c := claim(t, s, forever)
	_, d := claim(t, s, forever)
	want := newItems(0, 25)
	must(t, s.AddItems(ctx, c, want[:10]))
	must(t, s.AddItems(ctx, c, want[10:]))
	must(t, s.AddItems(ctx, d, newItems(0, 3)))
	byKey := slices.Clone(want)
	slices.SortStableFunc(byKey,
		func(a, b job.Item) int { return slices.Compare(a.Key, b.Key) })
	for order, want := range map[job.Order][]job.Item{job.BySeq: want, job.ByKey: byKey} {
		for _, page := range []int{1, 7, 25, 100} {
			var got []job.Item
			after := int64(-1)
			for {
				items, err := s.Items(ctx, j.Key, order, after, page)
				must(t, err)
				if len(items) > page {
					t.Fatalf("a page of %d has %d items", page, len(items))
				}
				got = append(got, items...)
				if len(items) < page {
					break
				}
				after = items[len(items)-1].Seq
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("order %d, pages of %d: got %v, want %v", order, page, got, want)
			}
		}
	}
	items, err := s.Items(ctx, other.Key, job.ByKey, -1, 100)
	must(t, err)
	if len(items) != 3 {
		t.Errorf("the other job has %d items, want 3", len(items))
	}
}

func testDiscardItems(t *testing.T, s Jobs) {
	ctx := t.Context()
	j, other := startJob(t, s), startJob(t, s)
	_, c := claim(t, s, forever)
	_, d := claim(t, s, forever)
	must(t, s.AddItems(ctx, c, newItems(0, 1300)))
	must(t, s.AddItems(ctx, d, newItems(0, 2)))
	f := add(t, s, create(t, s, home(), "c").Key, NewFace())[0]
	must(t, s.AddMatches(ctx, c, 1, []videoface.Match{{Face: f.Key, Similarity: 90}}))
	for more := true; more; {
		var err error
		more, err = s.DiscardItems(ctx, c)
		must(t, err)
	}
	for key, want := range map[job.Key]int{j.Key: 0, other.Key: 2} {
		items, err := s.Items(ctx, key, job.BySeq, -1, 2000)
		must(t, err)
		if len(items) != want {
			t.Errorf("%d items are left, want %d", len(items), want)
		}
	}
	matches, err := s.Matches(ctx, j.Key, []int64{1})
	must(t, err)
	if len(matches) != 0 {
		t.Errorf("the matches %v are left", matches)
	}
	must(t, s.AddItems(ctx, c, newItems(0, 1))) // the numbers begin anew
}

func testAnnouncements(t *testing.T, s Jobs) {
	ctx := t.Context()
	due := func(pause time.Duration) (job.Job, int, bool) {
		t.Helper()
		j, attempt, ok, err := s.DueAnnouncement(ctx, pause)
		must(t, err)
		return j, attempt, ok
	}
	j := startJob(t, s)
	silent := newJob(home())
	silent.Topic = ""
	_, err := s.CreateJob(ctx, silent, recollect.Once{}, 10)
	must(t, err)
	for range 2 {
		if _, _, ok := due(forever); ok {
			t.Fatal("a job in progress is to be announced")
		}
		_, c := claim(t, s, forever)
		if c.Job == j.Key {
			must(t, s.ReleaseJob(ctx, c, 0, false))
		} else {
			t.Fatalf("job %d was claimed", c.Job)
		}
	}
	for range 2 {
		_, c := claim(t, s, forever)
		finish(t, s, c, now())
	}
	got, attempt, ok := due(0)
	if !ok || attempt != 1 || got.ID != j.ID || got.Status != job.Succeeded || got.Topic == "" {
		t.Fatalf("due is %+v, attempt %d, %v", got, attempt, ok)
	}
	if _, attempt, ok = due(forever); !ok || attempt != 2 {
		t.Fatalf("after the pause: attempt %d, %v", attempt, ok)
	}
	if _, _, ok = due(forever); ok {
		t.Error("it is due during the pause, or a job without a topic is")
	}
	must(t, s.PutOffAnnouncement(ctx, j.Key, 0))
	if _, attempt, ok = due(0); !ok || attempt != 3 {
		t.Fatalf("put off: attempt %d, %v", attempt, ok)
	}
	must(t, s.EndAnnouncement(ctx, j.Key))
	must(t, s.PutOffAnnouncement(ctx, j.Key, 0)) // too late
	if _, _, ok = due(0); ok {
		t.Error("it is due after its end")
	}
}

func testAnnouncementsConcurrent(t *testing.T, s Jobs) {
	const jobs = 8
	for range jobs {
		startJob(t, s)
		_, c := claim(t, s, forever)
		finish(t, s, c, now())
	}
	var mu sync.Mutex
	announced := map[string]int{}
	var group sync.WaitGroup
	take := func() bool {
		j, _, ok, err := s.DueAnnouncement(t.Context(), forever)
		if err != nil {
			t.Error(err)
		}
		if ok {
			mu.Lock()
			announced[j.ID]++
			mu.Unlock()
		}
		return ok
	}
	for range 4 {
		group.Go(func() {
			for take() {
			}
		})
	}
	group.Wait()
	for take() {
	}
	for id, n := range announced {
		if n != 1 {
			t.Errorf("job %s is due %d times at once", id, n)
		}
	}
	if len(announced) != jobs {
		t.Errorf("%d jobs were due, want %d", len(announced), jobs)
	}
}

func testDeleteFinishedJob(t *testing.T, s Jobs) {
	ctx, at := t.Context(), now()
	old, recent, running := startJob(t, s), startJob(t, s), startJob(t, s)
	_, c := claim(t, s, forever)
	must(t, s.AddItems(ctx, c, newItems(0, 1300)))
	f := add(t, s, create(t, s, home(), "c").Key, NewFace())[0]
	must(t, s.AddMatches(ctx, c, 1, []videoface.Match{{Face: f.Key, Similarity: 90}}))
	finish(t, s, c, at.Add(-time.Hour))
	_, c = claim(t, s, forever)
	finish(t, s, c, at)
	_, c = claim(t, s, forever)
	must(t, s.AddItems(ctx, c, newItems(0, 2)))
	steps := 0
	for more := true; more; steps++ {
		var err error
		more, err = s.DeleteFinishedJob(ctx, at)
		must(t, err)
	}
	if steps < 3 {
		t.Errorf("1300 items were deleted in %d transactions", steps-1)
	}
	_, err := s.Job(ctx, home(), old.ID)
	wantCode(t, err, recollect.CodeNotFound)
	items, err := s.Items(ctx, old.Key, job.BySeq, -1, 10)
	must(t, err)
	matches, err := s.Matches(ctx, old.Key, []int64{1})
	must(t, err)
	if len(items) != 0 || len(matches) != 0 {
		t.Errorf("%d items and %d matches are left", len(items), len(matches))
	}
	readJob(t, s, recent.ID)
	readJob(t, s, running.ID)
	items, err = s.Items(ctx, running.Key, job.BySeq, -1, 10)
	must(t, err)
	if len(items) != 2 {
		t.Errorf("the job that is run has %d items, want 2", len(items))
	}
}

func testMatches(t *testing.T, s Jobs) {
	ctx := t.Context()
	j := startJob(t, s)
	_, c := claim(t, s, forever)
	faces := add(t, s, create(t, s, home(), "c").Key, newFaces(4)...)
	want := map[int64][]videoface.Match{
		0: {{Face: faces[2].Key, Similarity: 99.5}, {Face: faces[0].Key, Similarity: 90.25}},
		7: {{Face: faces[2].Key, Similarity: 80}},
	}
	for track, matches := range want {
		must(t, s.AddMatches(ctx, c, track, matches))
	}
	must(t, s.AddMatches(ctx, c, 3, nil))
	must(t, s.AddMatches(ctx, c, 4, []videoface.Match{{Face: faces[1].Key, Similarity: 1}}))
	got, err := s.Matches(ctx, j.Key, []int64{7, 0, 3, 99})
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, err = s.Matches(ctx, j.Key+1, []int64{0}); err != nil || len(got) != 0 {
		t.Errorf("another job has %v, %v", got, err)
	}
	if got, err = s.Matches(ctx, j.Key, nil); err != nil || len(got) != 0 {
		t.Errorf("no tracks have %v, %v", got, err)
	}
}

// Nothing is kept of a face that was deleted.
func testMatchesOfDeletedFaces(t *testing.T, s Jobs) {
	ctx := t.Context()
	j := startJob(t, s)
	_, c := claim(t, s, forever)
	collection := create(t, s, home(), "c")
	faces := add(t, s, collection.Key, newFaces(3)...)
	matches := make([]videoface.Match, len(faces))
	for i, f := range faces {
		matches[i] = videoface.Match{Face: f.Key, Similarity: float32(90 - i)}
	}
	must(t, s.AddMatches(ctx, c, 0, matches))
	remove := func(f face.Face) {
		t.Helper()
		deleted, _, err := s.DeleteFaces(ctx, collection.Key, []string{f.ID})
		must(t, err)
		if len(deleted) != 1 {
			t.Fatalf("%d faces were deleted", len(deleted))
		}
	}
	remove(faces[1])
	want := map[int64][]videoface.Match{0: {matches[0], matches[2]}}
	got, err := s.Matches(ctx, j.Key, []int64{0})
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after a deletion: got %v, want %v", got, want)
	}
	// One that is deleted before its match is stored is left out.
	must(t, s.AddMatches(ctx, c, 1, matches))
	if got, err = s.Matches(ctx, j.Key, []int64{1}); err != nil ||
		!reflect.DeepEqual(got, map[int64][]videoface.Match{1: {matches[0], matches[2]}}) {
		t.Errorf("a deleted face: got %v, %v", got, err)
	}
}
