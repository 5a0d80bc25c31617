package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
)

// Verified is what [Verify] read.
type Verified struct {
	Log         string // the log's id
	Files       int
	Lines       int64
	First, Last int64 // sequence numbers; 0: there are no lines
	Hash        string

	// Notices are what the log says of itself, such as records that were lost, and what Verify
	// cannot know, such as what files that were removed had.
	Notices []string
}

// WrongLineError is the first line of a log that is not what was written.
type WrongLineError struct {
	File   string // name in the folder
	Line   int    // from 1
	Reason string
}

func (e *WrongLineError) Error() string {
	return fmt.Sprintf("%s, line %d: %s", e.File, e.Line, e.Reason)
}

// Verify reads the log in a folder, which may be written meanwhile, and compares every line with
// the one before and the last line with the head. A [*WrongLineError] names the first line that is
// wrong: changed, moved, or behind one that was removed. What was read up to there is returned too.
//
// Whoever may write to the folder could write the whole log anew; only a copy elsewhere, at a
// syslog server or of the last hash, shows that.
func Verify(dir string) (*Verified, error) {
	// The head is read first: lines that are written meanwhile are behind it.
	h, hasHead, err := headOf(dir)
	if err != nil {
		return nil, err
	}
	files, err := logFiles(dir)
	if err != nil {
		return nil, err
	}
	v := &Verified{}
	var last fileOfLines
	line := 0
	for i, file := range files {
		v.Files++
		if i > 0 && file.number != last.number+1 {
			v.notef("there is no file between %s and %s", last.name, file.name)
		}
		last = file
		if line, err = v.read(dir, file, i == len(files)-1); err != nil {
			return v, err
		}
	}
	if v.First > 1 {
		v.notef("the log begins at number %d: what was before it is not in the folder", v.First)
	}
	switch {
	case !hasHead && v.Lines > 0:
		v.notef("there is no %s: whether lines are missing at the end is not known", headName)
	case hasHead && (v.Lines == 0 || h.Log != v.Log || h.Sequence > v.Last):
		return v, &WrongLineError{last.name, line + 1,
			fmt.Sprintf("it is missing: %s says that number %d was written, and the last one is "+
				"%d", headName, h.Sequence, v.Last)}
	case hasHead && h.Sequence == v.Last && h.Hash != v.Hash:
		return v, &WrongLineError{last.name, line,
			"its hash is not the one that " + headName + " has"}
	}
	return v, nil
}

func (v *Verified) notef(format string, args ...any) {
	v.Notices = append(v.Notices, fmt.Sprintf(format, args...))
}

func headOf(dir string) (h head, ok bool, err error) {
	file, err := os.Open(filepath.Join(dir, headName))
	if errors.Is(err, os.ErrNotExist) {
		return head{}, false, nil
	}
	if err != nil {
		return head{}, false, err
	}
	defer file.Close()
	h, ok = readHead(file)
	return h, ok, nil
}

// read verifies a file, and returns how many lines it has.
func (v *Verified) read(dir string, file fileOfLines, newest bool) (lines int, err error) {
	from, err := openLines(filepath.Join(dir, file.name))
	if errors.Is(err, os.ErrNotExist) && !file.zipped { // it was compressed meanwhile
		file.name += ".gz"
		from, err = openLines(filepath.Join(dir, file.name))
	}
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", file.name, err)
	}
	defer from.Close()
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return lines, nil
		case errors.Is(err, io.EOF) && newest:
			v.notef("the last line of %s is not complete: it is being written, or the server "+
				"was killed", file.name)
			return lines, nil
		case err != nil && !errors.Is(err, io.EOF):
			return lines, &WrongLineError{file.name, lines + 1, "it cannot be read: " + err.Error()}
		}
		lines++
		if reason := v.next(bytes.TrimSuffix(line, []byte("\n"))); reason != "" {
			return lines, &WrongLineError{file.name, lines, reason}
		}
	}
}

// next verifies the next line, and returns what is wrong with it.
func (v *Verified) next(line []byte) (reason string) {
	l, err := parseLink(line)
	if err != nil {
		return err.Error()
	}
	switch {
	case v.Lines == 0:
		v.Log, v.First = l.Log, l.Sequence
		if fresh := newChain(); l.Sequence < 1 || l.Sequence == 1 && l.Previous != fresh.Hash {
			return "it is the first one, and follows another"
		}
	case l.Log != v.Log:
		return "it is of another log"
	case l.Sequence == v.Last+1 && l.Previous == v.Hash:
	case l.Sequence > v.Last+1:
		return fmt.Sprintf("%d lines before it are missing: its number is %d, and the one before "+
			"has %d", l.Sequence-v.Last-1, l.Sequence, v.Last)
	case l.Sequence <= v.Last:
		return fmt.Sprintf("it was moved: its number is %d, and the one before has %d",
			l.Sequence, v.Last)
	default:
		return "the line before it is another one than it follows"
	}
	v.Lines++
	v.Last, v.Hash = l.Sequence, l.Hash
	if bytes.Contains(line, []byte(`"eventType":"`+TypeNotice+`"`)) {
		v.quote(line)
	}
	return ""
}

// quote adds a line that is about the log itself to the notices.
func (v *Verified) quote(line []byte) {
	var r struct {
		EventTime           string         `json:"eventTime"`
		EventName           string         `json:"eventName"`
		EventType           string         `json:"eventType"`
		AdditionalEventData map[string]any `json:"additionalEventData"`
	}
	if err := json.Unmarshal(line, &r); err != nil || r.EventType != TypeNotice {
		return
	}
	text, err := json.Marshal(r.AdditionalEventData, json.Deterministic(true))
	if err != nil {
		return
	}
	v.notef("number %d, at %s: %s %s", v.Last, r.EventTime, r.EventName,
		strings.TrimSpace(string(text)))
}
