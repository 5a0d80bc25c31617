package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var morning = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

func config(dir string) Config {
	return Config{Folder: &FolderConfig{Dir: dir, MaxBytes: DefaultMaxBytes, MaxAge: DefaultMaxAge,
		Sync: SyncAlways}, Required: true, Program: "test",
		Log: slog.New(slog.DiscardHandler), now: func() time.Time { return morning }}
}

func open(t *testing.T, cfg Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// write writes records of calls with these names.
func write(t *testing.T, l *Log, names ...string) {
	t.Helper()
	for _, name := range names {
		r := New(TypeCall, SourceRekognition, name, morning)
		if err := l.Write(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// written returns the names of the events of a folder's files, in order.
func written(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := logFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, line := range linesOf(t, filepath.Join(dir, file.name)) {
			var r struct {
				EventName string `json:"eventName"`
			}
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			names = append(names, r.EventName)
		}
	}
	return names
}

func linesOf(t *testing.T, path string) [][]byte {
	t.Helper()
	from, err := openLines(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(from); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(bytes.Lines(b.Bytes()))
}

func verified(t *testing.T, dir string) *Verified {
	t.Helper()
	v, err := Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newestFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := logFiles(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	return filepath.Join(dir, files[len(files)-1].name)
}

// Records are there when Write returns, in order, and the log goes on after a restart.
func TestLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	write(t, l, "A", "B")
	if got := written(t, dir); !slices.Equal(got, []string{"StartServer", "A", "B"}) {
		t.Errorf("before the end: %q", got)
	}
	if _, err := Open(t.Context(), config(dir)); !errors.Is(err, ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	closeLog(t, l)
	l = open(t, config(dir))
	write(t, l, "C")
	closeLog(t, l)
	want := []string{"StartServer", "A", "B", "StopServer", "StartServer", "C", "StopServer"}
	if got := written(t, dir); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	v := verified(t, dir)
	if v.Files != 1 || v.Lines != 7 || v.First != 1 || v.Last != 7 || v.Notices != nil {
		t.Errorf("%+v", v)
	}
	for _, path := range []string{dir, newestFile(t, dir)} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v, %v", path, info.Mode(), err)
		}
	}
	line := linesOf(t, newestFile(t, dir))[1]
	var r map[string]any
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"eventVersion": "1.11", "eventName": "A",
		"eventTime": "2026-11-29T08:00:00Z", "eventType": "AwsApiCall",
		"eventCategory": "Management", "requestParameters": nil, "responseElements": nil,
		"eventSource": "rekognition.amazonaws.com", "readOnly": false} {
		if got, ok := r[name]; !ok || got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
}

// A log of many callers has a line for each, and whoever reads it meanwhile finds it right.
func TestConcurrentCalls(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Folder.MaxBytes = 20_000
	cfg.Folder.Gzip = true
	l := open(t, cfg)
	var callers sync.WaitGroup
	for i := range 20 {
		callers.Go(func() {
			for j := range 20 {
				write(t, l, fmt.Sprint(i, "-", j))
			}
		})
	}
	done := make(chan struct{})
	go func() {
		callers.Wait()
		close(done)
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		verified(t, dir)
	}
	closeLog(t, l)
	v := verified(t, dir)
	if v.Lines != 402 || v.Files < 5 {
		t.Errorf("%+v", v)
	}
	names := written(t, dir)
	slices.Sort(names)
	if n := len(slices.Compact(names)); n != 402 {
		t.Errorf("%d different records", n)
	}
	plain, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(plain) != 1 {
		t.Errorf("not compressed: %q, %v", plain, err)
	}
}

// Verify names the first line that is not as it was written, whatever was done to the files.
func TestVerifyFindsEveryChange(t *testing.T) {
	original := t.TempDir()
	cfg := config(original)
	cfg.Folder.MaxBytes = 4000
	l := open(t, cfg)
	for i := range 30 {
		write(t, l, fmt.Sprint("Call", i))
	}
	closeLog(t, l)
	files, err := logFiles(original)
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	var all [][][]byte
	for _, file := range files {
		all = append(all, linesOf(t, filepath.Join(original, file.name)))
	}
	// check writes files of lines beside the original head, and compares what Verify says.
	check := func(what string, changed [][][]byte, file, line int, reason string) {
		t.Helper()
		dir := t.TempDir()
		for i, lines := range changed {
			if lines == nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, files[i].name), bytes.Join(lines, nil),
				0o600); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(filepath.Join(original, headName))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, headName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Verify(dir)
		wrong, ok := errors.AsType[*WrongLineError](err)
		if !ok || wrong.File != files[file].name || wrong.Line != line ||
			!strings.Contains(wrong.Reason, reason) {
			t.Errorf("%s: %v, want %s, line %d: %s", what, err, files[file].name, line, reason)
		}
	}
	copied := func() [][][]byte {
		c := slices.Clone(all)
		for i := range c {
			c[i] = slices.Clone(c[i])
		}
		return c
	}
	end := len(files) - 1
	// Any byte of any line.
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		c := copied()
		file := r.IntN(len(c))
		line := r.IntN(len(c[file]))
		changed := bytes.Clone(c[file][line])
		changed[r.IntN(len(changed)-1)] ^= byte(1 << r.IntN(7))
		if bytes.Contains(changed[:len(changed)-1], []byte("\n")) {
			continue
		}
		c[file][line] = changed
		check(fmt.Sprintf("a changed byte: %s", changed), c, file, line+1, "it ")
	}
	c := copied()
	c[1] = slices.Delete(c[1], 1, 2)
	check("a removed line", c, 1, 2, "1 lines before it are missing")
	c = copied()
	c[1][0], c[1][1] = c[1][1], c[1][0]
	check("exchanged lines", c, 1, 1, "1 lines before it are missing")
	c = copied()
	c[1] = slices.Insert(c[1], 1, c[1][0])
	check("a line twice", c, 1, 2, "it was moved")
	c = copied()
	c[1] = c[1][:2]
	check("the end of a file", c, 2, 1, "before it are missing")
	c = copied()
	c[end] = c[end][:1]
	check("the end of the log", c, end, 2, "it is missing")
	c = copied()
	c[1] = nil
	check("a file", c, 2, 1, "before it are missing")
	c = copied()
	c[end] = nil
	check("the last file", c, end-1, len(all[end-1])+1, "it is missing")
	c = copied()
	c[1] = append(c[1], []byte("{}\n"))
	check("a line of another kind", c, 1, len(c[1]), "it is not a line of an audit log")
	c = copied()
	c[1][1] = c[1][1][:len(c[1][1])-1]
	c[1] = c[1][:2]
	check("an end without a line feed, and less", c, 2, 1, "before it are missing")

	// A line of another log, and a line that was made anew with a right hash.
	other := newChain()
	other.Sequence = 3
	c = copied()
	c[0][3] = other.append(nil, []byte(`{"eventName":"Forged"}`))
	check("a line of another log", c, 0, 4, "it is of another log")
	forged := chain{}
	if l, err := parseLink(bytes.TrimSpace(all[0][2])); err == nil {
		forged = chain{l.Log, l.Sequence, l.Hash}
	}
	c = copied()
	c[0][3] = forged.append(nil, []byte(`{"eventName":"Forged"}`))
	check("a line made anew", c, 0, 5, "the line before it is another one than it follows")
	c = copied()
	c[0] = c[0][1:]
	dir := t.TempDir()
	for i, lines := range c[1:] { // files that are older than is kept
		if err := os.WriteFile(filepath.Join(dir, files[i+1].name), bytes.Join(lines, nil),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := verified(t, dir)
	if len(v.Notices) != 2 || !strings.Contains(v.Notices[0], "the log begins at number") ||
		!strings.Contains(v.Notices[1], "there is no head.json") {
		t.Errorf("%q", v.Notices)
	}
}

// A process that is killed while it writes a line leaves a part of it, which the next start cuts
// off and mentions.
func TestIncompleteLine(t *testing.T) {
	whole := t.TempDir()
	l := open(t, config(whole))
	write(t, l, "A", "B")
	text, err := os.ReadFile(newestFile(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	lines := slices.Collect(bytes.Lines(text))
	last := lines[len(lines)-1]
	for _, n := range []int{1, len(last) / 2, len(last) - 1} {
		dir := t.TempDir()
		path := filepath.Join(dir, filepath.Base(newestFile(t, whole)))
		begun := bytes.Join([][]byte{text, last[:n]}, nil)
		if err := os.WriteFile(path, begun, 0o600); err != nil {
			t.Fatal(err)
		}
		if v := verified(t, dir); v.Lines != 3 ||
			!strings.Contains(strings.Join(v.Notices, "\n"), "is not complete") {
			t.Errorf("%d bytes: %+v", n, v)
		}
		l := open(t, config(dir))
		write(t, l, "C")
		closeLog(t, l)
		want := []string{"StartServer", "A", "B", "RepairAuditLog", "StartServer", "C",
			"StopServer"}
		if got := written(t, dir); !slices.Equal(got, want) {
			t.Errorf("%d bytes: %q", n, got)
		}
		v := verified(t, dir)
		if len(v.Notices) != 1 ||
			!strings.Contains(v.Notices[0], fmt.Sprintf(`RepairAuditLog {"cutBytes":%d`, n)) {
			t.Errorf("%d bytes: %q", n, v.Notices)
		}
	}
}

// Lines that were removed while the server was stopped stay missing: the log goes on behind them.
func TestTruncatedBetweenRuns(t *testing.T) {
	for name, left := range map[string]int{"the last lines": 2, "all lines": 0} {
		dir := t.TempDir()
		l := open(t, config(dir))
		write(t, l, "A", "B", "C")
		closeLog(t, l)
		path := newestFile(t, dir)
		lines := linesOf(t, path)
		if err := os.WriteFile(path, bytes.Join(lines[:left], nil), 0o600); err != nil {
			t.Fatal(err)
		}
		l = open(t, config(dir))
		write(t, l, "D")
		closeLog(t, l)
		names := written(t, dir)
		if names[left] != "FindTruncatedAuditLog" {
			t.Errorf("%s: %q", name, names)
		}
		_, err := Verify(dir)
		if left == 0 { // as if older files were not kept any more, but for the notice
			if v := verified(t, dir); !strings.Contains(strings.Join(v.Notices, "\n"),
				`FindTruncatedAuditLog {"lastSequence":0,"writtenSequence":5}`) {
				t.Errorf("%s: %q", name, v.Notices)
			}
			continue
		}
		wrong, ok := errors.AsType[*WrongLineError](err)
		if !ok || wrong.Line != 3 ||
			!strings.Contains(wrong.Reason, "3 lines before it are missing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file is closed when it is too old, also if nothing is written, and compressed.
func TestOldFiles(t *testing.T) {
	dir := t.TempDir()
	c := &clock{at: morning}
	cfg := config(dir)
	cfg.now, cfg.Folder.Gzip = c.now, true
	l := open(t, cfg)
	write(t, l, "A")
	c.add(DefaultMaxAge - time.Second)
	write(t, l, "B")
	c.add(time.Second)
	write(t, l, "C")
	if v := verified(t, dir); v.Files != 2 {
		t.Errorf("%+v", v)
	}
	closeLog(t, l)

	c.add(DefaultMaxAge)
	files, _, err := openFiles(t.Context(), *cfg.Folder, c.now(), cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.tick(c.now()); err != nil {
		t.Fatal(err)
	}
	if err := files.close(); err != nil {
		t.Fatal(err)
	}
	zipped, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	if v := verified(t, dir); v.Files != 2 || v.Lines != 5 || len(zipped) != 2 || err != nil {
		t.Errorf("%+v, %q, %v", v, zipped, err)
	}
	l = open(t, cfg) // goes on after a compressed file
	write(t, l, "D")
	closeLog(t, l)
	if v := verified(t, dir); v.Files != 3 || v.Last != 8 {
		t.Errorf("%+v", v)
	}
}

// A process that is killed while it compresses leaves a part of a file, or a file twice.
func TestKilledWhileCompressing(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.Folder.MaxBytes = 1
	l := open(t, cfg)
	write(t, l, "A", "B")
	closeLog(t, l)
	first := filepath.Join(dir, logFileName(1, morning))
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := compress(dir, filepath.Base(first)); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{first: text,
		filepath.Join(dir, logFileName(2, morning)) + partialSuffix: []byte("half")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v := verified(t, dir); v.Lines != 4 {
		t.Errorf("%+v", v)
	}
	cfg.Folder.Gzip = true
	closeLog(t, open(t, cfg))
	if left, err := filepath.Glob(filepath.Join(dir, "*.partial")); err != nil || left != nil {
		t.Errorf("%q, %v", left, err)
	}
	if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there twice: %v", err)
	}
	if v := verified(t, dir); v.Lines != 6 {
		t.Errorf("%+v", v)
	}
}

// A record that is required and cannot be written is an error, nothing of it is left, and the log
// goes on when it can be written again. One that is not required is counted, and the next line says
// so.
func TestWriteFails(t *testing.T) {
	for _, required := range []bool{true, false} {
		dir := t.TempDir()
		cfg := config(dir)
		cfg.Required = required
		f, _, err := openFiles(t.Context(), *cfg.Folder, morning, cfg.Log)
		if err != nil {
			t.Fatal(err)
		}
		to := &faulty{destination: f}
		l := &Log{required: required, now: cfg.now}
		s := l.add("folder", to, cfg.Log)
		write(t, l, "A")
		to.wait(t, 1)
		to.fail(true)
		err = l.Write(t.Context(), New(TypeCall, SourceRekognition, "B", morning))
		if required != errors.Is(err, ErrNotWritten) {
			t.Errorf("required %v: %v", required, err)
		}
		to.wait(t, 2)
		to.fail(false)
		write(t, l, "C")
		closeLog(t, l)
		want := []string{"A", "LoseAuditRecords", "C", "StopServer"}
		if got := written(t, dir); !slices.Equal(got, want) {
			t.Errorf("required %v: %q", required, got)
		}
		if v := verified(t, dir); len(v.Notices) != 1 ||
			!strings.Contains(v.Notices[0], `LoseAuditRecords {"lost":1}`) {
			t.Errorf("required %v: %q", required, v.Notices)
		}
		if s.lost.Load() != 1 || s.written.Load() != 4 {
			t.Errorf("required %v: %d written, %d lost", required, s.written.Load(), s.lost.Load())
		}
	}
}

// faulty is a destination that can fail, and counts the batches it was given.
type faulty struct {
	destination
	mu      sync.Mutex
	failing bool
	batches int
	blocked chan struct{} // not nil: write waits for it
}

var errFull = errors.New("no space left on the device")

func (f *faulty) write(objects [][]byte, now time.Time) error {
	if f.blocked != nil {
		<-f.blocked
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches++
	if f.failing {
		return errFull
	}
	return f.destination.write(objects, now)
}

func (f *faulty) fail(failing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = failing
}

// wait waits until so many batches were written.
func (f *faulty) wait(t *testing.T, n int) {
	t.Helper()
	for range 1000 {
		f.mu.Lock()
		batches := f.batches
		f.mu.Unlock()
		if batches >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("there are no %d batches", n)
}

// An unsuccessful write to a file leaves nothing in it, and the next one begins where it began.
func TestFolderWriteFails(t *testing.T) {
	dir := t.TempDir()
	f, _, err := openFolder(FolderConfig{Dir: dir, MaxBytes: DefaultMaxBytes,
		MaxAge: DefaultMaxAge}, morning)
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string) error {
		next := f.chain
		lines := next.append(nil, []byte(`{"eventName":"`+name+`"}`))
		return f.write(lines, next, morning)
	}
	if err := add("A"); err != nil {
		t.Fatal(err)
	}
	f.file.Close() // as a disk that fails
	if err := add("B"); err == nil {
		t.Fatal("a write to a closed file succeeded")
	}
	if err := add("C"); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if got := written(t, dir); !slices.Equal(got, []string{"A", "C"}) {
		t.Errorf("%q", got)
	}
	if v := verified(t, dir); v.Files != 2 {
		t.Errorf("%+v", v)
	}
}

// A destination that does not write delays no call that does not need it, and takes no more memory
// than its queue.
func TestFullQueue(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	f, _, err := openFiles(t.Context(), *cfg.Folder, morning, cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	to := &faulty{destination: f, blocked: make(chan struct{})}
	l := &Log{now: cfg.now}
	s := l.add("folder", to, cfg.Log)
	const calls = queueLength + 2*maxBatch
	for range calls {
		write(t, l, "A")
	}
	lost := s.lost.Load()
	if lost < maxBatch || lost > 2*maxBatch {
		t.Errorf("%d of %d records are lost", lost, calls)
	}
	close(to.blocked)
	closeLog(t, l)
	v := verified(t, dir)
	if got := v.Lines; got < calls-lost || len(v.Notices) != 1 ||
		!strings.Contains(v.Notices[0], "LoseAuditRecords") {
		t.Errorf("%d lines, %q", got, v.Notices)
	}
}

// A record that is too long is written without its parameters.
func TestLongRecord(t *testing.T) {
	dir := t.TempDir()
	l := open(t, config(dir))
	r := New(TypeCall, SourceRekognition, "DeleteFaces", morning)
	r.RequestParameters = map[string]any{"faceIds": strings.Repeat("x", maxLine)}
	r.UserAgent = "not UTF-8: \xff"
	if err := l.Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	verified(t, dir)
	if line := string(linesOf(t, newestFile(t, dir))[1]); len(line) > 2000 ||
		!strings.Contains(line, `"requestParameters":{"omitted":"the record is too long"}`) {
		t.Errorf("%.500s", line)
	}
}
