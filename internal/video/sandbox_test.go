//go:build linux && (amd64 || arm64)

package video

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// inside makes the tests' own program try what a decoder may not do: the ports that may and may not
// be connected to.
var inside = flag.String("inside", "", "ports, for a test that runs in the sandbox")

// TestInside runs in the sandbox, and prints what failed there.
func TestInside(t *testing.T) {
	if *inside == "" {
		t.Skip("it is part of TestSandbox")
	}
	open, shut, _ := strings.Cut(*inside, ",")
	tried := map[string]error{}
	_, tried["read"] = os.ReadFile("/etc/passwd")
	_, tried["list"] = os.ReadDir("/")
	tried["write"] = os.WriteFile("/tmp/recollect-sandbox-test", []byte("x"), 0o600)
	_, tried["run"] = syscall.ForkExec("/bin/true", []string{"true"}, nil)
	connect := func(port string) error {
		c, err := net.DialTimeout("tcp4", "127.0.0.1:"+port, 10*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	}
	tried["connect"], tried["other port"] = connect(open), connect(shut)
	socket := func(domain, kind int) error {
		fd, err := unix.Socket(domain, kind, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	tried["tcp"] = socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC)
	tried["udp"] = socket(unix.AF_INET, unix.SOCK_DGRAM)
	tried["ipv6"] = socket(unix.AF_INET6, unix.SOCK_STREAM)
	tried["unix"] = socket(unix.AF_UNIX, unix.SOCK_STREAM)
	tried["kill"] = syscall.Kill(os.Getppid(), 0)
	tried["namespace"] = unix.Unshare(unix.CLONE_NEWUSER)
	_, tried["memory file"] = unix.MemfdCreate("x", 0)
	tried["trace"] = unix.PtraceSeize(os.Getppid())
	for name, l := range map[string]int{"files": unix.RLIMIT_NOFILE, "size": unix.RLIMIT_FSIZE,
		"core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU} {
		var limit unix.Rlimit
		if err := unix.Getrlimit(l, &limit); err != nil {
			t.Fatal(err)
		}
		tried["limit of "+name] = errors.New(strconv.FormatUint(limit.Cur, 10))
	}
	texts := map[string]string{}
	for name, err := range tried {
		if err != nil {
			texts[name] = err.Error()
		}
	}
	data, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\ninside:%s\n", data)
}

// What runs in the sandbox can do nothing but compute and read from one port.
func TestSandbox(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var ports [2]string
	for i := range ports {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, ports[i], _ = net.SplitHostPort(l.Addr().String())
	}
	port, err := strconv.Atoi(ports[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := start(t.Context(), confinement{Program: self, Port: uint16(port), Memory: 8 << 30,
		CPU: 30}, []string{"-test.run=^TestInside$", "-inside=" + ports[0] + "," + ports[1]})
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.output()
	if err := errors.Join(err, p.wait(), p.close()); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	_, text, _ = strings.Cut(text, "inside:")
	line, _, _ := strings.Cut(text, "\n")
	var failed map[string]string
	if err := json.Unmarshal([]byte(line), &failed); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	for name, want := range map[string]string{
		"read": "permission denied", "list": "permission denied", "write": "permission denied",
		"run": "not permitted", "connect": "", "other port": "permission denied", "tcp": "",
		"udp": "not permitted", "ipv6": "not permitted", "unix": "not permitted",
		"kill": "not permitted", "namespace": "not permitted", "memory file": "not permitted",
		"trace": "not permitted", "limit of files": "64", "limit of size": "0",
		"limit of core": "0", "limit of cpu": "30",
	} {
		if got := failed[name]; want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A list that is called a video makes FFmpeg open neither files nor addresses, also where the
// system has no Landlock.
func TestListsAreNotFollowed(t *testing.T) {
	f := openFFmpeg(t)
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
	}))
	defer other.Close()
	file := makeVideo(t, "a.ts", "-f", "lavfi", "-i", "testsrc=size=64x48:duration=1", "-c:v",
		"mpeg2video")
	for _, without := range []bool{false, true} {
		f.limits.noLandlock = without
		for name, in := range map[string]string{
			"hls of an address": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n" + other.URL +
				"/a.ts\n#EXT-X-ENDLIST\n",
			"hls of a file": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://" + file +
				"\n#EXT-X-ENDLIST\n",
			"concat": "ffconcat version 1.0\nfile '" + file + "'\n",
			"dash": `<?xml version="1.0"?><MPD type="static" xmlns="urn:mpeg:dash:schema:mpd:2011">` +
				`<Period><AdaptationSet mimeType="video/mp4"><Representation id="1"><BaseURL>` +
				other.URL + `/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`,
			"sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n" +
				"m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
		} {
			var r results
			_, err := NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(),
				bytesInput(in), videoface.Options{}, &r)
			if err == nil || len(r.frames) > 0 {
				t.Errorf("%s: %d frames, %v", name, len(r.frames), err)
			}
		}
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests came", asked.Load())
	}
}

// A decoder that takes more time of the processor than it may is ended.
func TestTimeOfProcessor(t *testing.T) {
	f := openFFmpeg(t)
	c := f.confine(0, 0)
	frames, err := f.decode(t.Context(), c, []string{"-f", "lavfi", "-i",
		"testsrc2=size=1920x1080:rate=1000"}, shape{64, 36}, 0.001, nil)
	if err != nil {
		t.Fatal(err)
	}
	for frames.next() {
		frames.free()
	}
	exit, ok := errors.AsType[exited](frames.err)
	if err := frames.close(); err != nil || !ok || !exit.late {
		t.Errorf("it ended with %v, %v", frames.err, err)
	}
	if err := damaged(frames.err, 1); recollect.CodeOf(err) != recollect.CodeInvalidVideo {
		t.Errorf("got %v", err)
	}
}

// An FFmpeg that is none, or is not there, is refused with what to do.
func TestOpen(t *testing.T) {
	if _, err := Find("", t.TempDir()); err != nil && !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	_, err := Find("", filepath.Join(t.TempDir(), "lib"))
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "make ffmpeg") {
		t.Errorf("got %v", err)
	}
	if _, err = Find("/nowhere/ffmpeg", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.Context(), sandbox, "/bin/echo", 1); err == nil ||
		!strings.Contains(err.Error(), "not FFmpeg") {
		t.Errorf("got %v", err)
	}
	// A program that does not call Main is not started again.
	if _, err := Open(t.Context(), Sandbox{}, "/bin/echo", 1); err == nil ||
		!strings.Contains(err.Error(), "no sandbox") {
		t.Errorf("got %v", err)
	}
}
