package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// withTwins starts a server with one picture of five people twice in the collection people, under
// two names, and a picture of four others.
func withTwins(t *testing.T, settings ...func(*serveConfig)) {
	t.Helper()
	dir := t.TempDir()
	for name, picture := range map[string]string{"a.jpg": "cf_014_5.jpg", "b.jpg": "cf_014_5.jpg",
		"four.jpg": "cf_012_4.jpg"} {
		copyFile(t, filepath.Join(group, picture), filepath.Join(dir, "people", name))
	}
	startServer(t, filepath.Join(dir, "data"), settings...)
	run(t, 0, "import", filepath.Join(dir, "people"), "--collection", "people", "--create",
		"--quality-filter", "NONE", "--report", filepath.Join(dir, "report.csv"))
}

// TestDuplicates: the faces of a picture that is there twice are pairs, in a table, as CSV and as
// JSON; a token goes on from where it was said.
func TestDuplicates(t *testing.T) {
	withTwins(t)
	all := []string{"duplicates", "people", "--output", "csv"}
	rows := csvRows(t, first(run(t, 0, all...)))
	if len(rows) != 5 {
		t.Fatalf("%d pairs, want 5: %v", len(rows), rows)
	}
	for _, row := range rows {
		ids := []string{row["ExternalImageId"], row["OtherExternalImageId"]}
		if slices.Sort(ids); !slices.Equal(ids, []string{"a.jpg", "b.jpg"}) ||
			row["Similarity"] != "100" || row["FaceId"] == row["OtherFaceId"] {
			t.Errorf("%v", row)
		}
	}
	table, log := run(t, 0, "duplicates", "people", "--threshold", "99.5")
	if strings.Count(table, "a.jpg") != 5 || strings.Count(table, "100.00") != 5 ||
		strings.Contains(table, "USER") {
		t.Errorf("%s%s", table, log)
	}
	token := regexp.MustCompile(`--after (\S+)`).FindStringSubmatch(log)
	if token == nil {
		t.Fatalf("no token: %s", log)
	}
	if out, log := run(t, statusNo, "duplicates", "people", "--threshold", "99.5", "--after",
		token[1]); out != "" || !strings.Contains(log, "no pair") {
		t.Errorf("nothing was added: %s%s", out, log)
	}
	if _, log := run(t, statusFailed, "duplicates", "people", "--after",
		token[1]); !strings.Contains(log, "InvalidPaginationTokenException") {
		t.Errorf("the token of another threshold: %s", log)
	}

	// Two pairs, and then the rest.
	some, log := run(t, 0, append(all, "--max", "2")...)
	token = regexp.MustCompile(`there may be more: --after (\S+)`).FindStringSubmatch(log)
	if token == nil {
		t.Fatalf("no token: %s", log)
	}
	rest := csvRows(t, first(run(t, 0, append(all, "--after", token[1])...)))
	both := append(csvRows(t, some), rest...)
	if len(rest) != 3 || !slices.Equal(columnOf(both, "FaceId"), columnOf(rows, "FaceId")) {
		t.Errorf("%d and %d pairs: %v", len(both)-len(rest), len(rest), both)
	}
	objects := jsonLines(t, first(run(t, 0, "duplicates", "people", "--output", "json")))
	if len(objects) != 5 || objects[0]["Face"].(map[string]any)["FaceId"] != rows[0]["FaceId"] {
		t.Errorf("as JSON: %v", objects)
	}

	// Pairs that are known already are left out.
	run(t, 0, "users", "create", "people", "anna", "ann")
	run(t, 0, "users", "associate", "people", "anna", rows[0]["FaceId"], rows[0]["OtherFaceId"])
	if got := csvRows(t, first(run(t, 0, append(all, "--other-users")...))); len(got) != 4 {
		t.Errorf("without those of one user: %v", got)
	}
	if got := csvRows(t, first(run(t, 0, append(all, "--other-images")...))); len(got) != 0 &&
		len(got) != 5 {
		t.Errorf("without those of one picture: %v", got)
	}
	if got := csvRows(t, first(run(t, 0, append(all, "--other-external-ids")...))); len(got) != 5 {
		t.Errorf("without those of one external id: %v", got)
	}
	run(t, statusNo, "duplicates", "people", "--users")
	run(t, 0, "users", "associate", "people", "ann", rows[1]["FaceId"])
	run(t, 0, "users", "create", "people", "twin")
	run(t, 0, "users", "associate", "people", "twin", rows[1]["OtherFaceId"])
	users := csvRows(t, first(run(t, 0, append(all, "--users")...)))
	if len(users) != 1 || users[0]["UserId"] != "ann" || users[0]["OtherUserId"] != "twin" {
		t.Errorf("users: %v", users)
	}

	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{statusUsage, "--threshold", []string{"people", "--threshold", "101"}},
		{statusUsage, "--max", []string{"people", "--max", "-1"}},
		{statusUsage, "other-users", []string{"people", "--users", "--other-users"}},
		{statusFailed, "ResourceNotFoundException", []string{"absent"}},
		{statusFailed, "InvalidPaginationTokenException", []string{"people", "--after", "x"}},
	} {
		_, log := run(t, c.status, append([]string{"duplicates"}, c.args...)...)
		if !strings.Contains(log, c.want) {
			t.Errorf("%v: %s, want %s", c.args, log, c.want)
		}
	}
}

