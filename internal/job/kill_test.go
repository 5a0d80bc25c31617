package job_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// The variables that make the test program a server to be killed.
const (
	killFolder  = "RECOLLECT_TEST_KILL_FOLDER"
	killAddress = "RECOLLECT_TEST_KILL_ADDRESS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killFolder); dir != "" {
		fmt.Fprintln(os.Stderr, serveUntilKilled(dir, os.Getenv(killAddress)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// posts announces by a POST to an address.
type posts struct{ address string }

func (posts) Knows(string) bool { return true }

func (p posts) Announce(ctx context.Context, _, id string, message []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address+"/"+id,
		strings.NewReader(string(message)))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// noting is a store that tells when an announcement is noted.
type noting struct {
	job.Store

	ended chan struct{}
}

func (n noting) EndAnnouncement(ctx context.Context, k job.Key) error {
	err := n.Store.EndAnnouncement(ctx, k)
	if err == nil {
		n.ended <- struct{}{}
	}
	return err
}

// halfItems is how many items a job of serveUntilKilled has stored when it says so.
const halfItems = 700

// serveUntilKilled runs the jobs that it finds, and then starts one, of which it prints "half" and
// the id when it has stored half of its results, and waits. A job that is run again does not wait.
func serveUntilKilled(dir, address string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	mine, ended := make(chan string, 1), make(chan struct{}, 1)
	again := false
	store := func(ctx context.Context, w *job.Work, from int) error {
		for n := range halfItems {
			if err := w.Add(ctx, []byte("key"), fmt.Appendf(nil, "%d", from+n)); err != nil {
				return err
			}
		}
		return w.Flush(ctx)
	}
	q := job.Start(job.Config{Store: noting{s, ended}, Workers: 1, Announcer: posts{address},
		Log: slog.New(slog.DiscardHandler), Runners: map[string]job.Runner{
			kind: runner(func(ctx context.Context, w *job.Work) error {
				if err := store(ctx, w, 0); err != nil {
					return err
				}
				if w.Claim.Failures > 0 {
					again = true
					return store(ctx, w, halfItems)
				}
				if again {
					<-ended // an end whose announcement is not noted is announced again
				}
				fmt.Println("half", <-mine)
				<-ctx.Done()
				return ctx.Err()
			})}})
	started, err := q.Add(ctx, job.Job{Realm: realm, Kind: kind, Topic: topic}, recollect.Once{})
	if err != nil {
		return err
	}
	mine <- started
	io.Copy(io.Discard, os.Stdin)
	return errors.New("the parent has gone")
}

// TestKill kills a server again and again while it runs a job: each job is run again, once, with
// the results of one that was not disturbed, and its end is announced once.
func TestKill(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	var mu sync.Mutex
	announced := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		announced[strings.TrimPrefix(r.URL.Path, "/")]++
	}))
	defer server.Close()
	dir := t.TempDir()
	ids := make([]string, rounds)
	for i := range ids {
		ids[i] = killAtHalf(t, dir, server.URL)
	}

	s := openStore(t, dir)
	last := start(t, soon(job.Config{Store: s, Announcer: posts{server.URL},
		Runners: map[string]job.Runner{kind: runner(func(ctx context.Context, w *job.Work) error {
			for n := range 2 * halfItems {
				if err := w.Add(ctx, []byte("key"), fmt.Appendf(nil, "%d", n)); err != nil {
					return err
				}
			}
			return w.Flush(ctx)
		})}}))
	for _, id := range ids {
		j := end(t, last, id)
		if j.Status != job.Succeeded {
			t.Errorf("job %s is %s", id, j.Status)
		}
		all := items(t, s, j)
		for n, item := range all {
			if item.Seq != int64(n) || string(item.Body) != fmt.Sprint(n) {
				t.Fatalf("job %s: item %d is %+v", id, n, item)
			}
		}
		if len(all) != 2*halfItems {
			t.Errorf("job %s has %d items, want %d", id, len(all), 2*halfItems)
		}
	}
	await(t, "all ends are announced", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(announced) >= rounds
	})
	last.Close()
	mu.Lock()
	defer mu.Unlock()
	if slices.Max(slices.Collect(maps.Values(announced))) != 1 || len(announced) != rounds {
		t.Errorf("the ends of %d jobs were announced %v times", rounds, announced)
	}
}

// killAtHalf starts a server, which runs the jobs of the folder and starts one of its own, and kills
// it in the middle of that.
func killAtHalf(t *testing.T, dir, address string) (id string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), killFolder+"="+dir, killAddress+"="+address)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(stdout).ReadString('\n')
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	id, ok := strings.CutPrefix(strings.TrimSpace(line), "half ")
	if !ok {
		t.Fatalf("it printed %q, %v", line, readErr)
	}
	return id
}
