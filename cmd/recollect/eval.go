package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/server"
)

// evalConfig is the configuration of eval.
type evalConfig struct {
	Pairs   string // file
	Train   string // file of other pairs, to choose the threshold on; empty: none
	Images  string // folder
	Report  string // HTML file; empty: none
	Library string
	Model   string // name of a pack; empty: the default
}

// Validate reports every fault at once.
func (c evalConfig) Validate() error {
	var faults []error
	if c.Pairs == "" {
		faults = append(faults, errors.New("--pairs names no file"))
	}
	if c.Images == "" {
		faults = append(faults, errors.New("--images names no folder"))
	} else if info, err := os.Stat(c.Images); err != nil {
		faults = append(faults, fmt.Errorf("--images: %w", err))
	} else if !info.IsDir() {
		faults = append(faults, fmt.Errorf("--images: %s is not a folder", c.Images))
	}
	return errors.Join(faults...)
}

func evalCommand() *cobra.Command {
	var cfg evalConfig
	cmd := &cobra.Command{
		Use:   "eval --pairs FILE --images FOLDER",
		Short: "Measure verification on pairs of pictures",
		Long: `Measure verification on pairs of pictures, with the networks that the server uses.

The file of pairs has the format of Labeled Faces in the Wild. A line "Anna 1 3" is two pictures
of one person, "Anna 1 Bert 2" of two people; fields are separated by tabs or spaces, and a first
line may say how many there are. The picture "Anna 3" is the file Anna/Anna_0003.jpg, .jpeg or
.png of the folder. The face nearest to the middle is used. A picture without a face matches
nothing.

The exit status is 0 if all pairs were measured, 130 if it was interrupted, 2 if the command line is
wrong, and 3 for any other failure.`,
		Example: "  recollect eval --pairs test.txt --train train.txt --images lfw " +
			"--report eval.html",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := valid(cfg.Validate()); err != nil {
				return err
			}
			return eval(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Pairs, "pairs", "", "file of the pairs to measure")
	flags.StringVar(&cfg.Images, "images", "", "folder of the pictures, with one folder a person")
	flags.StringVar(&cfg.Train, "train", "",
		"file of other pairs, to choose the threshold of the accuracy on")
	flags.StringVar(&cfg.Report, "report", "",
		"HTML file to write the report to, with the curve and the worst pairs")
	flags.StringVar(&cfg.Library, "library", defaultLibrary(),
		"folder of ONNX Runtime and the model packs")
	configure(cmd)
	flags.StringVar(&cfg.Model, "model", "",
		"name of the model pack to measure (default: that of new collections)")
	return cmd
}

// eval measures, prints the figures and writes the report.
func eval(ctx context.Context, cfg evalConfig, stdout, stderr io.Writer) (err error) {
	pairs, err := readPairs(cfg.Pairs)
	if err != nil {
		return err
	}
	var train []verification.Pair
	if cfg.Train != "" {
		if train, err = readPairs(cfg.Train); err != nil {
			return err
		}
	}
	pictures := verification.Pictures(pairs, train)
	paths, err := findPictures(cfg.Images, pictures)
	if err != nil {
		return err
	}
	// A report that cannot be written is an error before minutes of work.
	report, err := createReport(cfg.Report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, report.discard()) }()

	watch := stopwatch{took: map[vision.Stage]time.Duration{}, runs: map[vision.Stage]int{}}
	engine, err := server.OpenEngine(cfg.Library, server.DeviceCPU, cfg.Model,
		vision.Options{Observe: watch.observe})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()

	started := time.Now()
	bar := newProgress(stderr, "pictures", len(paths))
	faces, err := verification.EmbedAll(ctx, engine, paths, bar.step)
	took := time.Since(started)
	bar.end()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted after %d of %d pictures: %w", bar.done, len(paths),
			ctx.Err())
	}
	if err != nil {
		return err
	}
	e, err := newEvaluation(ctx, cfg, engine, pairs, train, pictures, faces)
	if err != nil {
		return err
	}
	e.Took, e.Stages = took, watch.stages()
	if err := e.print(stdout); err != nil {
		return err
	}
	if cfg.Report == "" {
		return nil
	}
	if err := e.writeReport(ctx, report, engine, paths); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := report.keep(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "\nThe curve and the worst pairs are in %s.\n", cfg.Report)
	return err
}

func readPairs(path string) ([]verification.Pair, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the pairs: %w", err)
	}
	defer file.Close()
	pairs, err := verification.ReadPairs(file)
	if err != nil {
		return nil, fmt.Errorf("read the pairs: %s: %w", path, err)
	}
	return pairs, nil
}

// findPictures returns the paths of the pictures. Its error names the first few that are missing.
func findPictures(folder string, pictures []verification.Picture) ([]string, error) {
	const named = 5
	paths := make([]string, len(pictures))
	var faults []error
	missing := 0
	for i, p := range pictures {
		path, err := p.Find(folder)
		if err != nil {
			if missing++; missing <= named {
				faults = append(faults, err)
			}
			continue
		}
		paths[i] = path
	}
	if missing > named {
		faults = append(faults, fmt.Errorf("and %d more", missing-named))
	}
	if missing > 0 {
		return nil, fmt.Errorf("%d of the %d pictures that the pairs name are missing:\n%w",
			missing, len(pictures), errors.Join(faults...))
	}
	return paths, nil
}

// stopwatch adds up the time of each stage.
type stopwatch struct {
	mutex sync.Mutex
	took  map[vision.Stage]time.Duration
	runs  map[vision.Stage]int
}

func (s *stopwatch) observe(stage vision.Stage, took time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.took[stage] += took
	s.runs[stage]++
}

// stageTime is how long a stage took.
type stageTime struct {
	Stage vision.Stage
	Runs  int
	Mean  time.Duration // of a run, waiting for cores included
	Share float64       // of the time of all stages
}

// stages returns the stages that ran, in their order.
func (s *stopwatch) stages() []stageTime {
	var all time.Duration
	for _, took := range s.took {
		all += took
	}
	var stages []stageTime
	for _, stage := range []vision.Stage{vision.StageDecode, vision.StageDetect,
		vision.StageLandmarks, vision.StagePose, vision.StageAlign, vision.StageEmbed} {
		if n := s.runs[stage]; n > 0 {
			stages = append(stages,
				stageTime{stage, n, s.took[stage] / time.Duration(n),
					float64(s.took[stage]) / float64(max(all, 1))})
		}
	}
	return stages
}

// reportFile is a temporary file that gets its name once it is complete. Without a name it does
// nothing.
type reportFile struct {
	*os.File
	path string
}

func createReport(path string) (*reportFile, error) {
	if path == "" {
		return &reportFile{}, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("--report: %s is a folder", path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("--report: %w", err)
	}
	return &reportFile{file, path}, nil
}

// keep gives the file its name.
func (r *reportFile) keep() error {
	file := r.File
	r.File = nil
	if err := cmp.Or(file.Chmod(0o644), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), r.path)
}

// discard removes the file if it was not kept.
func (r *reportFile) discard() error {
	if r.File == nil {
		return nil
	}
	return errors.Join(r.Close(), os.Remove(r.Name()))
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
