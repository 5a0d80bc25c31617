package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// SNSConfig has the settings of an SNS endpoint.
type SNSConfig struct {
	Endpoint string // http or https URL
	// with SecretAccessKey; neither: requests are not signed
	AccessKeyID     string
	SecretAccessKey string
}

// String keeps the secret out of formatted text.
func (c SNSConfig) String() string {
	return fmt.Sprintf("endpoint %q, access key %q", c.Endpoint, c.AccessKeyID)
}

// GoString keeps the secret out of text formatted with %#v.
func (c SNSConfig) GoString() string { return c.String() }

// Validate reports every fault at once.
func (c SNSConfig) Validate() error {
	var faults []error
	if u, err := parseURL(c.Endpoint); err != nil {
		faults = append(faults, fmt.Errorf("the SNS endpoint: %w", err))
	} else if u.RawQuery != "" {
		faults = append(faults, errors.New("the SNS endpoint: it may not have a query"))
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		faults = append(faults,
			errors.New("the SNS access key id and secret access key must be given together"))
	}
	return errors.Join(faults...)
}

// SNS publishes to an endpoint that speaks the API of Amazon SNS: action Publish of the query
// protocol, version 2010-03-31, signed for the topic's region. It is safe for concurrent use.
type SNS struct {
	cfg    SNSConfig
	client *http.Client
	signer *v4.Signer
}

// NewSNS returns a publisher. It does not connect yet.
func NewSNS(cfg SNSConfig) (*SNS, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if u, err := parseURL(cfg.Endpoint); err == nil && u.Path == "" {
		cfg.Endpoint += "/"
	}
	return &SNS{cfg: cfg, client: newClient(), signer: v4.NewSigner()}, nil
}

// regionOf is the region of a topic, by its ARN; ok is false if it is no ARN of a topic.
func regionOf(topic string) (region string, ok bool) {
	parts := strings.Split(topic, ":")
	ok = len(parts) == 6 && parts[0] == "arn" && parts[2] == "sns" && parts[3] != ""
	if !ok {
		return "", false
	}
	return parts[3], true
}

// Knows implements [Publisher]: an endpoint may have any topic.
func (s *SNS) Knows(topic string) bool {
	_, ok := regionOf(topic)
	return ok
}

// Announce implements [Publisher]. The endpoint of a FIFO topic drops a message with the id of
// one that it has had.
func (s *SNS) Announce(ctx context.Context, topic, id string, message []byte) error {
	if err := s.publish(ctx, topic, id, message); err != nil {
		return fmt.Errorf("publish to the topic %s: %w", topic, err)
	}
	return nil
}

func (s *SNS) publish(ctx context.Context, topic, id string, message []byte) error {
	region, ok := regionOf(topic)
	if !ok {
		return errors.New("it is no ARN of a topic")
	}
	form := url.Values{
		"Action":   {"Publish"},
		"Version":  {"2010-03-31"},
		"TopicArn": {topic},
		"Message":  {string(message)},
	}
	if strings.HasSuffix(topic, ".fifo") {
		form.Set("MessageGroupId", "recollect")
		form.Set("MessageDeduplicationId", id)
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.Endpoint,
		strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if s.cfg.AccessKeyID != "" {
		hash := sha256.Sum256([]byte(body))
		err = s.signer.SignHTTP(ctx, aws.Credentials{AccessKeyID: s.cfg.AccessKeyID,
			SecretAccessKey: s.cfg.SecretAccessKey}, r, hex.EncodeToString(hash[:]), "sns", region,
			time.Now())
		if err != nil {
			return fmt.Errorf("sign the request: %w", err)
		}
	}
	return send(s.client, r)
}
