package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// The exit statuses of every command.
const (
	// the command ran, and the answer is no: no match, no face, a failed check of doctor
	statusNo          = 1
	statusUsage       = 2   // the command line is wrong, and nothing was done
	statusFailed      = 3   // of the server, the network or this machine
	statusInterrupted = 130 // by a signal, as shells report it
)

const aboutStatus = "The exit status is 0 if it was done (search and compare: there is a match; " +
	"detect: there is a face), 1 if the answer is no, 2 if the\n" +
	"command line is wrong, 3 for any failure, and 130 if it was interrupted."

// noError is the result of a command that ran and whose answer is no.
type noError string

func (e noError) Error() string { return string(e) }

// usageError is a fault of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// runError is the error of a command that ran. Other errors are faults of the command line.
type runError struct{ error }

func (e runError) Unwrap() error { return e.error }

// exitStatus returns the exit status of the program.
func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) {
		return statusInterrupted
	}
	if _, ok := errors.AsType[noError](err); ok {
		return statusNo
	}
	_, ran := errors.AsType[runError](err)
	if _, usage := errors.AsType[usageError](err); usage || !ran {
		return statusUsage
	}
	return statusFailed
}

// markRuns wraps the errors of commands that ran, which distinguishes them from faults of the
// command line.
func markRuns(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return runError{err}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		markRuns(c)
	}
}

// valid returns the faults of a command's settings as faults of the command line.
func valid(err error) error {
	if err != nil {
		return usageError{err}
	}
	return nil
}
