package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// program is a file of a wheel, by its SHA-256.
type program struct{ path, sha256 string }

// ffmpegPackage is the PyPI package that has FFmpeg, and ffmpegs are its programs by platform.
const ffmpegPackage = "imageio-ffmpeg"

func ffmpegs() map[string]program {
	return map[string]program{
		"linux/amd64": {"imageio_ffmpeg/binaries/ffmpeg-linux-x86_64-v9.0.2",
			"0d709a0bed1a43f24cd2c420878c63afea4580671b6949ad19ed124572f3bc3d"},
	}
}

// installFFmpeg installs FFmpeg for the project at root. It does nothing if it is there.
func installFFmpeg(ctx context.Context, root string) (err error) {
	wanted, ok := ffmpegs()[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		fmt.Printf("There is no FFmpeg to install for %s/%s: use the system's\n", runtime.GOOS,
			runtime.GOARCH)
		return nil
	}
	to := filepath.Join(root, "lib", "ffmpeg", "ffmpeg")
	if data, err := os.ReadFile(to); err == nil && wanted.is(data) {
		return nil
	}
	fmt.Println("Installing FFmpeg (about 70 MB are downloaded once)")
	temporary, err := os.MkdirTemp("", "recollect-ffmpeg-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	wheels, err := downloadPyPI(ctx, filepath.Join(root, "networks", "ffmpeg.txt"), temporary,
		[]string{ffmpegPackage})
	if err != nil {
		return err
	}
	data, err := readWheel(wheels[ffmpegPackage], wanted.path)
	if err != nil {
		return fmt.Errorf("%s package %s: %w", pypiRegistry, ffmpegPackage, err)
	}
	if !wanted.is(data) {
		return fmt.Errorf("%s package %s: %s has another SHA-256", pypiRegistry, ffmpegPackage,
			wanted.path)
	}
	return writeFileMode(to, data, 0o755)
}

func (p program) is(data []byte) bool {
	return fmt.Sprintf("%x", sha256.Sum256(data)) == p.sha256
}
