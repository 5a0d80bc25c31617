package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/audit"
)

func TestAuditFlags(t *testing.T) {
	set := func(c auditFlags) auditFlags {
		c.FileMiB, c.FileAge = 100, time.Hour
		return c
	}
	for name, c := range map[string]struct {
		flags auditFlags
		want  string // a part of the fault; empty: there is none
		sync  audit.Sync
	}{
		"none":         {auditFlags{}, "", audit.DefaultSync},
		"folder":       {set(auditFlags{Log: []string{"audit"}}), "", audit.DefaultSync},
		"never synced": {set(auditFlags{Log: []string{"a"}, Sync: "never"}), "", audit.SyncNever},
		"synced": {set(auditFlags{Log: []string{"a"}, Sync: "250ms"}), "",
			audit.Sync(250 * time.Millisecond)},
		"all": {set(auditFlags{Log: []string{"a", "syslog+tls://logs:6514", "s3://bucket/a/b"},
			Required: true}), "", audit.SyncAlways},
		"two folders": {set(auditFlags{Log: []string{"a", "b"}}), "more than one folder", 0},
		"nowhere":     {set(auditFlags{Required: true}), "--audit-required needs --audit-log", 0},
		"http":        {set(auditFlags{Log: []string{"http://logs"}}), "no URL of a syslog", 0},
		"bucket alone": {set(auditFlags{Log: []string{"s3://bucket"}}), "a bucket needs a folder",
			0},
		"late": {set(auditFlags{Log: []string{"a"}, Required: true, Sync: "1s"}),
			"--audit-required needs --audit-sync always", 0},
		"wrong time": {set(auditFlags{Log: []string{"a"}, Sync: "often"}), `"often" is neither`, 0},
		"no time":    {set(auditFlags{Log: []string{"a"}, Sync: "0s"}), `"0s" is neither`, 0},
		"no size":    {auditFlags{Log: []string{"a"}, FileAge: time.Hour}, "--audit-file-mib", 0},
	} {
		err := c.flags.validate("http://127.0.0.1:9000")
		if c.want == "" && err != nil || c.want != "" && (err == nil ||
			!strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if c.want != "" {
			continue
		}
		cfg, err := c.flags.server()
		if err != nil || cfg.Folder != nil && cfg.Folder.Sync != c.sync ||
			(cfg.Folder == nil) != (len(c.flags.Log) == 0) {
			t.Errorf("%s: %+v, %v", name, cfg, err)
		}
		if name == "all" && (len(cfg.Syslog) != 1 || cfg.Bucket != "bucket" ||
			cfg.Prefix != "a/b" || !cfg.Required) {
			t.Errorf("%+v", cfg)
		}
	}
	bucket := set(auditFlags{Log: []string{"a", "s3://bucket"}})
	if err := bucket.validate(""); err == nil {
		t.Error("a bucket without an endpoint was accepted")
	}
}

func TestAuditVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l, err := audit.Open(t.Context(), audit.Config{Folder: &audit.FolderConfig{Dir: dir,
		MaxBytes: audit.DefaultMaxBytes, MaxAge: time.Hour}, Required: true,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := l.Write(t.Context(), audit.New(audit.TypeCall, audit.SourceSTS,
			"GetCallerIdentity", time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	out, log, status := program(t, "audit", "verify", dir)
	if status != 0 || !strings.HasPrefix(out, "5 lines in 1 files are as they were written.\n"+
		"The last one has number 5 and hash ") || log != "" {
		t.Errorf("status %d, %s%s", status, out, log)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, files[0], bytes.Replace(text, []byte("GetCallerIdentity"),
		[]byte("GetSessionToken"), 1))
	out, log, status = program(t, "audit", "verify", dir)
	if status != statusNo || out != "" ||
		!strings.Contains(log, filepath.Base(files[0])+", line 2: it was changed") {
		t.Errorf("status %d, %s%s", status, out, log)
	}
	if _, log, status = program(t, "audit", "verify", dir+"x"); status != statusFailed {
		t.Errorf("no folder: status %d, %s", status, log)
	}
}
