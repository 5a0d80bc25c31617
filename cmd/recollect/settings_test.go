package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/video"
)

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recollect.yaml")
	get := func(name string, args ...string) string {
		t.Helper()
		cmd := serveCommand(video.Sandbox{})
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		if err := cmd.PersistentPreRunE(cmd, nil); err != nil {
			t.Fatal(err)
		}
		return cmd.Flags().Lookup(name).Value.String()
	}
	writeFile(t, path, []byte(`# the server of the test
listen: 127.0.0.1:1
data: "/srv/a b"
account: 012345678901
region: [eu-west-1, eu-central-1]
log-json: true
max-requests: 7
limits: ~
`))
	for name, want := range map[string]string{
		"listen": "127.0.0.1:1", "data": "/srv/a b", "account": "012345678901",
		"region": "[eu-west-1,eu-central-1]", "log-json": "true", "max-requests": "7",
		"device": "cpu", "limits": "",
	} {
		if got := get(name, "--config", path); got != want {
			t.Errorf("%s of the file is %q, want %q", name, got, want)
		}
	}
	t.Setenv("RECOLLECT_LISTEN", "127.0.0.1:2")
	t.Setenv("RECOLLECT_REGION", "us-west-2,us-west-1")
	t.Setenv("RECOLLECT_MAX_PICTURE_REQUESTS", "9")
	t.Setenv("RECOLLECT_DATA", "") // as if it was not set
	t.Setenv("RECOLLECT_CONFIG", path)
	for name, want := range map[string]string{"listen": "127.0.0.1:2",
		"region": "[us-west-2,us-west-1]", "max-picture-requests": "9", "data": "/srv/a b"} {
		if got := get(name); got != want {
			t.Errorf("%s of the environment before the file is %q, want %q", name, got, want)
		}
	}
	if got := get("listen", "--listen", "127.0.0.1:3"); got != "127.0.0.1:3" {
		t.Errorf("the flag before the environment is %q", got)
	}
	os.Unsetenv("RECOLLECT_CONFIG")

	for name, c := range map[string]struct {
		file, env string // of listen, max-requests
		want      string
	}{
		"an unknown name": {file: "lisen: 127.0.0.1:1\nlisten: 127.0.0.1:1\nconfig: a\n",
			want: `(?s)no setting config.*no setting lisen$`},
		"a name twice": {file: "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n",
			want: `listen.* already defined`},
		"a map":            {file: "listen:\n  host: here\n", want: `a setting is`},
		"no YAML":          {file: "listen: [\n", want: `recollect.yaml`},
		"no map":           {file: "- listen\n", want: `recollect.yaml`},
		"a wrong number":   {file: "max-requests: many\n", want: `recollect.yaml: .*many`},
		"a wrong variable": {env: "many", want: `RECOLLECT_MAX_REQUESTS: .*many`},
	} {
		writeFile(t, path, []byte(c.file))
		t.Setenv("RECOLLECT_MAX_REQUESTS", c.env)
		_, log, status := program(t, "serve", "--config", path)
		if status != statusUsage || !regexp.MustCompile(c.want).MatchString(log) {
			t.Errorf("%s: status %d, %s", name, status, log)
		}
	}
	t.Setenv("RECOLLECT_MAX_REQUESTS", "")
	if _, log, status := program(t, "serve", "--config",
		filepath.Join(dir, "none.yaml")); status != statusUsage ||
		!strings.Contains(log, "none.yaml") {
		t.Errorf("a file that is not there: status %d, %s", status, log)
	}

	// keys reads the folder and the account from the server's settings, and ignores settings for
	// which it has no flag.
	writeFile(t, path, []byte("data: "+filepath.Join(dir, "absent")+"\nlog-json: true\n"))
	if _, log, status := program(t, "keys", "list", "--config", path); status != statusFailed ||
		!strings.Contains(log, "absent") {
		t.Errorf("keys: status %d, %s", status, log)
	}
}
