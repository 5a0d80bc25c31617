package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/recollect-dev/recollect/internal/iam"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

// TestConfigurationDocument compares docs/configuration.md with the flags of the program.
func TestConfigurationDocument(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	want := configurationDocument()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/configuration.md is not as the program's flags are (%v); run: go generate "+
			"./cmd/recollect", err)
	}
}

func configurationDocument() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Configuration

This page is generated from the program's flags (%[1]sgo generate ./cmd/recollect%[1]s).
%[1]srecollect COMMAND --help%[1]s shows the same.

## The server

Each setting of %[1]srecollect serve%[1]s can be a flag, an environment variable or in a file.
The file is YAML, and %[1]s--config%[1]s or %[1]s%[2]s%[1]s names it.
The command line overrides the environment, and the environment overrides the file.
The server does not start if the file has an unknown name or any value is wrong.
It reports all faults at once.
%[1]srecollect doctor%[1]s takes the same settings, and %[1]srecollect keys%[1]s some.

`, "`", configEnv)
	b.WriteString("```yaml\n# recollect.yaml\n" +
		"listen: 127.0.0.1:7180\n" +
		"data: /var/lib/recollect\nregion: [us-east-1, eu-west-1]\nlog-json: true\n```\n\n")
	b.WriteString("| flag | environment | file | default | |\n|---|---|---|---|---|\n")
	serverFlags().VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(&b, "| `--%s` | `%s` | `%s` | %s | %s |\n", f.Name, settingEnv(f.Name), f.Name,
			defaultText(f), meaning(f))
	})
	fmt.Fprintf(&b, "\nSecrets are in no flag and in no file of settings:\n"+
		"\n| environment | |\n|---|---|\n"+
		"| `%s`, `%s` | the root key, instead of the one that the first start writes to "+
		"`credentials` in the data folder |\n"+
		"| `%s`, `%s` | the key for the S3 endpoint; neither: requests to it are not signed |\n"+
		"| `%s`, `%s` | the key for the SNS endpoint; neither: requests to it are not signed |\n"+
		"| `%s` | with `--store`: the master key, as the line of the file `master-key`, "+
		"instead of that file |\n"+
		"| `PGPASSWORD`, or `PGPASSFILE` | with `--store`: the password of the database, or the "+
		"file that has it |\n",
		iam.RootAccessKeyIDEnv, iam.RootSecretAccessKeyEnv, s3AccessKeyIDEnv, s3SecretAccessKeyEnv,
		snsAccessKeyIDEnv, snsSecretAccessKeyEnv, iam.MasterKeyEnv)
	b.WriteString(`
Go's own variables apply as well, such as ` + "`GOMEMLIMIT` and `GOMAXPROCS`" + `, and ` +
		"`HTTPS_PROXY` and `NO_PROXY`" + ` for the endpoints of S3 and SNS and for webhooks.

## Commands that are clients of a server

They get its address, and their key, as every AWS client does:

| environment | |
|---|---|
| ` + "`AWS_ENDPOINT_URL_REKOGNITION`, or `AWS_ENDPOINT_URL`" + ` | URL of the server; ` +
		defaultEndpoint + ` |
| ` + "`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`" + ` | the key |
| ` + "`AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`, `AWS_PROFILE`" +
		` | or the files that have it, and the profile |
| ` + "`AWS_REGION`" + ` | region to act in; us-east-1 |
| ` + "`NO_COLOR`" + ` | if it is set, there are no colours; there are none without a terminal |

These flags of all of them take precedence (` +
		"`backup`, `export` and `import-archive` have no `--output`" + `):

` + flagTable(commonFlags()) + `
| exit status | |
|---|---|
` + fmt.Sprintf("| 0 | it was done; search, compare: there is a match; detect: there is a face |\n"+
		"| %d | the command ran, and the answer is no: no match, no face, a failed check of "+
		"doctor, a picture that could not be imported |\n"+
		"| %d | the command line or the settings are wrong, and nothing was done |\n"+
		"| %d | the server, the network or this machine failed |\n| %d | interrupted |\n",
		statusNo, statusUsage, statusFailed, statusInterrupted))
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			walk(c)
		}
		if cmd.Runnable() && cmd.Name() != "serve" {
			describeCommand(&b, cmd)
		}
	}
	b.WriteString("\n## Command by command\n")
	walk(command())
	return b.String()
}

func describeCommand(b *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n### recollect %s\n\n%s. `%s`\n",
		strings.TrimPrefix(cmd.CommandPath(), "recollect "), cmd.Short, cmd.UseLine())
	cmd.InitDefaultHelpFlag()
	rows := 0
	known := serverFlags()
	for _, set := range []*pflag.FlagSet{cmd.LocalFlags(), cmd.InheritedFlags()} {
		set.VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || cmd.Name() == "doctor" && known.Lookup(f.Name) != nil ||
				isCommon(f) {
				return
			}
			if rows++; rows == 1 {
				b.WriteString("\n| flag | default | |\n|---|---|---|\n")
			}
			fmt.Fprintf(b, "| `--%s` | %s | %s |\n", f.Name, defaultText(f), meaning(f))
		})
	}
}

func flagTable(flags *pflag.FlagSet) string {
	var b strings.Builder
	b.WriteString("| flag | default | |\n|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", f.Name,
			defaultText(f), meaning(f))
	})
	return b.String()
}

// commonFlags are the flags of every command that is a client of a server.
func commonFlags() *pflag.FlagSet {
	cmd := new(cobra.Command)
	new(client).addFlags(cmd.Flags())
	addOutput(cmd, new(string))
	return cmd.Flags()
}

func isCommon(f *pflag.Flag) bool {
	common := commonFlags().Lookup(f.Name)
	return common != nil && common.Usage == f.Usage
}

func defaultText(f *pflag.Flag) string {
	text := strings.Trim(f.DefValue, "[]")
	switch {
	case f.Name == "library": // the folder of the test's own program
		return "`../lib/recollect` from the program's folder"
	case text == "" || text == "0" && strings.Contains(f.Usage, "(default: "):
		return ""
	}
	return "`" + text + "`"
}

func meaning(f *pflag.Flag) string {
	return strings.ReplaceAll(f.Usage, "|", "\\|")
}
