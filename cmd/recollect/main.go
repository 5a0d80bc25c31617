// Command recollect is a self-hosted server that speaks Amazon Rekognition's face API.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

const version = "0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "recollect:", err)
		os.Exit(exitStatus(err))
	}
}

// exitStatus is 130 for a command that a signal ended, as of a shell's, and 1 for any other failure.
func exitStatus(err error) int {
	if errors.Is(err, context.Canceled) {
		return 130
	}
	return 1
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "recollect",
		Short:         "A self-hosted server that speaks Amazon Rekognition's face API",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(serveCommand(), keysCommand(), evalCommand(), backupCommand(), restoreCommand(), exportCommand(), importArchiveCommand(), doctorCommand())
	return root
}
