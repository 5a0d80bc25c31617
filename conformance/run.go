package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// runner runs scenarios through one client, against one server.
type runner struct {
	client   client
	server   *server
	start    func() (*driver, error) // starts another driver
	driver   *driver
	values   *values
	timeout  time.Duration // of an answer
	report   *report
	number   int              // of scenarios run
	identity map[string]any   // what the client is configured with
	made     []madeCollection // by the scenario
	held     []net.Conn       // requests that keep the server busy
}

// madeCollection is what has to be deleted, and by whom.
type madeCollection struct {
	identity map[string]any
	id       string
}

// failure is a step that did not go as it should.
type failure struct {
	step   int // from 1
	what   string
	reason string
}

func (f *failure) Error() string { return fmt.Sprintf("step %d, %s: %s", f.step, f.what, f.reason) }

// run runs a scenario, and leaves the server without the collections that it made. The driver that
// was no driver to it is replaced for the next.
func (r *runner) run(ctx context.Context, s scenario) error {
	r.number++
	if r.driver == nil || r.driver.broken != nil {
		driver, err := r.start()
		if err != nil {
			return err
		}
		r.driver = driver
	}
	vars := r.values.with(nil)
	for name, value := range s.vars {
		vars.vars[name] = later{value}
	}
	vars.vars["unique"] = fmt.Sprintf("s%d", r.number)
	vars.vars["now"] = float64(time.Now().UnixMilli()) / 1000
	r.made = nil
	var err error
	for i, st := range s.Steps {
		if err = r.steps(ctx, vars, st); err != nil {
			err = &failure{step: i + 1, what: st.title(vars), reason: err.Error()}
			break
		}
	}
	return errors.Join(err, r.clean(ctx))
}

// let gives variables values.
func let(v *values, vars map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		expanded, err := v.expand(vars[name])
		if err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		v.vars[name] = expanded
	}
	return nil
}

func (s step) title(v *values) string {
	switch {
	case s.Configure != nil:
		return "configure"
	case s.Let != nil:
		return "let"
	case s.Hold > 0:
		return "hold"
	}
	title := s.operation()
	if name, err := v.text(title); err == nil {
		title = fmt.Sprint(name)
	}
	if s.Paginate != "" {
		title += " in pages"
	}
	return title
}

// clean brings client and server back to where a scenario begins.
func (r *runner) clean(ctx context.Context) error {
	if r.driver.broken != nil {
		r.identity = nil
	}
	for _, conn := range r.held {
		conn.Close()
	}
	r.held = nil
	var failed error
	for _, m := range r.made {
		if err := r.server.deleteCollection(ctx, m.identity, m.id); err != nil {
			failed = errors.Join(failed, fmt.Errorf("clean up: %w", err))
		}
	}
	if len(r.identity) > 0 {
		failed = errors.Join(failed, r.configure(ctx, map[string]any{}))
	}
	return failed
}

// steps does a step as often as it says.
func (r *runner) steps(ctx context.Context, v *values, s step) error {
	if s.Each == nil {
		return r.untilDone(ctx, v, s)
	}
	each, err := v.expand(s.Each)
	if err != nil {
		return err
	}
	elements, err := list(each, -1)
	if err != nil {
		return err
	}
	for _, e := range elements {
		v.vars["each"] = e
		if err := r.untilDone(ctx, v, s); err != nil {
			return fmt.Errorf("for %s: %w", shortened(e), err)
		}
	}
	return nil
}

