// Package clientaddr finds the client of a request that came through proxies.
//
// A proxy appends the address that it was called from to what its client sent, so that the
// rightmost elements of Forwarded and X-Forwarded-For are the ones that trusted proxies wrote, and
// whatever a client sent itself is to the left of them. The elements are read from the right while
// the address that sent them is trusted; the first that is not is the client.
package clientaddr

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxElements is how many proxies a request may have passed. A longer list is malformed.
const maxElements = 32

// Resolver finds clients behind the proxies whose addresses are in Trusted. The zero value trusts
// no proxy. It is safe for concurrent use.
type Resolver struct {
	Trusted []netip.Prefix
}

// Client returns the address of the client, without a zone and never an IPv4 address mapped into
// IPv6, and whether the client used TLS.
//
// Headers count if the peer is trusted: Forwarded (RFC 7239), or X-Forwarded-For and
// X-Forwarded-Proto. They are ignored, so that the peer's address and connection are the answer, if
// they are malformed, hold an unknown or obfuscated address where the client's is expected, name
// trusted proxies alone, or if there are both Forwarded and X-Forwarded-For, of which a proxy may
// have passed one on unread. The address is the zero Addr if the peer has none.
func (r Resolver) Client(req *http.Request) (addr netip.Addr, secure bool) {
	peer, secure := netip.Addr{}, req.TLS != nil
	if from, err := netip.ParseAddrPort(req.RemoteAddr); err == nil {
		peer = from.Addr().Unmap().WithZone("")
	}
	if !r.trusts(peer) {
		return peer, secure
	}
	hops, ok := hopsOf(req.Header)
	if !ok {
		return peer, secure
	}
	for _, hop := range slices.Backward(hops) {
		client, ok := parseNode(hop.node)
		if !ok {
			return peer, secure
		}
		if !r.trusts(client) {
			return client, strings.EqualFold(hop.scheme, "https")
		}
	}
	return peer, secure
}

func (r Resolver) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(r.Trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// hop is what one proxy reported of the request that it got.
type hop struct {
	node   string // that sent it
	scheme string // by which it came
}

// hopsOf returns the hops that the headers report, the last proxy's at the end, and whether they
// are well formed.
func hopsOf(h http.Header) ([]hop, bool) {
	forwarded, addresses := h.Values("Forwarded"), h.Values("X-Forwarded-For")
	switch {
	case len(forwarded) > 0 && len(addresses) > 0:
		return nil, false
	case len(forwarded) > 0:
		return parseForwarded(strings.Join(forwarded, ","))
	}
	return parseXForwarded(addresses, h.Values("X-Forwarded-Proto"))
}

// parseXForwarded reads the headers without a standard. A scheme belongs to each address where
// there are as many, and a single scheme, which a proxy has set instead of appending it, to all.
func parseXForwarded(addresses, schemes []string) ([]hop, bool) {
	nodes := list(addresses)
	protocols := list(schemes)
	if len(nodes) > maxElements ||
		len(protocols) > 1 && len(protocols) != len(nodes) {
		return nil, false
	}
	hops := make([]hop, len(nodes))
	for i, node := range nodes {
		hops[i].node = node
		switch len(protocols) {
		case 0:
		case 1:
			hops[i].scheme = protocols[0]
		default:
			hops[i].scheme = protocols[i]
		}
	}
	return hops, true
}

// list splits header lines at commas, and at most one element more than maxElements.
func list(lines []string) (elements []string) {
	if len(lines) == 0 {
		return nil
	}
	elements = strings.SplitN(strings.Join(lines, ","), ",", maxElements+1)
	for i, e := range elements {
		elements[i] = strings.Trim(e, " \t")
	}
	return elements
}

// parseForwarded reads the field of RFC 7239, section 4:
//
//	Forwarded         = 1#( [ pair ] *( ";" [ pair ] ) )
//	pair              = token "=" ( token / quoted-string )
func parseForwarded(field string) ([]hop, bool) {
	var hops []hop
	for {
		var h hop
		seen := map[string]bool{}
		for {
			field = strings.TrimLeft(field, " \t")
			name, rest := token(field)
			if name != "" {
				if !strings.HasPrefix(rest, "=") {
					return nil, false
				}
				value, after, ok := valueOf(rest[1:])
				name = strings.ToLower(name)
				if !ok || seen[name] {
					return nil, false
				}
				seen[name] = true
				switch name {
				case "for":
					h.node = value
				case "proto":
					h.scheme = value
				}
				rest = strings.TrimLeft(after, " \t")
			}
			if field = rest; !strings.HasPrefix(field, ";") {
				break
			}
			field = field[1:]
		}
		if len(seen) > 0 { // an empty element is no hop (RFC 9110, section 5.6.1)
			hops = append(hops, h)
		}
		if field == "" {
			return hops, len(hops) <= maxElements
		}
		if field[0] != ',' || len(hops) > maxElements {
			return nil, false
		}
		field = field[1:]
	}
}

// token cuts the token that s begins with (RFC 9110, section 5.6.2), which may be empty.
func token(s string) (token, rest string) {
	end := strings.IndexFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}

// valueOf cuts the token or quoted string that s begins with.
func valueOf(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest = token(s)
		return value, rest, value != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// parseNode reads an address as proxies write it: an IPv4 address with or without a port, an IPv6
// address, or one in brackets with or without a port. Names, such as unknown and the obfuscated
// ones that begin with an underscore, are no addresses.
func parseNode(node string) (netip.Addr, bool) {
	host := node
	if inside, ok := strings.CutPrefix(node, "["); ok {
		address, port, closed := strings.Cut(inside, "]")
		if !closed || !strings.Contains(address, ":") || port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		host = address
	} else if i := strings.IndexByte(node, ':'); i >= 0 && i == strings.LastIndexByte(node, ':') {
		if !isPort(node[i:]) {
			return netip.Addr{}, false
		}
		host = node[:i]
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isPort reports whether s is a colon with one to five digits or an obfuscated port behind it, as
// in RFC 7239, section 6.
func isPort(s string) bool {
	port, ok := strings.CutPrefix(s, ":")
	if name, obfuscated := strings.CutPrefix(port, "_"); ok && obfuscated {
		rest := strings.Trim(name,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
		return name != "" && rest == ""
	}
	return ok && 1 <= len(port) && len(port) <= 5 && strings.Trim(port, "0123456789") == ""
}

// Network returns the network that a client is counted in: the address itself for IPv4, and for
// IPv6 the /64 that one client usually has. Clients without an address are one network.
func Network(client netip.Addr) netip.Prefix {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	network, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
