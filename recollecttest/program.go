package recollecttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/recollect-dev/recollect"

// find returns the program to start, and the folder of the networks; empty: the program's own.
func find(ctx context.Context, o options) (program, library string, err error) {
	if o.program != "" {
		return o.program, o.library, nil
	}
	if found, err := exec.LookPath("recollect"); err == nil {
		return found, o.library, nil
	}
	folder, err := source(ctx)
	if err != nil {
		return "", "", fmt.Errorf("no program is named, none is in PATH, and %w", err)
	}
	if o.library == "" {
		o.library = filepath.Join(folder, "lib", "recollect")
	}
	if _, err := os.Stat(o.library); err != nil {
		return "", "", fmt.Errorf("the networks are missing (%w): name their folder in "+
			"RECOLLECT_LIBRARY, or run make networks in %s", err, folder)
	}
	program, err = build(ctx, folder)
	return program, o.library, err
}

// source returns the folder of the module's source.
func source(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	folder := strings.TrimSpace(string(out))
	if err != nil || folder == "" {
		return "", errors.Join(errors.New("the source of "+module+" is not known to go list"), err)
	}
	return folder, nil
}

// build builds the program in the user's cache folder. Go's build cache makes that quick if nothing
// has changed since the last time.
func build(ctx context.Context, folder string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	target := filepath.Join(cache, "recollecttest")
	if err := os.MkdirAll(target, 0o750); err != nil {
		return "", err
	}
	// Each test process builds a file of its own: another may be running the one of before.
	file, err := os.CreateTemp(target, "recollect-*")
	if err != nil {
		return "", err
	}
	if err := file.Close(); err != nil {
		return "", err
	}
	path := filepath.Join(target, "recollect")
	//nolint:gosec // G204: the names are made here
	cmd := exec.CommandContext(ctx, "go", "build", "-o", file.Name(), module+"/cmd/recollect")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build the program: %w\n%s", err, out),
			os.Remove(file.Name()))
	}
	return path, os.Rename(file.Name(), path)
}
