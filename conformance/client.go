package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// client is one of the unmodified clients that the scenarios run through.
type client struct {
	name  string // on the command line and in scenarios
	title string // in the table
	// command starts its driver. Paths are relative to the repository's root.
	command []string
	// terse is a client that shows of an error no more than code and message, and of an answer only
	// the output.
	terse bool
	// merges is a client whose paginator gives all pages as one.
	merges bool
}

// What make installs and builds; conformance.mk and clients/clients.mk have the same paths.
const (
	pythonPath = ".cache/conformance-python/bin/python"
	goPath     = ".cache/conformance-client-go"
	javaPath   = ".cache/conformance-client-java/driver.jar"
	driverPath = "conformance/clients"
)

// clients in the order of the table.
func clients() []client {
	return []client{
		{name: "boto3", title: "boto3",
			command: []string{pythonPath, driverPath + "/python/boto3_driver.py"}},
		{name: "cli", title: "AWS CLI",
			command: []string{pythonPath, driverPath + "/python/cli_driver.py"}, terse: true,
			merges: true},
		{name: "js", title: "JavaScript", command: []string{"node", driverPath + "/js/driver.mjs"}},
		{name: "go", title: "Go", command: []string{goPath}},
		{name: "java", title: "Java",
			command: []string{"java", "-XX:TieredStopAtLevel=1", "-jar", javaPath}},
	}
}

// chooseClients returns the clients of a comma-separated list, in the table's order. An empty list
// names all.
func chooseClients(list string) ([]client, error) {
	all := clients()
	if list == "" {
		return all, nil
	}
	names := strings.Split(list, ",")
	var chosen []client
	for _, c := range all {
		if slices.Contains(names, c.name) {
			chosen = append(chosen, c)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c client) bool { return c.name == name }) {
			return nil, fmt.Errorf("there is no client %q", name)
		}
	}
	return chosen, nil
}

// commandIn is the command with its paths in root. A program's bare name is left to PATH.
func (c client) commandIn(root string) []string {
	command := slices.Clone(c.command)
	for i, part := range command {
		if strings.Contains(part, "/") {
			command[i] = filepath.Join(root, filepath.FromSlash(part))
		}
	}
	return command
}
