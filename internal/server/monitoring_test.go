package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/goccy/go-yaml"

	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/server/certtest"
)

// metricsOfAServer returns the metrics of a server that has served some requests, with their
// labels: those of the scrape, instance and job, included.
func metricsOfAServer(t *testing.T) map[string]map[string]bool {
	t.Helper()
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	cfg := config(t)
	authority := certtest.New(t)
	certificate, key := authority.Issue(t, "server", time.Now().Add(time.Hour))
	cfg.TLS = TLSConfig{Certificate: filepath.Join(t.TempDir(), "cert.pem"),
		Key: filepath.Join(t.TempDir(), "key.pem")}
	for path, text := range map[string][]byte{cfg.TLS.Certificate: certificate,
		cfg.TLS.Key: key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Audit.Folder = &audit.FolderConfig{Dir: t.TempDir(), MaxBytes: audit.DefaultMaxBytes,
		MaxAge: audit.DefaultMaxAge}
	a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	trusting := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}}
	defer trusting.CloseIdleConnections()
	client := rekognition.New(rekognition.Options{Region: "us-east-1", HTTPClient: trusting,
		BaseEndpoint: aws.String(a.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDAKIDAKIDAKIDAKID",
			strings.Repeat("s", 40), "")})
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 100, 100)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DetectFaces(t.Context(), &rekognition.DetectFacesInput{
		Image: &types.Image{Bytes: picture.Bytes()}}); err != nil {
		t.Fatal(err)
	}
	resp, err := trusting.Get(a.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string]map[string]bool{"up": {"instance": true, "job": true}}
	sample := regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `)
	label := regexp.MustCompile(`(\w+)="`)
	for _, m := range sample.FindAllStringSubmatch(string(text), -1) {
		if metrics[m[1]] == nil {
			metrics[m[1]] = map[string]bool{"instance": true, "job": true}
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			metrics[m[1]][l[1]] = true
		}
	}
	if len(metrics) < 30 {
		t.Fatalf("%d metrics: %.2000s", len(metrics), text)
	}
	return metrics
}

var (
	selector = regexp.MustCompile(`\b((?:recollect|process|go)_[a-z_]+|up)\b(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping = regexp.MustCompile(`\b(?:by|without) \(([^)]*)\)`)
)

// checkExpression checks that the metrics of an expression of PromQL are there, and have the labels
// that it selects and groups by.
func checkExpression(t *testing.T, where, expression string, metrics map[string]map[string]bool) {
	t.Helper()
	found := selector.FindAllStringSubmatch(expression, -1)
	if len(found) == 0 {
		t.Errorf("%s: there is no metric in %s", where, expression)
	}
	for _, m := range found {
		labels, ok := metrics[m[1]]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, m[1])
			continue
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !labels[l[1]] {
				t.Errorf("%s: the metric %s has no label %s", where, m[1], l[1])
			}
		}
		for _, group := range grouping.FindAllStringSubmatch(expression, -1) {
			for by := range strings.SplitSeq(group[1], ",") {
				if !labels[strings.TrimSpace(by)] {
					t.Errorf("%s: the metric %s has no label %s", where, m[1], by)
				}
			}
		}
	}
}

// Alert rules, the dashboard and the operator's page name metrics that a server has, with labels
// that they have.
func TestMonitoringNamesMetricsThatExist(t *testing.T) {
	metrics := metricsOfAServer(t)
	packaging := filepath.Join("..", "..", "packaging")

	text, err := os.ReadFile(filepath.Join(packaging, "prometheus", "recollect.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	alerts := 0
	shown := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			alerts++
			checkExpression(t, rule.Alert, rule.Expr, metrics)
			if rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s has no summary or severity", rule.Alert)
			}
			for _, l := range shown.FindAllStringSubmatch(rule.Annotations["summary"], -1) {
				grouped := grouping.FindStringSubmatch(rule.Expr)
				if grouped != nil && !strings.Contains(grouped[1], l[1]) {
					t.Errorf("%s shows the label %s, which its expression drops", rule.Alert, l[1])
				}
			}
		}
	}
	if alerts < 10 {
		t.Errorf("there are %d alerts", alerts)
	}

	text, err = os.ReadFile(filepath.Join(packaging, "grafana", "recollect.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	panels := 0
	for _, panel := range dashboard.Panels {
		if panel.Type == "row" {
			continue
		}
		panels++
		if len(panel.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			checkExpression(t, panel.Title, target.Expr, metrics)
		}
	}
	if panels < 10 {
		t.Errorf("there are %d panels", panels)
	}

	text, err = os.ReadFile(filepath.Join("..", "..", "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(recollect_[a-z_]+)`")
	documented := names.FindAllStringSubmatch(string(text), -1)
	for _, m := range documented {
		if metrics[m[1]] == nil && metrics[m[1]+"_bucket"] == nil {
			t.Errorf("docs/operating.md: there is no metric %s", m[1])
		}
	}
	if len(documented) < 10 {
		t.Errorf("docs/operating.md names %d metrics", len(documented))
	}
}
