package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// The exit statuses of every command.
const (
	// it was done, and the answer is no: no match, no face, something that doctor does not like
	statusNo          = 1
	statusUsage       = 2   // the command line is wrong, and nothing was done
	statusFailed      = 3   // by the server, the network or this machine
	statusInterrupted = 130 // by a signal, as of a shell's
)

const aboutStatus = "The exit status is 0 if it was done (search and compare: there is a match; " +
	"detect: there is a face), 1 if the answer is no, 2 if the\n" +
	"command line is wrong, 3 for any failure, and 130 if it was interrupted."

// noError says that all went well and the answer is no.
type noError string

func (e noError) Error() string { return string(e) }

// usageError says what is wrong with the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// runError is of a command that ran. Other errors are those of the command line.
type runError struct{ error }

func (e runError) Unwrap() error { return e.error }

// exitStatus says how the program ends.
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

// markRuns wraps the errors of commands that ran, so that those of the command line can be told
// from them.
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

// valid makes the faults of a command's settings those of the command line.
func valid(err error) error {
	if err != nil {
		return usageError{err}
	}
	return nil
}