// TestGroup: the two faces of each person are a group, and become a user.
func TestGroup(t *testing.T) {
	withTwins(t)
	all := []string{"group", "people", "--output", "csv"}
	rows := csvRows(t, first(run(t, 0, all...)))
	if len(rows) != 10 {
		t.Fatalf("%d faces are in groups, want 10: %v", len(rows), rows)
	}
	for i, row := range rows {
		if want := i/2 + 1; row["FaceCount"] != "2" || row["UserId"] != "" ||
			row["GroupNumber"] != string(rune('0'+want)) {
			t.Errorf("%v, want of group %d", row, want)
		}
	}
	if again := csvRows(t, first(run(t, 0, all...))); !slices.EqualFunc(again, rows,
		func(a, b map[string]string) bool { return a["FaceId"] == b["FaceId"] }) {
		t.Errorf("again: %v", again)
	}
	table, log := run(t, 0, "group", "people", "--max-groups", "1")
	if strings.Count(table, "\n") != 3 ||
		!strings.Contains(log, "10 of 14 faces without a user are in 5 groups; "+
			"1 groups are shown") {
		t.Errorf("%s%s", table, log)
	}
	if _, log := run(t, statusNo, "group", "people", "--min-faces", "3"); !strings.Contains(log,
		"no group") {
		t.Error(log)
	}

	// The name of the first group's user is taken.
	taken := "visitor-" + rows[0]["FaceId"][:8]
	run(t, 0, "users", "create", "people", taken)
	made := jsonLines(t, first(run(t, 0, "group", "people", "--create-users", "--prefix",
		"visitor-", "--output", "json")))
	if len(made) != 5 || made[0]["UserId"] != "visitor-"+rows[0]["FaceId"] ||
		made[1]["UserId"] != "visitor-"+rows[2]["FaceId"][:8] {
		t.Errorf("%v", made)
	}
	of := csvRows(t, first(run(t, 0, "faces", "list", "people", "--user",
		made[1]["UserId"].(string), "--output", "csv")))
	got, want := columnOf(of, "FaceId"), columnOf(rows[2:4], "FaceId")
	if !slices.Equal(got, want) {
		t.Errorf("the user has %v, want %v", got, want)
	}
	run(t, statusNo, "group", "people")
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{statusUsage, "--threshold", []string{"people", "--threshold", "-1"}},
		{statusUsage, "--min-faces", []string{"people", "--min-faces", "1"}},
		{statusUsage, "--max-groups", []string{"people", "--max-groups", "0"}},
		{statusUsage, "--prefix", []string{"people", "--prefix", "a b"}},
		{statusFailed, "ResourceNotFoundException", []string{"absent"}},
	} {
		_, log := run(t, c.status, append([]string{"group"}, c.args...)...)
		if !strings.Contains(log, c.want) {
			t.Errorf("%v: %s, want %s", c.args, log, c.want)
		}
	}
}

// TestDuplicatesOnPostgres: pairs and groups are the same on a server that shares a database, with
// what is added and deleted meanwhile.
func TestDuplicatesOnPostgres(t *testing.T) {
	url := postgrestest.Start(t).NewDatabase(t)
	withTwins(t, func(cfg *serveConfig) { cfg.Store = url })
	all := []string{"duplicates", "people", "--output", "csv"}
	out, log := run(t, 0, all...)
	rows := csvRows(t, out)
	if len(rows) != 5 {
		t.Fatalf("%d pairs, want 5: %v", len(rows), rows)
	}
	token := regexp.MustCompile(`--after (\S+)`).FindStringSubmatch(log)
	if token == nil {
		t.Fatalf("no token: %s", log)
	}
	again := filepath.Join(t.TempDir(), "again")
	copyFile(t, filepath.Join(group, "cf_014_5.jpg"), filepath.Join(again, "c.jpg"))
	run(t, 0, "import", again, "--collection", "people", "--quality-filter", "NONE", "--report",
		filepath.Join(t.TempDir(), "report.csv"))
	// Each of the five new faces is the same as two that were there.
	added := csvRows(t, first(run(t, 0, append(all, "--after", token[1])...)))
	if ids := columnOf(added, "OtherExternalImageId"); len(ids) != 10 || ids[0] != "c.jpg" ||
		ids[9] != "c.jpg" {
		t.Errorf("of what was added: %v", added)
	}
	groups := csvRows(t, first(run(t, 0, "group", "people", "--output", "csv")))
	if sizes := columnOf(groups, "FaceCount"); len(sizes) != 15 || sizes[0] != "3" ||
		sizes[14] != "3" {
		t.Errorf("groups: %v", groups)
	}
	run(t, 0, "faces", "delete", "people", "--external-image-id", "a.jpg")
	left := csvRows(t, first(run(t, 0, all...)))
	if ids := columnOf(left, "ExternalImageId"); len(ids) != 5 || ids[0] != "b.jpg" {
		t.Errorf("without what was deleted: %v", left)
	}
}
