package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/recollect-dev/recollect/internal/engine/registry"
)

// ffmpegs are the SHA-256 of FFmpeg's programs by platform. Their sources are in ffmpeg/.
func ffmpegs() map[string]string {
	return map[string]string{
		"linux/amd64": "0d709a0bed1a43f24cd2c420878c63afea4580671b6949ad19ed124572f3bc3d",
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
	there, err := os.ReadFile(to)
	if err == nil && fmt.Sprintf("%x", sha256.Sum256(there)) == wanted {
		return nil
	}
	fmt.Println("Installing FFmpeg (about 70 MB are downloaded once)")
	lock := os.DirFS(filepath.Join(root, "networks", "ffmpeg"))
	sources, err := registry.ReadSources(lock)
	if err != nil {
		return err
	}
	from, err := registry.Download(ctx, lock, sources[wanted], false, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	data, err := from.File("ffmpeg", wanted, sources[wanted])
	if err != nil {
		return err
	}
	return writeFileMode(to, data, 0o755)
}
