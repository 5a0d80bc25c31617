package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/image/draw"
	"golang.org/x/sys/unix"
)

const group = "../../../shared/data/group"

// csvRows reads CSV with a header, a map for each row.
func csvRows(t *testing.T, text string) (rows []map[string]string) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) == 0 {
		t.Fatalf("%v: %q", err, text)
	}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// run runs a command that must end with a status, and returns its outputs.
func run(t *testing.T, status int, args ...string) (out, log string) {
	t.Helper()
	out, log, got := program(t, args...)
	if got != status {
		t.Fatalf("recollect %s: status %d, want %d:\n%s%s", strings.Join(args, " "), got, status,
			out, log)
	}
	return out, log
}

// withGroup starts a server with the faces of a picture of five people in the collection crew, and
// of a picture of four in guests, each face of a user.
func withGroup(t *testing.T) (crew, guests string) {
	t.Helper()
	dir := t.TempDir()
	crew, guests = filepath.Join(group, "cf_014_5.jpg"), filepath.Join(group, "cf_012_4.jpg")
	copyFile(t, crew, filepath.Join(dir, "crew", "five-people-around-a-table.jpg"))
	copyFile(t, guests, filepath.Join(dir, "guests", "four.jpg"))
	startServer(t, filepath.Join(dir, "data"))
	for _, collection := range []string{"crew", "guests"} {
		run(t, 0, "import", filepath.Join(dir, collection), "--collection", collection, "--create",
			"--quality-filter", "NONE", "--report", filepath.Join(dir, collection+".csv"))
	}
	return crew, guests
}

// TestSearchAll: every face of a picture is found as itself, in the table with its picture named
// once, in CSV with one row a match, and in JSON as the server says it.
func TestSearchAll(t *testing.T) {
	crew, guests := withGroup(t)
	all := []string{"search", crew, "--collection", "crew", "--all", "--threshold", "99"}

	rows := csvRows(t, first(run(t, 0, append(all, "--output", "csv")...)))
	stored := map[string]map[string]string{}
	for _, f := range csvRows(t, first(run(t, 0, "faces", "list", "crew", "--output", "csv"))) {
		stored[f["FaceId"]] = f
	}
	if len(rows) != 5 || len(stored) != 5 {
		t.Fatalf("%d rows of %d faces:\n%v", len(rows), len(stored), rows)
	}
	for i, row := range rows {
		f := stored[row["FaceId"]]
		var left, want float32
		fmt.Sscan(row["Left"], &left)
		fmt.Sscan(f["Left"], &want)
		if f == nil || row["Picture"] != crew || row["FaceNumber"] != fmt.Sprint(i+1) ||
			row["Similarity"] != "100" ||
			row["ExternalImageId"] != "five-people-around-a-table.jpg" ||
			left-want > 1e-3 || want-left > 1e-3 {
			t.Errorf("row %d is %v, of the face %v", i, row, f)
		}
	}

	table, _ := run(t, 0, all...)
	if n := strings.Count(table, crew); n != 1 || strings.Count(table, "100.00") != 5 {
		t.Errorf("the picture is named %d times:\n%s", n, table)
	}
	found := jsonLines(t, first(run(t, 0, append(all, "--output", "json")...)))
	if len(found) != 1 || found[0]["Picture"] != crew ||
		len(found[0]["SearchedFaces"].([]any)) != 5 {
		t.Errorf("%v", found)
	}

	// Two pictures in two collections: one after the other, each face with its own.
	both, _ := run(t, 0, "search", crew, guests, "--collection", "crew,guests", "--all",
		"--threshold", "99", "--output", "csv")
	count := map[string]int{}
	for _, row := range csvRows(t, both) {
		count[filepath.Base(row["Picture"])+" "+row["CollectionId"]]++
	}
	if len(count) != 2 || count["cf_014_5.jpg crew"] != 5 || count["cf_012_4.jpg guests"] != 4 {
		t.Errorf("found %v", count)
	}
	// The largest alone, as without --all in one collection.
	one := csvRows(t, first(run(t, 0, "search", guests, "--collection", "crew", "--collection",
		"guests", "--threshold", "99", "--output", "csv")))
	if len(one) != 1 || one[0]["CollectionId"] != "guests" || one[0]["FaceNumber"] != "1" {
		t.Errorf("of the largest face: %v", one)
	}
	if out, log := run(t, statusNo, "search", guests, "--collection", "crew", "--all",
		"--threshold", "99"); strings.Count(out, "no match") != 4 {
		t.Errorf("faces without a match:\n%s%s", out, log)
	}

	// Users.
	var ids []string
	for id := range stored {
		ids = append(ids, id)
	}
	run(t, 0, "users", "create", "crew", "anna")
	run(t, 0, "users", "associate", "crew", "anna", ids[0])
	users := csvRows(t, first(run(t, 0, append(all, "--users", "--output", "csv")...)))
	named := 0
	for _, row := range users {
		if row["UserId"] == "anna" && row["Similarity"] == "100" {
			named++
		}
	}
	if len(users) != 5 || named != 1 {
		t.Errorf("users: %v", users)
	}

	for fault, args := range map[string][]string{
		"--max must be 0 to 100":        {"--max", "101"},
		"does not end in .png":          {"--draw", "out.jpg"},
		"none of table, json and csv":   {"--output", "xml"},
		"--quality-filter":              {"--quality-filter", "BEST"},
		"--threshold must be 0 to 100":  {"--threshold", "-1"},
		"--draw is for one picture":     {crew, "--draw", "out.png"},
		"picture of S3 is read by the ": {"--draw", "out.png"},
	} {
		args = append([]string{"search", crew, "--collection", "crew", "--all"}, args...)
		if strings.Contains(fault, "S3") {
			args[1] = "s3://bucket/key.jpg"
		}
		if _, log := run(t, statusUsage, args...); !strings.Contains(log, fault) {
			t.Errorf("%v: %s, want %s", args, log, fault)
		}
	}
	if _, log := run(t, statusFailed, "search", crew, "--collection", "absent",
		"--all"); !strings.Contains(log, "ResourceNotFoundException") {
		t.Errorf("an absent collection: %s", log)
	}
}

