package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// chainVersion is the version of the form of lines.
const chainVersion = 1

// maxLine bounds a line, in bytes. CloudTrail's records have at most 256 KiB.
const maxLine = 512 << 10

// link is the last member of each line, named chain:
//
//	{...,"chain":{"version":1,"log":"<id>","sequence":7,"previous":"<hash>","hash":"<hash>"}}
//
// The hash is the SHA-256, in hexadecimal, of all bytes of the line before `,"hash":`, and so of
// the previous line's hash too. Previous is 64 zeros for the first line of a log.
type link struct {
	Version  int    `json:"version"`
	Log      string `json:"log"` // random, of the whole log
	Sequence int64  `json:"sequence"`
	Previous string `json:"previous"`
	Hash     string `json:"hash"`
}

// chain is the state of a log: what its next line follows.
type chain struct {
	Log      string
	Sequence int64 // of the last line; 0: there is none
	Hash     string
}

// newChain begins a log.
func newChain() chain {
	return chain{Log: rand.Text(), Hash: hex.EncodeToString(make([]byte, sha256.Size))}
}

// encode returns a record as JSON, and without its parameters if it would be too long.
func encode(r *Record) ([]byte, error) {
	options := json.JoinOptions(json.Deterministic(true), json.FormatNilMapAsNull(true),
		jsontext.AllowInvalidUTF8(true))
	object, err := json.Marshal(r, options)
	if err == nil && len(object) > maxLine-1024 {
		short := *r
		short.RequestParameters = map[string]any{"omitted": "the record is too long"}
		short.ResponseElements = nil
		object, err = json.Marshal(&short, options)
	}
	if err != nil {
		return nil, fmt.Errorf("encode a record: %w", err)
	}
	return object, nil
}

// append writes an encoded record behind b as the next line of the log.
func (c *chain) append(b, object []byte) []byte {
	start := len(b)
	b = append(b, object[:len(object)-1]...)
	b = fmt.Appendf(b, `,"chain":{"version":%d,"log":"%s","sequence":%d,"previous":"%s"`,
		chainVersion, c.Log, c.Sequence+1, c.Hash)
	sum := sha256.Sum256(b[start:])
	c.Sequence++
	c.Hash = hex.EncodeToString(sum[:])
	return append(b, `,"hash":"`+c.Hash+"\"}}\n"...)
}

// The errors of a line.
var (
	errNoLine      = errors.New("it is not a line of an audit log")
	errChangedLine = errors.New("it was changed")
)

// parseLink returns the link of a line, without its line feed, if its hash is that of the line.
func parseLink(line []byte) (link, error) {
	hashed := bytes.LastIndex(line, []byte(`,"hash":"`))
	begin := bytes.LastIndex(line, []byte(`,"chain":{`))
	if begin < 0 || hashed < begin {
		return link{}, errNoLine
	}
	var l link
	rest := line[begin+len(`,"chain":`):]
	if !bytes.HasSuffix(rest, []byte("}}")) ||
		json.Unmarshal(rest[:len(rest)-1], &l, json.RejectUnknownMembers(true)) != nil {
		return link{}, errNoLine
	}
	if l.Version != chainVersion {
		return link{}, fmt.Errorf("it has version %d, and this program knows version %d",
			l.Version, chainVersion)
	}
	sum := sha256.Sum256(line[:hashed])
	if l.Hash != hex.EncodeToString(sum[:]) || len(line) != hashed+len(`,"hash":"`)+len(l.Hash)+3 {
		return l, errChangedLine
	}
	return l, nil
}
