package bulk

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What became of a picture, and the other kinds of rows.
const (
	// a run began: Picture is the source, Reason the collection's identity
	StatusRun     = "run"
	StatusIndexed = "indexed" // at least one face is in the collection
	// it has no face that can be used, or is no picture: sending it again would change nothing
	StatusSkipped = "skipped"
	StatusFailed  = "failed" // the next run tries again
	StatusUser    = "user"   // faces of a folder, which is Picture, were associated to a user
)

// Row is a row of a report.
type Row struct {
	Time       time.Time
	Status     string
	Picture    string
	Bytes      int64
	Modified   time.Time // zero: unknown
	ExternalID string
	User       string
	Faces      int
	FaceIDs    []string
	Reason     string

	refused int // faces that were not associated
}

var header = []string{"time", "status", "picture", "bytes", "modified", "external_image_id", "user",
	"faces", "face_ids", "reason"}

func (r Row) fields() []string {
	return []string{timeText(r.Time), r.Status, r.Picture, strconv.FormatInt(r.Bytes, 10),
		timeText(r.Modified), r.ExternalID, r.User,
		strconv.Itoa(r.Faces), strings.Join(r.FaceIDs, " "), r.Reason}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func parseRow(fields []string) (r Row, err error) {
	times := [2]time.Time{}
	for i, text := range []string{fields[0], fields[4]} {
		if text != "" {
			var bad error
			times[i], bad = time.Parse(time.RFC3339Nano, text)
			err = errors.Join(err, bad)
		}
	}
	size, badSize := strconv.ParseInt(fields[3], 10, 64)
	faces, badFaces := strconv.Atoi(fields[7])
	return Row{Time: times[0], Status: fields[1], Picture: fields[2], Bytes: size,
			Modified: times[1], ExternalID: fields[5], User: fields[6],
			Faces: faces, FaceIDs: strings.Fields(fields[8]), Reason: fields[9]},
		errors.Join(err, badSize, badFaces)
}

// Report is a file of CSV that rows are added to. It is what a later run goes on from. It has names
// of people, perhaps: its owner alone can read it.
type Report struct {
	file *os.File
}

// OpenReport opens a report, or makes it, and returns the rows it has. A last row that a crash cut
// is removed. A report of another source or collection is rejected, and so is one that another
// import is writing.
func OpenReport(path, source, identity string) (_ *Report, rows []Row, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the report: %w", err)
	}
	r := &Report{file}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, nil, fmt.Errorf("another import is writing the report %s (%w)", path, err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read the report: %w", err)
	}
	rows, whole, err := parseReport(data)
	if err != nil {
		return nil, nil,
			fmt.Errorf(
				"%s is no report of an import, or damaged (name another file with --report): %w",
				path, err)
	}
	if err := file.Truncate(whole); err != nil {
		return nil, nil, fmt.Errorf("repair the report: %w", err)
	}
	for _, row := range rows {
		if row.Status == StatusRun && (row.Picture != source || row.Reason != identity) {
			return nil, nil,
				fmt.Errorf(
					"%s is the report of another import: of %s into %s, not %s into %s. Name "+
						"another file with --report, or take this one away",
					path, row.Picture, row.Reason, source, identity)
		}
	}
	if whole == 0 {
		if err := r.write(header); err != nil {
			return nil, nil, err
		}
	}
	return r, rows, r.Add(Row{Status: StatusRun, Picture: source, Reason: identity})
}

// parseReport returns the rows of a report, and how many bytes those are that were written as a
// whole.
func parseReport(data []byte) (rows []Row, whole int64, err error) {
	in := csv.NewReader(bytes.NewReader(data))
	in.FieldsPerRecord = len(header)
	for first := true; ; first = false {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, whole, nil
		}
		if in.InputOffset() == int64(len(data)) && (err != nil || data[len(data)-1] != '\n') {
			if first && !strings.HasPrefix(strings.Join(header, ",")+"\n", string(data)) {
				return nil, 0, errors.New("it does not begin as one")
			}
			return rows, whole, nil // cut
		}
		if err != nil {
			return nil, 0, err
		}
		if first {
			if !slices.Equal(fields, header) {
				return nil, 0, fmt.Errorf("its columns are not %s", strings.Join(header, ","))
			}
		} else {
			row, err := parseRow(fields)
			if err != nil {
				return nil, 0, fmt.Errorf("after %d bytes: %w", whole, err)
			}
			rows = append(rows, row)
		}
		whole = in.InputOffset()
	}
}

// Add writes a row, of now if it has no time.
func (r *Report) Add(row Row) error {
	if row.Time.IsZero() {
		row.Time = time.Now()
	}
	return r.write(row.fields())
}

// write writes a record by one call, so that a crash of the program alone does not cut it.
func (r *Report) write(fields []string) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(fields); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	w.Flush()
	if _, err := r.file.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// Close closes the file.
func (r *Report) Close() error { return r.file.Close() }
