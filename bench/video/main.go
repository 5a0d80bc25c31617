// Command video measures the analysis of a video beside bare decoding and the bare networks, and
// how well people are followed.
//
// The video is composed: people of Labeled Faces in the Wild (Huang et al., 2007) wander across a
// picture in full HD, cover each other, leave and come back, on paths that are known. It is made
// once and kept.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/video"
	"github.com/recollect-dev/recollect/internal/video/videotest"
	"github.com/recollect-dev/recollect/internal/videoface"
)

type options struct {
	library, ffmpeg, pictures, ground, keep, out string
	profile                                      string
	seconds                                      float64
	people, strangers, shots, jobs               int
}

func main() {
	sandbox := video.Main()
	var o options
	flag.StringVar(&o.library, "library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	flag.StringVar(&o.ffmpeg, "ffmpeg", "", "path of FFmpeg; empty: the installed one")
	flag.StringVar(&o.pictures, "pictures", filepath.Join("..", "shared", "data", "lfw", "images"),
		"folder of LFW, with one folder a person")
	flag.StringVar(&o.ground, "ground",
		filepath.Join("..", "shared", "data", "group", "cf_017_0.jpg"),
		"picture without faces, behind the people")
	flag.StringVar(&o.keep, "keep", filepath.Join(".cache", "bench-video"),
		"folder in which the video is kept")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "video.md"),
		"file for the results; empty: none")
	flag.Float64Var(&o.seconds, "seconds", 120, "length of the video")
	flag.IntVar(&o.people, "people", 12, "people in the video")
	flag.IntVar(&o.shots, "shots", 1,
		"pictures of each: whoever comes back into the frame does with the next one")
	flag.IntVar(&o.strangers, "strangers", 500, "other people in the collection")
	flag.IntVar(&o.jobs, "jobs", 2, "videos that are analysed at once; 0: only one after another")
	flag.StringVar(&o.profile, "cpuprofile", "",
		"file for a CPU profile of the analysis; empty: none")
	flag.Parse()
	if err := run(context.Background(), sandbox, o); err != nil {
		fmt.Fprintln(os.Stderr, "video:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sandbox video.Sandbox, o options) error {
	_, engine, err := workload.OpenEngine(o.library, vision.Options{})
	if err != nil {
		return err
	}
	defer engine.Close()
	path, err := video.Find(o.ffmpeg, o.library)
	if err != nil {
		return err
	}
	ffmpeg, err := video.Open(ctx, sandbox, path, runtime.NumCPU())
	if err != nil {
		return err
	}
	crowd, err := videotest.NewCrowd(ctx, engine, o.pictures, o.ground, o.people, o.shots,
		videotest.Sequence{Width: 1920, Height: 1080, Rate: 30, Seconds: o.seconds})
	if err != nil {
		return err
	}
	file, err := compose(ctx, crowd, path, o)
	if err != nil {
		return err
	}
	analyzer := video.NewAnalyzer(ffmpeg, []video.Engine{engine}, video.Options{})
	return report(ctx, o, analyzer, engine, ffmpeg, path, file, crowd)
}

// compose makes the video if it is not there.
func compose(ctx context.Context, crowd *videotest.Crowd, ffmpeg string, o options) (string,
	error) {
	file := filepath.Join(o.keep, fmt.Sprintf("%d-people-%d-shots-%g-seconds.mp4", o.people,
		o.shots, o.seconds))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(o.keep, 0o755); err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "composing the video, once")
	partial := filepath.Join(o.keep, "partial.mp4")
	if err := crowd.Encode(ctx, ffmpeg, partial, "-c:v", "libx264", "-preset", "veryfast", "-crf",
		"20", "-pix_fmt", "yuv420p"); err != nil {
		return "", err
	}
	return file, os.Rename(partial, file)
}

