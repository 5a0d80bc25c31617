package main

import (
	"strings"
	"testing"
)

func TestConfigReportsEveryFault(t *testing.T) {
	good := serveConfig{Listen: "127.0.0.1:7180", Data: "data", Device: "cpu",
		Regions: []string{"us-gov-east-1"}, Account: "123456789012",
		TrustedProxies: []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"}}
	if err := good.Validate(); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
	err := serveConfig{Listen: "7180", Regions: []string{"here"}, Account: "1", MaxRequests: -1,
		Metrics: "7181", Device: "tpu", TrustedProxies: []string{"10.0.0.0/33", "proxy",
			"fe80::1%eth0", "::ffff:10.0.0.1"}}.Validate()
	for _, want := range []string{`--listen "7180"`, "--data", `--region "here"`, `--account "1"`,
		"--max-requests", `--metrics "7181"`, `--device "tpu"`,
		`--trusted-proxies: "10.0.0.0/33"`, `"proxy"`, `"fe80::1%eth0"`, `"::ffff:10.0.0.1"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}

func TestGreetingSaysWhatToPaste(t *testing.T) {
	cfg := serveConfig{Regions: []string{"eu-west-1"}, Account: "123456789012"}
	var file, env strings.Builder
	greet(&file, cfg, "http://127.0.0.1:7180", "/srv/data/credentials")
	greet(&env, cfg, "http://127.0.0.1:7180", "")
	for _, want := range []string{
		"http://127.0.0.1:7180",
		`AWS_SHARED_CREDENTIALS_FILE="/srv/data/credentials" aws rekognition ` +
			`list-collections --endpoint-url http://127.0.0.1:7180 --region eu-west-1 --profile default`,
		`client = boto3.Session(profile_name="default").client("rekognition", ` +
			`endpoint_url="http://127.0.0.1:7180", region_name="eu-west-1")`,
		`os.environ["AWS_SHARED_CREDENTIALS_FILE"] = "/srv/data/credentials"`,
		"client.list_collections()",
	} {
		if !strings.Contains(file.String(), want) {
			t.Errorf("the greeting lacks %s:\n%s", want, file.String())
		}
	}
	if strings.Contains(env.String(), "CREDENTIALS_FILE") ||
		!strings.Contains(env.String(), "    import boto3\n    client = boto3.client(") {
		t.Errorf("with a key from the environment:\n%s", env.String())
	}
}
