package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"golang.org/x/sys/unix"

	"github.com/recollect-dev/recollect/internal/server"
	"github.com/recollect-dev/recollect/internal/source/s3"
)

const (
	leastFree  = 256 << 20 // bytes; with fewer the check of the disk fails
	enoughFree = 2 << 30   // bytes; with fewer it warns

	slowSync     = 20 * time.Millisecond // every change waits for one
	terribleSync = 500 * time.Millisecond

	clockWarning = time.Minute
	clockLimit   = 5 * time.Minute // of Signature Version 4

	certificateWarning = 14 * 24 * time.Hour
)

// checkAddress listens at the address, or looks for the server that does.
func checkAddress(ctx context.Context, cfg serveConfig) finding {
	const name = "address"
	host, _, _ := net.SplitHostPort(cfg.Listen)
	plain := cfg.TLS.Certificate == "" && !server.IsLoopback(host)
	if plain && !cfg.Insecure {
		return finding{name, stateFail,
			cfg.Listen + " can be reached from other machines, and there is no certificate",
			"use --tls-cert and --tls-key, or --insecure if a proxy in front terminates TLS"}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err == nil {
		defer listener.Close()
		if plain {
			return finding{name, stateWarn,
				cfg.Listen + " can be reached from other machines by plain HTTP",
				"use --tls-cert and --tls-key, unless a proxy in front terminates TLS"}
		}
		return finding{Check: name, State: stateOK, Found: cfg.Listen + " is free"}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if serverReady(ctx, cfg) {
		return finding{Check: name, State: stateOK, Found: "a server is ready on " + cfg.Listen}
	}
	return finding{name, stateFail, err.Error(),
		"choose another address or port with --listen, or end the program that has it"}
}

// serverReady reports whether a server at the address is ready.
func serverReady(ctx context.Context, cfg serveConfig) bool {
	scheme := "http://"
	// The request has no secret, so the certificate, which may be for another name, need not be
	// verified.
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	defer client.CloseIdleConnections()
	if cfg.TLS.Certificate != "" {
		scheme = "https://"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+cfg.Listen+"/health/ready",
		nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// checkCertificate reads the certificate and checks how long it is valid.
func checkCertificate(_ context.Context, cfg serveConfig) finding {
	const name = "certificate"
	if cfg.TLS.Certificate == "" {
		return finding{Check: name, State: stateOK, Found: "none: the server uses plain HTTP"}
	}
	const advice = "renew it; a running server reads the new files by itself"
	until, err := server.CheckTLS(cfg.TLS)
	left := time.Until(until)
	found := cfg.TLS.Certificate + " is valid until " + until.Format(time.DateOnly)
	switch {
	case err != nil:
		return finding{name, stateFail, err.Error(),
			"name PEM files of a certificate and its key"}
	case left < 0:
		return finding{name, stateFail, found, advice}
	case left < certificateWarning:
		return finding{name, stateWarn, found, advice}
	}
	return finding{Check: name, State: stateOK, Found: found}
}

// checkFolder checks who can read the data folder and its files.
func checkFolder(_ context.Context, cfg serveConfig) finding {
	const name = "data folder"
	info, err := os.Stat(cfg.Data)
	if errors.Is(err, fs.ErrNotExist) {
		parent := existing(cfg.Data)
		if err := unix.Access(parent, unix.W_OK); err != nil {
			return finding{name, stateFail,
				fmt.Sprintf("%s is not there, and cannot be made in %s: %v", cfg.Data, parent, err),
				"make it for the server's user, or name another with --data"}
		}
		return finding{Check: name, State: stateOK, Found: cfg.Data +
			" will be made at the first start"}
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", cfg.Data)
	}
	if err == nil {
		if err = unix.Access(cfg.Data, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
			err = fmt.Errorf("%s cannot be written by this user: %w", cfg.Data, err)
		}
	}
	if err != nil {
		return finding{name, stateFail, err.Error(),
			"run as the user who owns the folder, or give it to this one with chown"}
	}
	var open []string
	err = filepath.WalkDir(cfg.Data, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 && info.Mode()&fs.ModeSymlink == 0 {
			open = append(open, path)
		}
		return err
	})
	if err != nil {
		return finding{name, stateFail, err.Error(), "run as the user who owns the folder"}
	}
	if len(open) > 0 {
		return finding{name, stateFail, "others can read " +
			strings.Join(open[:min(len(open), 5)], ", "), "run: chmod -R go= " + cfg.Data}
	}
	return finding{Check: name, State: stateOK, Found: "only this user can read " + cfg.Data}
}

// existing returns the folder itself, or its nearest parent that exists.
func existing(folder string) string {
	folder, err := filepath.Abs(folder)
	for err == nil && folder != filepath.Dir(folder) {
		if _, err := os.Stat(folder); err == nil {
			return folder
		}
		folder = filepath.Dir(folder)
	}
	return folder
}

func checkSpace(_ context.Context, cfg serveConfig) finding {
	const name, advice = "disk",
		"free some, or move the data folder; a face takes about 3 KB, and a backup or an export " +
			"as much as its data for its time"
	var system unix.Statfs_t
	if err := unix.Statfs(existing(cfg.Data), &system); err != nil {
		return finding{name, stateFail, err.Error(), "name a folder that can be read with --data"}
	}
	free := int64(system.Bavail) * system.Bsize
	found := fmt.Sprintf("%.1f GB are free", float64(free)/1e9)
	switch {
	case free < leastFree:
		return finding{name, stateFail, found, advice}
	case free < enoughFree:
		return finding{name, stateWarn, found, advice}
	}
	return finding{Check: name, State: stateOK, Found: found}
}

// checkSync measures how long the disk takes to sync a write, with a temporary file.
func checkSync(ctx context.Context, cfg serveConfig) finding {
	const name = "sync to disk"
	f, err := os.CreateTemp(existing(cfg.Data), ".doctor-*")
	if err != nil {
		return finding{name, stateFail, err.Error(), "let this user write there"}
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []time.Duration
	for started := time.Now(); len(took) < 20 && time.Since(started) < 5*time.Second &&
		ctx.Err() == nil; {
		start := time.Now()
		if _, err := f.Write(make([]byte, 4<<10)); err != nil {
			return finding{name, stateFail, err.Error(),
				"free some space, or look for errors of the disk in the system's log"}
		}
		if err := f.Sync(); err != nil {
			return finding{name, stateFail, err.Error(),
				"look for errors of the disk in the system's log"}
		}
		took = append(took, time.Since(start))
	}
	if len(took) == 0 {
		return finding{name, stateFail, "it was interrupted", ""}
	}
	slices.Sort(took)
	median := took[len(took)/2]
	found := fmt.Sprintf("%v for 4 KB", median.Round(10*time.Microsecond))
	const advice = "every change waits for one: use a local disk, best an SSD"
	switch {
	case median > terribleSync:
		return finding{name, stateFail, found, advice}
	case median > slowSync:
		return finding{name, stateWarn, found, advice}
	}
	return finding{Check: name, State: stateOK, Found: found}
}

// checkClock compares the clock with the S3 endpoint's, or without an endpoint with the file
// system's.
func checkClock(ctx context.Context, cfg serveConfig) finding {
	const name, advice = "clock",
		"set the clock, best by NTP: signatures are good for 5 minutes either way"
	other, of, err := fileTime(existing(cfg.Data))
	if cfg.S3Endpoint != "" {
		if t, dateErr := serverTime(ctx, cfg.S3Endpoint); dateErr == nil {
			other, of, err = t, "the S3 endpoint's", nil
		}
	}
	if err != nil {
		return finding{name, stateWarn, "there is nothing to compare it with: " + err.Error(),
			advice}
	}
	return judgeClock(name, time.Since(other), of, advice)
}

func judgeClock(name string, skew time.Duration, of, advice string) finding {
	found := fmt.Sprintf("%v from %s", skew.Abs().Round(time.Second), of)
	switch {
	case skew.Abs() > clockLimit:
		return finding{name, stateFail, found, advice}
	case skew.Abs() > clockWarning:
		return finding{name, stateWarn, found, advice}
	}
	return finding{Check: name, State: stateOK, Found: found}
}

// fileTime returns the modification time of a new file. It differs from the machine's clock if the
// file system is on another machine.
func fileTime(folder string) (t time.Time, of string, err error) {
	f, err := os.CreateTemp(folder, ".doctor-*")
	if err != nil {
		return time.Time{}, "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, "", err
	}
	return info.ModTime(), "the file system's", nil
}

// serverTime returns the time of a server's answer.
func serverTime(ctx context.Context, url string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return time.Time{}, err
	}
	resp.Body.Close()
	return http.ParseTime(resp.Header.Get("Date"))
}

// checkS3 requests an object that does not exist: the error shows whether the endpoint is reached
// and its key accepted.
func checkS3(ctx context.Context, cfg serveConfig) finding {
	const name = "S3"
	source, err := server.OpenImages(cfg.s3())
	if err != nil {
		return finding{name, stateFail, err.Error(), "correct the --s3 flags, " + s3AccessKeyIDEnv +
			" and " + s3SecretAccessKeyEnv}
	}
	if source == nil {
		return finding{Check: name, State: stateOK, Found: "not used: pictures come as bytes"}
	}
	_, err = source.Get(ctx, "recollect-doctor-asks", "for-what-is-not-there", "", 1)
	if cfg.S3Root != "" {
		if entries, readErr := os.ReadDir(cfg.S3Root); readErr != nil {
			return finding{name, stateFail, readErr.Error(),
				"name a folder whose subfolders are the buckets with --s3-root"}
		} else {
			return finding{Check: name, State: stateOK,
				Found: fmt.Sprintf("%s has %d entries", cfg.S3Root, len(entries))}
		}
	}
	if err == nil || errors.Is(err, s3.ErrNotFound) {
		return finding{Check: name, State: stateOK, Found: cfg.S3Endpoint +
			" answers and accepts the key"}
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if e.ErrorCode() == "AccessDenied" {
			return finding{Check: name, State: stateOK, Found: cfg.S3Endpoint +
				" answers, and the key may read some buckets only"}
		}
		return finding{name, stateFail, cfg.S3Endpoint + " answers " + e.ErrorCode(), "correct " +
			s3AccessKeyIDEnv + ", " + s3SecretAccessKeyEnv + ", --s3-region or the clock"}
	}
	return finding{name, stateFail, err.Error(),
		"correct --s3-endpoint, or let this machine reach it"}
}
