package notify

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/sigv4"
)

const topic = "arn:aws:sns:eu-central-1:123456789012:AmazonRekognitionVideos"

// received is a request as a receiver has read it.
type received struct {
	request *http.Request
	body    []byte
}

// receiver serves status to every request and returns its URL and what arrives.
func receiver(t *testing.T, status int) (address string, arrived chan received) {
	t.Helper()
	arrived = make(chan received, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		arrived <- received{r, body}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, "the receiver's text")
	}))
	t.Cleanup(server.Close)
	return server.URL, arrived
}

func TestSNSPublish(t *testing.T) {
	address, arrived := receiver(t, http.StatusOK)
	s, err := NewSNS(SNSConfig{Endpoint: address, AccessKeyID: "AKIDEXAMPLE",
		SecretAccessKey: "the secret"})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Knows(topic) || s.Knows("arn:aws:sqs:eu-central-1:123456789012:queue") || s.Knows("x") {
		t.Error("it knows other topics than those of SNS")
	}
	text := `{"JobId":"1","Video":{"S3ObjectName":"a & b=ü.mp4"}}`
	if err := s.Announce(t.Context(), topic, "1", []byte(text)); err != nil {
		t.Fatal(err)
	}
	got := <-arrived
	form, err := url.ParseQuery(string(got.body))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"Action": {"Publish"}, "Version": {"2010-03-31"}, "TopicArn": {topic},
		"Message": {text}}
	if form.Encode() != want.Encode() {
		t.Errorf("the form is %v, want %v", form, want)
	}
	signature, err := sigv4.Parse(got.request)
	if err != nil {
		t.Fatal(err)
	}
	err = signature.Verify(got.request, sha256.Sum256(got.body), "the secret",
		sigv4.Scope{Region: "eu-central-1", Service: "sns"}, time.Now())
	if err != nil {
		t.Errorf("the signature: %v", err)
	}
	fifo := topic + ".fifo"
	if err := s.Announce(t.Context(), fifo, "the id", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	form, err = url.ParseQuery(string((<-arrived).body))
	if err != nil || form.Get("MessageDeduplicationId") != "the id" ||
		form.Get("MessageGroupId") == "" {
		t.Errorf("the form for a FIFO topic is %v, %v", form, err)
	}
}

