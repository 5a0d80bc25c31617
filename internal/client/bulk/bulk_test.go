package bulk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
)

func TestNames(t *testing.T) {
	allowed := regexp.MustCompile(`^[a-zA-Z0-9_.\-:]{1,255}$`)
	n := newNames(maxExternalID)
	seen := map[string]string{}
	long := strings.Repeat("d/", 130) + "a.jpg"
	for _, c := range []struct{ path, want string }{
		{"Anna/1.jpg", "Anna:1.jpg"},
		{"Anna:1.jpg", "Anna:1.jpg-"}, // another path with the same name
		{"Zoë & co/a b.jpg", "Zo____co:a_b.jpg"},
		{"Zoé & co/a b.jpg", "Zo____co:a_b.jpg-"},
		{"日本.png", "__.png"},
		{"\xff.jpg", "_.jpg"},
		{long, ExternalID(long)[:246] + "-"},
		{"x" + long, ExternalID("x" + long)[:246] + "-"},
	} {
		got := n.of(c.path)
		if !allowed.MatchString(got) || !strings.HasPrefix(got, c.want) ||
			strings.HasSuffix(c.want, "-") != (len(got) == len(c.want)+8) {
			t.Errorf("%q is %q", c.path, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", c.path, other, got)
		}
		seen[got] = c.path
		if again := n.of(c.path); again != got {
			t.Errorf("%q is %q, then %q", c.path, got, again)
		}
	}
}

var sample = []Row{
	{Status: StatusIndexed, Picture: "a/1.jpg", Bytes: 3, Modified: time.Unix(1, 5),
		ExternalID: "a:1.jpg", User: "a", Faces: 2, FaceIDs: []string{"f1", "f2"}},
	{Status: StatusSkipped, Picture: "a/new\nline \"quoted\", b.jpg", ExternalID: "x",
		Reason: "no face"},
	{Status: StatusFailed, Picture: "b/2.jpg", ExternalID: "b:2.jpg", User: "b",
		Reason: "InternalServerError: Internal server error"},
	{Status: StatusUser, Picture: "a", User: "a", Faces: 1, FaceIDs: []string{"f1", "f2"},
		Reason: "1 not associated: LOW_MATCH_CONFIDENCE"},
}

// TestReportCut cuts a report after each byte, as a crash may, and goes on with it.
func TestReportCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.csv")
	r, _, err := OpenReport(path, "pictures", "people")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range sample {
		if err := r.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := OpenReport(path, "pictures", "people"); err == nil ||
		!strings.Contains(err.Error(), "another import") {
		t.Errorf("two imports write one report: %v", err)
	}
	r.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the report is there for others: %v, %v", info, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	previous := 0
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		r, rows, err := OpenReport(path, "pictures", "people")
		if err != nil {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
		if len(rows) < previous {
			t.Fatalf("cut after %d bytes it has %d rows, one byte before %d", n, len(rows),
				previous)
		}
		previous = len(rows)
		for i, row := range rows[min(1, len(rows)):] {
			if want := sample[i]; row.Status != want.Status || row.Picture != want.Picture ||
				row.Reason != want.Reason || !slices.Equal(row.FaceIDs, want.FaceIDs) ||
				!row.Modified.Equal(want.Modified) || row.Bytes != want.Bytes ||
				row.User != want.User || row.ExternalID != want.ExternalID {
				t.Errorf("cut after %d bytes, row %d is %+v, want %+v", n, i, row, want)
			}
		}
		r.Close()
		if r, rows, err = OpenReport(path, "pictures", "people"); err != nil ||
			len(rows) != previous+1 {
			t.Fatalf("cut after %d bytes and gone on with it has %d rows, want %d: %v", n,
				len(rows), previous+1, err)
		}
		r.Close()
	}
	if previous != 1+len(sample) {
		t.Errorf("the whole has %d rows", previous)
	}
}

func TestReportOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.csv")
	r, _, err := OpenReport(path, "pictures", "people")
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	for _, c := range [][2]string{{"others", "people"}, {"pictures", "people, made later"}} {
		if _, _, err := OpenReport(path, c[0], c[1]); err == nil ||
			!strings.Contains(err.Error(), "another import") {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, text := range []string{"name,size\n1,2\n", "a picture\x00\xff\n",
		strings.Repeat("x,", 9) + "x\n" + strings.Repeat("x,", 9) + "x\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenReport(path, "pictures", "people"); err == nil ||
			!strings.Contains(err.Error(), "--report") {
			t.Errorf("%q is a report: %v", text, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("a file that is no report was changed to %q (%v)", left, err)
		}
	}
}

// What is skipped says why, and what to do about formats that phones and browsers make.
func TestSkip(t *testing.T) {
	for name, c := range map[string]struct {
		formats Formats
		size    int64
		want    string
	}{
		"a.JPG":  {Formats{}, 10, ""},
		"a.jpeg": {Formats{}, 10, ""},
		"a.png":  {Formats{WebP: true}, 10, ""},
		"a.webp": {Formats{WebP: true}, 10, ""},
		"b.webp": {Formats{}, 10, "a .webp: save it as JPEG, or start the server and this import " +
			"with --formats webp"},
		"a.HEIC": {Formats{WebP: true}, 10,
			"a .heic, which the server does not read: save it as JPEG"},
		"a.avif": {Formats{}, 10, "a .avif, which the server does not read: save it as JPEG"},
		"a.gif":  {Formats{WebP: true}, 10, "not a .jpg, .jpeg or .png"},
		"b.jpg":  {Formats{}, 0, "empty"},
		"c.jpg":  {Formats{}, 6 << 20, "6.0 MiB, of which the server takes at most 5"},
	} {
		if got := c.formats.skip(name, c.size, MaxBytes); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestPlan(t *testing.T) {
	pictures := []Picture{
		{Path: "a/1.jpg", Bytes: 3, Modified: time.Unix(1, 5)},
		{Path: "a/2.jpg", Bytes: 3},
		{Path: "b/2.jpg", Bytes: 3},
		{Path: "c.jpg", Bytes: 3},
		{Path: "d.txt", Skip: "not a .jpg, .jpeg or .png"},
	}
	paths := func(p *plan) (paths []string) {
		for _, j := range p.jobs {
			paths = append(paths, j.picture.Path)
		}
		return paths
	}
	if got := paths(newPlan(pictures, sample, true)); !slices.Equal(got,
		[]string{"a/2.jpg", "b/2.jpg", "c.jpg", "d.txt"}) {
		t.Errorf("what is new or failed is %v", got)
	}
	changed := slices.Clone(pictures)
	changed[0].Bytes = 4
	if got := paths(newPlan(changed, sample, true)); !slices.Contains(got, "a/1.jpg") {
		t.Errorf("a picture that has changed is not sent: %v", got)
	}

	// A run that ended between indexing and associating: the next one associates.
	p := newPlan(pictures[:1], sample[:1], true)
	due := p.complete()
	if len(p.jobs) != 0 || len(due) != 1 || due[0].user != "a" ||
		!slices.Equal(due[0].faces, []string{"f1", "f2"}) {
		t.Errorf("%d jobs, due are %+v", len(p.jobs), due)
	}
	if due := newPlan(pictures[:1], sample, true).complete(); len(due) != 0 {
		t.Errorf("what was associated is due again: %+v", due[0])
	}

	// A folder is due once, with its last picture, and only with faces.
	p = newPlan(pictures[:3], nil, true)
	finish := func(path string, faces ...string) []*group {
		folder, _, _ := strings.Cut(path, "/")
		p.finished(Row{Picture: path, User: folder, FaceIDs: faces})
		return p.complete()
	}
	if due := finish("a/2.jpg", "f2"); len(due) != 0 {
		t.Errorf("half a folder is due")
	}
	if due := finish("b/2.jpg"); len(due) != 0 {
		t.Errorf("a folder without faces is due")
	}
	if due := finish("a/1.jpg", "f1"); len(due) != 1 || len(due[0].faces) != 2 {
		t.Errorf("a whole folder is not due: %v", due)
	}
}

func TestJudge(t *testing.T) {
	for code, want := range map[string]verdict{
		"ThrottlingException":         verdictThrottled,
		"InvalidImageFormatException": verdictPicture,
		"InternalServerError":         verdictServer,
		"AccessDeniedException":       verdictAll,
		"UnrecognizedClientException": verdictAll,
	} {
		if got := judge(fmt.Errorf("operation error: %w",
			&smithy.GenericAPIError{Code: code})); got != want {
			t.Errorf("%s is %v, want %v", code, got, want)
		}
	}
	if got := judge(errors.New("connection refused")); got != verdictUnreachable {
		t.Errorf("no answer is %v", got)
	}
	for attempt := range 100 {
		if wait := backoff(attempt); wait <= 0 || wait > 10*time.Second {
			t.Errorf("attempt %d waits %v", attempt, wait)
		}
	}
}
