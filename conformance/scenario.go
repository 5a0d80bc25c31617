package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// file is a file of scenarios.
type file struct {
	Server    needs      `yaml:"server"` // of all scenarios that name no other
	Scenarios []scenario `yaml:"scenarios"`
}

// scenario is a story that a client has to be able to tell: steps, each of which has to go as it
// says. It begins on a server without collections, whose others are deleted once they have ended.
//
// A scenario with cases stands for as many scenarios. Each has its own variables, and the case's
// name after that of the scenario.
type scenario struct {
	Name   string                    `yaml:"name"`
	Server *needs                    `yaml:"server"`
	Cases  map[string]map[string]any `yaml:"cases"`
	Steps  []step                    `yaml:"steps"`

	file string
	vars map[string]any // of the case
}

// step is one thing that is done and what has to come of it. Exactly one of Call, Paginate,
// Configure, Let and Hold says what it is.
type step struct {
	// Call is an operation that is called with In.
	Call string `yaml:"call"`
	// Paginate is an operation whose pages of PageSize are walked with the client's own paginator.
	// Out is held against all pages in one, with the lists joined.
	Paginate string `yaml:"paginate"`
	// Configure makes a new client, until the scenario ends. Its members are those of the drivers'
	// protocol, and as: the name of the user whose key the client gets.
	Configure map[string]any `yaml:"configure"`
	// Let gives variables values.
	Let map[string]any `yaml:"let"`
	// Hold is how many requests the server is kept busy with, until the scenario ends.
	Hold int `yaml:"hold"`

	In       any `yaml:"in"`
	PageSize any `yaml:"page_size"`
	// Concurrent is how often the call is made at once.
	Concurrent int `yaml:"concurrent"`
	// Each is a list, for whose elements the step is done one after another, as ${each}.
	Each any `yaml:"each"`
	// Within is how long the step may be repeated until it goes as it should. Absent, it is done
	// once.
	Within duration `yaml:"within"`

	// Out is what has to be in the output, in an output with nothing else if Exact.
	Out   any  `yaml:"out"`
	Exact bool `yaml:"exact"`
	// Pages is how many elements of a list each page has, by the list's name. A client that gives
	// all pages as one is held to the sum.
	Pages map[string]any `yaml:"pages"`
	// Outcomes is how many of the concurrent calls end how: ok, or an error's code. Others must not
	// come.
	Outcomes map[string]any `yaml:"outcomes"`
	// Error is the error that the service has to answer with.
	Error *wantedError `yaml:"error"`
	// RefusedBy are exactly the clients that refuse the input themselves, before anything is sent.
	RefusedBy []string `yaml:"refused_by"`
	// Save gives variables what JMESPath expressions find in the output.
	Save map[string]string `yaml:"save"`
}

// wantedError is an error that has to come. A client that has types for errors has to use that of a
// code which the model declares.
type wantedError struct {
	Code    string `yaml:"code"`
	Message any    `yaml:"message"` // absent: any
	Status  int    `yaml:"status"`  // absent: 400
}

// operation is what the step calls, or "".
func (s step) operation() string {
	if s.Call != "" {
		return s.Call
	}
	return s.Paginate
}

// duration is written as Go writes durations.
type duration time.Duration

func (d *duration) UnmarshalYAML(text []byte) error {
	parsed, err := time.ParseDuration(strings.Trim(strings.TrimSpace(string(text)), `"'`))
	*d = duration(parsed)
	return err
}

// loadScenarios reads all files of a folder, in the order of their names, and expands cases. Every
// fault of a file is an error: what is not known, misspelt members among it, must not pass for a
// scenario.
func loadScenarios(folder fs.FS) ([]scenario, error) {
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, err
	}
	var all []scenario
	seen := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		scenarios, err := parseScenarios(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, s := range scenarios {
			s.file = strings.TrimSuffix(filepath.Base(name), ".yaml")
			if other, ok := seen[s.Name]; ok {
				return nil, fmt.Errorf("%s: %q is also a scenario of %s", name, s.Name, other)
			}
			seen[s.Name] = name
			all = append(all, s)
		}
	}
	return all, nil
}

