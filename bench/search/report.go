package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/population"
)

const (
	targetSize = 1_000_000 // the size of the targets, if it was measured
	fitFrom    = 100_000
)

// write prints tables and, for each target, whether it was met.
func write(w io.Writer, p *population.Population, sizes []size) {
	fmt.Fprintf(w, "# Search beside its peers\n\n`make bench-search%s`, %s, %s.\n\n", flags(),
		time.Now().UTC().Format(time.DateOnly), machine())
	fmt.Fprint(w, "Vectors are drawn from the distribution of the default pack's embeddings of "+
		"Labeled Faces in the Wild, with one to ten\n"+
		"pictures a person (`bench/population`). Cosines of the real pairs and of those drawn:\n"+
		"\n"+
		"| quantile | impostors, real | drawn | genuine, real | drawn |\n|---|---|---|---|---|\n")
	impostor, genuine := resample(p, 50_000)
	for _, q := range []float64{0.01, 0.1, 0.5, 0.9, 0.99, 0.999} {
		fmt.Fprintf(w, "| %v | %.3f | %.3f | %.3f | %.3f |\n", q,
			quantile(p.Impostor, q), quantile(impostor, q), quantile(p.Genuine, q),
			quantile(genuine, q))
	}
	fmt.Fprint(w, "\nThe ten best of each query; half of the queries show people who are there. "+
		"Graphs (M 16, ef 100 while building) search with the least ef, in\n"+
		"doublings, that reaches a recall of 0.99. Weaviate is a server, as such asked over gRPC "+
		"with encoded requests; the others are asked in the process. Memory is what no file "+
		"backs, after all queries, over the process without vectors. \"Build\" is the time until "+
		"the\n"+
		"first answer.\n")
	for _, s := range sizes {
		fmt.Fprintf(w,
			"\n## %d vectors\n\n| | recall@10 | p50 | p99 | queries/s, %d clients | build | "+
				"memory a vector |\n|---|---|---|---|---|---|---|\n", s.n, clients)
		for _, r := range s.results {
			name := r.name
			if r.Effort > 0 {
				name = fmt.Sprintf("%s, ef %d", name, r.Effort)
			}
			fmt.Fprintf(w, "| %s | %.4f | %.2f ms | %.2f ms | %.0f | %.1f s | %d bytes |\n",
				name, r.Recall, 1e3*r.P50, 1e3*r.P99, r.Rate, r.Build, r.Memory/int64(s.n))
		}
		ours := s.results[0]
		fmt.Fprintf(w,
			"\nOurs: %.0f vectors compared in full a query; with similarity 80 and 4,096 hits "+
				"%.2f ms; the first answer %.2f s after a start with files.\n"+
				"Reading the codes' bytes once takes %.2f ms.\n\n", ours.Compared, 1e3*ours.P50Many,
			ours.Reopen, 1e3*ours.MemoryPass)
		fmt.Fprint(w,
			"| least similarity | cosine | hits of a scan, k = 1, 10, 100 | found |\n"+
				"|---|---|---|---|\n")
		for _, t := range ours.Thresholds {
			fmt.Fprintf(w, "| %.0f | %.3f | %d | %d |\n", t.Similarity, t.Cosine, t.Wanted, t.Found)
		}
	}
	last := sizes[len(sizes)-1]
	for _, s := range sizes {
		if s.n == targetSize {
			last = s
		}
	}
	fmt.Fprintf(w, "\n## Targets, at %d vectors\n\n| | measured | target | |\n|---|---|---|---|\n",
		last.n)
	line := func(what string, measured float64, format, target string, met bool) {
		verdict := "met"
		if !met {
			verdict = "**not met**"
		}
		fmt.Fprintf(w, "| %s | "+format+" | %s | %s |\n", what, measured, target, verdict)
	}
	ours := last.results[0]
	var wanted, found int
	for _, t := range ours.Thresholds {
		wanted, found = wanted+t.Wanted, found+t.Found
	}
	line("recall by key and cosine", float64(found)/float64(wanted), "%.5f", "1", found == wanted)
	line("p50 to reading the codes once", ours.P50/ours.MemoryPass, "%.2f", "at most 2",
		ours.P50 <= 2*ours.MemoryPass)
	line("p50 with similarity 80 and 4,096 hits to reading the codes once",
		ours.P50Many/ours.MemoryPass, "%.2f", "at most 4", ours.P50Many <= 4*ours.MemoryPass)
	line("memory a vector", float64(ours.Memory)/float64(last.n), "%.0f bytes", "at most 160",
		ours.Memory <= 160*int64(last.n))
	for _, peer := range last.results[1:] {
		switch peer.name {
		case "faiss flat":
			line("faiss flat's p50 to ours", peer.P50/ours.P50, "%.1f", "at least 20",
				peer.P50 >= 20*ours.P50)
		case "hnswlib":
			line("hnswlib's build to ours", peer.Build/ours.Build, "%.1f", "at least 50",
				peer.Build >= 50*ours.Build)
		}
		line("queries/s to "+peer.name+"'s", ours.Rate/peer.Rate, "%.2f", "more than 1",
			ours.Rate > peer.Rate)
	}
	if len(sizes) > 1 {
		fmt.Fprint(w,
			"\nCost by size (p50 over vectors):\n\n| vectors | p50 | a vector |\n|---|---|---|\n")
		for _, s := range sizes {
			p50 := s.results[0].P50
			fmt.Fprintf(w, "| %d | %.3f ms | %.2f ns |\n", s.n, 1e3*p50, 1e9*p50/float64(s.n))
		}
		writeFit(w, sizes)
	}
	fmt.Fprint(w, "\nA pass reads the signs of all vectors, 64 bytes each, which memory limits, "+
		"not arithmetic (`go test -bench Sums ./exact`); of the vectors that they leave open, it "+
		"reads as much once more, and what both\n"+
		"leave open is compared in full, for some cache misses and a checksum each. That weighs "+
		"more the smaller a collection is and the fewer of the hits are alike. Memory beyond 148 "+
		"bytes a vector is the last, unfinished slab (2.3 MB at most) and what the garbage "+
		"collector keeps in hand.\n")
}