func report(ctx context.Context, o options, analyzer *video.Analyzer, engine *vision.Engine,
	ffmpeg *video.FFmpeg, path, file string, crowd *videotest.Crowd) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	decoding, err := measure(func() error { return decode(ctx, path, file) })
	if err != nil {
		return err
	}
	before := engine.NetworkRuns()
	var found kept
	analysis, err := measure(func() error {
		stop, err := profile(o.profile)
		if err != nil {
			return err
		}
		defer stop()
		return found.analyze(ctx, analyzer, file, engine.Version())
	})
	if err != nil {
		return err
	}
	runs := engine.NetworkRuns()
	for i := range runs {
		runs[i] -= before[i]
	}
	networks, err := measure(func() error { return engine.RunBare(ctx, runs) })
	if err != nil {
		return err
	}
	names, err := name(ctx, o, engine, crowd, found.tracks)
	if err != nil {
		return err
	}
	score := videotest.Judge(&crowd.Sequence, found.frames)

	var text strings.Builder
	w := io.MultiWriter(os.Stdout, &text)
	fmt.Fprintf(w, "# Faces in video\n\n`make bench-video`, %s, %d cores, %s, %s/%s, FFmpeg %s, "+
		"face model version %s.\n\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(),
		workload.CPUModel(), runtime.GOOS, runtime.GOARCH, ffmpeg.Version(), engine.Version())
	fmt.Fprintf(w, "%g seconds of 1920 x 1080 at %d frames a second, H.264 at %.1f Mbit/s: %d "+
		"people of LFW wander across a picture, cover each other, leave the frame and come back, "+
		"with up to %d heads at once. %d moments were looked at.\n\n", o.seconds, crowd.Rate,
		float64(info.Size())*8/o.seconds/1e6, o.people, most(crowd), len(found.frames))

	fmt.Fprint(w, "## Time\n\n"+
		"Bare decoding is `ffmpeg -i FILE -f null -`, with as many threads. Bare networks are "+
		"the runs that the analysis made, without other processing, on all cores. The ratio is "+
		"what both take together by what the analysis takes.\n\n"+
		"| | seconds | times real time | seconds of processors |\n|---|---|---|---|\n")
	row := func(name string, c cost) {
		fmt.Fprintf(w, "| %s | %.1f | %.1f | %.1f |\n", name, c.wall.Seconds(),
			o.seconds/c.wall.Seconds(), c.cpu.Seconds())
	}
	row("bare decoding", decoding)
	row("bare networks", networks)
	row("**analysis**", analysis)
	fmt.Fprintf(w, "\nThe ratio is **%.2f** by elapsed time and **%.2f** by the processors' time. "+
		"Networks ran %v times: detection, confirmation, landmarks, pose, embedding and "+
		"attributes.\n", (decoding.wall+networks.wall).Seconds()/analysis.wall.Seconds(),
		(decoding.cpu+networks.cpu).Seconds()/analysis.cpu.Seconds(), runs)
	fmt.Fprintf(w, "Of the processors' time of the analysis %.1f seconds are FFmpeg's.\n",
		analysis.childCPU.Seconds())
	fmt.Fprintf(w, "The process had at most %d MB resident, and FFmpeg %d MB.\n",
		analysis.memory>>20, analysis.childMemory>>20)
	if o.jobs > 0 {
		if err := together(ctx, w, o, analyzer, engine, file); err != nil {
			return err
		}
	}

	fmt.Fprint(w, "\n## Tracks\n\n| | |\n|---|---|\n")
	fmt.Fprintf(w, "| heads of which 80 %% or more are seen, found at an intersection over union "+
		"above 0.5 | %.1f %% of %d |\n", 100*float64(score.Found)/float64(score.Visible),
		score.Visible)
	fmt.Fprintf(w, "| people without a track | %d of %d |\n", len(score.Missed), o.people)
	fmt.Fprintf(w, "| tracks | %d |\n| of these, nobody's | %d |\n", score.Tracks,
		len(score.Invented))
	fmt.Fprintf(w, "| faces where no person is | %d of %d |\n", score.Away, score.Faces)
	fmt.Fprintf(w, "| changes of a person's track, also after leaving the frame | %d |\n",
		score.Switches)
	fmt.Fprintf(w, "| people named, by another picture among %d people, at a similarity of %d or "+
		"more | %d of %d |\n| tracks named wrongly | %d |\n", names.gallery, threshold,
		names.right(score), o.people, names.wrong(score))
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(text.String()), 0o644)
}

// profile begins to write a CPU profile of this process, if there is a file for it.
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

// together analyses several videos at once.
func together(ctx context.Context, w io.Writer, o options, analyzer *video.Analyzer,
	engine *vision.Engine, file string) error {
	all, err := measure(func() error {
		faults := make(chan error, o.jobs)
		for range o.jobs {
			go func() { faults <- new(kept).analyze(ctx, analyzer, file, engine.Version()) }()
		}
		var first error
		for range o.jobs {
			if err := <-faults; first == nil {
				first = err
			}
		}
		return first
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d such videos at once took %.1f seconds, %.1f times real time together.\n",
		o.jobs, all.wall.Seconds(), float64(o.jobs)*o.seconds/all.wall.Seconds())
	return nil
}

// most is the highest number of heads that are seen at a moment.
func most(crowd *videotest.Crowd) int {
	highest := 0
	for at := 0.0; at < crowd.Seconds; at += 0.2 {
		n := 0
		for _, s := range crowd.Truth(at) {
			if s.Visible >= 0.5 {
				n++
			}
		}
		highest = max(highest, n)
	}
	return highest
}

// kept is a sink that keeps all, and the tracks.
type kept struct {
	frames []videoface.Frame
	tracks []videoface.Track
}

func (k *kept) Begin(videoface.Metadata) error { return nil }

func (k *kept) Frame(f videoface.Frame) error {
	k.frames = append(k.frames, f)
	return nil
}

func (k *kept) analyze(ctx context.Context, a *video.Analyzer, file, version string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	k.tracks, err = a.Analyze(ctx, input{in, info.Size()}, videoface.Options{Embed: version}, k)
	return err
}

// input is a video in a file.
type input struct {
	file *os.File
	size int64
}

func (i input) Size() int64 { return i.size }

func (i input) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return i.file.ReadAt(p, off)
}

func (i input) Close() error { return nil }
