package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/server"
)

// auditFlags say where the records of calls go.
type auditFlags struct {
	Log      []string // a folder, and URLs of syslog servers; empty: there is no audit log
	Required bool
	FileMiB  int
	FileAge  time.Duration
	Gzip     bool
	Sync     string // always, never, a time, or empty
}

func (c *auditFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&c.Log, "audit-log", nil,
		"where a record of each call is written, separated by commas: a folder, and syslog "+
			"servers as syslog+udp://host:514, syslog+tcp://host:601, syslog+tls://host:6514 or "+
			"syslog+unix:///dev/log; closed files of the folder are uploaded to "+
			"s3://bucket/prefix, at --s3-endpoint (default: nowhere)")
	flags.BoolVar(&c.Required, "audit-required", false,
		"refuse calls whose record cannot be written, before they change anything")
	flags.IntVar(&c.FileMiB, "audit-file-mib", audit.DefaultMaxBytes>>20,
		"size of a file of the audit log, in MiB, from which on the next one is begun")
	flags.DurationVar(&c.FileAge, "audit-file-age", audit.DefaultMaxAge,
		"age of a file of the audit log from which on the next one is begun")
	flags.BoolVar(&c.Gzip, "audit-gzip", false, "compress the audit log's closed files")
	flags.StringVar(&c.Sync, "audit-sync", "",
		"when the audit log is synced to the disk: always, after a time such as 1s, or never "+
			"(default: 1s, and always with --audit-required)")
}

// validate returns every fault.
func (c *auditFlags) validate(s3Endpoint string) error {
	var faults []error
	folders, buckets := 0, 0
	for _, to := range c.Log {
		if !strings.Contains(to, "://") {
			folders++
		} else if bucketOf(to) != "" {
			buckets++
		} else if _, err := audit.ParseSyslog(to); err != nil {
			faults = append(faults, fmt.Errorf("--audit-log: %w", err))
		}
	}
	if folders > 1 {
		faults = append(faults, errors.New("--audit-log names more than one folder"))
	}
	if buckets > 1 || buckets > 0 && (folders == 0 || s3Endpoint == "") {
		faults = append(faults, errors.New("--audit-log: a bucket needs a folder, whose closed "+
			"files it gets, and --s3-endpoint; there can be one"))
	}
	if c.Required && len(c.Log) == 0 {
		faults = append(faults, errors.New("--audit-required needs --audit-log"))
	}
	if len(c.Log) > 0 && (c.FileMiB < 1 || c.FileAge < time.Second) {
		faults = append(faults,
			errors.New("--audit-file-mib must be 1 or more, and --audit-file-age 1s or more"))
	}
	if sync, err := c.sync(); err != nil {
		faults = append(faults, err)
	} else if c.Required && sync != audit.SyncAlways {
		faults = append(faults, errors.New("--audit-required needs --audit-sync always"))
	}
	return errors.Join(faults...)
}

// bucketOf returns the bucket, and what is behind it, of a destination such as s3://bucket/prefix;
// empty for others.
func bucketOf(to string) string {
	rest, _ := strings.CutPrefix(to, "s3://")
	if rest == to {
		return ""
	}
	return rest
}

// sync is what --audit-sync says.
func (c *auditFlags) sync() (audit.Sync, error) {
	switch c.Sync {
	case "":
		if c.Required {
			return audit.SyncAlways, nil
		}
		return audit.DefaultSync, nil
	case "always":
		return audit.SyncAlways, nil
	case "never":
		return audit.SyncNever, nil
	}
	after, err := time.ParseDuration(c.Sync)
	if err != nil || after <= 0 {
		return 0, fmt.Errorf("--audit-sync %q is neither always, never nor a time such as 1s",
			c.Sync)
	}
	return audit.Sync(after), nil
}

// server returns the server's configuration of the audit log. The flags are valid.
func (c *auditFlags) server() (server.Audit, error) {
	cfg := server.Audit{Required: c.Required}
	sync, err := c.sync()
	if err != nil {
		return cfg, err
	}
	for _, to := range c.Log {
		if bucket := bucketOf(to); bucket != "" {
			cfg.Bucket, cfg.Prefix, _ = strings.Cut(bucket, "/")
			continue
		}
		if !strings.Contains(to, "://") {
			cfg.Folder = &audit.FolderConfig{Dir: to, MaxBytes: int64(c.FileMiB) << 20,
				MaxAge: c.FileAge, Gzip: c.Gzip, Sync: sync}
			continue
		}
		at, err := audit.ParseSyslog(to)
		if err != nil {
			return cfg, err
		}
		cfg.Syslog = append(cfg.Syslog, at)
	}
	return cfg, nil
}

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Check an audit log"}
	cmd.AddCommand(auditVerifyCommand())
	return cmd
}

func auditVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "Check that no line of an audit log was changed, removed or moved",
		Long: "Check the audit log in a folder: each line has the hash of the one before, and " +
			"head.json that of the last.\nThe first wrong line is named. The server may be " +
			"running. Compare the hash that is printed with a\ncopy elsewhere to find a log " +
			"that was written anew as a whole.",
		Example: "  recollect audit verify /var/lib/recollect/audit",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err != nil {
				return err
			}
			v, err := audit.Verify(args[0])
			if v != nil {
				for _, n := range v.Notices {
					fmt.Fprintln(cmd.ErrOrStderr(), n)
				}
			}
			if wrong, ok := errors.AsType[*audit.WrongLineError](err); ok {
				return noError(wrong.Error())
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d lines in %d files are as they were written.\n",
				v.Lines, v.Files)
			if v.Lines > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "The last one has number %d and hash %s.\n",
					v.Last, v.Hash)
			}
			return nil
		},
	}
}
