package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var built = fstest.MapFS{
	"README.md":           {Data: []byte("not served")},
	"index.html":          {Data: []byte("<!doctype html><title>Recollect</title>")},
	"assets/index-abc.js": {Data: []byte("console.log(1)")},
}

func get(t *testing.T, h http.Handler, method, path string,
	header ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

func TestPaths(t *testing.T) {
	h, err := newHandler(built, Config{Version: "1.2.3", Regions: []string{"eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path      string
		status            int
		contentType, body string
	}{
		{"GET", "/console/", 200, "text/html; charset=utf-8",
			"<!doctype html><title>Recollect</title>"},
		{"HEAD", "/console/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/console/assets/index-abc.js", 200, "text/javascript; charset=utf-8",
			"console.log(1)"},
		{"GET", "/console/config.json", 200, "application/json",
			`{"Version":"1.2.3","Regions":["eu-west-1"]}`},
		{"GET", "/console", 302, "", ""},
		{"GET", "/console/README.md", 404, "", ""},
		{"GET", "/console/index.html", 404, "", ""},
		{"GET", "/console/assets/", 404, "", ""},
		{"GET", "/console/../console/", 404, "", ""},
		{"POST", "/console/", 405, "", ""},
	} {
		w := get(t, h, c.method, c.path)
		if w.Code != c.status || c.contentType != "" &&
			w.Header().Get("Content-Type") != c.contentType || c.status == 200 &&
			w.Body.String() != c.body {
			t.Errorf("%s %s answers %d %q %q", c.method, c.path, w.Code,
				w.Header().Get("Content-Type"), w.Body)
		}
		// Whatever the answer is, nobody may frame it and it may load nothing from elsewhere.
		policy := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'",
			"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s %s: the policy lacks %s: %s", c.method, c.path, part, policy)
			}
		}
		for _, loose := range []string{"unsafe", "http:", "https:", "data:", "*"} {
			if strings.Contains(policy, loose) {
				t.Errorf("%s %s: the policy allows %s: %s", c.method, c.path, loose, policy)
			}
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" ||
			w.Header().Get("X-Frame-Options") != "DENY" ||
			w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s %s: headers %v", c.method, c.path, w.Header())
		}
	}
	if to := get(t, h, "GET", "/console").Header().Get("Location"); to != "/console/" {
		t.Errorf("/console redirects to %q", to)
	}
}

func TestCaching(t *testing.T) {
	h, err := newHandler(built, Config{})
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, h, "GET", "/console/")
	if page.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("the page is kept: %v", page.Header())
	}
	if again := get(t, h, "GET", "/console/", "If-None-Match",
		page.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("the same page again answers %d with %d bytes", again.Code, again.Body.Len())
	}
	if asset := get(t, h, "GET",
		"/console/assets/index-abc.js"); !strings.Contains(asset.Header().Get("Cache-Control"),
		"immutable") {
		t.Errorf("a file with its hash in the name is not kept: %v", asset.Header())
	}
}

func TestWithoutBundle(t *testing.T) {
	h, err := newHandler(fstest.MapFS{"README.md": {Data: []byte("x")}}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if w := get(t, h, "GET", "/console/"); w.Code != http.StatusNotFound ||
		!strings.Contains(w.Body.String(), "make") {
		t.Errorf("without a bundle: %d %s", w.Code, w.Body)
	}
}

// TestEmbedded: what was compiled in is either a whole console or none.
func TestEmbedded(t *testing.T) {
	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, h, "GET", Prefix)
	if page.Code == http.StatusNotFound {
		t.Skip("the console was not built: make console")
	}
	var named int
	for _, quoted := range strings.Split(page.Body.String(), `"`) {
		if strings.HasPrefix(quoted, Prefix+"assets/") || strings.HasPrefix(quoted, "./assets/") {
			named++
			if w := get(t, h, "GET", Prefix+
				quoted[strings.Index(quoted, "assets/"):]); w.Code != http.StatusOK {
				t.Errorf("the page names %s, which answers %d", quoted, w.Code)
			}
		}
	}
	if named < 2 {
		t.Errorf("the page names %d files, a script and a style at least are wanted: %s", named,
			page.Body)
	}
}