func parseScenarios(text []byte) ([]scenario, error) {
	var f file
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f); err != nil {
		return nil, err
	}
	var all []scenario
	for _, s := range f.Scenarios {
		if s.Server == nil {
			s.Server = &f.Server
		}
		if err := s.prepare(); err != nil {
			return nil, fmt.Errorf("scenario %q: %w", s.Name, err)
		}
		if s.Cases == nil {
			all = append(all, s)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(s.Cases)) {
			c := s
			c.Name = s.Name + ": " + name
			c.vars = map[string]any{"case": name}
			for variable, value := range s.Cases[name] {
				c.vars[variable] = plain(value)
			}
			if err := c.check(); err != nil {
				return nil, fmt.Errorf("scenario %q: %w", c.Name, err)
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// prepare makes values of YAML those of JSON.
func (s *scenario) prepare() error {
	if s.Name == "" || len(s.Steps) == 0 {
		return fmt.Errorf("it needs a name and steps")
	}
	server := *s.Server
	server.Limits, server.Objects, server.Flags = plainMap(server.Limits), plainMap(server.Objects),
		plainMap(server.Flags)
	server.Users = maps.Clone(server.Users)
	for name, u := range server.Users {
		u.Policy = plain(u.Policy)
		server.Users[name] = u
	}
	s.Server = &server
	for i := range s.Steps {
		st := &s.Steps[i]
		st.In, st.Out, st.Each, st.PageSize = plain(st.In), plain(st.Out), plain(st.Each),
			plain(st.PageSize)
		st.Configure, st.Let, st.Outcomes, st.Pages = plainMap(st.Configure), plainMap(st.Let),
			plainMap(st.Outcomes), plainMap(st.Pages)
		if st.Error != nil {
			st.Error.Message = plain(st.Error.Message)
		}
	}
	if s.Cases == nil {
		return s.check()
	}
	return nil
}

// check finds what cannot be meant.
func (s *scenario) check() error {
	for i, st := range s.Steps {
		if err := s.checkStep(st); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *scenario) checkStep(st step) error {
	kinds := 0
	for _, given := range []bool{st.Call != "", st.Paginate != "", st.Configure != nil,
		st.Let != nil, st.Hold > 0} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		return fmt.Errorf("it has to be one of call, paginate, configure, let and hold")
	}
	if name := st.operation(); name != "" {
		vars := values{vars: s.vars}
		operation, err := vars.text(name)
		if err != nil {
			return err
		}
		if _, ok := wire.Lookup(fmt.Sprint(operation)); !ok {
			return fmt.Errorf("there is no operation %v", operation)
		}
	}
	if (st.Concurrent > 0) != (st.Outcomes != nil) || st.Outcomes != nil && st.Call == "" {
		return fmt.Errorf("concurrent calls and outcomes go together")
	}
	if (st.Paginate == "") && (st.Pages != nil || st.PageSize != nil) {
		return fmt.Errorf("pages are of what is walked in pages")
	}
	if st.Error != nil && (st.Out != nil || st.Save != nil || st.Outcomes != nil) {
		return fmt.Errorf("an error has no output and no other outcomes")
	}
	for _, name := range st.RefusedBy {
		if !slices.ContainsFunc(clients(), func(c client) bool { return c.name == name }) {
			return fmt.Errorf("there is no client %q", name)
		}
	}
	return nil
}

// needsPictures reports whether a scenario uses the test data.
func (s scenario) needsPictures() bool {
	needs := usesPictures(s.Server.Objects) || usesPictures(s.vars)
	for _, st := range s.Steps {
		needs = needs || usesPictures(st.In) || usesPictures(st.Let) || usesPictures(st.Each)
	}
	return needs
}

func usesPictures(value any) bool {
	switch value := value.(type) {
	case []any:
		return slices.ContainsFunc(value, usesPictures)
	case map[string]any:
		for name, member := range value {
			if name == "$lfw" || name == "$group" || name == "$bad" || usesPictures(member) {
				return true
			}
		}
	}
	return false
}

// choose returns the scenarios whose file and name, with a slash between, an expression finds.
func choose(all []scenario, expression string) ([]scenario, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all),
		func(s scenario) bool { return !re.MatchString(s.file + "/" + s.Name) }), nil
}

// plain makes a value of YAML one of JSON: all numbers are float64.
func plain(value any) any {
	switch value := value.(type) {
	case int:
		return float64(value)
	case int64:
		return float64(value)
	case uint64:
		return float64(value)
	case []any:
		out := make([]any, len(value))
		for i, e := range value {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		return plainMap(value)
	}
	return value
}

func plainMap(value map[string]any) map[string]any {
	if value == nil {
		return nil
	}
	out := make(map[string]any, len(value))
	for name, member := range value {
		out[name] = plain(member)
	}
	return out
}
