package video

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// probed is what is known of a video before its frames are decoded.
type probed struct {
	videoface.Metadata
	shape    shape
	duration time.Duration // 0: not known
}

// probe opens a video and decodes its first frame. What FFmpeg prints of the file is for people:
// it is used for what is reported, and nothing else relies on it. The size of the frame comes from
// the frame itself, as it is after a rotation that the file demands.
func (f *FFmpeg) probe(ctx context.Context, o *origin) (*probed, error) {
	ctx, cancel := context.WithTimeout(ctx, f.limits.probe)
	defer cancel()
	args := append(append([]string{}, quiet...), "-loglevel", "level+info")
	args = append(append(args, f.input(o)...), video...)
	args = append(args, "-frames:v", "1", "-f", "framecrc", "pipe:1")
	p, err := start(ctx, f.confine(o.port, f.limits.probe), args)
	if err != nil {
		return nil, err
	}
	text, err := p.output()
	if err == nil {
		err = p.wait()
	}
	about := p.log.beginning()
	if err := errors.Join(err, p.close()); err != nil && !strings.Contains(text, "\n0,") {
		return nil, f.refuse(err, about)
	}
	return f.describe(text, about)
}

// refuse returns the caller's error for a video that cannot be opened, if it is the video's fault.
func (f *FFmpeg) refuse(err error, about string) error {
	if errors.Is(err, context.Canceled) || strings.Contains(about, sandboxFault) {
		return err
	}
	for line := range strings.Lines(about) {
		if width, height := sizeOf(line); width*height > f.limits.pixels {
			return tooLarge(width, height)
		}
		switch {
		case strings.Contains(line, "matches no streams"):
			return invalid("The file has no video.", err)
		case strings.Contains(line, "Picture size") && strings.Contains(line, "max pixel count"):
			return invalid("The frames of the video are too large.", err)
		}
	}
	return invalid(unreadable, err)
}

func tooLarge(width, height int) error {
	return invalid("The frames of the video are too large.",
		fmt.Errorf("they have %d x %d pixels", width, height))
}

// invalid is the error of a video that can never be analysed.
func invalid(message string, cause error) error {
	return &recollect.Error{Code: recollect.CodeInvalidVideo, Message: message, Err: cause}
}

var (
	dimensionsLine = regexp.MustCompile(`(?m)^#dimensions 0: (\d{1,6})x(\d{1,6})$`)
	aspectLine     = regexp.MustCompile(`(?m)^#sar 0: (\d{1,9})/(\d{1,9})$`)
	inputLine      = regexp.MustCompile(`(?m)^\[info\] Input #0, ([\w,]+), from '`)
	durationLine   = regexp.MustCompile(
		`(?m)^\[info\]   Duration: (\d{1,4}):(\d\d):(\d\d\.\d\d),`)
	mappingLine = regexp.MustCompile(`(?m)^\[info\]   Stream #0:(\d+) -> #0:0 \(`)
	sizeField   = regexp.MustCompile(`, (\d{2,6})x(\d{2,6})[ ,]`)
	rateField   = regexp.MustCompile(`, (\d+(?:\.\d+)?)(k?) fps`)
)

// describe reads what FFmpeg wrote: the header of framecrc, and the description of the input.
func (f *FFmpeg) describe(header, about string) (*probed, error) {
	size := dimensionsLine.FindStringSubmatch(header)
	if size == nil {
		return nil, invalid("The file has no video.", errors.New("no frame was decoded"))
	}
	width, height := number(size[1]), number(size[2])
	aspect := 1.0
	if sar := aspectLine.FindStringSubmatch(header); sar != nil {
		if a := float64(number(sar[1])) / float64(number(sar[2])); a > 1.0/16 && a < 16 {
			aspect = a
		}
	}
	switch {
	case width < 1 || height < 1:
		return nil, invalid("The video has no pixels.", nil)
	case width*height > f.limits.pixels:
		return nil, tooLarge(width, height)
	}
	p := &probed{shape: shapeOf(width, height, aspect)}
	p.FrameWidth, p.FrameHeight = int64(width), int64(height)
	if format := inputLine.FindStringSubmatch(about); format != nil {
		p.Format = format[1]
		if name := f.formats[p.Format]; name != "" {
			p.Format = name
		}
	}
	if d := durationLine.FindStringSubmatch(about); d != nil {
		seconds, _ := strconv.ParseFloat(d[3], 64) // digits alone
		p.duration = time.Duration((float64(number(d[1])*3600+number(d[2])*60) + seconds) *
			float64(time.Second)).Round(10 * time.Millisecond)
		p.DurationMillis = p.duration.Milliseconds()
	}
	if chosen := mappingLine.FindStringSubmatch(about); chosen != nil {
		p.stream(about, chosen[1])
	}
	return p, nil
}

// stream reads the description of a stream, such as
//
//	Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(tv, bt709,
//	progressive), 1920x1080 [SAR 1:1 DAR 16:9], 4000 kb/s, 29.97 fps, 29.97 tbr, 30k tbn (default)
func (p *probed) stream(about, index string) {
	for line := range strings.Lines(about) {
		rest, ok := strings.CutPrefix(line, "[info]   Stream #0:"+index)
		if !ok || rest == "" || rest[0] >= '0' && rest[0] <= '9' {
			continue
		}
		_, rest, ok = strings.Cut(rest, ": Video: ")
		if !ok {
			continue
		}
		p.Codec = rest[:strings.IndexAny(rest+" ", " ,\n")]
		switch {
		case strings.Contains(rest, "(tv") || strings.Contains(rest, "(limited"):
			p.ColorRange = "LIMITED"
		case strings.Contains(rest, "(pc") || strings.Contains(rest, "(full"):
			p.ColorRange = "FULL"
		}
		if rate := rateField.FindStringSubmatch(rest); rate != nil {
			fps, _ := strconv.ParseFloat(rate[1], 64) // digits alone
			if rate[2] != "" {
				fps *= 1000
			}
			p.FrameRate = float32(math.Min(fps, 1e6))
		}
		return
	}
}

// sizeOf returns the size of a line that describes a video stream, and zero of others.
func sizeOf(line string) (width, height int) {
	if size := sizeField.FindStringSubmatch(line); size != nil &&
		strings.Contains(line, ": Video: ") {
		return number(size[1]), number(size[2])
	}
	return 0, 0
}

// number reads up to nine digits.
func number(digits string) int {
	n, _ := strconv.Atoi(digits) // digits alone
	return n
}
