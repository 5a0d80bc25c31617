package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/vision"
)

// The states of a finding.
const (
	stateOK   = "ok"
	stateWarn = "warning"
	stateFail = "failed"
)

// finding is what one check found out.
type finding struct {
	Check  string
	State  string
	Found  string
	Advice string `json:",omitempty"` // what to do about it
}

// errUnwell says that a check failed, which has been shown.
var errUnwell = noError("something is wrong: see above")

func doctorCommand() *cobra.Command {
	var cfg serveConfig
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what a server needs on this machine",
		Long: "Check what a server with these settings needs on this machine, and say what to do where something is wrong: networks, address, data\n" +
			"folder, disk, clock and S3. It can run beside the server, and changes nothing. The exit status is 1 if a check failed.",
		Example: "  recollect doctor\n  recollect doctor --data /srv/recollect --s3-endpoint https://s3.example --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := validAll(validOutput(output), cfg.Validate()); err != nil {
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

// doctor runs all checks, shows what they found, and returns errUnwell if one failed.
func doctor(ctx context.Context, w io.Writer, cfg serveConfig, asJSON bool) error {
	var findings []finding
	for _, check := range []func(context.Context, serveConfig) finding{
		checkNetworks, checkAddress, checkFolder, checkSpace, checkSync, checkClock, checkS3,
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

// checkNetworks loads the networks, which compares their hashes, and runs the detector.
func checkNetworks(ctx context.Context, cfg serveConfig) finding {
	const name = "networks"
	engine, err := loadEngine(cfg.Library, cfg.Device, vision.Options{})
	if err != nil {
		return finding{name, stateFail, err.Error(), "run in Recollect's source folder: make networks; or name their folder with --library"}
	}
	defer engine.Close()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 320, 240))); err != nil {
		return finding{name, stateFail, err.Error(), "this is a fault of the program: please report it"}
	}
	start := time.Now()
	photo, err := engine.Detect(ctx, picture.Bytes(), 0)
	if err != nil || len(photo.Faces()) > 0 {
		return finding{name, stateFail, fmt.Sprintf("a black picture does not come out as one without faces: %v", err), "run in Recollect's source folder: make networks"}
	}
	return finding{Check: name, State: stateOK,
		Found: fmt.Sprintf("face model version %s; a picture was looked at in %v", engine.Version(), time.Since(start).Round(time.Millisecond))}
}
