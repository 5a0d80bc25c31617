package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type pinger struct{ err error }

func (p pinger) Ping(context.Context) error { return p.err }

func TestFront(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		io.WriteString(w, "api "+r.URL.Path)
	})
	routes := http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		io.WriteString(w, "routes "+r.URL.Path)
	})
	tokens := http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		io.WriteString(w, "sts "+r.URL.Path)
	})
	pages := http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		io.WriteString(w, "console "+r.URL.Path)
	})
	f := newFront(slog.New(slog.DiscardHandler), pages, nil)
	check := func(state, method, path string, status int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		if w.Code != status || body != "" && w.Body.String() != body {
			t.Errorf("%s: %s %s answers %d %q, want %d %q", state, method, path, w.Code, w.Body,
				status, body)
		}
	}
	const wait = unavailable
	check("starting", "GET", "/health/live", 200, "live\n")
	check("starting", "GET", "/health/ready", 503, "")
	check("starting", "POST", "/", 500, wait)
	check("starting", "GET", "/recollect/v1/overview", 500, wait)
	check("starting", "GET", "/console/", 200, "console /console/") // which tries again by itself
	f.open(pinger{}, api, routes, tokens)
	check("open", "GET", "/console", 200, "console /console")
	check("open", "GET", "/console/assets/x.js", 200, "console /console/assets/x.js")
	check("open", "GET", "/consoles", 200, "api /consoles")
	check("open", "GET", "/health/ready", 200, "ready\n")
	check("open", "POST", "/health/ready", 405, "")
	check("open", "GET", "/health/other", 404, "")
	check("open", "POST", "/", 200, "api /")
	check("open", "POST", "//", 200, "api //")
	check("open", "GET", "/recollect/v1/overview", 200, "routes /recollect/v1/overview")
	f.open(pinger{errors.New("the disk has failed")}, api, routes, tokens)
	check("without a store", "GET", "/health/ready", 503, "the store does not answer\n")
	check("without a store", "GET", "/health/live", 200, "")
	f.close()
	check("stopping", "GET", "/health/ready", 503, "")
	check("stopping", "POST", "/", 500, wait)
}

// TestFrontChoosesTheTokenService: by the scope of the signature, and without one by the form.
func TestFrontChoosesTheTokenService(t *testing.T) {
	write := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, text)
		})
	}
	f := newFront(slog.New(slog.DiscardHandler), write("console"), nil)
	const encoded = "application/x-www-form-urlencoded"
	signed := func(service string) string {
		return "AWS4-HMAC-SHA256 Credential=AKIA1/20260101/us-east-1/" + service +
			"/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
	}
	for _, c := range []struct {
		method, target, contentType, amzTarget, authorization string
		want                                                  string
	}{
		{"POST", "/", encoded, "", signed("sts"), "sts"},
		{"POST", "/", "application/x-amz-json-1.1", "", signed("sts"), "sts"},
		{"GET", "/?Action=GetCallerIdentity", "", "", signed("sts"), "sts"},
		{"POST", "/", encoded + "; charset=utf-8", "", "", "sts"},
		{"GET", "/?Action=AssumeRoleWithWebIdentity", "", "", "", "sts"},
		{"POST", "/", encoded, "", signed("rekognition"), "api"},
		{"POST", "/", encoded, "RekognitionService.ListFaces", "", "api"},
		{"POST", "/", "application/x-amz-json-1.1", "", "", "api"},
		{"POST", "/x", encoded, "", "", "api"},
		{"GET", "/", "", "", "", "api"},
		{"GET", "/recollect/v1/overview", "", "", signed("sts"), "routes"},
		{"GET", "/console/?Action=x", "", "", "", "console"},
	} {
		f.open(pinger{}, write("api"), write("routes"), write("sts"))
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.target, nil)
		for name, value := range map[string]string{"Content-Type": c.contentType,
			"X-Amz-Target": c.amzTarget, "Authorization": c.authorization} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Body.String() != c.want {
			t.Errorf("%+v goes to %s", c, w.Body)
		}
		if c.want != "sts" {
			continue
		}
		f.close()
		w = httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable ||
			!strings.Contains(w.Body.String(), "<Code>ServiceUnavailable</Code>") {
			t.Errorf("%+v, while the server stops: %d %s", c, w.Code, w.Body)
		}
	}
}

// TestHealthUnderOverload: health is answered while every request of the API waits.
func TestHealthUnderOverload(t *testing.T) {
	f := newFront(slog.New(slog.DiscardHandler), http.NotFoundHandler(), nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	f.open(pinger{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}), http.NotFoundHandler(), http.NotFoundHandler())
	server := httptest.NewServer(f)
	defer server.Close()
	defer close(leave)
	for range 50 {
		go func() {
			if resp, err := http.Post(server.URL, "text/plain", nil); err == nil {
				resp.Body.Close()
			}
		}()
	}
	for range 50 {
		<-entered
	}
	for _, path := range []string{"/health/live", "/health/ready"} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d", path, resp.StatusCode)
		}
	}
}

func TestFrontAlwaysGivesARequestID(t *testing.T) {
	w := httptest.NewRecorder()
	newFront(slog.New(slog.DiscardHandler), http.NotFoundHandler(), nil).ServeHTTP(w,
		httptest.NewRequestWithContext(t.Context(), "POST", "/", nil))
	if id := w.Header().Get("x-amzn-RequestId"); len(id) != 36 {
		t.Errorf("before the start: request id %q", id)
	}
}

// TestFrontShowsPeopleTheConsole: only a browser that requests the server's root is redirected to
// the console.
func TestFrontShowsPeopleTheConsole(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	})
	f := newFront(slog.New(slog.DiscardHandler), http.NotFoundHandler(), nil)
	f.open(pinger{}, api, http.NotFoundHandler(), http.NotFoundHandler())
	for _, c := range []struct {
		method, path, accept, authorization string
		status                              int
	}{
		{"GET", "/", "text/html,*/*;q=0.8", "", http.StatusFound},
		{"GET", "/", "*/*", "", http.StatusTeapot},
		{"GET", "/", "text/html", "AWS4-HMAC-SHA256 ...", http.StatusTeapot},
		{"POST", "/", "text/html", "", http.StatusTeapot},
		{"GET", "/other", "text/html", "", http.StatusTeapot},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		r.Header.Set("Accept", c.accept)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		f.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s accepting %q answers %d, want %d", c.method, c.path, c.accept, w.Code,
				c.status)
		}
	}
}
