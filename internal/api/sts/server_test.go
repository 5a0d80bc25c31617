package sts_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/recollect-dev/recollect/internal/iam"
)

func TestGetCallerIdentity(t *testing.T) {
	d := open(t)
	d.role(t, "camera", trustingAccount())
	assumed, err := d.client(d.anna).AssumeRole(t.Context(), &sdk.AssumeRoleInput{
		RoleArn: aws.String(cameraARN), RoleSessionName: aws.String("lobby")})
	if err != nil {
		t.Fatal(err)
	}
	own, err := d.client(d.anna).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	anna := "arn:aws:iam::" + account + ":user/anna"
	for name, c := range map[string]struct {
		client *sdk.Client
		arn    string
	}{
		"root":                {d.client(d.root), "arn:aws:iam::" + account + ":root"},
		"user":                {d.client(d.anna), anna},
		"session of the user": {d.session(own.Credentials), anna},
		"session of a role": {d.session(assumed.Credentials),
			"arn:aws:sts::" + account + ":assumed-role/camera/lobby"},
	} {
		who, err := c.client.GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Arn != c.arn || *who.Account != account || *who.UserId == "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	for _, secret := range []string{*own.Credentials.SecretAccessKey,
		*own.Credentials.SessionToken, *assumed.Credentials.SecretAccessKey,
		*assumed.Credentials.SessionToken, d.anna.Secret} {
		if strings.Contains(d.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func TestGetSessionToken(t *testing.T) {
	d := open(t)
	for name, c := range map[string]struct {
		key     iam.AccessKey
		seconds *int32
		want    time.Duration
	}{
		"default":         {d.anna, nil, 12 * time.Hour},
		"short":           {d.anna, aws.Int32(900), 15 * time.Minute},
		"long":            {d.anna, aws.Int32(129600), 36 * time.Hour},
		"root by default": {d.root, nil, time.Hour},
		"root, long":      {d.root, aws.Int32(43200), time.Hour},
		"root, short":     {d.root, aws.Int32(900), 15 * time.Minute},
	} {
		before := time.Now().Add(-time.Second)
		got, err := d.client(c.key).GetSessionToken(t.Context(),
			&sdk.GetSessionTokenInput{DurationSeconds: c.seconds})
		if err != nil {
			t.Fatal(name, err)
		}
		if p := d.opened(t, got.Credentials); p.ARN != c.key.Principal.ARN ||
			p.UserID != c.key.Principal.UserID {
			t.Errorf("%s: %+v", name, p)
		}
		if end := *got.Credentials.Expiration; end.Before(before.Add(c.want)) ||
			end.After(time.Now().Add(c.want)) {
			t.Errorf("%s: expires at %v, want %v from now", name, end, c.want)
		}
	}
	for seconds, want := range map[int32]string{
		899: "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have " +
			"value greater than or equal to 900",
		129601: "Member must have value less than or equal to 129600",
	} {
		_, err := d.client(d.anna).GetSessionToken(t.Context(),
			&sdk.GetSessionTokenInput{DurationSeconds: &seconds})
		wantError(t, fmt.Sprint(seconds, " seconds"), err, "ValidationError", want)
	}
	_, err := d.client(d.anna).GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{
		SerialNumber: aws.String("arn:aws:iam::123456789012:mfa/anna"),
		TokenCode:    aws.String("123456")})
	wantError(t, "with a device", err, "AccessDenied", "MultiFactorAuthentication")
	own, err := d.client(d.anna).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.session(own.Credentials).GetSessionToken(t.Context(), nil)
	wantError(t, "with a session", err, "AccessDenied",
		"Cannot call GetSessionToken with session credentials")
}

func TestSignaturesThatAreRefused(t *testing.T) {
	d := open(t)
	own, err := d.client(d.anna).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := iam.AccessKey{ID: *own.Credentials.AccessKeyId,
		Secret: *own.Credentials.SecretAccessKey}
	token := *own.Credentials.SessionToken
	for name, c := range map[string]struct {
		client        *sdk.Client
		code, message string
	}{
		"wrong secret": {d.client(iam.AccessKey{ID: d.anna.ID, Secret: "wrong"}),
			"SignatureDoesNotMatch", "The request signature we calculated does not match"},
		"unknown key": {d.client(iam.AccessKey{ID: "AKIANOBODY0000000000", Secret: "x"}),
			"InvalidClientTokenId", "The security token included in the request is invalid."},
		"no token":        {d.client(key), "InvalidClientTokenId", ""},
		"truncated token": {d.clientWith(key, token[:len(token)-1]), "InvalidClientTokenId", ""},
		"token of another key": {d.clientWith(iam.AccessKey{ID: d.anna.ID,
			Secret: d.anna.Secret}, token), "InvalidClientTokenId", ""},
		"unsigned": {d.anonymous(), "MissingAuthenticationToken",
			"Request is missing Authentication Token"},
	} {
		_, err := c.client.GetCallerIdentity(t.Context(), nil)
		wantError(t, name, err, c.code, c.message)
	}
	if !strings.Contains(d.log.String(), `"level":"WARN"`) {
		t.Error("a wrong signature is not logged as a warning")
	}
}

// post sends a form as no SDK would.
func (d *testServer) post(t testing.TB, contentType, body string) (status int, code string) {
	t.Helper()
	resp, err := http.Post(d.url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error   struct{ Type, Code string }
	}
	if err := xml.Unmarshal(text, &answer); err != nil || answer.Error.Type != "Sender" {
		t.Errorf("%.100q is answered with %s (%v)", body, text, err)
	}
	return resp.StatusCode, answer.Error.Code
}

func TestRequestsWrittenByHand(t *testing.T) {
	d := open(t)
	const encoded = "application/x-www-form-urlencoded"
	const web = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
	for _, c := range []struct {
		contentType, body string
		status            int
		code              string
	}{
		{encoded, "Action=GetCallerIdentity&Version=2011-06-15", 403, "MissingAuthenticationToken"},
		{encoded, "", 403, "MissingAuthenticationToken"},
		{encoded, "Action=Nothing", 403, "MissingAuthenticationToken"},
		{encoded, web, 400, "ValidationError"},
		{encoded, "Action=AssumeRoleWithWebIdentity", 400, "NoSuchVersion"},
		{encoded, web + "&Version=2011-06-15", 400, "MalformedQueryString"},
		{encoded, web + "&a=%zz", 400, "MalformedQueryString"},
		{encoded, web + "&a=%ff", 400, "MalformedQueryString"},
		{encoded, web + strings.Repeat("&", 600), 400, "MalformedQueryString"},
		{encoded, web + "&a=" + strings.Repeat("a", 64<<10), 413, "RequestEntityTooLarge"},
		{"application/json", `{}`, 400, "MalformedQueryString"},
		{encoded, web + "&RoleArn=" + url.QueryEscape(cameraARN) + "&RoleSessionName=lobby" +
			"&WebIdentityToken=a.b.c&Tags.member.x.Key=a", 400, "MalformedQueryString"},
	} {
		if status, code := d.post(t, c.contentType, c.body); status != c.status || code != c.code {
			t.Errorf("%.100q: %d %s, want %d %s", c.body, status, code, c.status, c.code)
		}
	}
	// A body whose length is not declared is bounded too.
	resp, err := http.Post(d.url, encoded, io.MultiReader(strings.NewReader(web),
		strings.NewReader(strings.Repeat("a", 65<<10))))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body of no declared length: %d", resp.StatusCode)
	}
}

// Who is not known may not send more than a rate.
func TestRateOfUnsignedRequests(t *testing.T) {
	d := open(t)
	throttled := 0
	for range 200 {
		if _, code := d.post(t, "application/x-www-form-urlencoded",
			"Action=AssumeRoleWithWebIdentity&Version=2011-06-15"); code == "Throttling" {
			throttled++
		}
	}
	if throttled < 20 {
		t.Errorf("%d of 200 requests were rejected", throttled)
	}
	if _, err := d.client(d.anna).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Errorf("a signed request from the same address: %v", err)
	}
	rejected := 0
	for _, outcome := range d.outcomes.all {
		if outcome.Rejected {
			rejected++
		}
	}
	if rejected != throttled {
		t.Errorf("the observer gets %d rejections of %d", rejected, throttled)
	}
	last := d.outcomes.all[len(d.outcomes.all)-1]
	if last.Operation != "GetCallerIdentity" || last.Status != 200 || last.Exception != "" {
		t.Errorf("the observer gets %+v", last)
	}
}
