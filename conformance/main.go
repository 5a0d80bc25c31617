// Command conformance runs one list of scenarios through unmodified clients of the AWS API, against
// servers that it starts from bin/recollect: boto3, the AWS CLI, and the SDKs for JavaScript, Go
// and Java. It ends with a table of the calls that passed, and with status 1 if any scenario failed
// on any client, if a client did not run, or if what the clients saw is not what COMPATIBILITY.md
// says.
//
//	go run ./conformance [--clients boto3,cli,js,go,java] [--run regexp]
//		[--table FILE] [--evidence FILE]
//
// With --store each server is three that share a PostgreSQL database, behind a load balancer which
// sends each request to another one.
//
// A client is driven by a program of a few hundred lines in conformance/clients, which calls it as
// anybody would and expects nothing. What is expected is in conformance/scenarios; scenario.go says
// how they are written, value.go how values are made and match.go how they are compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// options are what the command line says.
type options struct {
	clients         []client
	run             string // expression; empty: all scenarios
	table, evidence string // files; empty: none
	junit           string // file; empty: none
	withoutPictures bool
	update          bool // the document
	parallel        int  // clients at a time
	timeout         time.Duration
	root            string  // of the repository
	stores          *stores // nil: each server keeps its data itself
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := conformance(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	names := flags.String("clients", "", "clients to run, with commas between; all if empty")
	flags.StringVar(&o.run, "run", "",
		"run only the scenarios whose file/name the expression matches")
	flags.StringVar(&o.table, "table", "", "file to write the table to")
	flags.StringVar(&o.evidence, "evidence", "", "file to write the evidence to, as JSON")
	flags.StringVar(&o.junit, "junit", "",
		"file to write the results of the scenarios to, in JUnit's format")
	flags.BoolVar(&o.update, "update", false, "write what all clients did into COMPATIBILITY.md")
	flags.BoolVar(&o.withoutPictures, "without-pictures", false,
		"leave out the scenarios that need the pictures of the test data")
	flags.IntVar(&o.parallel, "parallel", 2, "clients at a time")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "longest time for an answer")
	store := flags.String("store", "", "URL of empty PostgreSQL databases, in which %d stands "+
		"for the number of one, from 1 on: each server is several that share one")
	nodes := flags.Int("nodes", 3, "with --store, servers that share a database")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *store != "" {
		if *nodes < 1 || strings.Count(*store, "%d") != 1 {
			return o, errors.New("--store needs one %d, and --nodes 1 or more")
		}
		o.stores = &stores{pattern: *store, nodes: *nodes}
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if o.clients, err = chooseClients(*names); err != nil {
		return o, err
	}
	o.root, err = repository()
	return o, err
}

// repository is the folder at or above the working directory that holds the scenarios.
func repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "conformance", "scenarios")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("run it within the repository")
		}
		folder = parent
	}
}

func conformance(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	scenarios, leftOut, err := chosenScenarios(o)
	if err != nil {
		return err
	}
	r := newReport(out, o.clients)
	if o.withoutPictures {
		r.note("%d scenarios are left out, which need pictures", len(leftOut))
	}
	r.note("%d scenarios, %d clients", len(scenarios), len(o.clients))
	var group errgroup.Group
	group.SetLimit(max(1, o.parallel))
	for _, c := range o.clients {
		group.Go(func() error {
			runClient(ctx, o, c, scenarios, r)
			return nil
		})
	}
	group.Wait()
	if o.run == "" && !o.withoutPictures {
		r.requireAll()
		r.holdDocument(filepath.Join(o.root, "COMPATIBILITY.md"), len(scenarios), o.update)
	}
	table := r.table()
	fmt.Fprintf(out, "\n%s\n", table)
	if o.table != "" {
		err = errors.Join(err, os.WriteFile(o.table, []byte(table), 0o644))
	}
	if o.evidence != "" {
		err = errors.Join(err, r.evidence.write(o.evidence))
	}
	if o.junit != "" {
		err = errors.Join(err, r.results.write(o.junit, leftOut))
	}
	if r.faults > 0 {
		err = errors.Join(err, fmt.Errorf("%d failures", r.faults))
	}
	return err
}

// chosenScenarios are those that the command line leaves, and those that it leaves out for want of
// pictures.
func chosenScenarios(o options) (chosen, leftOut []scenario, err error) {
	all, err := loadScenarios(os.DirFS(filepath.Join(o.root, "conformance", "scenarios")))
	if err != nil {
		return nil, nil, err
	}
	if chosen, err = choose(all, o.run); err != nil {
		return nil, nil, err
	}
	for _, s := range chosen {
		if s.needsPictures() {
			leftOut = append(leftOut, s)
		}
	}
	switch {
	case o.withoutPictures:
		chosen = slices.DeleteFunc(chosen, scenario.needsPictures)
	case len(leftOut) > 0 && !picturesBeside(o.root).there():
		return nil, nil, fmt.Errorf(
			"the pictures of the test data are not in %s (--without-pictures leaves out what "+
				"needs them)", picturesBeside(o.root).folder)
	default:
		leftOut = nil
	}
	if len(chosen) == 0 {
		return nil, nil, errors.New("there is no such scenario")
	}
	return chosen, leftOut, nil
}

// runClient runs all scenarios through one client. What goes wrong is in the report.
func runClient(ctx context.Context, o options, c client, scenarios []scenario, r *report) {
	start := time.Now()
	defer func() { r.finished(c, len(scenarios), time.Since(start)) }()
	var order []string
	groups := map[string][]scenario{}
	for _, s := range scenarios {
		key := s.Server.key()
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], s)
	}
	described := false
	for _, key := range order {
		if err := runGroup(ctx, o, c, groups[key], r, &described); err != nil {
			r.fault("%-10s  %v", c.title, err)
		}
	}
}

// runGroup runs scenarios that share a server.
func runGroup(ctx context.Context, o options, c client, scenarios []scenario, r *report,
	described *bool) (err error) {
	v := &values{pictures: picturesBeside(o.root), vars: map[string]any{}}
	s, err := startServer(ctx, o.root, *scenarios[0].Server, v, o.stores)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	keys := map[string]any{}
	for name, key := range s.keys {
		keys[name] = map[string]any{"id": key.id, "secret": key.secret}
	}
	v.vars["region"], v.vars["account"], v.vars["keys"] = s.regions[0], rootAccount, keys
	v.vars["root"] = map[string]any{"id": rootAccessKeyID, "secret": rootSecretAccessKey}
	v.vars["endpoint"] = s.endpoint()
	run := &runner{client: c, server: s, values: v, timeout: o.timeout, report: r}
	run.start = func() (*driver,
		error) {
		return startDriver(c.commandIn(o.root), clientEnvironment(s))
	}
	if run.driver, err = run.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.driver.close()) }()
	if !*described {
		a, err := run.driver.ask(ctx, request{Describe: true}, o.timeout)
		if err != nil {
			return err
		}
		r.describe(c, a.Version, a.Runtime)
		*described = true
	}
	for _, scenario := range scenarios {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.ended(c, scenario, run.run(ctx, scenario))
	}
	return nil
}
