// Package notify publishes messages to topics: to an SNS endpoint ([SNS]), or to webhooks that a
// file maps topics to ([Webhooks]).
package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Publisher publishes to the topics that it knows.
type Publisher interface {
	// Knows reports whether a topic, given by its ARN, can be published to.
	Knows(topic string) bool

	// Announce publishes a message. The id is the same for each attempt at one message.
	Announce(ctx context.Context, topic, id string, message []byte) error
}

// First publishes to the first publisher that knows a topic.
type First []Publisher

// Knows implements [Publisher].
func (f First) Knows(topic string) bool { return f.of(topic) != nil }

// Announce implements [Publisher].
func (f First) Announce(ctx context.Context, topic, id string, message []byte) error {
	p := f.of(topic)
	if p == nil {
		return fmt.Errorf("nothing is configured for the topic %s", topic)
	}
	return p.Announce(ctx, topic, id, message)
}

func (f First) of(topic string) Publisher {
	for _, p := range f {
		if p.Knows(topic) {
			return p
		}
	}
	return nil
}

// newClient returns a client that follows no redirects, which could lead to where the operator does
// not want requests from this machine to go.
func newClient() *http.Client {
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// send sends a request whose answer has to have a status of 2xx. Errors have the beginning of any
// other answer, and not the URL, which may have a secret.
func send(client *http.Client, r *http.Request) error {
	resp, err := client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return err
	}
	defer resp.Body.Close()
	const shown = 512
	text, err := io.ReadAll(io.LimitReader(resp.Body, shown))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the answer is %s: %q", resp.Status, text)
	}
	return err
}

// parseURL reads the URL of an endpoint.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		// url.Parse's error would repeat a password.
		return nil, errors.New("it is not an http or https URL")
	}
	if u.User != nil || u.Fragment != "" {
		return nil, errors.New("it may not have a user or a fragment")
	}
	return u, nil
}