func first(out, _ string) string { return out }

// TestDraw: the boxes are where the faces are, and the picture is as large as it was.
func TestDraw(t *testing.T) {
	crew, guests := withGroup(t)
	out := filepath.Join(t.TempDir(), "drawn.png")
	blue := func() (n int) {
		t.Helper()
		file, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		drawn, err := png.Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
		for y := range drawn.Bounds().Dy() {
			for x := range drawn.Bounds().Dx() {
				r, g, b, _ := drawn.At(x, y).RGBA()
				if r>>8 == 0x6c && g>>8 == 0xc1 && b>>8 == 0xff {
					n++
				}
			}
		}
		return n
	}
	run(t, 0, "detect", crew, "--draw", out)
	detected := blue()
	if detected < 1000 {
		t.Errorf("%d pixels are of boxes", detected)
	}
	run(t, 0, "search", crew, "--collection", "crew", "--all", "--draw", out)
	named := blue()
	if named < detected+1000 {
		t.Errorf("%d pixels are of boxes with names, and %d of those with numbers", named, detected)
	}
	run(t, 0, "search", crew, "--collection", "crew", "--draw", out)
	if one := blue(); one == 0 || one > named/2 {
		t.Errorf("%d pixels are of the box of the largest face", one)
	}
	run(t, statusNo, "search", guests, "--collection", "crew", "--all", "--draw", out)
	if none := blue(); none != 0 {
		t.Errorf("%d pixels are of faces that match, of which there are none", none)
	}
	run(t, 0, "compare", crew, crew, "--draw", out)
	if blue() == 0 {
		t.Error("the face that matches is not drawn")
	}
	if _, log := run(t, statusFailed, "detect", crew, "--draw",
		filepath.Join(out, "no-folder", "x.png")); !strings.Contains(log, "no such file") {
		t.Errorf("a folder that is not there: %s", log)
	}
}

