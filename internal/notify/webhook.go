package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// The headers of a webhook's request.
const (
	// MessageIDHeader has the id of the message, the same for each attempt.
	MessageIDHeader = "Recollect-Message-Id"

	// TopicHeader has the ARN of the topic.
	TopicHeader = "Recollect-Topic-Arn"

	// TimestampHeader has the time of the attempt, in seconds of Unix time.
	TimestampHeader = "Recollect-Timestamp"

	// SignatureHeader has "v1=" and the signature, see [Sign].
	SignatureHeader = "Recollect-Signature"
)

// minSecret is the least length of a shared secret in bytes.
const minSecret = 16

// webhookFile is the configuration.
type webhookFile struct {
	Webhooks []struct {
		Topic      string `json:"topic"`
		URL        string `json:"url"`
		SecretFile string `json:"secretFile"`
	} `json:"webhooks"`
}

// Webhooks publishes to URLs. It is safe for concurrent use.
type Webhooks struct {
	byTopic map[string]webhook
	client  *http.Client
	now     func() time.Time
}

type webhook struct {
	url    string
	secret []byte
}

// LoadWebhooks reads a JSON file of webhooks:
//
//	{"webhooks": [{
//	  "topic": "arn:aws:sns:us-east-1:123456789012:AmazonRekognitionVideos",
//	  "url": "https://example.com/hooks/videos",
//	  "secretFile": "videos.secret"
//	}]}
//
// The secret file, in the folder of the configuration if its path is relative, has the secret that
// is shared with the receiver: at least 16 bytes; white space around them does not count. It
// reports every fault at once.
func LoadWebhooks(path string) (*Webhooks, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	w, err := parseWebhooks(text, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read the webhooks of %s:\n%w", path, err)
	}
	return w, nil
}

func parseWebhooks(text []byte, dir string) (*Webhooks, error) {
	var f webhookFile
	if err := json.Unmarshal(text, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	w := &Webhooks{byTopic: map[string]webhook{}, client: newClient(), now: time.Now}
	var faults []error
	for n, configured := range f.Webhooks {
		fault := func(member string, err error) {
			faults = append(faults, fmt.Errorf("webhooks[%d].%s: %w", n, member, err))
		}
		if _, ok := regionOf(configured.Topic); !ok {
			fault("topic", fmt.Errorf("%q is no ARN of a topic", configured.Topic))
		}
		if _, twice := w.byTopic[configured.Topic]; twice {
			fault("topic", fmt.Errorf("%s is configured twice", configured.Topic))
		}
		if _, err := parseURL(configured.URL); err != nil {
			fault("url", err)
		}
		secret, err := readSecret(configured.SecretFile, dir)
		if err != nil {
			fault("secretFile", err)
		}
		w.byTopic[configured.Topic] = webhook{url: configured.URL, secret: secret}
	}
	if len(f.Webhooks) == 0 {
		faults = append(faults, errors.New("webhooks: names none"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return w, nil
}

func readSecret(path, dir string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("missing")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if secret = bytes.TrimSpace(secret); len(secret) < minSecret {
		return nil, fmt.Errorf("the secret of %s is shorter than %d bytes", path, minSecret)
	}
	return secret, nil
}

// Knows implements [Publisher].
func (w *Webhooks) Knows(topic string) bool {
	_, ok := w.byTopic[topic]
	return ok
}

// Announce implements [Publisher].
func (w *Webhooks) Announce(ctx context.Context, topic, id string, message []byte) error {
	if err := w.post(ctx, topic, id, message); err != nil {
		return fmt.Errorf("call the webhook of the topic %s: %w", topic, err)
	}
	return nil
}

func (w *Webhooks) post(ctx context.Context, topic, id string, message []byte) error {
	hook, ok := w.byTopic[topic]
	if !ok {
		return errors.New("none is configured")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.url, bytes.NewReader(message))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(w.now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(MessageIDHeader, id)
	r.Header.Set(TopicHeader, topic)
	r.Header.Set(TimestampHeader, timestamp)
	r.Header.Set(SignatureHeader, "v1="+Sign(hook.secret, timestamp, message))
	return send(w.client, r)
}

// Sign returns the signature of a webhook's request: the HMAC-SHA256, in lower-case hexadecimal, of
// the timestamp header, a full stop and the body, with the shared secret as the key.
func Sign(secret []byte, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(timestamp))
	h.Write([]byte("."))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
