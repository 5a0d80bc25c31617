package clientaddr

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

var behind = Resolver{Trusted: []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}}

func request(peer string, headers ...string) *http.Request {
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestClient(t *testing.T) {
	const proxy, peer = "10.0.0.1:443", "10.0.0.1"
	long := strings.Repeat("192.0.2.1, ", 100)
	for name, c := range map[string]struct {
		from    string
		headers []string
		want    string // with + behind it if the client used TLS
	}{
		"no headers": {proxy, nil, peer},
		"no proxy":   {"198.51.100.7:80", nil, "198.51.100.7"},
		"no address": {"@", []string{"X-Forwarded-For: 192.0.2.1"}, "invalid IP"},
		"a mapped peer": {"[::ffff:10.0.0.1]:1", []string{"X-Forwarded-For: 192.0.2.1"},
			"192.0.2.1"},
		"an IPv6 proxy": {"[2001:db8:1::9]:1", []string{"X-Forwarded-For: 192.0.2.1"},
			"192.0.2.1"},
		"a scoped peer": {"[fe80::1%eth0]:1", nil, "fe80::1"},
		"an untrusted peer": {"198.51.100.7:80",
			[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"}, "198.51.100.7"},
		"untrusted, by RFC": {"198.51.100.7:80", []string{"Forwarded: for=192.0.2.1;proto=https"},
			"198.51.100.7"},
		"a proto alone": {proxy, []string{"X-Forwarded-Proto: https"}, peer},
		"both": {proxy,
			[]string{"Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1"}, peer},
		"proxies alone": {proxy,
			[]string{"X-Forwarded-For: 10.1.1.1, 10.0.0.2", "X-Forwarded-Proto: https"}, peer},
		"proxies alone, RFC": {proxy, []string{"Forwarded: for=10.1.1.1;proto=https"}, peer},

		"X": {proxy, []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		"X, https": {proxy,
			[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: HTTPS"}, "192.0.2.1+"},
		"X, http": {proxy,
			[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http"}, "192.0.2.1"},
		"X, two proxies": {proxy,
			[]string{"X-Forwarded-For: 192.0.2.1,10.2.2.2", "X-Forwarded-Proto: https"},
			"192.0.2.1+"},
		"X, spoofed": {proxy,
			[]string{"X-Forwarded-For: 10.9.9.9, 127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		"X, spoofed in a line": {proxy,
			[]string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		"X, spoofed rubbish": {proxy, []string{"X-Forwarded-For: %$!, \"; ,192.0.2.1"},
			"192.0.2.1"},
		"X, spoofed proto": {proxy,
			[]string{"X-Forwarded-For: 1.1.1.1, 192.0.2.1", "X-Forwarded-Proto: https, http"},
			"192.0.2.1"},
		"X, spoofed proto lines": {proxy,
			[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https",
				"X-Forwarded-Proto: http"}, peer},
		"X, a proto each": {proxy,
			[]string{"X-Forwarded-For: 192.0.2.1, 10.2.2.2", "X-Forwarded-Proto: https, http"},
			"192.0.2.1+"},
		"X, IPv4 with a port": {proxy, []string{"X-Forwarded-For: 192.0.2.1:4711"}, "192.0.2.1"},
		"X, IPv6":             {proxy, []string{"X-Forwarded-For: 2001:DB8::1"}, "2001:db8::1"},
		"X, IPv6 in brackets": {proxy, []string{"X-Forwarded-For: [2001:db8::1]"}, "2001:db8::1"},
		"X, IPv6 with a port": {proxy, []string{"X-Forwarded-For: [2001:db8::1]:4711"},
			"2001:db8::1"},
		"X, mapped": {proxy, []string{"X-Forwarded-For: ::ffff:192.0.2.1"}, "192.0.2.1"},
		"X, a mapped proxy": {proxy, []string{"X-Forwarded-For: 192.0.2.1, ::ffff:10.0.0.3"},
			"192.0.2.1"},
		"X, empty":            {proxy, []string{"X-Forwarded-For: "}, peer},
		"X, an empty end":     {proxy, []string{"X-Forwarded-For: 192.0.2.1,"}, peer},
		"X, unknown":          {proxy, []string{"X-Forwarded-For: unknown"}, peer},
		"X, unknown before":   {proxy, []string{"X-Forwarded-For: unknown, 10.2.2.2"}, peer},
		"X, a name":           {proxy, []string{"X-Forwarded-For: localhost"}, peer},
		"X, a zone":           {proxy, []string{"X-Forwarded-For: fe80::1%eth0"}, peer},
		"X, a broken port":    {proxy, []string{"X-Forwarded-For: 192.0.2.1:http"}, peer},
		"X, IPv4 in brackets": {proxy, []string{"X-Forwarded-For: [192.0.2.1]"}, peer},
		"X, an open bracket":  {proxy, []string{"X-Forwarded-For: [2001:db8::1"}, peer},
		"X, octal":            {proxy, []string{"X-Forwarded-For: 192.0.02.1"}, peer},
		"X, too long":         {proxy, []string{"X-Forwarded-For: " + long + "192.0.2.9"}, peer},

		"RFC": {proxy, []string{"Forwarded: for=192.0.2.1"}, "192.0.2.1"},
		"RFC, https": {proxy,
			[]string{"Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1"}, "192.0.2.1+"},
		"RFC, mixed case": {proxy,
			[]string{`fORWARDED: Proto=HttpS; FOR="[2001:DB8::17]:4711"`}, "2001:db8::17+"},
		"RFC, quoted": {proxy,
			[]string{`Forwarded: for="192.0.2.\1:80";proto="https"`}, "192.0.2.1+"},
		"RFC, IPv6 in brackets": {proxy, []string{`Forwarded: for="[2001:db8::1]"`},
			"2001:db8::1"},
		"RFC, an obfuscated port": {proxy, []string{`Forwarded: for="192.0.2.1:_port.1"`},
			"192.0.2.1"},
		"RFC, two proxies": {proxy,
			[]string{"Forwarded: for=192.0.2.1;proto=https, for=10.2.2.2;proto=http"},
			"192.0.2.1+"},
		"RFC, spoofed": {proxy,
			[]string{"Forwarded: for=10.9.9.9;proto=https, for=192.0.2.1;proto=http"}, "192.0.2.1"},
		"RFC, spoofed in a line": {proxy,
			[]string{"Forwarded: for=1.1.1.1;proto=https", "Forwarded: for=192.0.2.1"},
			"192.0.2.1"},
		"RFC, spoofed X proto": {proxy,
			[]string{"Forwarded: for=192.0.2.1", "X-Forwarded-Proto: https"}, "192.0.2.1"},
		"RFC, a quote left open": {proxy,
			[]string{`Forwarded: for="1.1.1.1`, "Forwarded: for=192.0.2.1"}, peer},
		"RFC, commas in a quote": {proxy,
			[]string{`Forwarded: for="_a, for=1.1.1.1", for=192.0.2.1`}, "192.0.2.1"},
		"RFC, empty elements": {proxy, []string{"Forwarded: , ;, for=192.0.2.1 ;, "},
			"192.0.2.1"},
		"RFC, empty": {proxy, []string{"Forwarded: "}, peer},
		"RFC, no address": {proxy, []string{"Forwarded: for=192.0.2.1, proto=https"},
			peer},
		"RFC, unknown": {proxy, []string{"Forwarded: for=192.0.2.1, for=Unknown"},
			peer},
		"RFC, obfuscated": {proxy,
			[]string{"Forwarded: for=_hidden, for=_SEVKISEK;proto=https"}, peer},
		"RFC, obfuscated before": {proxy,
			[]string{"Forwarded: for=_hidden, for=192.0.2.1;proto=https"}, "192.0.2.1+"},
		"RFC, twice": {proxy, []string{"Forwarded: for=1.1.1.1;For=192.0.2.1"},
			peer},
		"RFC, IPv6 without quotes":  {proxy, []string{"Forwarded: for=[2001:db8::1]"}, peer},
		"RFC, a space":              {proxy, []string{"Forwarded: for =192.0.2.1"}, peer},
		"RFC, no value":             {proxy, []string{"Forwarded: for"}, peer},
		"RFC, an empty value":       {proxy, []string{"Forwarded: for="}, peer},
		"RFC, rubbish behind":       {proxy, []string{`Forwarded: for="192.0.2.1"x`}, peer},
		"RFC, an escape at the end": {proxy, []string{`Forwarded: for="192.0.2.1\`}, peer},
		"RFC, too long": {proxy,
			[]string{"Forwarded: " + strings.Repeat("for=192.0.2.1,", 100)}, peer},
	} {
		t.Run(name, func(t *testing.T) {
			addr, secure := behind.Client(request(c.from, c.headers...))
			got := addr.String()
			if secure {
				got += "+"
			}
			if got != c.want {
				t.Errorf("%v from %s: %s, want %s", c.headers, c.from, got, c.want)
			}
		})
	}
}

// TestTLSOfTheServer: a connection with TLS counts for the peer, and what a proxy reports of its
// own client comes before it.
func TestTLSOfTheServer(t *testing.T) {
	for _, c := range []struct {
		r    Resolver
		from string
		line string
		want string
		tls  bool
	}{
		{Resolver{}, "10.0.0.1:1", "X-Forwarded-For: 192.0.2.1", "10.0.0.1", true},
		{behind, "10.0.0.1:1", "X-Forwarded-For: unknown", "10.0.0.1", true},
		{behind, "10.0.0.1:1", "Forwarded: for=192.0.2.1;proto=http", "192.0.2.1", false},
		{behind, "192.0.2.9:1", "Forwarded: for=192.0.2.1;proto=http", "192.0.2.9", true},
	} {
		r := request(c.from, c.line)
		r.TLS = &tls.ConnectionState{}
		if addr, secure := c.r.Client(r); addr.String() != c.want || secure != c.tls {
			t.Errorf("%s from %s: %v, %v; want %s, %v", c.line, c.from, addr, secure, c.want, c.tls)
		}
	}
}

// FuzzClient: whatever a client sends, the element that the trusted proxy appends to it is the
// client, or the peer is; and headers of an untrusted peer change nothing.
func FuzzClient(f *testing.F) {
	for _, s := range []string{"", "10.0.0.1", "for=1.1.1.1;proto=https", `for="[::1]:80`, `"\`,
		"unknown", ",,;", "for=_x,", "1.1.1.1:1, [::]:2", "fe80::1%a"} {
		f.Add(s, s)
	}
	const proxy, client = "10.0.0.1", "192.0.2.1"
	f.Fuzz(func(t *testing.T, sent, proto string) {
		for _, headers := range [][]string{
			{"X-Forwarded-For: " + sent + ", " + client},
			{"X-Forwarded-For: " + sent + ", " + client, "X-Forwarded-Proto: " + proto},
			{"X-Forwarded-For: " + sent, "X-Forwarded-For: " + client},
			{"Forwarded: " + sent + ", for=" + client + ";proto=http"},
			{"Forwarded: " + sent, `Forwarded: for="` + client + `:1"`},
			{"Forwarded: " + sent + ", for=" + client, "X-Forwarded-Proto: " + proto},
		} {
			addr, secure := behind.Client(request(proxy+":1", headers...))
			if got := addr.String(); got != client && got != proxy {
				t.Errorf("%q: %s", headers, got)
			}
			if secure && strings.HasPrefix(headers[0], "Forwarded") {
				t.Errorf("%q is secure", headers)
			}
			addr, secure = behind.Client(request("198.51.100.1:1", headers...))
			if addr.String() != "198.51.100.1" || secure {
				t.Errorf("untrusted, %q: %v, %v", headers, addr, secure)
			}
		}
	})
}

func TestNetwork(t *testing.T) {
	for client, want := range map[string]string{
		"203.0.113.7":        "203.0.113.7/32",
		"2001:db8:1:2:3::4":  "2001:db8:1:2::/64",
		"2001:db8:1:2:ff::4": "2001:db8:1:2::/64",
		"2001:db8:1:3::4":    "2001:db8:1:3::/64",
	} {
		if got := Network(netip.MustParseAddr(client)); got.String() != want {
			t.Errorf("%s is of %s, want %s", client, got, want)
		}
	}
	if got := Network(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address is of %s", got)
	}
}