// TestDetectAttributes: the table has what was asked for and no more.
func TestDetectAttributes(t *testing.T) {
	crew, _ := withGroup(t)
	head := func(args ...string) string {
		t.Helper()
		out, _ := run(t, 0, append([]string{"detect", crew}, args...)...)
		line, _, _ := strings.Cut(out, "\n")
		return strings.Join(strings.Fields(line), " ")
	}
	const plain = "PICTURE NO. CONFIDENCE PLACE BRIGHTNESS SHARPNESS YAW PITCH ROLL"
	if got := head(); got != plain {
		t.Errorf("without attributes: %q", got)
	}
	const all = plain + " AGE GENDER EMOTION SMILE EYES OPEN MOUTH OPEN"
	if got := head("--attributes", "ALL"); got != all {
		t.Errorf("with all attributes: %q", got)
	}
	if got := head("--attributes", "SMILE,AGE_RANGE"); got != plain+" AGE SMILE" {
		t.Errorf("with two attributes: %q", got)
	}
	if _, log := run(t, 0, "detect", crew, "--attributes", "BEARD"); !strings.Contains(log,
		"do not estimate BEARD") {
		t.Errorf("of what the networks do not estimate: %q", log)
	}
	if _, log := run(t, statusUsage, "detect", crew, "--attributes", "HAIR"); !strings.Contains(log,
		"AGE_RANGE") {
		t.Errorf("an attribute that is none: %q", log)
	}
	object := jsonLines(t, first(run(t, 0, "detect", crew, "--attributes", "ALL", "--output",
		"json")))[0]
	rows := csvRows(t, first(run(t, 0, "detect", crew, "--attributes", "ALL", "--output", "csv")))
	details := object["FaceDetails"].([]any)
	if len(rows) != len(details) {
		t.Fatalf("%d rows of %d faces", len(rows), len(details))
	}
	for i, row := range rows {
		detail := details[i].(map[string]any)
		age := detail["AgeRange"].(map[string]any)
		if want := fmt.Sprintf("%v-%v", age["Low"], age["High"]); row["AgeRange"] != want {
			t.Errorf("face %d has the age %s, want %s", i, row["AgeRange"], want)
		}
		smile := detail["Smile"].(map[string]any)
		want := fmt.Sprintf("no %.0f", smile["Confidence"])
		if smile["Value"] == true {
			want = fmt.Sprintf("yes %.0f", smile["Confidence"])
		}
		if row["Smile"] != want {
			t.Errorf("face %d smiles %q, want %q", i, row["Smile"], want)
		}
	}
}

// TestOutputIsTheSameEverywhere: every command that shows rows has them as CSV, and its header even
// where there are none.
func TestOutputIsTheSameEverywhere(t *testing.T) {
	crew, _ := withGroup(t)
	run(t, 0, "collections", "create", "empty")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"collections", "list"}, "CollectionId,FaceModelVersion\n"},
		{[]string{"faces", "list", "empty"},
			"FaceId,ExternalImageId,UserId,Confidence,Left,Top,Width,Height,ImageId\n"},
		{[]string{"users", "list", "empty"}, "UserId,UserStatus\n"},
		{[]string{"models", "list", "--library", "../../lib/recollect"},
			"Name,FaceModelVersion,Default,Licence,Family,Source\n"},
		{[]string{"compare", crew, crew}, "Similarity,Left,Top,Width,Height\n"},
		{[]string{"collections", "describe", "empty"},
			"CollectionId,FaceCount,UserCount,FaceModelVersion,CreationTimestamp,"},
	} {
		out, _ := run(t, 0, append(c.args, "--output", "csv")...)
		if !strings.HasPrefix(out, c.want) {
			t.Errorf("%v: %q, want %q", c.args, out, c.want)
		}
	}
}

