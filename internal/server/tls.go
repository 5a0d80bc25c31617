package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// TLSConfig names the server's certificate. The zero value is plain HTTP.
type TLSConfig struct {
	Certificate string // PEM file of the certificate and its intermediates
	Key         string // PEM file of its key
	ClientCA    string // PEM file of the authorities of client certificates; empty: none is needed
}

// enabled reports whether the server uses TLS.
func (c TLSConfig) enabled() bool { return c.Certificate != "" }

// files are the files that the configuration is read from.
func (c TLSConfig) files() []string {
	if c.ClientCA == "" {
		return []string{c.Certificate, c.Key}
	}
	return []string{c.Certificate, c.Key, c.ClientCA}
}

// read reads the files.
func (c TLSConfig) read() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s and its key %s: %w", c.Certificate, c.Key,
			err)
	}
	cfg := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"h2", "http/1.1"},
		MinVersion:   tls.VersionTLS12,
		// The suites of TLS 1.2 with forward secrecy and authenticated encryption. All those of TLS
		// 1.3 have both.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
	if c.ClientCA == "" {
		return cfg, nil
	}
	authorities, err := os.ReadFile(c.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of client certificates: %w", err)
	}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("%s has no certificate of an authority", c.ClientCA)
	}
	return cfg, nil
}

// certificates holds the TLS configuration of a server, and reads it again when a file has changed.
// If a changed file cannot be used, for instance while a certificate is new and its key is not, the
// earlier configuration stays.
type certificates struct {
	files TLSConfig
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Config
	stamp   stamp // of the files that were read last, also if they could not be used
}

func openCertificates(files TLSConfig, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log, stamp: stampOf(files.files())}
	var err error
	if c.current, err = files.read(); err != nil {
		return nil, err
	}
	if until := c.notAfter(); time.Now().After(until) {
		log.Warn("the certificate has expired", "until", until)
	}
	return c, nil
}

// server returns the configuration that a listener needs. Each handshake gets the current one.
func (c *certificates) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.refresh(), nil
		},
	}
}

// refresh returns the current configuration, read anew if a file has changed.
func (c *certificates) refresh() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := stampOf(c.files.files())
	if now == c.stamp {
		return c.current
	}
	c.stamp = now
	changed, err := c.files.read()
	if err != nil {
		c.log.Error("the changed certificate is not used", "error", err)
		return c.current
	}
	c.current = changed
	c.log.Info("read the changed certificate", "until", leaf(changed).NotAfter)
	return c.current
}

// notAfter is the time until which the current certificate is valid.
func (c *certificates) notAfter() time.Time { return leaf(c.refresh()).NotAfter }

// leaf returns the server's own certificate.
func leaf(cfg *tls.Config) *x509.Certificate { return cfg.Certificates[0].Leaf }

// stamp is the sizes and times of the files. It changes when a file changes.
type stamp [3]struct{ size, modified int64 }

func stampOf(files []string) (s stamp) {
	for i, name := range files {
		// A file that is missing for a moment has the zero stamp.
		if info, err := os.Stat(name); err == nil {
			s[i].size, s[i].modified = info.Size(), info.ModTime().UnixNano()
		}
	}
	return s
}

// errPlain is returned for an address that other machines reach, without TLS.
var errPlain = errors.New("other machines reach this address, and without TLS they would send " +
	"pictures in plain text: give --tls-cert and --tls-key, or --insecure if a proxy in front of " +
	"the server terminates TLS")

// loopbackOnly rejects a resolved address that is not on this machine, before it is bound.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if host, _, err := net.SplitHostPort(address); err != nil || !IsLoopback(host) {
		return errPlain
	}
	return nil
}

// CheckTLS reads the files of a configuration and returns until when its certificate is valid.
func CheckTLS(c TLSConfig) (until time.Time, err error) {
	cfg, err := c.read()
	if err != nil {
		return time.Time{}, err
	}
	return leaf(cfg).NotAfter, nil
}
