package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/client/bulk"
)

// people copies the folders of some people of LFW, by number, and returns the number of their
// pictures.
func people(t *testing.T, to string, first, n int) (pictures int) {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(lfw, "images", "*"))
	if err != nil || len(folders) < first+n {
		t.Skip("the pictures of ../shared/data/lfw are not here")
	}
	for _, folder := range folders[first : first+n] {
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			copyFile(t, filepath.Join(folder, file.Name()),
				filepath.Join(to, filepath.Base(folder), file.Name()))
			pictures++
		}
	}
	return pictures
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Skipf("the shared pictures are not here: %v", err)
	}
	writeFile(t, to, data)
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
		os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// readRows returns the last row of each picture in a report, and the number of rows with each
// status.
func readRows(t *testing.T, report string) (rows map[string]map[string]string,
	count map[string]int) {
	t.Helper()
	file, err := os.Open(report)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows, count = map[string]map[string]string{}, map[string]int{}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows[row["picture"]] = row
		count[row["status"]]++
	}
	return rows, count
}

func imported(t *testing.T, args ...string) (importSummary, error) {
	t.Helper()
	var out, log bytes.Buffer
	cmd := command()
	cmd.SetArgs(append([]string{"import", "--output", "json"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&log)
	err := cmd.ExecuteContext(t.Context())
	var summary importSummary
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &summary); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
	}
	return summary, err
}

func faceCount(t *testing.T, collection string) int {
	t.Helper()
	d, err := newClient(t).DescribeCollection(t.Context(),
		&rekognition.DescribeCollectionInput{CollectionId: &collection})
	if err != nil {
		t.Fatal(err)
	}
	return int(*d.FaceCount)
}

