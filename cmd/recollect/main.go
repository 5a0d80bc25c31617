// Command recollect is a self-hosted server with Amazon Rekognition's face API, and its clients.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/video"
)

func main() {
	sandbox := video.Main() // a process that was started to decode a video does nothing else
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if cmd, err := rootCommand(sandbox).ExecuteContextC(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "recollect:", err)
		status := exitStatus(err)
		if status == statusUsage {
			fmt.Fprintf(os.Stderr, "See: %s --help\n", cmd.CommandPath())
		}
		os.Exit(status)
	}
}

// rootCommand returns the program. The server decodes videos in the sandbox.
func rootCommand(sandbox video.Sandbox) *cobra.Command {
	root := &cobra.Command{
		Use:   "recollect",
		Short: "A self-hosted server with Amazon Rekognition's face API",
		Long: "A self-hosted server with Amazon Rekognition's face API, and its clients: " +
			"import, search, detect, compare, text, collections, faces,\n" +
			"users, export and backup are requests to a running server, on this machine or " +
			"another.\n\n" + aboutStatus,
		Version:       programVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(serveCommand(sandbox), keysCommand(), rolesCommand(), evalCommand(),
		backupCommand(), restoreCommand(), exportCommand(), importArchiveCommand(),
		doctorCommand(), importCommand(), searchCommand(), detectCommand(), compareCommand(),
		textCommand(), collectionsCommand(), facesCommand(), usersCommand(), duplicatesCommand(),
		groupCommand(), modelsCommand(), moveCommand(), clusterCommand(), auditCommand())
	markRuns(root)
	return root
}
