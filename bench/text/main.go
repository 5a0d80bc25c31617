// Command text measures how well rendered words are read, by their size, angle and font, and what
// reading costs beside the bare networks in the same run.
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/ocr"
	"github.com/recollect-dev/recollect/internal/engine/ocr/ocrtest"
	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/text"
)

func main() {
	library := flag.String("library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	out := flag.String("out", filepath.Join("bench", "results", "text.md"),
		"file for the results; empty: none")
	words := flag.Int("words", 1000, "least number of words upright, and turned")
	rounds := flag.Int("rounds", 5, "rounds of the measurement of time")
	flag.Parse()
	if err := run(context.Background(), *library, *out, *words, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "text:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, library, out string, words, rounds int) error {
	p, err := pack.OpenLibrary(library).Load("text")
	if err != nil {
		return err
	}
	r, err := onnx.Open(filepath.Join(library, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		return err
	}
	runs := new(recorder)
	engine, err := ocr.New(p, r, ocr.Options{ObserveRun: runs.add})
	if err != nil {
		return err
	}
	defer engine.Close()
	fonts, err := ocrtest.Fonts()
	if err != nil {
		return err
	}
	b := &bench{engine: engine, runs: runs, fonts: fonts}
	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(w, "# Rendered words\n\n`make bench-text`, %s, text model %s, %d cores, %s, "+
		"%s/%s.\n\n", time.Now().UTC().Format(time.DateOnly), p.Version, runtime.NumCPU(),
		workload.CPUModel(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(w, "Words of six languages, numbers and signs, in %d fonts, about 20 in a picture "+
		"of 1280 x 960, on plain, shaded and noisy grounds, lighter or darker by 100 and more "+
		"levels.\nA height is that of a word's ink, from the lowest to the highest pixel.\n"+
		"A word is right if each of its characters is, with its case and accents.\n\n", len(fonts))
	if err := b.accuracy(ctx, w, words); err != nil {
		return err
	}
	if err := b.speed(ctx, w, rounds); err != nil {
		return err
	}
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(report.String()), 0o644)
}

type bench struct {
	engine *ocr.Engine
	runs   *recorder
	fonts  []ocrtest.Font
}

// condition is how words are drawn.
type condition struct {
	name string
	ocrtest.Drawer
}

func (b *bench) accuracy(ctx context.Context, w io.Writer, words int) error {
	fmt.Fprint(w, "| words | number | right | with case and accents aside | found |\n"+
		"|---|---|---|---|---|\n")
	var main []ocrtest.Reading
	few := max(words/8, 1)
	for i, c := range []struct {
		condition
		words int
	}{
		{condition{"20 to 80 pixels, upright", ocrtest.Drawer{MinHeight: 20, MaxHeight: 80}},
			words},
		{condition{"20 to 80 pixels, turned by up to 30 degrees", ocrtest.Drawer{MinHeight: 20,
			MaxHeight: 80, MaxAngle: 30}}, words},
		{condition{"16 to 19 pixels, upright", ocrtest.Drawer{MinHeight: 16, MaxHeight: 19}}, few},
		{condition{"12 to 15 pixels, upright", ocrtest.Drawer{MinHeight: 12, MaxHeight: 15}}, few},
		{condition{"8 to 11 pixels, upright", ocrtest.Drawer{MinHeight: 8, MaxHeight: 11}}, few},
		{condition{"20 to 80 pixels, downwards", ocrtest.Drawer{MinHeight: 20, MaxHeight: 80,
			Quarters: 1}}, few},
		{condition{"20 to 80 pixels, on their head", ocrtest.Drawer{MinHeight: 20, MaxHeight: 80,
			Quarters: 2}}, few},
		{condition{"20 to 80 pixels, upwards", ocrtest.Drawer{MinHeight: 20, MaxHeight: 80,
			Quarters: 3}}, few},
	} {
		readings, err := b.read(ctx, c.Drawer, uint64(i), c.words)
		if err != nil {
			return err
		}
		if i < 2 {
			main = append(main, readings...)
		}
		s := sum(readings)
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s |\n", c.name, s.all, s.share(s.right),
			s.share(s.folded), s.share(s.found))
	}
	fmt.Fprint(w, "\nThe first two rows, by height, by angle and by font:\n\n")
	table(w, "height", main, func(r ocrtest.Reading) string {
		from := r.Height / 10 * 10
		return fmt.Sprintf("%d to %d", from, from+9)
	})
	table(w, "degrees", main, func(r ocrtest.Reading) string {
		if r.Angle == 0 {
			return "0"
		}
		from := int(math.Abs(r.Angle)) / 10 * 10
		return fmt.Sprintf("%d to %d", from, from+10)
	})
	table(w, "font", main, func(r ocrtest.Reading) string { return r.Font })
	b.confidence(w, main)
	fmt.Fprint(w, "\nWhat was read otherwise:\n\n")
	for _, r := range main {
		if !r.Right() {
			fmt.Fprintf(w, "- `%s` as `%s`, confidence %.1f, %s, %d pixels, %.0f degrees\n", r.Text,
				r.Read, r.Confidence, r.Font, r.Height, r.Angle)
		}
	}
	return nil
}

// read draws at least so many words and reads them.
func (b *bench) read(ctx context.Context, d ocrtest.Drawer, seed uint64,
	words int) ([]ocrtest.Reading, error) {
	d.Rand = rand.New(rand.NewPCG(seed, 46))
	d.Fonts, d.Words = b.fonts, ocrtest.Words()
	var readings []ocrtest.Reading
	for len(readings) < words {
		page, err := d.Page()
		if err != nil {
			return nil, err
		}
		lines, err := readAll(ctx, b.engine, page.PNG)
		if err != nil {
			return nil, err
		}
		readings = append(readings, page.Compare(lines)...)
	}
	return readings, nil
}

func readAll(ctx context.Context, engine text.Engine, picture []byte) (lines []text.Line,
	err error) {
	err = engine.Read(ctx, picture, nil, func(l text.Line) bool {
		lines = append(lines, l)
		return true
	})
	return lines, err
}

type sums struct{ all, right, folded, found int }

func (s sums) share(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(s.all)) }

func sum(readings []ocrtest.Reading) (s sums) {
	for _, r := range readings {
		s.all++
		if r.Right() {
			s.right++
		}
		if folded(r.Read) == folded(r.Text) {
			s.folded++
		}
		if r.Read != "" {
			s.found++
		}
	}
	return s
}

// folded is a text in small letters without the accents of its Latin letters.
func folded(text string) string {
	return strings.NewReplacer("à", "a", "á", "a", "â", "a", "ã", "a", "ä", "a", "ç", "c", "è", "e",
		"é", "e", "ê", "e", "ì", "i", "í", "i", "î", "i", "ï", "i", "ñ", "n", "ò", "o", "ó", "o",
		"ô", "o", "õ", "o", "ö", "o", "ù", "u", "ú", "u", "û", "u", "ü", "u").
		Replace(strings.ToLower(text))
}

// table writes the shares of right words by a property of theirs.
func table(w io.Writer, head string, readings []ocrtest.Reading,
	of func(ocrtest.Reading) string) {
	groups := map[string][]ocrtest.Reading{}
	var order []string
	for _, r := range readings {
		name := of(r)
		if groups[name] == nil {
			order = append(order, name)
		}
		groups[name] = append(groups[name], r)
	}
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	if head == "font" {
		slices.Sort(order)
	}
	fmt.Fprintf(w, "| %s | words | right |\n|---|---|---|\n", head)
	for _, name := range order {
		s := sum(groups[name])
		fmt.Fprintf(w, "| %s | %d | %s |\n", name, s.all, s.share(s.right))
	}
	fmt.Fprintln(w)
}

// confidence writes how many words of each confidence are right, and where the boxes are.
func (b *bench) confidence(w io.Writer, readings []ocrtest.Reading) {
	fmt.Fprint(w, "| confidence | words | right |\n|---|---|---|\n")
	for _, bounds := range [][2]float32{{0, 80}, {80, 90}, {90, 95}, {95, 99}, {99, 101}} {
		var in []ocrtest.Reading
		for _, r := range readings {
			if r.Read != "" && r.Confidence >= bounds[0] && r.Confidence < bounds[1] {
				in = append(in, r)
			}
		}
		if s := sum(in); s.all > 0 {
			fmt.Fprintf(w, "| %.0f to %.0f | %d | %s |\n", bounds[0], min(bounds[1], 100), s.all,
				s.share(s.right))
		}
	}
	var overlaps []float32
	for _, r := range readings {
		if r.Read != "" {
			overlaps = append(overlaps, r.Overlap)
		}
	}
	slices.Sort(overlaps)
	if len(overlaps) > 0 {
		fmt.Fprintf(w, "\nThe boxes around the words agree with those of their ink by an "+
			"intersection over union of %.2f in the median, and of %.2f and more for 95 %%.\n",
			overlaps[len(overlaps)/2], overlaps[len(overlaps)/20])
	}
}

// recorder keeps the runs of networks.
type recorder struct {
	runs chan recorded
}

type recorded struct {
	stage ocr.Stage
	shape onnx.Shape
}

func (r *recorder) add(stage ocr.Stage, shape onnx.Shape) {
	if r.runs != nil {
		r.runs <- recorded{stage, shape}
	}
}

// speed measures reading beside the same runs of the networks alone, in turns. What counts is the
// time of all processors: it does not depend on what else the machine does.
func (b *bench) speed(ctx context.Context, w io.Writer, rounds int) error {
	d := ocrtest.Drawer{Rand: rand.New(rand.NewPCG(7, 46)), Fonts: b.fonts, Words: ocrtest.Words(),
		MinHeight: 20, MaxHeight: 60}
	page, err := d.Page()
	if err != nil {
		return err
	}
	decoded, err := png.Decode(bytes.NewReader(page.PNG))
	if err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, decoded, &jpeg.Options{Quality: 92}); err != nil {
		return err
	}
	b.runs.runs = make(chan recorded, 1000)
	if _, err := readAll(ctx, b.engine, picture.Bytes()); err != nil {
		return err
	}
	close(b.runs.runs)
	var runs []recorded
	for r := range b.runs.runs {
		runs = append(runs, r)
	}
	b.runs.runs = nil

	read := func() error {
		_, err := readAll(ctx, b.engine, picture.Bytes())
		return err
	}
	bare := func() error {
		for _, r := range runs {
			if err := b.engine.RunNetwork(ctx, r.stage, r.shape); err != nil {
				return err
			}
		}
		return nil
	}
	clients := 4 * runtime.NumCPU()
	fmt.Fprintf(w, "\n## What it costs\n\nA JPEG of 1280 x 960 with %d words, read by %d callers "+
		"at once, and the same %d runs of the networks without anything else, in turns, %d "+
		"rounds: medians.\n\n| | processor time a picture | pictures a second |\n|---|---|---|\n",
		len(page.Words), clients, len(runs), rounds)
	var reading, networks, ratios []float64
	var readRate, bareRate []float64
	for range rounds + 1 {
		r, rRate, err := measure(clients, read)
		if err != nil {
			return err
		}
		n, nRate, err := measure(clients, bare)
		if err != nil {
			return err
		}
		reading, networks, ratios = append(reading, r), append(networks, n), append(ratios, n/r)
		readRate, bareRate = append(readRate, rRate), append(bareRate, nRate)
	}
	// The first round warms up.
	median := func(v []float64) float64 {
		v = slices.Sorted(slices.Values(v[1:]))
		return v[len(v)/2]
	}
	fmt.Fprintf(w, "| reading | %.0f ms | %.2f |\n| networks alone | %.0f ms | %.2f |\n\n"+
		"The networks take %.2f of the processor time of reading.\n", median(reading),
		median(readRate), median(networks), median(bareRate), median(ratios))
	return nil
}

// measure makes calls at once, and returns the processor time of one in milliseconds and the calls
// a second.
func measure(clients int, call func() error) (milliseconds, rate float64, err error) {
	cpu, start := workload.CPUTime(), time.Now()
	faults := make(chan error, clients)
	for range clients {
		go func() { faults <- call() }()
	}
	for range clients {
		if fault := <-faults; fault != nil {
			err = fault
		}
	}
	spent, took := workload.CPUTime()-cpu, time.Since(start)
	return spent.Seconds() * 1000 / float64(clients), float64(clients) / took.Seconds(), err
}
