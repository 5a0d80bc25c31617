package rekognition

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressFrom is the size of the least answer that is compressed: what fits one packet gains
// nothing.
const compressFrom = 1400

// compressor makes gzip of answers. It keeps its writers, each of which takes some 800 KB.
type compressor struct {
	writers sync.Pool
}

func newCompressor() *compressor {
	return &compressor{writers: sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			panic(err) // the level is a constant that exists
		}
		return w
	}}}
}

// compress returns the body to send for an answer, and sets what the headers say of it.
func (c *compressor) compress(header http.Header, r *http.Request, body []byte) ([]byte, error) {
	if len(body) < compressFrom {
		return body, nil
	}
	header.Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r.Header) {
		return body, nil
	}
	w := c.writers.Get().(*gzip.Writer)
	defer c.writers.Put(w)
	var packed bytes.Buffer
	w.Reset(&packed)
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("compress the answer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress the answer: %w", err)
	}
	header.Set("Content-Encoding", "gzip")
	return packed.Bytes(), nil
}

// acceptsGzip reads Accept-Encoding, by RFC 9110, section 12.5.3.
func acceptsGzip(h http.Header) bool {
	wildcard := false // whether * stands for what is not named
	for element := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, parameters, _ := strings.Cut(element, ";")
		name, weight, _ := strings.Cut(strings.TrimSpace(parameters), "=")
		wanted := true
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
			wanted = err == nil && q > 0
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return wanted
		case "*":
			wildcard = wanted
		}
	}
	return wildcard
}
