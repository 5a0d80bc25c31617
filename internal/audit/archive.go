package audit

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// betweenUploads is how long an upload that failed waits for the next attempt.
const betweenUploads = time.Minute

// archiver compresses and uploads the files of a folder that are closed, on a goroutine of its own.
type archiver struct {
	cfg    FolderConfig
	id     string // of the log
	log    *slog.Logger
	closed chan int // the number of the newest file that is closed
	end    context.CancelFunc
	done   sync.WaitGroup

	uploaded, failed atomic.Int64
}

// start begins, unless there is nothing to do with closed files.
func (a *archiver) start(ctx context.Context, cfg FolderConfig, id string,
	log *slog.Logger) {
	a.cfg, a.id, a.log, a.closed = cfg, id, log, make(chan int, 1)
	ctx, a.end = context.WithCancel(context.WithoutCancel(ctx))
	if cfg.Gzip || cfg.Upload != nil {
		a.done.Go(func() { a.run(ctx) })
	}
}

// archive has the files up to a number archived.
func (a *archiver) archive(closed int) {
	select { // the newest number counts
	case <-a.closed:
	default:
	}
	a.closed <- closed
}

// stop ends it: files are compressed, but uploads are left to the next start.
func (a *archiver) stop() {
	a.end()
	a.done.Wait()
}

func (a *archiver) run(ctx context.Context) {
	closed := 0
	retry := time.NewTicker(betweenUploads)
	defer retry.Stop()
	for {
		select {
		case closed = <-a.closed:
		case <-retry.C:
		case <-ctx.Done():
			select {
			case closed = <-a.closed:
				a.compress(closed)
			default:
			}
			return
		}
		a.compress(closed)
		if a.cfg.Upload == nil {
			continue
		}
		if err := a.upload(ctx, closed); err != nil && ctx.Err() == nil {
			a.failed.Add(1)
			a.log.Error("closed files of the audit log cannot be uploaded", "error", err,
				"again_after", betweenUploads)
		}
	}
}

func (a *archiver) compress(closed int) {
	if !a.cfg.Gzip {
		return
	}
	if err := compressClosed(a.cfg.Dir, closed); err != nil {
		a.log.Error("closed files of the audit log cannot be compressed", "error", err)
	}
}

// upload uploads the files up to a number that were not uploaded yet, in their order.
func (a *archiver) upload(ctx context.Context, closed int) error {
	path := filepath.Join(a.cfg.Dir, uploadedName)
	done := 0
	text, err := os.ReadFile(path)
	if err == nil {
		done, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read which files were uploaded: %w", err)
	}
	if done >= closed {
		return nil
	}
	files, err := logFiles(a.cfg.Dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.number <= done || file.number > closed {
			continue
		}
		if err := a.uploadFile(ctx, file.name); err != nil {
			return err
		}
		a.uploaded.Add(1)
		if err := replace(path, []byte(strconv.Itoa(file.number)+"\n")); err != nil {
			return fmt.Errorf("note which files were uploaded: %w", err)
		}
	}
	return nil
}

func (a *archiver) uploadFile(ctx context.Context, name string) error {
	content, err := os.Open(filepath.Join(a.cfg.Dir, name))
	if err != nil {
		return err
	}
	defer content.Close()
	return a.cfg.Upload.Upload(ctx, a.id, name, content)
}

// replace writes a small file in place of another.
func replace(path string, content []byte) error {
	partial := path + partialSuffix
	if err := os.WriteFile(partial, content, 0o600); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// compress replaces a closed file by a compressed one.
func compress(dir, name string) error {
	from, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer from.Close()
	partial := filepath.Join(dir, name+partialSuffix)
	to, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(partial)
	z := gzip.NewWriter(to)
	_, err = io.Copy(z, from)
	err = errors.Join(err, z.Close(), to.Sync(), to.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(partial, filepath.Join(dir, name+".gz")); err != nil {
		return err
	}
	if err := syncFolder(dir); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, name))
}

// compressClosed compresses the files up to a number.
func compressClosed(dir string, closed int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, partialSuffix) { // of a process that was killed
			os.Remove(filepath.Join(dir, name))
			continue
		}
		m := logFile.FindStringSubmatch(name)
		if m == nil || m[2] != "" {
			continue
		}
		if number, err := strconv.Atoi(m[1]); err != nil || number > closed {
			continue
		}
		if err := compress(dir, name); err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
	}
	return nil
}
