// Command pictures reads every JPEG, PNG and WebP file of folders as the server does and by Pillow,
// which uses libjpeg-turbo, zlib and libwebp, and lists the differences: files that only one of the
// two can read, and files of which they read other sizes or other pixels.
//
//	go run ./bench/pictures FOLDER...
//
// Python with Pillow is needed. Each file has a time limit, and one that exceeds it does not end
// the run.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/recollect"
)

type options struct {
	python  string
	out     string
	timeout time.Duration
	most    float64
	folders []string
}

func main() {
	var o options
	flag.StringVar(&o.python, "python",
		filepath.Join(".cache", "conformance-python", "bin", "python"), "Python that has Pillow")
	flag.StringVar(&o.out, "out", "", "file for the report; empty: standard output")
	flag.DurationVar(&o.timeout, "timeout", 20*time.Second, "time that a file may take")
	flag.Float64Var(&o.most, "most", 4,
		"mean difference of a picture's pixels, of 255, above which it is listed")
	flag.Parse()
	o.folders = flag.Args()
	if len(o.folders) == 0 {
		fmt.Fprintln(os.Stderr, "pictures: name a folder")
		os.Exit(2)
	}
	if err := run(context.Background(), &o); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) error {
	j := judge{python: o.python}
	defer j.close()
	if err := j.start(ctx); err != nil {
		return err
	}
	r := report{judge: j.version}
	for _, folder := range o.folders {
		c, err := sweep(ctx, o, &j, folder)
		if err != nil {
			return err
		}
		r.corpora = append(r.corpora, c)
	}
	text := r.markdown(o)
	if o.out == "" {
		_, err := os.Stdout.WriteString(text)
		return err
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

// sweep compares the pictures in a folder and in those below it.
func sweep(ctx context.Context, o *options, j *judge, folder string) (c corpus, err error) {
	c.name = filepath.Base(folder)
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		kind := kindOf(data)
		if kind == "" {
			return nil
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		f := file{name: filepath.ToSlash(name), kind: kind}
		if err := f.look(ctx, o, j, path, data); err != nil {
			return err
		}
		c.files = append(c.files, f)
		return nil
	})
	slices.SortFunc(c.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return c, err
}

// kindOf returns the format that a file has by its first bytes; empty if it is none of the three.
func kindOf(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return "JPEG"
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return "PNG"
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return "WebP"
	}
	return ""
}

// outcome is the result of a comparison.
type outcome int

const (
	alike        outcome = iota // both read it, with the same pixels
	refused                     // neither reads it
	onlyJudge                   // Pillow reads it, and the server does not
	onlyServer                  // the server reads it, and Pillow does not
	otherSize                   // both read it, with other sizes
	otherPixels                 // both read it, with other pixels
	incomplete                  // the server reads it, and finds that a part is missing
	outcomeCount                // of outcomes
)

func (o outcome) String() string {
	return [...]string{"alike", "refused by both", "refused by the server alone",
		"refused by Pillow alone", "other size", "other pixels", "incomplete"}[o]
}

// file is a picture and the result of its comparison.
type file struct {
	name, kind string
	outcome    outcome
	text       string        // details of a difference
	took       time.Duration // of the server's decoder
}

// look reads a file with both decoders, and compares.
func (f *file) look(ctx context.Context, o *options, j *judge, path string, data []byte) error {
	own, cancel := context.WithTimeout(ctx, o.timeout)
	start := time.Now()
	img, complete, err := vision.Decode(own, data, vision.Options{WebP: true})
	f.took = time.Since(start)
	cancel()
	judged, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	v, jerr := j.judge(judged, path)
	if jerr != nil {
		return jerr
	}
	v.Error = strings.ReplaceAll(v.Error, path, filepath.Base(path))
	f.compare(img, complete, err, v, o.most)
	return nil
}

// compare sets the outcome. most is the mean difference of pixels up to which they are alike.
func (f *file) compare(img *image.RGBA, complete bool, err error, v verdict, most float64) {
	if err != nil {
		cause := err
		if fault, ok := errors.AsType[*recollect.Error](err); ok && fault.Err != nil {
			cause = fault.Err
		}
		f.outcome, f.text = refused, cause.Error()
		if v.Error == "" {
			f.outcome = onlyJudge
		}
		return
	}
	if v.Error != "" {
		f.outcome, f.text = onlyServer, v.Error
		return
	}
	width, height := img.Rect.Dx(), img.Rect.Dy()
	if width != v.Width || height != v.Height {
		f.outcome = otherSize
		f.text = fmt.Sprintf("%d x %d, and by Pillow %d x %d", width, height, v.Width, v.Height)
		return
	}
	mean := difference(img, v.pixels)
	switch {
	case !complete:
		f.outcome, f.text = incomplete, fmt.Sprintf("pixels differ by %.1f", mean)
	case mean > most:
		f.outcome = otherPixels
		f.text = fmt.Sprintf("by %.1f in the mean; Pillow's mode is %s", mean, v.Mode)
	}
}

// difference is the mean of the absolute differences of red, green and blue.
func difference(img *image.RGBA, pixels []byte) float64 {
	var sum int64
	for at := 0; at < len(pixels); at += 3 {
		for c := range 3 {
			d := int64(img.Pix[at/3*4+c]) - int64(pixels[at+c])
			sum += max(d, -d)
		}
	}
	return float64(sum) / float64(max(len(pixels), 1))
}