func TestImport(t *testing.T) {
	dir := t.TempDir()
	pictures, report := filepath.Join(dir, "pictures"), filepath.Join(dir, "report.csv")
	good := people(t, pictures, 0, 8)
	one := filepath.Join(lfw, "images", "AJ_Cook", "AJ_Cook_0001.jpg")
	copyFile(t, one, filepath.Join(pictures, "Zoë & co", "no 1.JPG"))
	copyFile(t, "../../../shared/data/group/cf_017_0.jpg", filepath.Join(pictures, "nobody.jpg"))
	copyFile(t, "../../../shared/data/bad/truncated.jpg", filepath.Join(pictures, "truncated.jpg"))
	writeFile(t, filepath.Join(pictures, "really.pdf.jpg"),
		[]byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"))
	writeFile(t, filepath.Join(pictures, "empty.png"), nil)
	writeFile(t, filepath.Join(pictures, "notes.txt"), []byte("notes"))
	writeFile(t, filepath.Join(pictures, ".hidden", "a.jpg"), []byte("hidden"))
	if err := os.WriteFile(filepath.Join(pictures, "film.jpg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// 2 GiB, as a sparse file
	if err := os.Truncate(filepath.Join(pictures, "film.jpg"), 2<<30); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(pictures, "outside.jpg")); err != nil {
		t.Fatal(err)
	}
	startServer(t, filepath.Join(dir, "data"))

	if _, err := imported(t, pictures, "--collection", "people", "--report",
		report); exitStatus(err) != statusFailed || !strings.Contains(err.Error(), "--create") {
		t.Errorf("a collection that is not there: status %d, %v", exitStatus(err), err)
	}
	if _, err := os.Stat(report); err == nil {
		t.Error("an import that did not begin left a report")
	}
	s, err := imported(t, pictures, "--collection", "people", "--create", "--report", report)
	if err != nil || s.Indexed != good+1 || s.Skipped != 7 || s.Failed != 0 ||
		s.Faces != faceCount(t, "people") {
		t.Fatalf("%+v, %v", s, err)
	}
	rows, count := readRows(t, report)
	if count[bulk.StatusIndexed] != good+1 || count[bulk.StatusSkipped] != 7 ||
		count[bulk.StatusRun] != 1 {
		t.Errorf("the report has %v", count)
	}
	for picture, want := range map[string]string{
		"nobody.jpg":     "no face",
		"truncated.jpg":  "InvalidImageFormatException",
		"really.pdf.jpg": "InvalidImageFormatException",
		"empty.png":      "empty",
		"notes.txt":      "not a .jpg",
		"film.jpg":       "2048.0 MiB, of which the server takes at most 5",
		"outside.jpg":    "escapes",
	} {
		if row := rows[picture]; row["status"] != bulk.StatusSkipped ||
			!strings.Contains(row["reason"], want) {
			t.Errorf("%s: %v, want %s", picture, row, want)
		}
	}
	if _, ok := rows[".hidden/a.jpg"]; ok {
		t.Error("a hidden folder was looked at")
	}
	row := rows["Zoë & co/no 1.JPG"]
	if row["external_image_id"] != "Zo____co:no_1.JPG" {
		t.Errorf("the external image id is %q", row["external_image_id"])
	}

	// The report agrees with the server.
	data, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	found, err := newClient(t).SearchFacesByImage(t.Context(),
		&rekognition.SearchFacesByImageInput{CollectionId: aws.String("people"),
			Image: &types.Image{Bytes: data}, FaceMatchThreshold: aws.Float32(99)})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, m := range found.FaceMatches {
		ids[*m.Face.ExternalImageId] = *m.Face.FaceId
	}
	for _, picture := range []string{"AJ_Cook/AJ_Cook_0001.jpg", "Zoë & co/no 1.JPG"} {
		if row := rows[picture]; row["face_ids"] == "" ||
			ids[row["external_image_id"]] != row["face_ids"] {
			t.Errorf("%s is %v, and the server has %v", picture, row, ids)
		}
	}

	// Again: nothing is sent. Then only new and changed pictures are sent.
	if s, err := imported(t, pictures, "--collection", "people", "--report", report); err != nil ||
		s.Before != s.Pictures || s.Indexed+s.Skipped+s.Failed != 0 {
		t.Errorf("again: %+v, %v", s, err)
	}
	copyFile(t, one, filepath.Join(pictures, "new.jpg"))
	copyFile(t, one, filepath.Join(pictures, "truncated.jpg"))
	if s, err := imported(t, pictures, "--collection", "people", "--report", report); err != nil ||
		s.Indexed != 2 || s.Skipped+s.Failed != 0 {
		t.Errorf("with a new and a repaired picture: %+v, %v", s, err)
	}

	// Without the report all pictures are sent again, and no face is indexed twice.
	before := faceCount(t, "people")
	if s, err := imported(t, pictures, "--collection", "people", "--report",
		filepath.Join(dir, "other.csv")); err != nil || s.Indexed != good+3 ||
		faceCount(t, "people") != before {
		t.Errorf("with another report: %+v, %v; %d faces, want %d", s, err, faceCount(t, "people"),
			before)
	}

	// The report's collection has been deleted.
	if _, err := newClient(t).DeleteCollection(t.Context(),
		&rekognition.DeleteCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	if _, err := imported(t, pictures, "--collection", "people", "--create", "--report",
		report); exitStatus(err) != statusFailed ||
		!strings.Contains(err.Error(), "another import") {
		t.Errorf("the report of a collection that was deleted: %v", err)
	}
}

// TestImportInterrupted interrupts an import, then stops the server during it, and resumes it each
// time: no face is missing or indexed twice.
func TestImportInterrupted(t *testing.T) {
	dir := t.TempDir()
	pictures, report, data := filepath.Join(dir, "pictures"), filepath.Join(dir, "report.csv"),
		filepath.Join(dir, "data")
	n := people(t, pictures, 20, 70)
	stop := startServer(t, data)
	c := importConfig{sourceConfig: sourceConfig{Source: pictures}, Collection: "people",
		Create: true, Parallel: 4, Output: outputTable, Report: report, patience: 2 * time.Second}
	interruptAfter := func(rows int) context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil {
				if text, err := os.ReadFile(report); err == nil &&
					bytes.Count(text, []byte("\n")) >= rows {
					cancel()
				}
				time.Sleep(time.Millisecond)
			}
		}()
		t.Cleanup(cancel)
		return ctx
	}
	err := runImport(interruptAfter(12), &c, io.Discard, io.Discard)
	if exitStatus(runError{err}) != statusInterrupted {
		t.Fatalf("the exit status is %d: %v", exitStatus(runError{err}), err)
	}
	reported := func() int {
		faces := map[string]bool{}
		rows, _ := readRows(t, report)
		for _, row := range rows {
			for _, id := range strings.Fields(row["face_ids"]) {
				faces[id] = true
			}
		}
		return len(faces)
	}
	_, count := readRows(t, report)
	if done := count[bulk.StatusIndexed]; done < 9 || done > n/2 {
		t.Errorf("%d of %d pictures were indexed until the interrupt ended it", done, n)
	}
	if has := faceCount(t, "people"); has != reported() {
		t.Errorf("the server has %d faces, the report %d: what was in flight was not waited for",
			has, reported())
	}

	ctx := interruptAfter(30)
	ended := make(chan error, 1)
	go func() { ended <- runImport(t.Context(), &c, io.Discard, io.Discard) }()
	<-ctx.Done()
	stop()
	if err := <-ended; exitStatus(runError{err}) != statusFailed ||
		!strings.Contains(err.Error(), "does not answer") ||
		!strings.Contains(err.Error(), "again to resume") {
		t.Errorf("without a server: status %d, %v", exitStatus(runError{err}), err)
	}

	startServer(t, data)
	var out bytes.Buffer
	if err := runImport(t.Context(), &c, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	_, count = readRows(t, report)
	if count[bulk.StatusIndexed] != n || count[bulk.StatusFailed] != 0 {
		t.Errorf("in the end %d of %d pictures are indexed: %v", count[bulk.StatusIndexed], n,
			count)
	}
	if has := faceCount(t, "people"); has != reported() {
		t.Errorf("in the end the server has %d faces, the report %d", has, reported())
	}
}

// TestImportThrottled imports faster than the server's limits allow.
func TestImportThrottled(t *testing.T) {
	dir := t.TempDir()
	pictures, limits := filepath.Join(dir, "pictures"), filepath.Join(dir, "limits.json")
	n := people(t, pictures, 0, 12)
	writeFile(t, limits, []byte(`{"rates": {"IndexFaces": {"perSecond": 6, "burst": 2}}}`))
	startServer(t, filepath.Join(dir, "data"), func(c *serveConfig) { c.Limits = limits })
	began := time.Now()
	s, err := imported(t, pictures, "--collection", "people", "--create", "--report",
		filepath.Join(dir, "report.csv"))
	if err != nil || s.Indexed != n || s.Failed != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if least := time.Duration(n-2) * time.Second / 6; time.Since(began) < least {
		t.Errorf("it took %v, and the limits allow no less than %v: nothing was turned away",
			time.Since(began), least)
	}
}

func TestImportUsers(t *testing.T) {
	dir := t.TempDir()
	pictures, report := filepath.Join(dir, "pictures"), filepath.Join(dir, "report.csv")
	n := people(t, pictures, 10, 12)
	copyFile(t, filepath.Join(lfw, "images", "AJ_Cook", "AJ_Cook_0001.jpg"),
		filepath.Join(pictures, "Zoë C.", "1.jpg"))
	copyFile(t, filepath.Join(lfw, "images", "AJ_Cook", "AJ_Cook_0001.jpg"),
		filepath.Join(pictures, "stray.jpg"))
	startServer(t, filepath.Join(dir, "data"))
	s, err := imported(t, pictures, "--collection", "people", "--create", "--users", "--report",
		report)
	if err != nil || s.Indexed != n+1 || s.Faces != n+1 || s.Skipped != 1 || s.Users != 13 ||
		s.Associated != n+1 {
		t.Fatalf("%+v, %v", s, err)
	}
	owners := func() map[string]int {
		owners := map[string]int{}
		pages := rekognition.NewListFacesPaginator(newClient(t),
			&rekognition.ListFacesInput{CollectionId: aws.String("people")})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page.Faces {
				owners[aws.ToString(f.UserId)]++
			}
		}
		return owners
	}
	has := owners()
	folders, _ := os.ReadDir(pictures)
	for _, folder := range folders {
		if folder.IsDir() {
			files, _ := os.ReadDir(filepath.Join(pictures, folder.Name()))
			user := folder.Name()
			if user == "Zoë C." {
				user = "Zo__C."
			}
			if has[user] != len(files) {
				t.Errorf("%s has %d faces, and its folder %d pictures", user, has[user], len(files))
			}
		}
	}

	// A run that ended before faces were associated.
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"),
		func(line string) bool { return strings.Contains(line, "Z,"+bulk.StatusUser+",") })
	writeFile(t, report, []byte(strings.Join(lines, "")))
	if _, err := newClient(t).DeleteUser(t.Context(),
		&rekognition.DeleteUserInput{CollectionId: aws.String("people"),
			UserId: aws.String("Zo__C.")}); err != nil {
		t.Fatal(err)
	}
	s, err = imported(t, pictures, "--collection", "people", "--users", "--report", report)
	if err != nil || s.Indexed != 0 || s.Users != 13 || s.Refused != 0 || owners()["Zo__C."] != 1 ||
		len(owners()) != len(has) {
		t.Errorf("going on: %+v, %v", s, err)
	}
	if s, err = imported(t, pictures, "--collection", "people", "--users", "--report",
		report); err != nil || s.Users != 0 {
		t.Errorf("again: %+v, %v", s, err)
	}
}