func TestSNSConfigIsChecked(t *testing.T) {
	for _, cfg := range []SNSConfig{
		{},
		{Endpoint: "sns.example.com"},
		{Endpoint: "ftp://sns.example.com"},
		{Endpoint: "http://user:password@sns.example.com"},
		{Endpoint: "http://sns.example.com/?a=b"},
		{Endpoint: "http://sns.example.com", AccessKeyID: "A"},
	} {
		if _, err := NewSNS(cfg); err == nil {
			t.Errorf("%v was accepted", cfg)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// An answer other than 2xx, a redirection among them, is an error, and nothing is followed.
func TestRefusals(t *testing.T) {
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusForbidden,
		http.StatusInternalServerError} {
		address, arrived := receiver(t, status)
		s, err := NewSNS(SNSConfig{Endpoint: address})
		if err != nil {
			t.Fatal(err)
		}
		hooks := loadWebhooks(t, address)
		for name, p := range map[string]Publisher{"SNS": s, "webhook": hooks} {
			err := p.Announce(t.Context(), topic, "1", []byte("{}"))
			if err == nil || !strings.Contains(err.Error(), "the receiver's text") {
				t.Errorf("%s, status %d: %v", name, status, err)
			}
		}
		if len(arrived) != 2 {
			t.Errorf("status %d: %d requests arrived", status, len(arrived))
		}
	}
}

const sharedSecret = "a secret of 24 bytes ..."

func loadWebhooks(t *testing.T, address string) *Webhooks {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "key", sharedSecret+"\n")
	write(t, dir, "hooks.json", `{"webhooks": [{"topic": "`+topic+`", "url": "`+address+
		`/hook?a=b", "secretFile": "key"}]}`)
	w, err := LoadWebhooks(filepath.Join(dir, "hooks.json"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWebhook(t *testing.T) {
	address, arrived := receiver(t, http.StatusNoContent)
	w := loadWebhooks(t, address)
	w.now = func() time.Time { return time.Unix(1767225600, 0) }
	if !w.Knows(topic) || w.Knows(topic+"2") {
		t.Error("it knows other topics than that of the file")
	}
	if err := w.Announce(t.Context(), topic, "the id", []byte(`{"JobId":"1"}`)); err != nil {
		t.Fatal(err)
	}
	got := <-arrived
	if string(got.body) != `{"JobId":"1"}` || got.request.URL.String() != "/hook?a=b" ||
		got.request.Header.Get("Content-Type") != "application/json" ||
		got.request.Header.Get(MessageIDHeader) != "the id" ||
		got.request.Header.Get(TopicHeader) != topic ||
		got.request.Header.Get(TimestampHeader) != "1767225600" {
		t.Errorf("got %v %v %s", got.request.URL, got.request.Header, got.body)
	}
	// By OpenSSL: printf '1767225600.{"JobId":"1"}' | openssl dgst -sha256 -hmac "$secret"
	const want = "v1=3f5161615245edc5e6eb4efdc871a838bf28d6850ee07ea3d3523511cb7fe5de"
	if got := got.request.Header.Get(SignatureHeader); got != want {
		t.Errorf("the signature is %s, want %s", got, want)
	}
	if err := w.Announce(t.Context(), topic+"2", "1", nil); err == nil {
		t.Error("a topic without a webhook was announced to")
	}
}

func TestWebhookFileIsChecked(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "key", sharedSecret)
	write(t, dir, "short", "short")
	hook := func(topic, url, secret string) string {
		return `{"topic": "` + topic + `", "url": "` + url + `", "secretFile": "` + secret + `"}`
	}
	good := hook(topic, "https://example.com/hook", "key")
	for text, want := range map[string]string{
		`{`:                "unexpected",
		`{"webhooks": []}`: "names none",
		`{"hooks": []}`:    "unknown object member",
		`{"webhooks": [` + good + `, ` + good + `]}`:                             "webhooks[1].topic: " + topic + " is configured twice",
		`{"webhooks": [` + hook("x", "https://example.com/", "key") + `]}`:       "webhooks[0].topic",
		`{"webhooks": [` + hook(topic, "example.com", "key") + `]}`:              "webhooks[0].url",
		`{"webhooks": [` + hook(topic, "https://u:p@example.com/", "key") + `]}`: "webhooks[0].url",
		`{"webhooks": [` + hook(topic, "https://example.com/", "") + `]}`:        "webhooks[0].secretFile: missing",
		`{"webhooks": [` + hook(topic, "https://example.com/", "short") + `]}`:   "shorter than 16 bytes",
		`{"webhooks": [` + hook(topic, "https://example.com/", "none") + `]}`:    "no such file",
		`{"webhooks": [` + hook("x", "y", "none") + `]}`:                         "webhooks[0].url",
	} {
		_, err := parseWebhooks([]byte(text), dir)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := parseWebhooks([]byte(`{"webhooks": [`+good+`]}`), dir); err != nil {
		t.Error(err)
	}
}

func TestFirst(t *testing.T) {
	address, arrived := receiver(t, http.StatusOK)
	hookAddress, hooked := receiver(t, http.StatusOK)
	s, err := NewSNS(SNSConfig{Endpoint: address})
	if err != nil {
		t.Fatal(err)
	}
	first := First{loadWebhooks(t, hookAddress), s}
	for _, topic := range []string{topic, topic + "2"} {
		if !first.Knows(topic) {
			t.Errorf("%s is not known", topic)
		}
		if err := first.Announce(t.Context(), topic, "1", []byte("{}")); err != nil {
			t.Error(err)
		}
	}
	if len(hooked) != 1 || len(arrived) != 1 {
		t.Errorf("%d and %d requests arrived", len(hooked), len(arrived))
	}
	if first.Knows("x") || first.Announce(t.Context(), "x", "1", nil) == nil {
		t.Error("an unknown topic was announced to")
	}
}
