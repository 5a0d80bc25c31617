package main

import (
	"fmt"
	"strings"
	"time"
)

// corpus is what was found in a folder.
type corpus struct {
	name  string
	files []file
}

type report struct {
	judge   string
	corpora []corpus
}

// markdown writes the report: a table of counts, and a list of the files that are not alike.
func (r *report) markdown(o *options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Pictures, read by the server and by Pillow\n\n"+
		"`go run ./bench/pictures FOLDER...` makes this page: %s with %s.\n"+
		"Each JPEG, PNG and WebP file is decoded as the server does, of any size, and by "+
		"Pillow.\n", time.Now().Format(time.DateOnly), r.judge)
	fmt.Fprintf(&b, "Alike are those whose pixels differ by %g of 255 at most in the mean.\n\n",
		o.most)
	b.WriteString("| folder | files |")
	for i := range outcomeCount {
		fmt.Fprintf(&b, " %s |", i)
	}
	b.WriteString(" longest |\n|---|---:|" + strings.Repeat("---:|", int(outcomeCount)) +
		"---:|\n")
	for _, c := range r.corpora {
		var counts [outcomeCount]int
		var longest time.Duration
		for _, f := range c.files {
			counts[f.outcome]++
			longest = max(longest, f.took)
		}
		fmt.Fprintf(&b, "| %s | %d |", c.name, len(c.files))
		for _, n := range counts {
			fmt.Fprintf(&b, " %d |", n)
		}
		fmt.Fprintf(&b, " %d ms |\n", longest.Milliseconds())
	}
	for i := onlyJudge; i < outcomeCount; i++ {
		var lines strings.Builder
		for _, c := range r.corpora {
			for _, f := range c.files {
				if f.outcome == i {
					fmt.Fprintf(&lines, "| %s | `%s` | %s |\n", c.name, f.name, cell(f.text))
				}
			}
		}
		if lines.Len() > 0 {
			title := i.String()
			fmt.Fprintf(&b, "\n## %s\n\n| folder | file | |\n|---|---|---|\n%s",
				strings.ToUpper(title[:1])+title[1:], lines.String())
		}
	}
	return b.String()
}

// cell is a text as a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}