// untilDone repeats a step that may take a while to go as it should.
func (r *runner) untilDone(ctx context.Context, v *values, s step) error {
	deadline := time.Now().Add(time.Duration(s.Within))
	for {
		err := r.step(ctx, v, s)
		if err == nil || r.driver.broken != nil || !time.Now().Before(deadline) {
			r.count(v, s, err == nil)
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// count counts a call that reached the server, or should have.
func (r *runner) count(v *values, s step, passed bool) {
	name, err := v.text(s.operation())
	if s.operation() == "" || err != nil {
		return
	}
	if passed && slices.Contains(s.RefusedBy, r.client.name) {
		r.report.refused()
		return
	}
	for range max(1, s.Concurrent) {
		r.report.called(r.client, fmt.Sprint(name), passed)
	}
}

func (r *runner) step(ctx context.Context, v *values, s step) error {
	switch {
	case s.Let != nil:
		return let(v, s.Let)
	case s.Configure != nil:
		settings, err := r.settings(v, s.Configure)
		if err != nil {
			return err
		}
		return r.configure(ctx, settings)
	case s.Hold > 0:
		return r.hold(ctx, s.Hold)
	}
	name, err := v.text(s.operation())
	if err != nil {
		return err
	}
	operation, ok := wire.Lookup(fmt.Sprint(name))
	if !ok {
		return fmt.Errorf("there is no operation %v", name)
	}
	var input any = map[string]any{}
	if s.In != nil {
		if input, err = v.expand(s.In); err != nil {
			return err
		}
	}
	req := request{Input: input, Concurrent: s.Concurrent}
	if req.PageSize, err = v.number(s.PageSize); err != nil {
		return fmt.Errorf("page_size: %w", err)
	}
	if s.Paginate != "" {
		req.Paginate = operation.Name
	} else {
		req.Call = operation.Name
	}
	a, err := r.driver.ask(ctx, req, r.timeout)
	if err != nil {
		return err
	}
	if s.Concurrent > 0 {
		return r.concurrent(v, s, operation, input, a)
	}
	return r.answered(v, s, operation, input, a)
}

// settings are those of a step, with the key of the user that it names.
func (r *runner) settings(v *values, configure map[string]any) (map[string]any, error) {
	expanded, err := v.expand(configure)
	if err != nil {
		return nil, err
	}
	settings := expanded.(map[string]any)
	if name, ok := settings["as"]; ok {
		key, ok := r.server.keys[fmt.Sprint(name)]
		if !ok {
			return nil, fmt.Errorf("the server has no user %v", name)
		}
		delete(settings, "as")
		settings["accessKeyId"], settings["secretAccessKey"] = key.id, key.secret
	}
	return settings, nil
}

func (r *runner) hold(ctx context.Context, n int) error {
	for range n {
		conns, err := r.server.holdAll(ctx)
		r.held = append(r.held, conns...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) configure(ctx context.Context, settings map[string]any) error {
	a, err := r.driver.ask(ctx, request{Configure: settings}, r.timeout)
	if err != nil {
		return err
	}
	if !a.OK {
		return fmt.Errorf("the client could not be configured: %s", a.shown())
	}
	r.identity = settings
	return nil
}

// answered holds one answer against what a step wants.
func (r *runner) answered(v *values, s step, operation *wire.Operation, input any, a answer) error {
	if err := a.check(); err != nil {
		return err
	}
	refuses := slices.Contains(s.RefusedBy, r.client.name)
	switch {
	case a.Failed != nil:
		return fmt.Errorf("wanted %s, but the client failed: %s", s.wanted(), shortened(*a.Failed))
	case a.Refused != nil && refuses:
		return nil
	case a.Refused != nil:
		return fmt.Errorf("wanted %s, but the client refused the input: %s", s.wanted(),
			shortened(*a.Refused))
	case refuses:
		return fmt.Errorf("wanted the client to refuse the input, but it sent it: %s", a.shown())
	case a.Error != nil:
		return r.failedCall(v, s, operation, *a.Error)
	case s.Error != nil:
		return fmt.Errorf("wanted %s, came %s", s.wanted(), a.shown())
	}
	return r.succeeded(v, s, operation, input, a)
}

func (s step) wanted() string {
	if s.Error != nil {
		return s.Error.Code
	}
	return "an output"
}

func (a answer) shown() string {
	switch {
	case a.Error != nil:
		return fmt.Sprintf("%s (%s)", a.Error.Code, a.Error.Message)
	case a.Pages != nil:
		return fmt.Sprintf("%d pages", len(a.Pages))
	case a.Refused != nil:
		return "a refusal by the client: " + *a.Refused
	case a.Failed != nil:
		return "a failure: " + *a.Failed
	}
	return "the output " + shortened(any(a.Output))
}

// failedCall holds an error against what a step wants.
func (r *runner) failedCall(v *values, s step, operation *wire.Operation, e serviceError) error {
	if s.Error == nil {
		return fmt.Errorf("wanted an output, came %s (%s)", e.Code, e.Message)
	}
	r.report.evidence.error(r.client, operation, e.Code)
	code, err := v.text(s.Error.Code)
	if err != nil {
		return err
	}
	wanted := map[string]any{"Code": code}
	came := map[string]any{"Code": e.Code, "Message": e.Message}
	if s.Error.Message != nil {
		if wanted["Message"], err = v.expand(s.Error.Message); err != nil {
			return err
		}
	}
	if !r.client.terse {
		wanted["Status"], came["Status"] = float64(400), float64(e.Status)
		if s.Error.Status != 0 {
			wanted["Status"] = float64(s.Error.Status)
		}
		wanted["Modelled"] = slices.Contains(operation.Errors, e.Code)
		if e.Modelled != nil {
			came["Modelled"] = *e.Modelled
		}
		wanted["RequestId"], came["RequestId"] = requestID, e.RequestID
	}
	return compared(wanted, came, false)
}

// requestID is what the id of every answer looks like.
var requestID = map[string]any{
	"$re": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"}

func (r *runner) succeeded(v *values, s step, operation *wire.Operation, input any,
	a answer) error {
	output := a.Output
	if s.Paginate != "" {
		output = joined(a.Pages)
		if err := r.pages(v, s, a.Pages); err != nil {
			return err
		}
	} else if !r.client.terse {
		wanted := map[string]any{"status": float64(200), "requestId": requestID}
		if err := compared(wanted,
			map[string]any{"status": float64(a.Status), "requestId": a.RequestID},
			false); err != nil {
			return err
		}
	}
	if s.Out != nil {
		wanted, err := v.expand(s.Out)
		if err != nil {
			return err
		}
		if err := compared(wanted, any(output), s.Exact); err != nil {
			return err
		}
	} else if s.Exact && len(output) > 0 {
		return fmt.Errorf("wanted an empty output, came %s", shortened(any(output)))
	}
	for name, expression := range s.Save {
		found, err := find(expression, any(output))
		if err != nil {
			return err
		}
		if found == nil {
			return fmt.Errorf("there is no %s in the output %s", expression, shortened(any(output)))
		}
		v.vars[name] = found
	}
	r.report.evidence.success(r.client, operation, input, output)
	r.remember(operation, input)
	return nil
}

// remember notes what a scenario made, so that it can be deleted.
func (r *runner) remember(operation *wire.Operation, input any) {
	if operation.Name == "CreateCollection" {
		if id, ok := input.(map[string]any)["CollectionId"].(string); ok {
			r.made = append(r.made, madeCollection{identity: maps.Clone(r.identity), id: id})
		}
	}
}

// pages holds the sizes of pages against what a step wants.
func (r *runner) pages(v *values, s step, pages []map[string]any) error {
	for name, sizes := range s.Pages {
		var came []int
		for _, page := range pages {
			elements, _ := page[name].([]any)
			came = append(came, len(elements))
		}
		wanted, err := v.numbers(sizes)
		if err != nil {
			return fmt.Errorf("pages: %w", err)
		}
		if r.client.merges {
			wanted = []int{sum(wanted)}
		}
		if !slices.Equal(came, wanted) {
			return fmt.Errorf("wanted pages with %v %s, came %v", wanted, name, came)
		}
	}
	return nil
}

func sum(numbers []int) (sum int) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

// joined makes one output of pages: lists are joined, and of other members the last page's counts.
func joined(pages []map[string]any) map[string]any {
	out := map[string]any{}
	for _, page := range pages {
		for name, value := range page {
			before, ok := out[name].([]any)
			if more, isList := value.([]any); ok && isList {
				value = slices.Concat(before, more)
			}
			out[name] = value
		}
	}
	delete(out, "NextToken")
	return out
}

// concurrent counts how calls at once ended.
func (r *runner) concurrent(v *values, s step, operation *wire.Operation, input any,
	a answer) error {
	if a.Failed != nil {
		return fmt.Errorf("the driver failed: %s", *a.Failed)
	}
	if len(a.Answers) != s.Concurrent {
		return fmt.Errorf("wanted %d answers, came %d", s.Concurrent, len(a.Answers))
	}
	expanded, err := v.expand(s.Outcomes)
	if err != nil {
		return err
	}
	wanted := expanded.(map[string]any)
	counts := map[string]any{}
	for name := range wanted {
		counts[name] = float64(0)
	}
	one := s
	one.Save = nil
	for _, call := range a.Answers {
		outcome := "ok"
		if call.Error != nil {
			outcome = call.Error.Code
			one.Error = &wantedError{Code: outcome}
		} else {
			one.Error = nil
		}
		if err := r.answered(v, one, operation, input, call); err != nil {
			return err
		}
		n, _ := counts[outcome].(float64)
		counts[outcome] = n + 1
	}
	return compared(any(wanted), any(counts), true)
}

// compared returns the differences as an error.
func compared(wanted, came any, exact bool) error {
	differences, err := match(wanted, came, exact)
	if err != nil {
		return err
	}
	if len(differences) == 0 {
		return nil
	}
	var lines []string
	for _, d := range differences {
		lines = append(lines, d.String())
	}
	const most = 10
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d more", len(lines)-most))
	}
	return errors.New(strings.Join(lines, "\n      "))
}