// TestImportBuckets imports from a folder of buckets, and from buckets that the server does not
// read.
func TestImportBuckets(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "buckets")
	n := people(t, filepath.Join(root, "photos", "2026"), 0, 12)
	people(t, filepath.Join(root, "photos", "2025"), 30, 1)
	copyFile(t, "../../../shared/data/bad/corrupted.png",
		filepath.Join(root, "photos", "2026", "corrupted.png"))
	stop := startServer(t, filepath.Join(dir, "data"), func(c *serveConfig) { c.S3Root = root })
	s, err := imported(t, "s3://photos/2026/", "--collection", "people", "--create", "--s3-root",
		root, "--report", filepath.Join(dir, "report.csv"))
	if err != nil || s.Indexed != n || s.Skipped != 1 || s.Failed != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	rows, _ := readRows(t, filepath.Join(dir, "report.csv"))
	row := rows["AJ_Cook/AJ_Cook_0001.jpg"]
	if row["external_image_id"] != "AJ_Cook:AJ_Cook_0001.jpg" {
		t.Errorf("the rows are %v", rows)
	}
	if _, err := imported(t, "s3://absent/", "--collection", "people", "--s3-root", root,
		"--report", filepath.Join(dir, "absent.csv")); exitStatus(err) != statusFailed ||
		!strings.Contains(err.Error(), "absent") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	stop()

	people(t, filepath.Join(root, "photos", "2026"), 40, 30)
	startServer(t, filepath.Join(dir, "data"))
	s, err = imported(t, "s3://photos/2026/", "--collection", "people", "--s3-root", root,
		"--report", filepath.Join(dir, "report.csv"))
	if exitStatus(err) != statusFailed || !strings.Contains(err.Error(), "in a row failed") ||
		!strings.Contains(err.Error(), "InvalidS3ObjectException") || s.Indexed != 0 {
		t.Errorf("a server without S3: status %d, %+v, %v", exitStatus(err), s, err)
	}
}

