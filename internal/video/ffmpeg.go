package video

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FFmpeg is the program that decodes videos: a separate program, which runs in a sandbox. It is
// safe for concurrent use.
type FFmpeg struct {
	path    string
	version string            // for example 7.0.2-static
	formats map[string]string // names that are shown, by the names of demuxers
	limits  limits
}

// limits bound what a video may cost.
type limits struct {
	pixels  int           // of a frame as it is in the video
	memory  uint64        // address space of FFmpeg in bytes
	threads int           // of FFmpeg's decoder
	probe   time.Duration // from the start to the first frame
	stall   time.Duration // without a frame, and without a byte that FFmpeg read

	noLandlock bool // as on an older kernel, for tests
}

// The limits of each video. A frame of 8192 x 4320 pixels is decoded.
const (
	maxPixels = 8192 * 4320
	maxMemory = 4 << 30 // bytes
	maxProbe  = time.Minute
	maxStall  = 2 * time.Minute
)

// ErrNotFound says that no FFmpeg is there.
var ErrNotFound = errors.New("no FFmpeg was found")

// install says how to get FFmpeg.
const install = "install it with the system's packages, by make ffmpeg in Recollect's source " +
	"folder, or name it with --ffmpeg"

// Find returns the path of FFmpeg: the one that is named, or that of the library folder, or that of
// the system. It wraps [ErrNotFound] if there is none.
func Find(named, library string) (string, error) {
	if named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("%w at %s: %w", ErrNotFound, named, err)
		}
		return filepath.Abs(path)
	}
	installed := filepath.Join(library, "..", "ffmpeg", "ffmpeg")
	if info, err := os.Stat(installed); err == nil && info.Mode().IsRegular() {
		return filepath.Abs(installed)
	}
	if path, err := exec.LookPath("ffmpeg"); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("%w: %s", ErrNotFound, install)
}

// Open tries an FFmpeg: it decodes a picture that it made itself, in its sandbox, so that a build
// that cannot do what videos need is known at once. The sandbox is what [Main] returned. Threads are
// those of each decoder.
func Open(ctx context.Context, sandbox Sandbox, path string, threads int) (*FFmpeg, error) {
	if !sandbox.made {
		// Started again, it would do what it does at any start.
		return nil, errors.New("this program has no sandbox for FFmpeg")
	}
	// In its sandbox it can read no other name of itself.
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	f := &FFmpeg{path: path, limits: limits{pixels: maxPixels, memory: maxMemory,
		threads: max(threads, 1), probe: maxProbe, stall: maxStall}}
	if err := f.try(ctx); err != nil {
		return nil, fmt.Errorf("trying %s: %w", path, err)
	}
	return f, nil
}

// Version returns the version that FFmpeg states.
func (f *FFmpeg) Version() string { return f.version }

// try asks for the version and the formats, and decodes two frames of a test pattern.
func (f *FFmpeg) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.limits.probe)
	defer cancel()
	about, err := f.ask(ctx, "-version")
	if err != nil {
		return err
	}
	version, ok := strings.CutPrefix(about, "ffmpeg version ")
	if !ok {
		return errors.New("it is not FFmpeg")
	}
	f.version, _, _ = strings.Cut(version, " ")
	list, err := f.ask(ctx, "-hide_banner", "-demuxers")
	if err != nil {
		return err
	}
	f.formats = parseFormats(list)

	pattern := []string{"-f", "lavfi", "-i", "testsrc=size=64x48:rate=10"}
	frames, err := f.decode(ctx, f.confine(0, time.Minute), pattern,
		shape{width: 32, height: 24}, 2, nil)
	if err != nil {
		return err
	}
	var times []time.Duration
	for len(times) < 3 && frames.next() {
		times = append(times, frames.frame.time)
		frames.free()
	}
	if err := errors.Join(frames.err, frames.close()); err != nil {
		return err
	}
	if want := []time.Duration{0, time.Second / 2, time.Second}; !slices.Equal(times, want) {
		return fmt.Errorf("it decodes its test pattern at %v instead of %v", times, want)
	}
	return nil
}

// ask returns what FFmpeg prints for some arguments.
func (f *FFmpeg) ask(ctx context.Context, args ...string) (string, error) {
	p, err := start(ctx, f.confine(0, time.Minute), args)
	if err != nil {
		return "", err
	}
	text, err := p.output()
	if err == nil {
		err = p.wait()
	}
	return text, errors.Join(err, p.close())
}

// confine returns the sandbox for a port and a time of the processor.
func (f *FFmpeg) confine(port uint16, cpu time.Duration) confinement {
	return confinement{Program: f.path, Port: port, Memory: f.limits.memory,
		CPU: uint64(cpu/time.Second) + 1, NoLandlock: f.limits.noLandlock}
}

// quiet are the arguments that every run has.
var quiet = []string{"-nostdin", "-hide_banner", "-nostats"}

// formats are the demuxers that read videos from one file. The others are left out: a list of
// files that is called a video could name any file and any address.
const formats = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf,flv," +
	"live_flv,asf,ogg,mxf,mxf_opatom,nut,rm,wtv,dv,gxf,swf,nsv,gif,apng,mjpeg,mjpeg_2000," +
	"yuv4mpegpipe,dirac,vc1,vc1test,h261,h263,cavsvideo,amv,bink,smk,roq,ea,flic,film_cpk,pva," +
	"ty,vob,mgsts,avs,avs2,avs3,wc3movie,idcin,thp,vmd,vqf,xmv,yop,iv8,ivr,nuv,lmlm4,mtv,mv," +
	"mvi,mm,dfa,dxa,cine,c93,cdxl,bethsoftvid,bfi,anm,jv,pmp,psxstr,rl2,rpl,sga,siff,smush," +
	"sol,tiertexseq,tmv,txd,viv,webp_anim"

// input are the arguments that open the video of an origin.
func (f *FFmpeg) input(o *origin) []string {
	return []string{"-threads", strconv.Itoa(f.limits.threads),
		"-max_pixels", strconv.Itoa(f.limits.pixels),
		"-protocol_whitelist", "http,tcp", "-format_whitelist", formats, "-i", o.url}
}

// video are the arguments that choose the video stream that is not a cover's picture.
var video = []string{"-map", "0:V:0", "-an", "-sn", "-dn"}

// parseFormats reads the list of demuxers: flags, names and a name that is shown.
func parseFormats(list string) map[string]string {
	names := map[string]string{}
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) >= 3 && strings.HasPrefix(fields[0], "D") {
			names[fields[1]] = strings.Join(fields[2:], " ")
		}
	}
	return names
}
