// Package console serves the web console: one page with its script and style, under /console/.
//
// The page is static and needs no key. It calls the face API and the operator's routes (package
// admin) at the same address, with requests that the browser signs with the access key that a
// person typed. The server keeps no session, so a page of another origin has no cookie to forge a
// request with.
//
// make builds the bundle from web/ into bundle/, and the package embeds it. Without the bundle the
// package compiles, and the path says how to build it.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// Prefix is the path of the page, and the prefix of its files. The path without the slash redirects
// to it.
const Prefix = "/console/"

//go:embed all:bundle
var bundled embed.FS

// contentSecurityPolicy lets the page load its own files and call its own server, and nothing else.
// Pictures that a person chose are blobs.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src " +
	"'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for " +
	"'script'; trusted-types 'none'"

const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Recollect</title>
<h1>The console was not built</h1>
<p>This program was compiled without its web console. In Recollect's source folder, run
<code>make</code>, which needs Node.js with npm, and start it again.
The API does not depend on it.</p></html>
`

// Config is the configuration that the page gets before anybody has signed in.
type Config struct {
	Version string   // of the program
	Regions []string // that signatures may be for, the default first
}

// New returns the handler of the paths under [Prefix], and of the prefix without its slash.
func New(cfg Config) (http.Handler, error) {
	files, err := fs.Sub(bundled, "bundle")
	if err != nil {
		return nil, fmt.Errorf("open the console's bundle: %w", err)
	}
	return newHandler(files, cfg)
}

// file is the response of one path.
type file struct {
	body        []byte
	contentType string
	etag        string
	immutable   bool // the name changes with the content
}

type handler struct {
	files map[string]file // by the path after Prefix
}

func newHandler(bundle fs.FS, cfg Config) (*handler, error) {
	h := &handler{files: make(map[string]file)}
	err := fs.WalkDir(bundle, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "README.md" {
			return err
		}
		body, err := fs.ReadFile(bundle, name)
		if err != nil {
			return err
		}
		h.add(name, body, strings.HasPrefix(name, "assets/"))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the console's bundle: %w", err)
	}
	config, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("encode the console's configuration: %w", err)
	}
	h.add("config.json", config, false)
	if page, ok := h.files["index.html"]; ok {
		h.files[""] = page
		delete(h.files, "index.html")
	}
	return h, nil
}

func (h *handler) add(name string, body []byte, immutable bool) {
	sum := sha256.Sum256(body)
	contentType := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // the machine's own table may differ
	case ".js":
		contentType = "text/javascript; charset=utf-8"
	case ".css":
		contentType = "text/css; charset=utf-8"
	case ".html":
		contentType = "text/html; charset=utf-8"
	case ".svg":
		contentType = "image/svg+xml"
	case ".json":
		contentType = "application/json"
	}
	h.files[name] = file{body: body, contentType: contentType, etag: `"` +
		hex.EncodeToString(sum[:12]) + `"`, immutable: immutable}
}

// ServeHTTP answers GET and HEAD of the page, its files and its configuration.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The console is read with GET.", http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, Prefix)
	if !ok {
		http.Redirect(w, r, Prefix, http.StatusFound)
		return
	}
	f, ok := h.files[name]
	switch {
	case !ok && name == "":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, notBuilt)
		return
	case !ok:
		http.Error(w, "There is no such page.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("ETag", f.etag)
	w.Header().Set("Cache-Control", "no-cache")
	if f.immutable {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(f.body)))
	if r.Method == http.MethodGet {
		w.Write(f.body) // an error means that the client has disconnected
	}
}

// secure sets the headers that protect the page from other pages, and limit what it can load.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers without frame-ancestors
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
}
