// Command licences writes the licences of the Go modules that the program is built from, and of
// Go's standard library, into one file, as these licences ask of who distributes the program:
//
//	licences OUTPUT
//
// It is run in the module of the program. A module without a licence is an error.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: licences OUTPUT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// A part is a module, or the standard library, and its folder.
type part struct {
	name, folder string
}

func run(output string) error {
	parts, err := modules()
	if err != nil {
		return fmt.Errorf("list the modules: %w", err)
	}
	var all bytes.Buffer
	for _, p := range parts {
		if err := p.write(&all); err != nil {
			return fmt.Errorf("read the licence of %s: %w", p.name, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o750); err != nil {
		return err
	}
	return os.WriteFile(output, all.Bytes(), 0o600)
}

// modules lists Go itself and the modules of the packages that the program imports, but not the
// program's own.
func modules() ([]part, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	list := exec.Command("go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}",
		"./cmd/recollect")
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	slices.Sort(lines)
	parts := []part{{"Go's standard library", strings.TrimSpace(string(root))}}
	for _, line := range slices.Compact(lines) {
		name, folder, ok := strings.Cut(line, "\t")
		if !ok || folder == "" {
			return nil, fmt.Errorf("%q has no folder; run go mod download", line)
		}
		parts = append(parts, part{name, folder})
	}
	return parts, nil
}

// write writes a heading, and what the part's licence files say.
func (p part) write(w *bytes.Buffer) error {
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return err
	}
	var found bool
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		licence := strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") ||
			strings.HasPrefix(name, "COPYING")
		notice := strings.HasPrefix(name, "NOTICE") || strings.HasPrefix(name, "PATENTS")
		if !e.Type().IsRegular() || !licence && !notice {
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.folder, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "==== %s: %s\n\n%s\n\n", p.name, e.Name(), bytes.TrimSpace(text))
		found = found || licence
	}
	if !found {
		return errors.New("there is none")
	}
	return nil
}
