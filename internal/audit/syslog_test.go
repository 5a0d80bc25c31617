package audit

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/server/certtest"
)

func TestParseSyslog(t *testing.T) {
	for text, want := range map[string]Syslog{
		"syslog+udp://logs.example.com":       {Network: "udp", Address: "logs.example.com:514"},
		"syslog+tcp://logs.example.com:1514/": {Network: "tcp", Address: "logs.example.com:1514"},
		"syslog+tls://[2001:db8::1]":          {Network: "tls", Address: "[2001:db8::1]:6514"},
		"syslog+unix:///dev/log":              {Network: "unix", Address: "/dev/log"},
	} {
		if got, err := ParseSyslog(text); err != nil || got.name() != want.name() {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"syslog://host", "syslog+tcp://", "syslog+tcp://host/path",
		"syslog+unix://host/dev/log", "syslog+unix://", "syslog+tcp://user:pw@host", "http://host",
		"syslog+tcp://host?a=b", "%"} {
		if got, err := ParseSyslog(text); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// header is what stands before the JSON of a message, by RFC 5424.
var header = regexp.MustCompile(
	`^<110>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ recollect \d+ audit - \{`)

// counted reads a message of a stream.
func counted(t *testing.T, r *bufio.Reader) []byte {
	t.Helper()
	size, err := r.ReadString(' ')
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(size))
	if err != nil {
		t.Fatal(err)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(r, message); err != nil {
		t.Fatal(err)
	}
	return message
}

// checkMessages checks that messages are the lines of a log with the events.
func checkMessages(t *testing.T, messages [][]byte, events ...string) {
	t.Helper()
	v := &Verified{}
	for i, message := range messages {
		if !header.Match(message) {
			t.Errorf("message %d: %s", i, message)
		}
		line := message[bytes.IndexByte(message, '{'):]
		if reason := v.next(line); reason != "" {
			t.Errorf("message %d: %s: %s", i, reason, message)
		}
		if !bytes.Contains(line, []byte(`"eventName":"`+events[i]+`"`)) {
			t.Errorf("message %d is not %s: %s", i, events[i], line)
		}
	}
}

func toSyslog(s Syslog) Config {
	return Config{Syslog: []Syslog{s}, Required: true, Log: slog.New(slog.DiscardHandler),
		now: time.Now}
}

func TestSyslogDatagrams(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	for network, address := range map[string]string{"udp": "127.0.0.1:0", "unixgram": socket} {
		server, err := new(net.ListenConfig).ListenPacket(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		s := Syslog{Network: strings.TrimSuffix(network, "gram"), Address: address}
		if network == "udp" {
			s.Address = server.LocalAddr().String()
		}
		l := open(t, toSyslog(s))
		write(t, l, "A", "B")
		var messages [][]byte
		for range 3 {
			message := make([]byte, maxDatagram)
			server.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, _, err := server.ReadFrom(message)
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, message[:n])
		}
		checkMessages(t, messages, "StartServer", "A", "B")
		closeLog(t, l)
		server.Close()
	}
}

// Over a stream messages are counted.
func TestSyslogStreams(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	for _, network := range []string{"tcp", "tls", "unix"} {
		var listen net.ListenConfig
		on, address := "tcp", "127.0.0.1:0"
		if network == "unix" {
			on, address = "unix", socket
		}
		listener, err := listen.Listen(t.Context(), on, address)
		if err != nil {
			t.Fatal(err)
		}
		s := Syslog{Network: network, Address: listener.Addr().String()}
		if network == "tls" {
			listener, s.tls = tlsListener(t, listener)
		}
		l := open(t, toSyslog(s))
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		r := bufio.NewReader(conn)
		messages := [][]byte{counted(t, r)}
		write(t, l, "A")
		messages = append(messages, counted(t, r))
		checkMessages(t, messages, "StartServer", "A")
		closeLog(t, l)
		conn.Close()
		listener.Close()
	}
}

// tlsListener returns a listener for TLS, and the configuration of its clients.
func tlsListener(t *testing.T, plain net.Listener) (net.Listener, *tls.Config) {
	t.Helper()
	authority := certtest.New(t)
	certificate, err := tls.X509KeyPair(authority.Issue(t, "logs", time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	return tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{certificate}}),
		&tls.Config{RootCAs: authority.Pool()}
}

// A server that is not there loses records, which are counted, and gets later ones.
func TestSyslogIsAway(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	c := &clock{at: time.Now()}
	cfg := toSyslog(Syslog{Network: "tcp", Address: address})
	cfg.now = c.now
	l := open(t, cfg)
	if err := l.Write(t.Context(), New(TypeCall, SourceSTS, "A", morning)); err == nil {
		t.Error("a record that is required was written to nobody")
	}
	if listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", address); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c.add(2 * betweenDials)
	write(t, l, "B")
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	messages := [][]byte{counted(t, r), counted(t, r)}
	checkMessages(t, messages, "LoseAuditRecords", "B")
	conn.Close()
	closeLog(t, l)
}
