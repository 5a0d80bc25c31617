package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// columnOf returns a column of rows, sorted.
func columnOf(rows []map[string]string, name string) []string {
	var all []string
	for _, row := range rows {
		all = append(all, row[name])
	}
	slices.Sort(all)
	return all
}

// TestFacesByCallersIDs finds and deletes the faces of pictures by what the caller calls them.
func TestFacesByCallersIDs(t *testing.T) {
	dir := t.TempDir()
	for name, picture := range map[string]string{"five.jpg": "cf_014_5.jpg",
		"four.jpg": "cf_012_4.jpg"} {
		copyFile(t, filepath.Join(group, picture), filepath.Join(dir, "people", name))
	}
	startServer(t, filepath.Join(dir, "data"))
	run(t, 0, "import", filepath.Join(dir, "people"), "--collection", "people", "--create",
		"--quality-filter", "NONE", "--report", filepath.Join(dir, "report.csv"))
	list := func(args ...string) []map[string]string {
		t.Helper()
		return csvRows(t, first(run(t, 0, append([]string{"faces", "list", "people", "--output",
			"csv"}, args...)...)))
	}
	all := list()
	if len(all) != 9 {
		t.Fatalf("%d faces were indexed", len(all))
	}
	four := list("--external-image-id", "four.jpg", "--external-image-id", "none.jpg")
	if got := columnOf(four, "ExternalImageId"); len(got) != 4 || got[0] != "four.jpg" ||
		got[3] != "four.jpg" {
		t.Errorf("by external id: %v", four)
	}
	image := four[0]["ImageId"]
	if got := columnOf(list("--image-id", image), "FaceId"); !slices.Equal(got,
		columnOf(four, "FaceId")) {
		t.Errorf("by picture: %v", got)
	}
	if table, _ := run(t, 0, "faces", "list", "people", "--image-id",
		image); strings.Contains(table, image) || strings.Count(table, "four.jpg") != 4 {
		t.Errorf("the table is\n%s", table)
	}
	if got := jsonLines(t, first(run(t, 0, "faces", "list", "people", "--external-image-id",
		"four.jpg", "--output", "json"))); len(got) != 4 || got[0]["ImageId"] != image {
		t.Errorf("as JSON: %v", got)
	}

	ids := filepath.Join(dir, "ids.txt")
	reconcile := func(status int, args ...string) ([]map[string]string, string) {
		t.Helper()
		out, log := run(t, status, append([]string{"faces", "reconcile", "people", ids, "--output",
			"csv"}, args...)...)
		return csvRows(t, out), log
	}
	writeFile(t, ids, []byte("five.jpg\r\n\n four.jpg\nfour.jpg\n"))
	if rows, _ := reconcile(0); len(rows) != 0 {
		t.Errorf("no difference: %v", rows)
	}
	writeFile(t, ids, []byte("six.jpg\nfour.jpg"))
	rows, log := reconcile(statusNo)
	if states := columnOf(rows, "State"); len(states) != 6 || states[0] != "missing" ||
		states[1] != "unlisted" || columnOf(rows, "Id")[5] != "six.jpg" ||
		!strings.Contains(log, "1 ids are missing, 5 faces are unlisted, 0 of them were deleted") {
		t.Errorf("%s: %v", log, rows)
	}
	writeFile(t, ids, []byte(strings.Join(columnOf(all, "FaceId"), "\n")))
	if rows, _ := reconcile(0, "--by", "face-id"); len(rows) != 0 {
		t.Errorf("by face id: %v", rows)
	}
	writeFile(t, ids, []byte(image))
	if rows, _ := reconcile(statusNo, "--by", "image-id"); len(rows) != 5 {
		t.Errorf("by image id: %v", rows)
	}

	// A face of a user is kept.
	five := list("--external-image-id", "five.jpg")
	run(t, 0, "users", "create", "people", "anna")
	run(t, 0, "users", "associate", "people", "anna", five[0]["FaceId"])
	writeFile(t, ids, []byte("four.jpg"))
	if _, log := reconcile(statusNo, "--delete-unlisted"); !strings.Contains(log,
		"5 faces are unlisted, 4 of them were deleted") {
		t.Error(log)
	}
	if left := columnOf(list(), "ExternalImageId"); len(left) != 5 || left[0] != "five.jpg" {
		t.Errorf("left are %v", left)
	}
	if out, log := run(t, statusNo, "faces", "delete", "people", "--external-image-id",
		"five.jpg"); !strings.Contains(out, "ASSOCIATED_TO_AN_EXISTING_USER") ||
		!strings.Contains(log, "1 faces were not deleted") {
		t.Errorf("%s%s", out, log)
	}
	run(t, 0, "users", "delete", "people", "anna")
	if _, log := reconcile(0, "--delete-unlisted"); log != "" {
		t.Error(log)
	}
	if out, _ := run(t, 0, "faces", "delete", "people", "--image-id", image); strings.Count(out,
		"yes") != 4 {
		t.Errorf("deleted by picture:\n%s", out)
	}
	if _, log := run(t, statusNo, "faces", "delete", "people", "--image-id",
		image); !strings.Contains(log, "there are no such faces") {
		t.Error(log)
	}

	writeFile(t, ids, []byte("\n \n"))
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{statusFailed, "the list has no ids", []string{"reconcile", "people", ids}},
		{statusUsage, "--by", []string{"reconcile", "people", ids, "--by", "name"}},
		{statusFailed, "no such file", []string{"reconcile", "people", ids + "x"}},
		{statusUsage, "named by their ids", []string{"delete", "people"}},
		{statusUsage, "named by their ids",
			[]string{"delete", "people", image, "--image-id", image}},
		{statusUsage, "image-id",
			[]string{"list", "people", "--image-id", image, "--user", "anna"}},
		{statusFailed, "ValidationException",
			[]string{"list", "people", "--external-image-id", "a b"}},
		{statusFailed, "ResourceNotFoundException",
			[]string{"list", "absent", "--image-id", image}},
	} {
		_, log := run(t, c.status, append([]string{"faces"}, c.args...)...)
		if !strings.Contains(log, c.want) {
			t.Errorf("%v: %s, want %s", c.args, log, c.want)
		}
	}
}
