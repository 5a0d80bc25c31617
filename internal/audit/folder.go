package audit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sys/unix"
)

// The names of the files in a log's folder.
const (
	plainSuffix = ".jsonl"
	gzipSuffix  = ".jsonl.gz"
	headName    = "head.json"
	lockName    = "lock"

	uploadedName = "uploaded" // has the number of the newest file that was uploaded

	partialSuffix = ".gz.partial" // of a compressed file that is not complete
)

// logFile is the pattern of a file of lines: its number, which counts from 1, and when it was
// begun.
var logFile = regexp.MustCompile(`^audit-(\d{6,})-\d{8}T\d{6}Z\.jsonl(\.gz)?$`)

func logFileName(number int, at time.Time) string {
	return fmt.Sprintf("audit-%06d-%s%s", number, at.UTC().Format("20060102T150405Z"), plainSuffix)
}

// ErrInUse is the error if another process writes to the folder.
var ErrInUse = errors.New("the audit log's folder is in use by another server")

// head says up to where the log is written, so that lines which are cut off its end are missed. It
// is written after the lines, and so is never ahead of them.
type head struct {
	Version  int    `json:"version"`
	Log      string `json:"log"`
	Sequence int64  `json:"sequence"`
	Hash     string `json:"hash"`
}

// headSize is the size of the head's file, which is padded with spaces, so that it is overwritten
// in one piece.
const headSize = 256

// folder is the folder of a log, which is written.
type folder struct {
	FolderConfig
	lock   *os.File
	head   *os.File
	file   *os.File // nil: the next write begins one
	name   string   // of file
	size   int64    // of complete lines in file
	begun  time.Time
	number int // of the newest file
	chain  chain
	dirty  bool // lines were written that are not synced
}

// openFolder opens the folder of a log, or makes it. An incomplete line at the end, of a process
// that was killed, is cut off. Notices are of what the next lines have to say.
func openFolder(cfg FolderConfig, now time.Time) (f *folder, notices []*Record, err error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	f = &folder{FolderConfig: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.lock, err = lockFolder(cfg.Dir); err != nil {
		return f, nil, err
	}
	f.head, err = os.OpenFile(filepath.Join(cfg.Dir, headName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return f, nil, err
	}
	notices, err = f.recover(now)
	return f, notices, err
}

func lockFolder(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err,
			unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// recover finds where the log goes on.
func (f *folder) recover(now time.Time) (notices []*Record, err error) {
	files, err := logFiles(f.Dir)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		f.number = files[len(files)-1].number
	}
	known := false
	for _, file := range slices.Backward(files) {
		line, n, cut, err := lastLine(filepath.Join(f.Dir, file.name))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file.name, err)
		}
		newest := file.number == f.number
		if newest && !file.zipped {
			if len(cut) > 0 {
				if err := os.Truncate(filepath.Join(f.Dir, file.name), n); err != nil {
					return nil, fmt.Errorf("cut an incomplete line: %w", err)
				}
				sum := sha256.Sum256(cut)
				notices = append(notices, notice("RepairAuditLog", now, map[string]any{
					"file": file.name, "cutBytes": len(cut),
					"cutSHA256": hex.EncodeToString(sum[:])}))
			}
			if err := f.reopen(file.name, n, now); err != nil {
				return nil, err
			}
		}
		if line == nil {
			continue
		}
		l, err := parseLink(line)
		if err != nil {
			// The line stays, and Verify reports it.
			notices = append(notices, notice("FindDamagedAuditLog", now, map[string]any{
				"file": file.name, "reason": err.Error()}))
		}
		if l.Sequence > 0 {
			f.chain, known = chain{l.Log, l.Sequence, l.Hash}, true
		}
		break
	}
	h, ok := readHead(f.head)
	switch {
	case ok && (!known || h.Log != f.chain.Log || h.Sequence > f.chain.Sequence):
		// The chain goes on from what was there, so that what is missing stays missing.
		notices = append(notices, notice("FindTruncatedAuditLog", now, map[string]any{
			"lastSequence": f.chain.Sequence, "writtenSequence": h.Sequence}))
		f.chain = chain{h.Log, h.Sequence, h.Hash}
	case !known:
		f.chain = newChain()
	}
	return notices, nil
}

