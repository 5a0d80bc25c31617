package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/server/certtest"
)

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tlsServer serves the client's name by TLS, and returns the files of its certificate.
func tlsServer(t *testing.T, a *certtest.Authority, clientCA bool,
	log io.Writer) (*frontServer, TLSConfig) {
	t.Helper()
	dir := t.TempDir()
	files := TLSConfig{Certificate: filepath.Join(dir, "tls.crt"),
		Key: filepath.Join(dir, "tls.key")}
	certificate, key := a.Issue(t, "first", time.Now().Add(time.Hour))
	write(t, files.Certificate, certificate)
	write(t, files.Key, key)
	if clientCA {
		files.ClientCA = filepath.Join(dir, "ca.crt")
		write(t, files.ClientCA, a.PEM())
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	certificates, err := openCertificates(files, logger)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startFront(t.Context(), "127.0.0.1:0", http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }),
		certificates, false, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, files
}

// dial returns the name on the certificate of a server.
func dial(t *testing.T, s *frontServer, cfg *tls.Config) (string, error) {
	t.Helper()
	dialer := &tls.Dialer{Config: cfg}
	conn, err := dialer.DialContext(t.Context(), "tcp", s.listener.Addr().String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestTLSVersionsAndProtocols(t *testing.T) {
	a := certtest.New(t)
	s, _ := tlsServer(t, a, false, io.Discard)
	url := "https://" + s.listener.Addr().String()
	for _, h2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool()},
			ForceAttemptHTTP2: h2}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]; string(body) != want {
			t.Errorf("the server saw %q, want %q: %v", body, want, err)
		}
		transport.CloseIdleConnections()
	}
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.1": {MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		"a suite without authenticated encryption": {MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
	} {
		cfg.RootCAs = a.Pool()
		if _, err := dial(t, s, cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestCertificateIsReadAgain: connections get the new certificate without a restart, and while its
// files do not belong together, the earlier one.
func TestCertificateIsReadAgain(t *testing.T) {
	a := certtest.New(t)
	var log bytes.Buffer
	s, files := tlsServer(t, a, false, &log)
	cfg := &tls.Config{RootCAs: a.Pool()}
	check := func(want string) {
		t.Helper()
		if name, err := dial(t, s, cfg); err != nil || name != want {
			t.Errorf("the certificate is %q, want %q: %v", name, want, err)
		}
	}
	check("first")
	certificate, key := a.Issue(t, "the second", time.Now().Add(time.Hour))
	write(t, files.Certificate, certificate)
	check("first")
	check("first")
	write(t, files.Key, key)
	check("the second")
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	check("the second")
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "the changed certificate is not used"); n != 2 {
		t.Errorf("%d errors were logged, want one a change: %s", n, log.String())
	}
}

func TestClientCertificates(t *testing.T) {
	a, other := certtest.New(t), certtest.New(t)
	s, _ := tlsServer(t, a, true, io.Discard)
	get := func(issuer *certtest.Authority) error {
		cfg := &tls.Config{RootCAs: a.Pool()}
		if issuer != nil {
			certificate, err := tls.X509KeyPair(
				issuer.Issue(t, "client", time.Now().Add(time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			// Go's client would not send a certificate of an authority that the server did not
			// name.
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &certificate, nil
			}
		}
		transport := &http.Transport{TLSClientConfig: cfg}
		defer transport.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"https://"+s.listener.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(a); err != nil {
		t.Errorf("a certificate of the authority is rejected: %v", err)
	}
	for name, issuer := range map[string]*certtest.Authority{
		"no certificate": nil, "another's": other,
	} {
		if err := get(issuer); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestUnusableCertificates(t *testing.T) {
	a := certtest.New(t)
	_, files := tlsServer(t, a, false, io.Discard)
	empty := filepath.Join(t.TempDir(), "empty")
	write(t, empty, nil)
	for name, c := range map[string]TLSConfig{
		"a missing file":      {Certificate: "/nowhere", Key: files.Key},
		"the key twice":       {Certificate: files.Key, Key: files.Key},
		"a file without a CA": {Certificate: files.Certificate, Key: files.Key, ClientCA: empty},
		"a missing file of CAs": {Certificate: files.Certificate, Key: files.Key,
			ClientCA: "/nowhere"},
	} {
		if _, err := openCertificates(c, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s is accepted", name)
		}
		if _, err := CheckTLS(c); err == nil {
			t.Errorf("CheckTLS accepts %s", name)
		}
	}
	if until, err := CheckTLS(files); err != nil || time.Until(until) > time.Hour {
		t.Errorf("valid until %v: %v", until, err)
	}
}

func TestExpiredCertificateIsLogged(t *testing.T) {
	a := certtest.New(t)
	_, files := tlsServer(t, a, false, io.Discard)
	certificate, key := a.Issue(t, "old", time.Now().Add(-time.Hour))
	write(t, files.Certificate, certificate)
	write(t, files.Key, key)
	var log bytes.Buffer
	if _, err := openCertificates(files, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "the certificate has expired") {
		t.Errorf("logged: %s", log.String())
	}
}

// TestPlainHTTPStaysOnThisMachine uses addresses that are rejected before they are bound.
func TestPlainHTTPStaysOnThisMachine(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0"} {
		s, err := startFront(t.Context(), address, http.NotFoundHandler(), nil, false, log)
		if !errors.Is(err, errPlain) {
			t.Errorf("%s: got %v", address, err)
		}
		if s != nil {
			t.Fatal("it listens")
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0"} {
		s, err := startFront(t.Context(), address, http.NotFoundHandler(), nil, false, log)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
