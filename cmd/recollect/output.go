package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputCSV   = "csv"
)

// addOutput adds the flag --output of a command that shows rows.
func addOutput(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "output", outputTable,
		"table, for people; json, for programs: an object a line, with the API's names; or csv, "+
			"with a header")
	completeWith(cmd, "output", outputTable, outputJSON, outputCSV)
}

// addSummaryOutput adds the flag --output of a command that shows a summary, which is no row.
func addSummaryOutput(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "output", outputTable,
		"table, for people, or json, for programs: an object a line, with the API's names")
	completeWith(cmd, "output", outputTable, outputJSON)
}

func validOutput(value string) error {
	if value == outputCSV {
		return nil
	}
	if err := validSummaryOutput(value); err != nil {
		return fmt.Errorf("--output %q is none of %s, %s and %s", value, outputTable, outputJSON,
			outputCSV)
	}
	return nil
}

func validSummaryOutput(value string) error {
	if value != outputTable && value != outputJSON {
		return fmt.Errorf("--output %q is neither %s nor %s", value, outputTable, outputJSON)
	}
	return nil
}

// writeJSON writes an object in a line, without nil members and those that the SDK adds.
func writeJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var tree any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber() // as they are written
	if err := numbers.Decode(&tree); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(pruned(tree))
}

func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil || name == "ResultMetadata" {
				delete(v, name)
				continue
			}
			v[name] = pruned(member)
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

// validAll returns the faults of a command's settings, joined.
func validAll(faults ...error) error { return valid(errors.Join(faults...)) }

// completionTimeout limits how long a shell waits for a server's answer.
const completionTimeout = 2 * time.Second

// completeWith lets a shell complete a flag with the values.
func completeWith(cmd *cobra.Command, flag string, values ...string) {
	cmd.RegisterFlagCompletionFunc(flag,
		cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// column is a column of what a command shows.
type column struct {
	head string // in a table
	name string // in CSV: the API's name of what it has

	flexible bool // may be shortened where a terminal is narrow
	once     bool // is not repeated in a table while the rows below have the same
	optional bool // is left out of a table where no row has it
	csvOnly  bool // is left out of a table
	box      bool // has a *types.BoundingBox, in CSV as its four numbers
}

// show writes a command's results: a table at the end of the command, objects of JSON at once, or
// CSV.
type show struct {
	out, log io.Writer
	output   string
	columns  []column
	rows     [][]any
	csv      *csv.Writer
	begun    bool // the header of the CSV is written
}

func newShow(cmd *cobra.Command, output string, columns ...column) *show {
	return &show{out: cmd.OutOrStdout(), log: cmd.ErrOrStderr(), output: output, columns: columns,
		csv: csv.NewWriter(cmd.OutOrStdout())}
}

// row adds a row, with a cell for each column.
func (s *show) row(cells ...any) {
	switch s.output {
	case outputTable:
		s.rows = append(s.rows, cells)
	case outputCSV:
		s.header()
		_ = s.csv.Write(csvRow(s.columns, cells)) // end reports a failure
	}
}

// header writes the header of the CSV.
func (s *show) header() {
	if s.begun {
		return
	}
	s.begun = true
	var names []string
	for _, c := range s.columns {
		if c.box {
			names = append(names, "Left", "Top", "Width", "Height")
		} else {
			names = append(names, c.name)
		}
	}
	_ = s.csv.Write(names) // end reports a failure
}

func csvRow(columns []column, cells []any) []string {
	var row []string
	for i, cell := range cells {
		switch cell := cell.(type) {
		case *types.BoundingBox:
			if cell == nil {
				cell = new(types.BoundingBox)
			}
			for _, side := range []*float32{cell.Left, cell.Top, cell.Width, cell.Height} {
				row = append(row, csvNumber(side))
			}
		case float32:
			row = append(row, csvNumber(&cell))
		default:
			if columns[i].box {
				row = append(row, "", "", "")
			}
			row = append(row, fmt.Sprint(cell))
		}
	}
	return row
}

// csvNumber writes a number in full; nothing for none.
func csvNumber(x *float32) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(float64(*x), 'f', -1, 32)
}

// object writes an object of JSON.
func (s *show) object(v any) error {
	if s.output != outputJSON {
		return nil
	}
	return writeJSON(s.out, v)
}

// flush writes the rows of CSV so far.
func (s *show) flush() error {
	s.csv.Flush()
	return s.csv.Error()
}

// note says something beside the table.
func (s *show) note(text string) {
	if s.output == outputTable {
		fmt.Fprintln(s.log, text)
	}
}

// end writes the table, if it has rows, or the rest of the CSV. It returns the error of that, or
// else err.
func (s *show) end(err error) error {
	switch {
	case s.output == outputCSV:
		s.header()
		s.csv.Flush()
		return cmp.Or(s.csv.Error(), err)
	case len(s.rows) == 0:
		return err
	}
	t := s.table()
	return cmp.Or(t.write(s.out), err)
}

// table lays out the rows.
func (s *show) table() table {
	var t table
	lines := make([][]string, len(s.rows))
	// Whether a row is as the one above, in all columns so far that are not repeated.
	same := make([]bool, len(s.rows))
	for i := range same {
		same[i] = i > 0
	}
	for c, column := range s.columns {
		texts, some, before := make([]string, len(s.rows)), false, ""
		for i, row := range s.rows {
			if box, ok := row[c].(*types.BoundingBox); ok {
				row[c] = place(box)
			}
			text := cellText(row[c])
			some = some || text != ""
			if texts[i] = text; column.once {
				if same[i] = same[i] && text == before; same[i] {
					texts[i] = ""
				}
			}
			before = text
		}
		if column.csvOnly || column.optional && !some {
			continue
		}
		if column.flexible {
			t.flexible = append(t.flexible, len(t.head))
		}
		t.head = append(t.head, column.head)
		for i, text := range texts {
			lines[i] = append(lines[i], text)
		}
	}
	t.rows = lines
	return t
}
