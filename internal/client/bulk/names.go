package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The most characters that the API takes.
const (
	maxExternalID = 255
	maxUserID     = 128
)

// names gives paths the names that the API takes for them, no two the same.
type names struct {
	most  int
	taken map[string]string // path by name
	given map[string]string // name by path
}

func newNames(most int) *names {
	return &names{most: most, taken: map[string]string{}, given: map[string]string{}}
}

// keep records a name that was given before.
func (n *names) keep(path, name string) {
	n.taken[name], n.given[path] = path, name
}

// of returns the name of a path: the path with ":" for each slash and "_" for each other character
// that the API does not take. One that is too long, or whose name another path has, gets a dash and
// eight hexadecimal digits of its SHA-256 at the end.
func (n *names) of(path string) string {
	if name, ok := n.given[path]; ok {
		return name
	}
	name := ExternalID(path)
	if _, ok := n.taken[name]; ok || len(name) > n.most {
		sum := sha256.Sum256([]byte(path))
		name = name[:min(len(name), n.most-9)] + "-" + hex.EncodeToString(sum[:4])
	}
	n.keep(path, name)
	return name
}

// ExternalID is the external image id that an import gives the picture with a path: ":" for each
// slash and "_" for each other character that the API does not take. One that is too long, or
// another path's, gets another.
func ExternalID(path string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return ':'
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
			strings.ContainsRune("_.-:", r):
			return r
		}
		return '_'
	}, path)
}