// reopen goes on with a file of so many bytes.
func (f *folder) reopen(name string, size int64, now time.Time) (err error) {
	f.file, err = os.OpenFile(filepath.Join(f.Dir, name), os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	f.name, f.size, f.begun = name, size, now
	stamp := strings.TrimSuffix(name[strings.LastIndexByte(name, '-')+1:], plainSuffix)
	if begun, err := time.Parse("20060102T150405Z", stamp); err == nil {
		f.begun = begun
	}
	return nil
}

// write appends lines, which follow f.chain and lead to next. If it fails, nothing is appended.
func (f *folder) write(lines []byte, next chain, now time.Time) error {
	if f.file != nil && f.size > 0 && (f.size+int64(len(lines)) > f.MaxBytes ||
		now.Sub(f.begun) >= f.MaxAge) {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if f.file == nil {
		if err := f.begin(now); err != nil {
			return err
		}
	}
	if _, err := f.file.Write(lines); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.name, err), f.undo())
	}
	if f.Sync == SyncAlways {
		if err := f.file.Sync(); err != nil {
			return errors.Join(fmt.Errorf("sync %s: %w", f.name, err), f.undo())
		}
	}
	f.size += int64(len(lines))
	f.chain = next
	f.dirty = true
	if f.Sync == SyncAlways || f.Sync == SyncNever {
		return f.noteHead()
	}
	return nil
}

// undo removes what an unsuccessful write left. If it cannot, the next write begins a file.
func (f *folder) undo() error {
	err := f.file.Truncate(f.size)
	if err != nil {
		err = errors.Join(err, f.file.Close())
		f.file = nil
	}
	return err
}

// begin creates the next file.
func (f *folder) begin(now time.Time) error {
	name := logFileName(f.number+1, now)
	file, err := os.OpenFile(filepath.Join(f.Dir, name),
		os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := syncFolder(f.Dir); err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	f.number++
	f.file, f.name, f.size, f.begun = file, name, 0, now
	return nil
}

// rotate closes the file; the next write begins another.
func (f *folder) rotate() error {
	if err := f.sync(); err != nil {
		return err
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// rotateIfOld closes a file that is too old, and reports whether it did.
func (f *folder) rotateIfOld(now time.Time) (bool, error) {
	if f.file == nil || f.size == 0 || now.Sub(f.begun) < f.MaxAge {
		return false, nil
	}
	return true, f.rotate()
}

// sync makes the lines durable.
func (f *folder) sync() error {
	if !f.dirty || f.file == nil {
		return nil
	}
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", f.name, err)
	}
	return f.noteHead()
}

// noteHead notes that all lines up to f.chain are written.
func (f *folder) noteHead() error {
	f.dirty = f.Sync == SyncNever
	text, err := json.Marshal(head{chainVersion, f.chain.Log, f.chain.Sequence, f.chain.Hash})
	if err != nil {
		return err
	}
	text = append(text, bytes.Repeat([]byte(" "), headSize-1-len(text))...)
	if _, err := f.head.WriteAt(append(text, '\n'), 0); err != nil {
		return fmt.Errorf("write %s: %w", headName, err)
	}
	return nil
}

// close syncs and closes the files.
func (f *folder) close() error {
	var err error
	if f.file != nil {
		err = errors.Join(f.sync(), f.file.Close())
	}
	for _, file := range []*os.File{f.head, f.lock} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// readHead reads the head's file. It is not ok if there is none that is complete.
func readHead(r io.ReaderAt) (h head, ok bool) {
	text := make([]byte, headSize)
	n, _ := r.ReadAt(text, 0)
	err := json.Unmarshal(bytes.TrimSpace(text[:n]), &h, json.RejectUnknownMembers(true))
	return h, err == nil && h.Version == chainVersion
}

// fileOfLines is a file of a log's folder.
type fileOfLines struct {
	number int
	name   string
	zipped bool
}

// logFiles returns the files of a folder in order. Of a file that is there twice, because a process
// was killed while it removed what it had compressed, the compressed one is returned.
func logFiles(dir string) ([]fileOfLines, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []fileOfLines
	for _, entry := range entries {
		m := logFile.FindStringSubmatch(entry.Name())
		if m == nil {
			continue
		}
		number, err := strconv.Atoi(m[1])
		if err != nil {
			continue
		}
		files = append(files, fileOfLines{number, entry.Name(), m[2] != ""})
	}
	slices.SortFunc(files, func(a, b fileOfLines) int {
		if a.number != b.number {
			return a.number - b.number
		}
		return strings.Compare(b.name, a.name) // the compressed one first
	})
	return slices.CompactFunc(files, func(a, b fileOfLines) bool {
		return strings.TrimSuffix(a.name, ".gz") == strings.TrimSuffix(b.name, ".gz")
	}), nil
}

// openLines opens a file of lines for reading.
func openLines(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, gzipSuffix) {
		return file, err
	}
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z, file}, nil
}

// lastLine returns the last complete line of a file, without its line feed, nil if there is none;
// how many bytes the complete lines have; and what stands behind them.
func lastLine(path string) (line []byte, complete int64, rest []byte, err error) {
	file, err := openLines(path)
	if err != nil {
		return nil, 0, nil, err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<20)
	for {
		next, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return line, complete, next, nil
		}
		if err != nil {
			return nil, 0, nil, err
		}
		complete += int64(len(next))
		line = next[:len(next)-1]
	}
}
