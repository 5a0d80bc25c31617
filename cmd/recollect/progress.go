package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress is a progress bar on a terminal, and writes nothing elsewhere. Its methods must not be
// called concurrently.
type progress struct {
	w       io.Writer // nil: nothing is shown
	width   int       // columns
	what    string
	total   int
	done    int
	started time.Time
	drawn   time.Time
}

// newProgress starts a bar on w if that is a terminal.
func newProgress(w io.Writer, what string, total int) *progress {
	p := &progress{what: what, total: total, started: time.Now()}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.w, p.width = w, 80
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			p.width = width
		}
	}
	return p
}

// step counts one item, and draws at most ten times a second.
func (p *progress) step() { p.to(p.done + 1) }

// to sets how many items are done, and draws at most ten times a second.
func (p *progress) to(done int) {
	p.done = done
	now := time.Now()
	if p.w == nil || p.done < p.total && now.Sub(p.drawn) < time.Second/10 {
		return
	}
	p.drawn = now
	fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(now.Sub(p.started)))
}

// line returns the bar's text after a time. It is narrower than the terminal, since some terminals
// begin a new line at their width.
func (p *progress) line(since time.Duration) string {
	figures := fmt.Sprintf(" %d of %d", p.done, p.total)
	if p.done > 0 && since > 0 {
		left := time.Duration(float64(since) * float64(p.total-p.done) / float64(p.done))
		figures += fmt.Sprintf(", %.1f/s, %v left", float64(p.done)/since.Seconds(),
			left.Round(time.Second))
	}
	if room := min(p.width-1-len(p.what)-len(figures)-3, 40); room >= 5 {
		full := room * p.done / max(p.total, 1)
		return p.what + " [" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]" +
			figures
	}
	line := p.what + figures
	return line[:min(len(line), max(p.width-1, 0))]
}

// end erases the bar.
func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
