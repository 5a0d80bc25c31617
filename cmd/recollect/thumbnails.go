package main

import (
	"context"
	"log/slog"

	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// checkThumbnails deletes the thumbnails of earlier runs if the configuration says so, and logs
// that they are kept and not shown if it says neither that nor --thumbnails.
func checkThumbnails(ctx context.Context, store *sqlite.Store, cfg serveConfig,
	log *slog.Logger) error {
	switch {
	case cfg.Thumbnails:
		return nil
	case cfg.DeleteThumbnails:
		deleted, err := store.DeleteThumbnails(ctx)
		log.Info("deleted the thumbnails of earlier runs", "deleted", deleted)
		return err
	}
	kept, err := store.HasThumbnails(ctx)
	if kept {
		log.Warn("thumbnails of earlier runs are kept and not shown: --thumbnails shows them, " +
			"--delete-thumbnails deletes them")
	}
	return err
}
