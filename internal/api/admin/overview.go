package admin

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/recollect-dev/recollect/internal/face"
)

// overview is the answer of the route overview. Counts are those of the caller's realm, the rest
// concerns the whole server.
type overview struct {
	Version       string
	StartedAt     time.Time
	UptimeSeconds int64
	Regions       []string
	Region        string // of the signature
	Account       string // of the caller
	Models        []Model
	DefaultModel  string

	Collections, Faces, Users int64

	// Thumbnails is "shown", or if the server shows none, "hidden" if some are kept and "none" if
	// not.
	Thumbnails string

	Disk     disk
	Memory   memory
	LastHour []operationActivity
}

type disk struct {
	DatabaseBytes int64 // with its log
	DataBytes     int64 // of all files of the data folder
	FreeBytes     int64 // of its file system, for the server
	TotalBytes    int64
}

type memory struct {
	ResidentBytes int64 `json:",omitzero"` // of the process; absent where it cannot be read
	HeapBytes     int64 // part of it that Go's heap uses
}

func (s *Server) overview(ctx context.Context, x *call) (any, error) {
	totals, err := s.Store.Totals(ctx, x.Caller.Realm)
	if err != nil {
		return nil, err
	}
	thumbnails, err := s.thumbnailState(ctx)
	if err != nil {
		return nil, err
	}
	disk, err := diskUse(s.Data)
	if err != nil {
		return nil, fmt.Errorf("measure the data folder: %w", err)
	}
	return &overview{
		Version:       s.Version,
		StartedAt:     s.started.UTC().Truncate(time.Millisecond),
		UptimeSeconds: int64(x.Start.Sub(s.started).Seconds()),
		Regions:       s.Regions,
		Region:        x.Caller.Realm.Region,
		Account:       x.Caller.Principal.Account,
		Models:        s.Models,
		DefaultModel:  s.Models[0].Version,
		Collections:   totals.Collections,
		Faces:         totals.Faces,
		Users:         totals.Users,
		Thumbnails:    thumbnails,
		Disk:          disk,
		Memory:        memoryUse(),
		LastHour:      s.Activity.lastHour(x.Start),
	}, nil
}

// qualityFilter is a quality filter and its bounds.
type qualityFilter struct {
	Name   face.QualityFilter
	Bounds face.QualityBounds
}

// models returns the loaded models, what similarities mean for each, and what quality filters ask
// of a face.
func (s *Server) models(context.Context, *call) (any, error) {
	var filters []qualityFilter
	for _, f := range []face.QualityFilter{face.QualityAuto, face.QualityLow, face.QualityMedium,
		face.QualityHigh} {
		if bounds, ok := f.Bounds(); ok {
			filters = append(filters, qualityFilter{f, bounds})
		}
	}
	return &struct {
		Models         []Model
		DefaultModel   string
		QualityFilters []qualityFilter
	}{s.Models, s.Models[0].Version, filters}, nil
}

// diskUse measures a folder and its file system.
func diskUse(folder string) (disk, error) {
	var d disk
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreGone(err)
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreGone(err)
		}
		d.DataBytes += info.Size()
		if strings.HasPrefix(entry.Name(), "recollect.db") {
			d.DatabaseBytes += info.Size()
		}
		return nil
	})
	if err != nil {
		return disk{}, err
	}
	var system unix.Statfs_t
	if err := unix.Statfs(folder, &system); err != nil {
		return disk{}, err
	}
	d.FreeBytes = int64(system.Bavail) * system.Bsize
	d.TotalBytes = int64(system.Blocks) * system.Bsize
	return d, nil
}

// ignoreGone ignores errors of files that were deleted while the folder was read.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

func memoryUse() memory {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	m := memory{HeapBytes: int64(stats.HeapInuse)}
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(statm); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			m.ResidentBytes = pages * int64(os.Getpagesize())
		}
	}
	return m
}
