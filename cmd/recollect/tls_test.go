package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/server/certtest"
)

// TestServeByTLS runs commands against a server that requires client certificates.
func TestServeByTLS(t *testing.T) {
	dir := t.TempDir()
	authority := certtest.New(t)
	put := func(name string, data []byte) string { return write(t, name, string(data)) }
	ca := put("ca.crt", authority.PEM())
	certificate, key := authority.Issue(t, "server", time.Now().Add(time.Hour))
	flags := []string{"--tls-cert", put("tls.crt", certificate), "--tls-key", put("tls.key", key)}
	stop := runServer(t, filepath.Join(dir, "data"), append(flags, "--tls-client-ca", ca)...)
	certificate, key = authority.Issue(t, "client", time.Now().Add(time.Hour))
	client := []string{"--client-cert", put("client.crt", certificate), "--client-key",
		put("client.key", key)}

	t.Setenv("AWS_CA_BUNDLE", ca)
	for _, command := range [][]string{
		{"collections", "create", "people"},                    // by the API
		{"export", "people", filepath.Join(dir, "people.zip")}, // by the operator's routes
	} {
		out, err := recollectProgram(t, append(command, client...)...)
		if err != nil {
			t.Errorf("%v: %v: %s", command, err, out)
		}
		if out, err := recollectProgram(t, command...); err == nil {
			t.Errorf("%v without a certificate: %s", command, out)
		}
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	if out, err := recollectProgram(t,
		append([]string{"collections", "list"}, client...)...); err == nil ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v: %s", err, out)
	}
	if log := stop(); !strings.Contains(log, "TLS handshake error") {
		t.Errorf("rejected clients are not in the log: %s", log)
	}
}

func TestDoctorOfCertificates(t *testing.T) {
	needNetworks(t)
	dir := filepath.Join(t.TempDir(), "new")
	authority := certtest.New(t)
	for want, until := range map[string]time.Time{
		stateOK:   time.Now().Add(30 * 24 * time.Hour),
		stateWarn: time.Now().Add(24 * time.Hour),
		stateFail: time.Now().Add(-time.Hour),
	} {
		certificate, key := authority.Issue(t, "server", until)
		found, err := examine(t, "--data", dir, "--listen", "127.0.0.1:0",
			"--tls-cert", write(t, "tls.crt", string(certificate)),
			"--tls-key", write(t, "tls.key", string(key)))
		if found["certificate"].State != want || (err != nil) != (want == stateFail) {
			t.Errorf("valid until %v: %+v, %v", until, found["certificate"], err)
		}
	}
	found, err := examine(t, "--data", dir, "--listen", "192.0.2.1:7180")
	if err == nil || found["address"].State != stateFail ||
		!strings.Contains(found["address"].Advice, "--tls-cert") {
		t.Errorf("other machines without TLS: %+v, %v", found["address"], err)
	}
}