func TestImportRefusals(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	for name, c := range map[string]struct {
		status int
		want   string
		args   []string
	}{
		"no folder":     {statusUsage, "accepts 1 arg", nil},
		"no collection": {statusUsage, "collection", []string{dir}},
		"a wrong flag":  {statusUsage, "unknown flag", []string{dir, "--colection", "people"}},
		"a wrong number": {statusUsage, "--parallel",
			[]string{dir, "--collection", "people", "--parallel", "0"}},
		"a wrong filter": {statusUsage, "--quality-filter",
			[]string{dir, "--collection", "people", "--quality-filter", "low"}},
		"a wrong output": {statusUsage, "--output",
			[]string{dir, "--collection", "people", "--output", "xml"}},
		"no bucket": {statusUsage, "s3://BUCKET",
			[]string{"s3://", "--collection", "people"}},
		"S3 for a folder": {statusUsage, "--s3-root",
			[]string{dir, "--collection", "people", "--s3-root", dir}},
		"no key": {statusFailed, "AWS_SHARED_CREDENTIALS_FILE",
			[]string{dir, "--collection", "people"}},
	} {
		if out, err := recollectProgram(t,
			append([]string{"import"}, c.args...)...); exitStatus(err) != c.status ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: status %d, %v %s", name, exitStatus(err), err, out)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a secret of the test")
	if _, err := recollectProgram(t, "import", dir, "--collection", "people", "--endpoint",
		"http://127.0.0.1:1"); exitStatus(err) != statusFailed ||
		!strings.Contains(err.Error(), "http://127.0.0.1:1 does not answer") {
		t.Errorf("no server: status %d, %v", exitStatus(err), err)
	}
}

// TestImportFromEndpoint imports from a real S3 server, from which the server reads the pictures.
func TestImportFromEndpoint(t *testing.T) {
	gateway, err := filepath.Abs("../../.cache/bin/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gateway); err != nil {
		t.Skip("the S3 server of this test is missing; run: make versitygw")
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	n := people(t, filepath.Join(root, "photos", "2026 & later"), 0, 5)
	people(t, filepath.Join(root, "photos", "2025"), 30, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	process := exec.Command(gateway, "--port", address, "--access", "AKIDEXAMPLE", "--secret",
		"a secret of the test", "--region", "eu-west-1", "--quiet",
		"posix", "--nometa", root)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Setenv(s3AccessKeyIDEnv, "AKIDEXAMPLE")
	t.Setenv(s3SecretAccessKeyEnv, "a secret of the test")
	startServer(t, filepath.Join(dir, "data"),
		func(c *serveConfig) { c.S3Endpoint, c.S3Region = "http://"+address, "eu-west-1" })
	report := filepath.Join(dir, "report.csv")
	args := []string{"s3://photos/2026 & later/", "--collection", "people", "--create",
		"--s3-endpoint", "http://" + address, "--s3-region", "eu-west-1", "--report", report}
	if s, err := imported(t, args...); err != nil || s.Indexed != n || s.Pictures != n {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := imported(t, args...); err != nil || s.Before != n {
		t.Errorf("again: %+v, %v", s, err)
	}
	t.Setenv(s3SecretAccessKeyEnv, "another secret")
	if _, err := imported(t, args...); exitStatus(err) != statusFailed ||
		!strings.Contains(err.Error(), "access denied") {
		t.Errorf("with a wrong secret: %v", err)
	}
}
