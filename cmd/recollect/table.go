package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

// table is a table for people, with its head in bold on a terminal.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		switch cell := cell.(type) {
		case float32:
			row[i] = fmt.Sprintf("%.2f", cell)
		case float64:
			row[i] = fmt.Sprintf("%.2f", cell)
		default:
			// Names of files may have what moves a terminal's cursor.
			row[i] = strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return '?'
				}
				return r
			}, fmt.Sprint(cell))
		}
	}
	t.rows = append(t.rows, row)
}

func (t *table) write(w io.Writer) error {
	var b strings.Builder
	columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		fmt.Fprintln(columns, strings.Join(row, "\t"))
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	head, rows, _ := strings.Cut(b.String(), "\n")
	if coloured(w) {
		head = "\x1b[1m" + head + "\x1b[0m"
	}
	_, err := io.WriteString(w, head+"\n"+rows)
	return err
}

// coloured tells whether colours are shown: on a terminal that can, and where nobody objects
// (https://no-color.org).
func coloured(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" &&
		os.Getenv("TERM") != "dumb"
}
