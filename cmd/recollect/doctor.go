package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/server"
)

// The states of a finding.
const (
	stateOK   = "ok"
	stateWarn = "warning"
	stateFail = "failed"
)

// finding is the result of a check.
type finding struct {
	Check  string
	State  string
	Found  string
	Advice string `json:",omitempty"` // what to do about it
}

// errUnwell says that a check failed and that its finding was printed.
var errUnwell = noError("something is wrong: see above")

func doctorCommand() *cobra.Command {
	var cfg serveConfig
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what a server needs on this machine",
		Long: "Check what a server with these settings needs on this machine, and say how to " +
			"mend what is wrong: networks, address, data\n" +
			"folder, disk, clock and S3. It can run beside the server, and changes nothing. The " +
			"exit status is 1 if a check failed.",
		Example: "  recollect doctor\n  recollect doctor --data /srv/recollect --s3-endpoint " +
			"https://s3.example --output json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := validAll(validSummaryOutput(output), cfg.Validate()); err != nil {
				return err
			}
			return doctor(cmd.Context(), cmd.OutOrStdout(), cfg, output == outputJSON)
		},
	}
	cfg.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&output, "output", outputTable, "table or json")
	completeWith(cmd, "output", outputTable, outputJSON)
	configure(cmd)
	return cmd
}

// doctor runs all checks, prints their findings, and returns errUnwell if one failed.
func doctor(ctx context.Context, w io.Writer, cfg serveConfig, asJSON bool) error {
	var findings []finding
	for _, check := range []func(context.Context, serveConfig) finding{
		checkNetworks, checkAddress, checkCertificate, checkFolder, checkSpace, checkSync,
		checkClock, checkS3,
	} {
		findings = append(findings, check(ctx, cfg))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := showFindings(w, findings, asJSON); err != nil {
		return err
	}
	for _, f := range findings {
		if f.State == stateFail {
			return errUnwell
		}
	}
	return nil
}

func showFindings(w io.Writer, findings []finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(findings)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Check, f.State, f.Found)
		if f.Advice != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", f.Advice)
		}
	}
	return table.Flush()
}

// checkNetworks loads the networks, which verifies their hashes, and runs each model on the
// reference pictures.
func checkNetworks(ctx context.Context, cfg serveConfig) finding {
	const name, again = "networks",
		"run in Recollect's source folder: make networks; or name their folder with --library"
	models, err := server.OpenModels(cfg.Library, cfg.Device)
	if err != nil {
		return finding{name, stateFail, err.Error(), again}
	}
	names, err := models.Packs.Names()
	if err != nil {
		return finding{name, stateFail, err.Error(), again}
	}
	start := time.Now()
	var versions []string
	for _, packName := range names {
		p, err := models.Packs.Load(packName)
		if err == nil {
			_, err = tryModel(ctx, models, p)
		}
		if err != nil {
			advice := again
			if packName != pack.DefaultName {
				advice = "add the model pack again, or remove " + models.Packs.Folder(packName)
			}
			return finding{name, stateFail, err.Error(), advice}
		}
		versions = append(versions, strings.Replace(versionOf(p), "version ", "", 1))
	}
	return finding{Check: name, State: stateOK,
		Found: fmt.Sprintf("%s; the results on the reference pictures are right, in %v",
			strings.Join(versions, ", "), time.Since(start).Round(time.Millisecond))}
}