// TestRefusedPictures: who sends a picture that is refused is told why, and what would pass.
func TestRefusedPictures(t *testing.T) {
	crew, _ := withGroup(t)
	dir := t.TempDir()
	picture := func(name string, width, height int) string {
		t.Helper()
		var b bytes.Buffer
		if err := png.Encode(&b, blank(width, height)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		writeFile(t, path, b.Bytes())
		return path
	}
	document, large := filepath.Join(dir, "a.jpg"), filepath.Join(dir, "large.jpg")
	writeFile(t, document, []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"))
	writeFile(t, large, bytes.Repeat([]byte{0xff}, 6<<20))
	cut := filepath.Join(dir, "cut.jpg")
	whole, err := os.ReadFile(crew)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, cut, whole[:len(whole)/2])
	small, huge := picture("small.png", 79, 200), picture("huge.png", 20000, 5001)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"It is a PDF document (23 bytes), and the server takes JPEG and PNG.",
			[]string{"detect", document}},
		{"the picture has 6.0 MiB, which is more than 5 MiB, the most that the server takes as a " +
			"file: make it smaller, or put it into S3, from where it takes 15 MiB",
			[]string{"detect", large}},
		{"It is a PNG of 79 x 200 pixels, and each side needs 80 or more.",
			[]string{"search", small, "--collection", "crew"}},
		{"It is a PNG of 79 x 200 pixels, and each side needs 80 or more.",
			[]string{"search", small, "--collection", "crew", "--all"}},
		{"It is a PNG of 20000 x 5001 pixels, which are 100 megapixels, and the server " +
			"takes 100. Make it smaller: 19998 x 5000 would pass.", []string{"detect", huge}},
		{"that is damaged: its pixels cannot be read", []string{"detect", cut}},
		{small + ": InvalidParameterException: Request has invalid parameters. It is a PNG of 79",
			[]string{"compare", crew, small}},
	} {
		if _, log := run(t, statusFailed, c.args...); !strings.Contains(log, c.want) {
			t.Errorf("%v:\n%s\nwant\n%s", c.args, log, c.want)
		}
	}
	grey := picture("grey.png", 4000, 3000)
	for _, args := range [][]string{{"detect", grey}, {"search", grey, "--collection", "crew"},
		{"search", grey, "--collection", "crew", "--all"},
		{"search", grey, "--collection", "crew", "--users"}} {
		if _, log := run(t, statusNo, args...); !strings.Contains(log,
			"there is no face in its 4000 x 3000 pixels, in which faces are found from "+
				"97 x 97 pixels") {
			t.Errorf("%v: %s", args, log)
		}
	}
	blurred := blurredCopy(t, filepath.Join(group, "cf_016_8.jpg"))
	want := regexp.MustCompile(`none of its \d+ faces is good enough; the largest is not used ` +
		`\(confidence [0-9.]+, at (?s:.*)The sharpness is [0-9.]+, and HIGH needs at least 10\.`)
	for _, args := range [][]string{{}, {"--all"}, {"--users"}} {
		if _, log := run(t, statusNo, append([]string{"search", blurred, "--collection", "crew",
			"--quality-filter", "HIGH"}, args...)...); !want.MatchString(log) {
			t.Errorf("%v: %s", args, log)
		}
	}
}

// blurredCopy writes a picture without its finer half of details, and returns its name.
func blurredCopy(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	sharp, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	bounds := sharp.Bounds()
	half := image.NewRGBA(image.Rect(0, 0, bounds.Dx()/2, bounds.Dy()/2))
	draw.BiLinear.Scale(half, half.Bounds(), sharp, bounds, draw.Src, nil)
	blurred := image.NewRGBA(bounds)
	draw.BiLinear.Scale(blurred, bounds, half, half.Bounds(), draw.Src, nil)
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, blurred); err != nil {
		t.Fatal(err)
	}
	return write(t, "blurred.png", encoded.String())
}

// TestTerminal: in a terminal, tables are as wide as it is, and face ids are whole.
func TestTerminal(t *testing.T) {
	crew, _ := withGroup(t)
	binary := filepath.Join(t.TempDir(), "recollect")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := func(width uint16, args ...string) []string {
		t.Helper()
		terminal, name := openTerminal(t, width)
		side, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = append(os.Environ(), "NO_COLOR=1")
		cmd.Stdout = side
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		side.Close()
		// Reading fails once the program, the last that has the terminal open, has ended.
		shown, _ := io.ReadAll(terminal)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, shown)
		}
		return strings.Split(strings.TrimSpace(strings.ReplaceAll(string(shown), "\r", "")), "\n")
	}
	longest := func(lines []string) (most int) {
		for _, line := range lines {
			most = max(most, utf8.RuneCountInString(line))
		}
		return most
	}
	list := []string{"faces", "list", "crew"}
	search := []string{"search", crew, "--collection", "crew", "--all"}
	for _, args := range [][]string{list, search} {
		wide := longest(lines(400, args...))
		got := lines(uint16(wide-10), args...)
		if n := longest(got); n != wide-10 || !strings.Contains(strings.Join(got, ""), "…") {
			t.Errorf("%v in a terminal of %d columns has %d:\n%s", args, wide-10, n,
				strings.Join(got, "\n"))
		}
		if last := strings.Fields(got[len(got)-1]); len(last[0]) != 36 &&
			len(last[len(last)-1]) != 36 {
			t.Errorf("no face's id is whole in %q", last)
		}
	}
}

// blank is a grey picture.
func blank(width, height int) image.Image {
	picture := image.NewGray(image.Rect(0, 0, width, height))
	for i := range picture.Pix {
		picture.Pix[i] = 0x80
	}
	return picture
}

// openTerminal opens a pseudo-terminal of so many columns, and returns its other end and the name
// of its device.
func openTerminal(t *testing.T, columns uint16) (*os.File, string) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ,
			&unix.Winsize{Row: 50, Col: columns})
	}
	if err != nil {
		t.Skipf("a terminal cannot be set up: %v", err)
	}
	return terminal, fmt.Sprintf("/dev/pts/%d", number)
}
