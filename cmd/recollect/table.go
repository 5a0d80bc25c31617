package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// table is a text table, with its head in bold on a terminal. In a table that is wider than the
// terminal, the texts of flexible columns are shortened, the longest first.
type table struct {
	head     []string
	flexible []int // columns that may be shortened
	rows     [][]string
}

const (
	gap        = "  " // between columns
	leastWidth = 8    // of a column that is shortened
)

// cellText is a cell of a table.
func cellText(cell any) string {
	switch cell := cell.(type) {
	case float32:
		return fmt.Sprintf("%.2f", cell)
	case float64:
		return fmt.Sprintf("%.2f", cell)
	default:
		// Names of files may contain control sequences of a terminal.
		return strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return '?'
			}
			return r
		}, fmt.Sprint(cell))
	}
}

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = cellText(cell)
	}
	t.rows = append(t.rows, row)
}

// write writes the table, as wide as w is if w is a terminal, and as wide as it gets elsewhere.
func (t *table) write(w io.Writer) error {
	return t.writeWithin(w, terminalWidth(w), coloured(w))
}

// writeWithin writes the table for a terminal of so many columns; 0: of any number.
func (t *table) writeWithin(w io.Writer, columns int, bold bool) error {
	rows := append([][]string{t.head}, t.rows...)
	widths := t.widths(rows, columns)
	var b strings.Builder
	for i, row := range rows {
		var line strings.Builder
		for c, cell := range row {
			cell = shortened(cell, widths[c])
			line.WriteString(cell)
			if c < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell)) + gap)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 && bold {
			text = "\x1b[1m" + text + "\x1b[0m"
		}
		b.WriteString(text + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths returns the width of each column of the rows.
func (t *table) widths(rows [][]string, columns int) []int {
	widths := make([]int, len(t.head))
	for _, row := range rows {
		for c, cell := range row {
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	if columns <= 0 {
		return widths
	}
	over := len(gap)*(len(widths)-1) - columns
	for _, width := range widths {
		over += width
	}
	for ; over > 0; over-- {
		longest := -1
		for _, c := range t.flexible {
			if widths[c] > max(leastWidth, utf8.RuneCountInString(t.head[c])) &&
				(longest < 0 || widths[c] > widths[longest]) {
				longest = c
			}
		}
		if longest < 0 {
			break // lines will be broken by the terminal
		}
		widths[longest]--
	}
	return widths
}

// shortened is a text of at most width characters. The middle is left out, because paths differ at
// their ends and ids at their beginnings.
func shortened(text string, width int) string {
	letters := []rune(text)
	if len(letters) <= width {
		return text
	}
	head := (width - 1) / 3
	tail := width - 1 - head
	return string(slices.Concat(letters[:head], []rune("…"), letters[len(letters)-tail:]))
}

// terminalWidth is how many columns a terminal has; 0 if w is none.
func terminalWidth(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// coloured reports whether colours are shown: on a terminal that can show them, unless NO_COLOR is
// set (https://no-color.org).
func coloured(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" &&
		os.Getenv("TERM") != "dumb"
}
