package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/api/admin"
)

func clusterCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cluster", Short: "Show the servers that share a database",
		Args: cobra.NoArgs}
	cmd.AddCommand(clusterStatusCommand())
	return cmd
}

// clusterStatusCommand lists the servers that share their store with the one that is asked.
func clusterStatusCommand() *cobra.Command {
	var c client
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the servers, and what each holds in memory",
		Long: "List the servers that share the database of the one that is asked, and what each " +
			"holds in memory. A server that ended without\n" +
			"being stopped stays on the list for an hour. The exit status is 1 if a server does " +
			"not say that it is there.\n\n" +
			"The key must be the root's, or of a user who may recollect:GetCluster, as the " +
			"policy administrator says.",
		Example: "  recollect cluster status\n" +
			"  recollect cluster status --output json | jq -r .Address",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := validAll(validOutput(output)); err != nil {
				return err
			}
			return showCluster(cmd, &c, output)
		},
	}
	c.addFlags(cmd.Flags())
	addOutput(cmd, &output)
	return cmd
}

// errSilent says that a server says nothing, which its row shows.
var errSilent = noError("a server does not say that it is there")

func showCluster(cmd *cobra.Command, c *client, output string) error {
	body, err := c.call(cmd.Context(), http.MethodGet, "cluster", nil, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	var status admin.ClusterStatus
	if err := json.NewDecoder(body).Decode(&status); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	show := newShow(cmd, output,
		column{head: "HOST", name: "Host", flexible: true},
		column{head: "ADDRESS", name: "Address", flexible: true},
		column{head: "VERSION", name: "Version"},
		column{head: "STARTED", name: "StartedAt"},
		column{head: "STATE", name: "Alive"},
		column{head: "HEARTBEAT", name: "SecondsSinceHeartbeat"},
		column{head: "COLLECTIONS", name: "Collections"},
		column{head: "VECTORS", name: "Vectors"},
		column{head: "MiB", name: "Bytes"},
		column{head: "BEHIND", name: "VectorsBehind"})
	for _, n := range status.Nodes {
		if err := show.object(n); err != nil {
			return err
		}
		if !n.Alive {
			err = errSilent
		}
		if output == outputCSV {
			show.row(n.Host, n.Address, n.Version, n.StartedAt.UTC().Format(time.RFC3339), n.Alive,
				n.SecondsSinceHeartbeat, n.Collections, n.Vectors, n.Bytes, n.VectorsBehind)
			continue
		}
		state := "alive"
		if !n.Alive {
			state = "silent"
		}
		const mebi = 1 << 20
		show.row(n.Host, n.Address, n.Version, n.StartedAt.UTC().Format("2006-01-02 15:04"), state,
			fmt.Sprintf("%.1f s ago", n.SecondsSinceHeartbeat), n.Collections, n.Vectors,
			fmt.Sprintf("%.1f", float64(n.Bytes)/mebi), n.VectorsBehind)
	}
	if !status.Shared {
		show.note("The server shares its store with no other: it runs without --store.")
	}
	return show.end(err)
}
