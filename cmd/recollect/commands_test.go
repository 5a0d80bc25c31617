package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// program runs a command of the program and returns its standard output, its error output, and its
// exit status.
func program(t *testing.T, args ...string) (out, log string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(""))
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	err := cmd.ExecuteContext(t.Context())
	if err != nil {
		stderr.WriteString(err.Error())
	}
	return stdout.String(), stderr.String(), exitStatus(err)
}

// objects reads JSON with an object a line.
func jsonLines(t *testing.T, text string) (objects []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		objects = append(objects, o)
	}
	return objects
}

// TestCommands runs every command that is a client of a server.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	person := func(name, number string) string {
		return filepath.Join(lfw, "images", name, name+"_"+number+".jpg")
	}
	anna, again, other := person("Aaron_Peirsol", "0001"), person("Aaron_Peirsol", "0002"),
		person("AJ_Cook", "0001")
	for _, picture := range []string{anna, again, other} {
		if _, err := os.Stat(picture); err != nil {
			t.Skipf("the shared pictures are not here: %v", err)
		}
	}
	nobody, broken := "../../../shared/data/group/cf_017_0.jpg",
		"../../../shared/data/bad/truncated.jpg"
	folder := filepath.Join(dir, "people")
	copyFile(t, anna, filepath.Join(folder, "anna", "1.jpg"))
	copyFile(t, other, filepath.Join(folder, "bert", "1.jpg"))
	large := filepath.Join(dir, "large.jpg")
	writeFile(t, large, nil)
	if err := os.Truncate(large, 1<<30); err != nil {
		t.Fatal(err)
	}
	startServer(t, filepath.Join(dir, "data"))
	is := func(status int, want string, args ...string) string {
		t.Helper()
		out, log, got := program(t, args...)
		if got != status || !regexp.MustCompile(want).MatchString(out+log) {
			t.Errorf("recollect %s: status %d, want %d, and %s of:\n%s%s", strings.Join(args, " "),
				got, status, want, out, log)
		}
		return out
	}

	is(0, `^$`, "collections", "list")
	is(0, `^$`, "collections", "create", "people", "visitors", "--tag", "owner=reception")
	is(statusFailed, `people: ResourceAlreadyExistsException`, "collections", "create", "people")
	is(0, `(?m)^people +\S+\nvisitors`, "collections", "list")
	if list := jsonLines(t, is(0, ``, "collections", "list", "--output", "json")); len(list) != 2 ||
		list[0]["CollectionId"] != "people" {
		t.Errorf("the list is %v", list)
	}
	is(0, `2 of 2 pictures`, "import", folder, "--collection", "people", "--report",
		filepath.Join(dir, "report.csv"))
	is(0, `people +2 +0 `, "collections", "describe", "people")
	if d := jsonLines(t,
		is(0, ``, "collections", "describe", "people", "visitors", "--output",
			"json")); len(d) != 2 || d[0]["FaceCount"] != 2.0 || d[1]["FaceCount"] != 0.0 {
		t.Errorf("the collections are %v", d)
	}
	is(statusFailed, `absent: ResourceNotFoundException`, "collections", "describe", "absent")

	faces := map[string]string{}
	for _, f := range jsonLines(t, is(0, ``, "faces", "list", "people", "--output", "json")) {
		faces[f["ExternalImageId"].(string)] = f["FaceId"].(string)
	}
	is(0, `FACE +EXTERNAL ID.*\n(.*\n)*`+faces["anna:1.jpg"]+` +anna:1.jpg`, "faces", "list",
		"people")

	is(0, `(?s)PICTURE.*SIMILARITY.*9\d\.\d\d .*anna:1.jpg +`+faces["anna:1.jpg"], "search", again,
		"--collection", "people")
	is(statusNo, `no match`, "search", again, "--collection", "people", "--threshold", "100")
	is(statusNo, `no match`, "search", again, "--collection", "visitors")
	is(statusNo, `there is no face`, "search", nobody, "--collection", "people")
	is(statusFailed, `absent: |absent"|ResourceNotFoundException`, "search", again, "--collection",
		"absent")
	is(statusFailed, `no such file`, "search", filepath.Join(dir, "none.jpg"), "--collection",
		"people")
	is(statusFailed, `more than 5 MiB`, "search", large, "--collection", "people")
	is(statusFailed,
		`(?s)truncated.jpg: InvalidImageFormatException.*anna:1.jpg.*1 of 2 pictures failed|`+
			`anna:1.jpg(?s).*truncated.jpg: InvalidImageFormatException.*1 of 2 pictures failed`,
		"search", broken, again, "--collection", "people")
	found := jsonLines(t,
		is(0, ``, "search", again, nobody, "--collection", "people", "--output", "json"))
	if len(found) != 2 || found[0]["Picture"] != again ||
		len(found[0]["FaceMatches"].([]any)) != 1 || found[1]["FaceMatches"] != nil ||
		found[0]["ResultMetadata"] != nil {
		t.Errorf("found %v", found)
	}
	is(statusUsage, `required flag.*collection`, "search", again)
	is(statusUsage, `--threshold(?s).*--max`, "search", again, "--collection", "people",
		"--threshold", "101", "--max", "-1")
	is(statusFailed, `InvalidS3ObjectException`, "search", "s3://bucket/key.jpg", "--collection",
		"people")
	is(statusUsage, `s3://BUCKET/KEY`, "search", "s3://bucket", "--collection", "people")

	is(0, `SIMILARITY(?s).*9\d\.`, "compare", anna, again)
	is(statusNo, `no match among 1 faces`, "compare", anna, other)
	is(statusNo, `cf_017_0.jpg: there is no face`, "compare", nobody, anna)
	is(statusNo, `cf_017_0.jpg: there is no face`, "compare", anna, nobody)
	is(statusFailed, `InvalidImageFormatException`, "compare", anna, broken)
	is(statusUsage, `accepts 2 arg`, "compare", anna)
	is(0, `PICTURE.*CONFIDENCE(?s).*%`, "detect", anna)
	is(statusNo, `no face`, "detect", nobody)
	if d := jsonLines(t,
		is(0, ``, "detect", anna, "--attributes", "ALL", "--output",
			"json")); d[0]["FaceDetails"].([]any)[0].(map[string]any)["AgeRange"] == nil {
		t.Errorf("no age range in %v", d)
	}

	is(0, `^$`, "users", "create", "people", "anna", "bert")
	is(statusFailed, `anna: ConflictException`, "users", "create", "people", "anna")
	is(0, `(?s)anna +CREATED`, "users", "list", "people")
	is(0, `yes`, "users", "associate", "people", "anna", faces["anna:1.jpg"])
	is(statusNo, `ASSOCIATED_TO_A_DIFFERENT_USER(?s).*1 faces were not`, "users", "associate",
		"people", "bert", faces["anna:1.jpg"])
	is(0, `anna`, "search", again, "--collection", "people", "--users")
	is(0, `anna`, "users", "search", "people", "--face", faces["anna:1.jpg"])
	is(statusNo, `no match`, "users", "search", "people", "--user", "anna")
	is(statusUsage, `at least one of the flags`, "users", "search", "people")
	is(0, faces["anna:1.jpg"], "faces", "list", "people", "--user", "anna")
	is(statusNo, `ASSOCIATED_TO_AN_EXISTING_USER|no`, "faces", "delete", "people",
		faces["anna:1.jpg"])
	is(0, `yes`, "users", "disassociate", "people", "anna", faces["anna:1.jpg"])
	is(0, `yes`, "faces", "delete", "people", faces["anna:1.jpg"])
	is(statusNo, `no match`, "search", again, "--collection", "people")
	is(0, `^$`, "users", "delete", "people", "anna")

	// The completions of a shell.
	is(0, `(?s)people\n.*visitors\n:4`, "__complete", "search", "--collection", "")
	is(0, `people\n`, "__complete", "faces", "list", "")
	is(0, `table\njson\n`, "__complete", "detect", "--output", "")
	is(0, `detect\t`, "__complete", "det")

	is(statusUsage, `--yes`, "collections", "delete", "people")
	is(0, `^$`, "collections", "delete", "people", "--yes")
	is(statusFailed, `ResourceNotFoundException`, "collections", "delete", "people", "--yes")
	is(statusUsage, `unknown command`, "colections")
	is(statusFailed, `does not answer`, "collections", "list", "--endpoint", "http://127.0.0.1:1")
	is(statusFailed, `is no URL`, "collections", "list", "--endpoint", "here")
}

