package audit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"
)

const (
	// priority is of the facility 13, "log audit", with the severity 6, informational (RFC 5424,
	// section 6.2.1).
	priority = 13*8 + 6
	// maxDatagram is the longest message, in bytes, that UDP carries.
	maxDatagram = 65507

	syslogTimeout = 5 * time.Second
	// betweenDials is the least time between two attempts to connect.
	betweenDials = time.Second
)

// Syslog is a syslog server.
type Syslog struct {
	Network string // udp, tcp, tls or unix
	Address string // host:port, or the path of a socket
	tls     *tls.Config
}

// ParseSyslog reads the URL of a syslog server: syslog+udp://host:514, syslog+tcp://host:601,
// syslog+tls://host:6514 or syslog+unix:///dev/log. A port may be left out.
func ParseSyslog(text string) (Syslog, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Syslog{}, fmt.Errorf("%q is no URL", text)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Syslog{}, fmt.Errorf("%q has more than a host and a port, or a path", u.Redacted())
	}
	ports := map[string]string{"syslog+udp": "514", "syslog+tcp": "601", "syslog+tls": "6514"}
	if u.Scheme == "syslog+unix" {
		if u.Host != "" || u.Path == "" {
			return Syslog{}, fmt.Errorf("%q does not name a socket as syslog+unix:///dev/log does",
				text)
		}
		return Syslog{Network: "unix", Address: u.Path}, nil
	}
	port, ok := ports[u.Scheme]
	if !ok || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return Syslog{}, fmt.Errorf("%q is no URL of a syslog server, for example "+
			"syslog+tcp://logs.example.com:601", text)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return Syslog{Network: u.Scheme[len("syslog+"):],
		Address: net.JoinHostPort(u.Hostname(), port)}, nil
}

func (s Syslog) name() string { return "syslog+" + s.Network + "://" + s.Address }

// syslogSender is the destination that a syslog server is: a message of RFC 5424 for each line. Its
// chain begins when the server starts. On streams the messages are counted (RFC 6587, section
// 3.4.1, and RFC 5425).
type syslogSender struct {
	Syslog
	host   string
	conn   net.Conn // nil: none
	stream bool
	dialed time.Time
	chain  chain
}

func newSyslogSender(s Syslog) *syslogSender {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "-"
	}
	return &syslogSender{Syslog: s, host: host, chain: newChain()}
}

// write implements [destination]. Messages that were handed to a connection which breaks later may
// be lost, which the numbers of the lines show.
func (s *syslogSender) write(objects [][]byte, now time.Time) error {
	for again := range 2 {
		if err := s.connect(now); err != nil {
			return err
		}
		next, err := s.send(objects, now)
		if err == nil {
			s.chain = next
			return nil
		}
		err = fmt.Errorf("write to %s: %w", s.name(), err)
		_ = s.conn.Close() // it is of no use
		s.conn = nil
		if again > 0 {
			return err
		}
		s.dialed = time.Time{} // the server may have closed an idle connection
	}
	return nil
}

// send writes the lines, and returns the chain behind them.
func (s *syslogSender) send(objects [][]byte, now time.Time) (chain, error) {
	if err := s.conn.SetWriteDeadline(time.Now().Add(syslogTimeout)); err != nil {
		return chain{}, err
	}
	next := s.chain
	var message, stream []byte
	for _, object := range objects {
		message = fmt.Appendf(message[:0], "<%d>1 %s %s recollect %d audit - ", priority,
			now.UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, os.Getpid())
		message = next.append(message, object)
		message = message[:len(message)-1]
		if s.stream {
			stream = strconv.AppendInt(stream, int64(len(message)), 10)
			stream = append(append(stream, ' '), message...)
			continue
		}
		if len(message) > maxDatagram {
			return chain{}, errors.New("a record is too long for a datagram")
		}
		if _, err := s.conn.Write(message); err != nil {
			return chain{}, err
		}
	}
	if s.stream {
		if _, err := s.conn.Write(stream); err != nil {
			return chain{}, err
		}
	}
	return next, nil
}

// connect connects if there is no connection.
func (s *syslogSender) connect(now time.Time) error {
	if s.conn != nil {
		return nil
	}
	if now.Sub(s.dialed) < betweenDials {
		return fmt.Errorf("there is no connection to %s", s.name())
	}
	s.dialed = now
	ctx, cancel := context.WithTimeout(context.Background(), syslogTimeout)
	defer cancel()
	dialer := &net.Dialer{}
	var err error
	switch s.Network {
	case "unix":
		// As /dev/log is: datagrams, or a stream where the system's logger has one.
		if s.conn, err = dialer.DialContext(ctx, "unixgram", s.Address); err != nil {
			s.conn, err = dialer.DialContext(ctx, "unix", s.Address)
			s.stream = true
		}
	case "tls":
		s.stream = true
		s.conn, err = (&tls.Dialer{NetDialer: dialer, Config: s.tls}).DialContext(ctx, "tcp",
			s.Address)
	default:
		s.stream = s.Network == "tcp"
		s.conn, err = dialer.DialContext(ctx, s.Network, s.Address)
	}
	if err != nil {
		s.conn = nil
		return fmt.Errorf("connect to %s: %w", s.name(), err)
	}
	return nil
}

// tick implements [destination].
func (s *syslogSender) tick(time.Time) error { return nil }

func (s *syslogSender) close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}
