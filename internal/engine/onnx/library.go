// Package onnx runs neural networks on ONNX Runtime's shared library. It has no code for pictures.
package onnx

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/yalue/onnxruntime_go"
)

// Version is the version of ONNX Runtime that [Verify] accepts.
const Version = "1.30.0"

// build is ONNX Runtime's shared library for one platform, from the npm package onnxruntime-node.
type build struct {
	file   string // name of the installed file
	sha256 string
}

// builds are keyed by GOOS/GOARCH.
var builds = map[string]build{
	"linux/amd64": {"libonnxruntime.so.1",
		"ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23"},
	"linux/arm64": {"libonnxruntime.so.1",
		"1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76"},
	"darwin/arm64": {"libonnxruntime.1.dylib",
		"685d2be5dba1309c89d3a5324b7fd06a5c42f1a61bfea32d14c4cc28d072121d"},
}

// ErrAltered says that a file is not the library that this program was built for.
var ErrAltered = errors.New("its SHA-256 is not that of ONNX Runtime " + Version +
	": the file is altered or incomplete")

// ErrPlatform says that there is no library for the platform of this program.
var ErrPlatform = errors.New("there is no ONNX Runtime " + Version + " for " + runtime.GOOS + "/" +
	runtime.GOARCH)

// FileError is a missing or altered file of the library. A new installation repairs it.
type FileError struct {
	File string // path
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("ONNX Runtime: %s: %v", e.File, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

// LibraryName returns the file name of the shared library on this platform, or an empty string if
// there is none.
func LibraryName() string { return builds[runtime.GOOS+"/"+runtime.GOARCH].file }

// Verify checks the SHA-256 of the file against ONNX Runtime's shared library for this platform. A
// missing or altered file is a [FileError]. The error is [ErrPlatform] if there is no library for
// the platform.
func Verify(path string) error {
	want, ok := builds[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return ErrPlatform
	}
	f, err := os.Open(path)
	if err != nil {
		// FileError has the path.
		if pathErr, ok := errors.AsType[*os.PathError](err); ok {
			err = pathErr.Err
		}
		return &FileError{File: path, Err: err}
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return &FileError{File: path, Err: err}
	}
	if hex.EncodeToString(digest.Sum(nil)) != want.sha256 {
		return &FileError{File: path, Err: ErrAltered}
	}
	return nil
}

// Runtime is ONNX Runtime in this process, with a number of processor cores that its sessions
// share.
//
// Small networks use one core efficiently and several inefficiently: the work is split and joined
// again at each of a hundred layers. So a run on an idle machine uses several cores, and concurrent
// runs use one core each. With one client, the default pack's embedding takes 1.3 ms on two cores
// and 2.4 ms on one. The results are the same, bit for bit.
type Runtime struct {
	cores     *cores
	cuda      bool
	published bool // see AsPublished
}

// maxSpread limits the cores of one run: more cores do not make networks of a few milliseconds
// faster.
const maxSpread = 4

// environment is the state of the process: the library is loaded once, and is not unloaded.
var environment struct {
	sync.Mutex
	path string
}

// Open verifies and loads the shared library at path, for at most the given number of cores at a
// time (0: all of them). A process can load one library. Opening the same one again is allowed;
// another path is an error.
func Open(path string, cores int) (*Runtime, error) {
	if cores <= 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	if err := load(path); err != nil {
		return nil, err
	}
	return &Runtime{cores: newCores(cores, min(cores, maxSpread))}, nil
}

// same reports whether two paths are of one file.
func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func load(path string) error {
	environment.Lock()
	defer environment.Unlock()
	if environment.path != "" {
		if !same(environment.path, path) {
			return fmt.Errorf("loading ONNX Runtime from %s: this process has loaded it from %s",
				path, environment.path)
		}
		return nil
	}
	if err := Verify(path); err != nil {
		return err
	}
	onnxruntime_go.SetSharedLibraryPath(path)
	if err := onnxruntime_go.InitializeEnvironment(onnxruntime_go.WithLogLevelError()); err != nil {
		return fmt.Errorf("loading ONNX Runtime %s from %s: %w", Version, path, err)
	}
	if got := onnxruntime_go.GetVersion(); got != Version {
		return errors.Join(
			fmt.Errorf("loading ONNX Runtime from %s: it is version %s, not %s", path, got,
				Version),
			onnxruntime_go.DestroyEnvironment())
	}
	environment.path = path
	return nil
}

// Cores is the number of cores that the sessions share.
func (r *Runtime) Cores() int { return r.cores.all }

// AsPublished makes sessions that are created later run the operators of their files. By default,
// operators that are slow in ONNX Runtime are replaced by others with the same result.
func (r *Runtime) AsPublished() { r.published = true }

// rewrites reports whether operators are replaced: the replacements are faster on an x86 processor
// only.
func (r *Runtime) rewrites() bool { return runtime.GOARCH == "amd64" && !r.cuda && !r.published }
