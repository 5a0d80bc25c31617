package sigv4

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest returns the one form of a request that is signed, given the hexadecimal SHA-256
// of its body. It reports false if the query string is none, so that it has no such form.
func (s *Signature) canonicalRequest(r *http.Request, payload string) ([]byte, bool) {
	b := make([]byte, 0, 1024)
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = appendCanonicalPath(b, r.URL.EscapedPath())
	b = append(b, '\n')
	b, ok := appendCanonicalQuery(b, r.URL.RawQuery)
	b = append(b, '\n')
	for _, name := range s.SignedHeaders {
		b = append(b, name...)
		b = append(b, ':')
		b = appendCanonicalHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, strings.Join(s.SignedHeaders, ";")...)
	b = append(b, '\n')
	b = append(b, payload...)
	return b, ok
}

// appendCanonicalPath normalises a path as it is on the wire (no empty and no dot segments; a slash
// at its end stays) and escapes it once more.
func appendCanonicalPath(b []byte, wire string) []byte {
	clean := path.Clean("/" + wire)
	if strings.HasSuffix(wire, "/") && clean != "/" {
		clean += "/"
	}
	return appendEscaped(b, clean, true)
}

// appendCanonicalQuery sorts a query string by name and then by value, both escaped anew.
func appendCanonicalQuery(b []byte, raw string) ([]byte, bool) {
	if raw == "" {
		return b, true
	}
	type parameter struct{ name, value string }
	var parameters []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return b, false
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return b, false
		}
		parameters = append(parameters, parameter{
			string(appendEscaped(nil, name, false)),
			string(appendEscaped(nil, value, false)),
		})
	}
	slices.SortFunc(parameters, func(p, q parameter) int {
		if c := strings.Compare(p.name, q.name); c != 0 {
			return c
		}
		return strings.Compare(p.value, q.value)
	})
	for i, p := range parameters {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b, true
}

// appendCanonicalHeader appends the values of one header, in the order they came, without spaces
// around them and with single spaces within. A header that is not there is an empty one.
func appendCanonicalHeader(b []byte, r *http.Request, lowerName string) []byte {
	// net/http keeps these two elsewhere.
	switch lowerName {
	case "host":
		return appendFolded(b, r.Host)
	case "content-length":
		if r.Header.Get("Content-Length") == "" && r.ContentLength >= 0 {
			return strconv.AppendInt(b, r.ContentLength, 10)
		}
	}
	for i, v := range r.Header.Values(lowerName) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFolded(b, v)
	}
	return b
}

func appendFolded(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	for i := range len(v) {
		if v[i] == ' ' && v[i-1] == ' ' { // v[0] is not a space
			continue
		}
		b = append(b, v[i])
	}
	return b
}

// appendEscaped escapes every byte of s but RFC 3986's unreserved characters, and slashes if they
// are to be kept.
func appendEscaped(b []byte, s string, keepSlash bool) []byte {
	const hexadecimal = "0123456789ABCDEF"
	b = slices.Grow(b, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, keepSlash && c == '/':
			b = append(b, c)
		default:
			b = append(b, '%', hexadecimal[c>>4], hexadecimal[c&15])
		}
	}
	return b
}
