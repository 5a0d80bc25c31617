package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// examine runs doctor and returns the states by check.
func examine(t *testing.T, args ...string) (map[string]finding, error) {
	t.Helper()
	out, err := recollectProgram(t,
		append([]string{"doctor", "--output", "json", "--library",
			filepath.Join("..", "..", "lib", "recollect")}, args...)...)
	var findings []finding
	if e := json.Unmarshal([]byte(out), &findings); e != nil {
		t.Fatalf("%v: %q (%v)", e, out, err)
	}
	byCheck := make(map[string]finding)
	for _, f := range findings {
		byCheck[f.Check] = f
		if f.Found == "" || (f.State == stateOK) != (f.Advice == "") {
			t.Errorf("%+v says too little or too much", f)
		}
	}
	return byCheck, err
}

func TestDoctor(t *testing.T) {
	if _, err := os.Stat(filepath.Join("..", "..", "lib", "recollect")); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte(
			`<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>`))
	}))
	defer other.Close()

	well, err := examine(t, "--data", filepath.Join(dir, "new"), "--listen", "127.0.0.1:0")
	if err != nil {
		t.Errorf("a machine that is well: %v", err)
	}
	for _, check := range []string{"networks", "address", "data folder", "clock", "S3"} {
		if well[check].State != stateOK {
			t.Errorf("a machine that is well: %+v", well[check])
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Error("doctor made the data folder")
	}

	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	ill, err := examine(t, "--data", open, "--listen", taken.Addr().String(), "--s3-endpoint",
		other.URL, "--library", dir)
	if !errors.Is(err, errUnwell) || exitStatus(err) != 1 {
		t.Errorf("a machine that is ill: %v", err)
	}
	for _, check := range []string{"networks", "address", "data folder", "clock", "S3"} {
		if ill[check].State != stateFail {
			t.Errorf("a machine that is ill: %+v", ill[check])
		}
	}
	if left, _ := os.ReadDir(open); len(left) > 0 {
		t.Errorf("doctor left %v", left)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, _ := examine(t, "--data", file, "--listen",
		"127.0.0.1:0"); found["data folder"].State != stateFail {
		t.Errorf("a file as data folder: %+v", found["data folder"])
	}
	if _, err := recollectProgram(t, "doctor", "--output", "xml"); err == nil {
		t.Error("--output xml was accepted")
	}
}
