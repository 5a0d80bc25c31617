package server

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestMetricsAreForThisMachine(t *testing.T) {
	shown := http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		io.WriteString(w, "metrics")
	})
	f := newFront(slog.New(slog.DiscardHandler), http.NotFoundHandler(), localOnly(shown))
	for _, c := range []struct {
		from, host, header string
		status             int
	}{
		{"127.0.0.1:5", "127.0.0.1:7180", "", 200},
		{"[::1]:5", "localhost:7180", "", 200},
		{"[::ffff:127.0.0.1]:5", "[::1]", "", 200},
		{"192.0.2.1:5", "127.0.0.1:7180", "", 403},
		{"127.0.0.1:5", "faces.example", "", 403},
		{"127.0.0.1:5", "127.0.0.1:7180", "X-Forwarded-For", 403},
		{"127.0.0.1:5", "127.0.0.1:7180", "Via", 403},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.RemoteAddr, r.Host = c.from, c.host
		if c.header != "" {
			r.Header.Set(c.header, "192.0.2.1")
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != c.status || (w.Body.String() == "metrics") != (c.status == 200) {
			t.Errorf("%+v: %d %q", c, w.Code, w.Body)
		}
	}
}
