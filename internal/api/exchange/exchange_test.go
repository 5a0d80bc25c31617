package exchange_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// logged returns the line of an exchange.
func logged(t *testing.T, x *exchange.Exchange, end exchange.Ending) map[string]any {
	t.Helper()
	var b bytes.Buffer
	x.Log(t.Context(), slog.New(slog.NewJSONHandler(&b, nil)), "message", end)
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil || line["msg"] != "message" {
		t.Fatalf("%v: %s", err, &b)
	}
	return line
}

// TestLog: the level is that of whoever has to act, and errors of the server alone are written out.
func TestLog(t *testing.T) {
	secret := errors.New("the disk is broken")
	fault := &recollect.Error{Code: recollect.CodeInvalidS3Object, Message: "no", Err: secret}
	for name, test := range map[string]struct {
		keyID, caller string
		end           exchange.Ending
		level         string
		cause, err    any
	}{
		"success":      {"K", "K", exchange.Ending{Status: 200}, "INFO", nil, nil},
		"no key":       {"", "", exchange.Ending{Status: 400, Err: fault}, "INFO", secret, nil},
		"a caller's":   {"K", "K", exchange.Ending{Status: 400, Err: fault}, "INFO", secret, nil},
		"not proven":   {"K", "", exchange.Ending{Status: 403, Err: fault}, "WARN", secret, nil},
		"the server's": {"K", "K", exchange.Ending{Status: 500, Err: secret}, "ERROR", nil, secret},
		"not built":    {"K", "K", exchange.Ending{Status: 501, Err: secret}, "INFO", nil, nil},
		"for an operator": {"", "", exchange.Ending{Status: 400, Err: fault,
			Failure: true}, "ERROR", secret, nil},
		"a cause of its own": {"K", "K", exchange.Ending{Status: 400, Err: fault,
			Cause: errors.New("other")}, "INFO", errors.New("other"), nil},
	} {
		header := http.Header{}
		x := exchange.Begin(header, authn.Client{}, time.Now())
		x.KeyID, x.Caller.KeyID, x.Operation = test.keyID, test.caller, "ListFaces"
		test.end.Code = "Code"
		line := logged(t, x, test.end)
		if line["level"] != test.level || line["request_id"] != header.Get("x-amzn-RequestId") ||
			line["access_key_id"] != test.keyID || line["operation"] != "ListFaces" {
			t.Errorf("%s: %v", name, line)
		}
		for member, want := range map[string]any{"cause": test.cause, "error": test.err} {
			if err, ok := want.(error); ok {
				want = err.Error()
			}
			if line[member] != want {
				t.Errorf("%s: %s is %v, want %v", name, member, line[member], want)
			}
		}
		if _, ok := line["error_code"]; ok != (test.end.Err != nil) {
			t.Errorf("%s: %v", name, line)
		}
	}
}

func TestLogHasMore(t *testing.T) {
	x := exchange.Begin(http.Header{}, authn.Client{}, time.Now())
	line := logged(t, x, exchange.Ending{Status: 200, Duration: time.Second,
		Asked: slog.String("path", "export"),
		More:  []slog.Attr{slog.String("collection", "people")}})
	if line["collection"] != "people" || line["path"] != "export" || line["operation"] != nil ||
		line["duration"] != float64(time.Second) {
		t.Errorf("%v", line)
	}
}

func TestRecover(t *testing.T) {
	serve := func(value any) (err error) {
		defer exchange.Recover(&err)
		if value != nil {
			panic(value)
		}
		return http.ErrBodyNotAllowed
	}
	if err := serve("oh"); err == nil || !strings.HasPrefix(err.Error(), "panic: oh\n") ||
		!strings.Contains(err.Error(), "TestRecover") {
		t.Errorf("a panic is %v", err)
	}
	if err := serve(nil); !errors.Is(err, http.ErrBodyNotAllowed) {
		t.Errorf("an error became %v", err)
	}
}

func TestUnread(t *testing.T) {
	err := exchange.Unread(http.ErrBodyNotAllowed)
	if !errors.Is(err, exchange.ErrUnread) || !errors.Is(err, http.ErrBodyNotAllowed) {
		t.Error(err)
	}
	for major, want := range map[int]string{1: "close", 2: ""} {
		w := httptest.NewRecorder()
		exchange.CloseConnection(w, &http.Request{ProtoMajor: major})
		exchange.Write(w, "text/xml", http.StatusForbidden, []byte("<a/>"))
		answer := w.Result()
		if got := answer.Header.Get("Connection"); got != want {
			t.Errorf("HTTP/%d: Connection: %q", major, got)
		}
		if answer.StatusCode != http.StatusForbidden || answer.ContentLength != 4 ||
			answer.Header.Get("Content-Type") != "text/xml" || w.Body.String() != "<a/>" {
			t.Errorf("%+v", answer)
		}
	}
}
