// Command fuzz runs every fuzz target of the packages below the working directory for a time.
//
//	go build -C tools -o ../.cache/fuzz ./fuzz && .cache/fuzz -time 60s -jobs 2
//
// Each target has one worker, and so one core: -jobs targets run at once. The test of a package is
// built once for all its targets. The summary has a line for each target: its executions, the
// inputs that reached new code, and the corpus that it has now.
//
// Its status is 1 if a target failed, could not be built or executed nothing, or if there are no
// targets. The input that failed a target is printed, and lies where Go's fuzzing wrote it: below
// the package's testdata/fuzz, to be added to the repository with the fix.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	duration := flag.Duration("time", 10*time.Second, "how long each target runs")
	jobs := flag.Int("jobs", 2, "how many targets run at once")
	run := flag.String("run", ".", "run the targets whose PACKAGE.TARGET matches this")
	dir := flag.String("build", ".cache/fuzzing", "folder for the built tests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := fuzz(ctx, *run, *dir, *duration, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		stop()
		os.Exit(1)
	}
}

func fuzz(ctx context.Context, run, dir string, duration time.Duration, jobs int) error {
	cache, err := goCache(ctx)
	if err != nil {
		return err
	}
	f := fuzzing{root: ".", build: dir, cache: cache, duration: duration, jobs: jobs,
		out: os.Stdout}
	return f.run(ctx, run)
}