// TestEveryCommandHasHelp checks the help of each command: its purpose, its use, and an example.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(path []string)
	walk = func(path []string) {
		cmd, _, err := command().Find(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cmd.Commands() {
			walk(append(path[:len(path):len(path)], c.Name()))
		}
		if !cmd.HasSubCommands() && cmd.Example == "" && path[0] != "keys" {
			t.Errorf("recollect %s has no example", strings.Join(path, " "))
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.Contains(line, "recollect ") {
				t.Errorf("recollect %s: %q is no example", strings.Join(path, " "), line)
			}
		}
		out, _, status := program(t, append(path, "--help")...)
		if status != 0 || !strings.Contains(out, "Usage:\n  recollect") {
			t.Errorf("recollect %s --help: status %d\n%s", strings.Join(path, " "), status, out)
		}
	}
	for _, c := range command().Commands() {
		walk([]string{c.Name()})
	}
}

// TestCompletionScripts runs each shell on its script.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			script, log, status := program(t, "completion", shell)
			if status != 0 || !strings.Contains(script, "recollect") {
				t.Fatalf("status %d: %s", status, log)
			}
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not here to read its script", shell)
			}
			cmd := exec.Command(program, "-n")
			cmd.Stdin = strings.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestTable(t *testing.T) {
	shown := table{head: []string{"NAME", "SIMILARITY"}}
	shown.add("a\x1b[2Jb\n", float32(99.456))
	shown.add("longer name", 5)
	var b bytes.Buffer
	if err := shown.write(&b); err != nil ||
		b.String() != "NAME         SIMILARITY\na?[2Jb?      99.46\nlonger name  5\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	t.Setenv("NO_COLOR", "1")
	if coloured(os.Stdout) {
		t.Error("NO_COLOR is not honoured")
	}
}