// flags returns the flags of this run, in the form of make's variable.
func flags() string {
	if len(os.Args) < 2 {
		return ""
	}
	var quoted []string
	for _, argument := range os.Args[1:] {
		if strings.Contains(argument, " ") {
			argument = strconv.Quote(argument)
		}
		quoted = append(quoted, argument)
	}
	return " SEARCH='" + strings.Join(quoted, " ") + "'"
}

// writeFit fits a line to the costs from fitFrom on, with the least squares of the relative
// deviations.
func writeFit(w io.Writer, sizes []size) {
	// With weights 1/p50²: the sums of the normal equations for p50 = a + b·n.
	var w0, wx, wxx, wy, wxy float64
	var fitted []size
	for _, s := range sizes {
		if s.n < fitFrom {
			continue
		}
		fitted = append(fitted, s)
		x, y := float64(s.n), s.results[0].P50
		weight := 1 / (y * y)
		w0, wx, wxx, wy, wxy = w0+weight, wx+weight*x, wxx+weight*x*x, wy+weight*y, wxy+weight*x*y
	}
	if len(fitted) < 3 {
		return
	}
	b := (w0*wxy - wx*wy) / (w0*wxx - wx*wx)
	a := (wy - b*wx) / w0
	var worst float64
	for _, s := range fitted {
		worst = max(worst, math.Abs((a+b*float64(s.n))/s.results[0].P50-1))
	}
	fmt.Fprintf(w, "\nFrom %d vectors on, %.2f ms + %.2f ns a vector fits best: it is off by %.0f "+
		"%% at most.\n", fitted[0].n, 1e3*a, 1e9*b, 100*worst)
}

// quantile returns a quantile of ascending numbers.
func quantile(sorted []float32, share float64) float32 {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
