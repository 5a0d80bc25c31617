package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

const aboutBackup = "A backup contains the server's data: collections with the vectors of their " +
	"faces, users, keys and policies, and the master\n" +
	"key that encrypts the keys. Its reader can act as any user of the server: protect it like " +
	"the data folder. The root key is in it only if the " +
	"data is in PostgreSQL."

func backupCommand() *cobra.Command {
	var c client
	var at location
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Back up a whole server while it runs",
		Long: "Write a backup of a whole server, as of one moment, to a new file, while the " +
			"server runs. It is checked before it gets its name.\n\n" + aboutBackup +
			"\n\nThe key must be the root's, or of a user with the policy administrator. With " +
			"--data or --store no key is needed, but permission to read the folder or the " +
			"database.",
		Example: "  recollect backup recollect-2026-01-31.zip\n" +
			"  recollect backup backup.zip --endpoint https://faces.example --profile operator\n" +
			"  recollect backup backup.zip --data ./data\n" +
			"  recollect backup backup.zip --store postgres://recollect@db/faces --data ./data",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := at.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			size, err := writeArchive(ctx, args[0], archive.KindBackup, func(f *os.File) error {
				switch {
				case at.store != "":
					return backUpDatabase(ctx, f, at)
				case at.data != "":
					return backUpFolder(ctx, f, at.data)
				}
				return download(ctx, f, &c, "backup", nil)
			})
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s has %d bytes\n", args[0], size)
			}
			return err
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&at.data, "data", "",
		"data folder to back up, instead of asking a server; with --store, the folder that has "+
			"the master key, if "+iam.MasterKeyEnv+" does not have it")
	cmd.Flags().StringVar(&at.store, "store", "",
		"URL of a PostgreSQL database to back up, instead of asking a server")
	cmd.Flags().StringVar(&at.masterKeyFile, masterKeyFlag, "",
		"with --store, the file that has the master key")
	return cmd
}

func restoreCommand() *cobra.Command {
	var at location
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data folder from a backup",
		Long: "Make a new data folder from a backup. The whole backup is checked first, and the " +
			"folder is made completely or not at all.\n" +
			"The first start of a server on it makes a new root key; users' keys stay valid.\n\n" +
			"With --store the backup must be one of servers with PostgreSQL. The tables are made " +
			"in an empty database, all or none, and\nthe master key is put into the folder. The " +
			"root key is as it was.",
		Example: "  recollect restore backup.zip --data ./restored\n" +
			"  recollect serve --data ./restored\n" +
			"  recollect restore backup.zip --store postgres://recollect@db/faces --data ./data",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			manifest, err := restoreTo(cmd.Context(), args[0], at)
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is as the server was at %s\n", at.data,
					manifest.CreatedAt)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&at.data, "data", "",
		"folder to make, which must not be there or be empty; with --store, folder that gets the "+
			"master key")
	cmd.Flags().StringVar(&at.store, "store", "",
		"URL of an empty PostgreSQL database to restore to")
	cmd.MarkFlagRequired("data")
	return cmd
}

// restoreTo restores a backup to a new data folder or to an empty database.
func restoreTo(ctx context.Context, file string, at location) (archive.Manifest, error) {
	if at.store == "" {
		return transfer.Restore(ctx, file, at.data, transfer.Database{Name: sqlite.DatabaseName,
			Check: sqlite.Check, Secrets: sqlite.OpenSecrets})
	}
	return transfer.RestoreElsewhere(ctx, file, at.data, postgres.SnapshotName,
		func(ctx context.Context, snapshot string) error {
			return postgres.Restore(ctx, at.store, snapshot)
		})
}

func exportCommand() *cobra.Command {
	var c client
	cmd := &cobra.Command{
		Use:   "export COLLECTION FILE",
		Short: "Write a collection to an archive",
		Long: "Write a collection to a new file: its faces with their vectors, its users and its " +
			"tags, in a format that other tools can read\n" +
			"(internal/transfer/archive/FORMAT.md). Vectors are biometric data: protect the " +
			"file.\n\n" +
			"The key must be the root's, or of a user who may recollect:ExportCollection, as the " +
			"policy administrator says.",
		Example: "  recollect export people people.zip",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			size, err := writeArchive(ctx, args[1], archive.KindCollection, func(f *os.File) error {
				return download(ctx, f, &c, "export", url.Values{"collection": {args[0]}})
			})
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s has %d bytes\n", args[1], size)
			}
			return err
		},
	}
	c.addFlags(cmd.Flags())
	return cmd
}

func importArchiveCommand() *cobra.Command {
	var c client
	var collection string
	cmd := &cobra.Command{
		Use:   "import-archive FILE",
		Short: "Make a collection from an archive",
		Long: "Make a collection from an archive that export wrote. Faces and users keep their " +
			"ids. The server must have the face model of\nthe archive's vectors, and no " +
			"collection of that name. An import that fails changes nothing.\n\n" +
			"The key must be the root's, or of a user who may recollect:ImportCollection, as the " +
			"policy administrator says.",
		Example: "  recollect import-archive people.zip\n" +
			"  recollect import-archive people.zip --collection people-2025",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return importArchive(cmd.Context(), cmd.ErrOrStderr(), &c, args[0], collection)
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&collection, "collection", "",
		"name of the collection (default: the one it had)")
	return cmd
}

func importArchive(ctx context.Context, w io.Writer, c *client, file, collection string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// A damaged archive is not uploaded.
	a, err := archive.NewReader(ctx, f, info.Size(), archive.KindCollection)
	if err != nil {
		return err
	}
	if collection == "" {
		collection = a.Manifest.Collection.CollectionId
	}
	answer, err := c.call(ctx, http.MethodPost, "import", url.Values{"collection": {collection}}, f)
	if err != nil {
		return err
	}
	defer answer.Close()
	var made struct {
		CollectionId         string
		FaceCount, UserCount int64
	}
	if err := json.NewDecoder(answer).Decode(&made); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	fmt.Fprintf(w, "%s has %d faces and %d users\n", made.CollectionId, made.FaceCount,
		made.UserCount)
	return nil
}

// writeArchive makes a file that only its owner can read. It writes a temporary file in the same
// folder, checks it, and then gives it its name.
func writeArchive(ctx context.Context, file, kind string, write func(*os.File) error) (
	size int64, err error) {
	if _, err := os.Lstat(file); err == nil {
		return 0, fmt.Errorf("%s is there already", file)
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) // an error means that the file has its name
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := write(f); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if _, err := archive.NewReader(ctx, f, info.Size(), kind); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	// Unlike a rename, a link does not replace a file that another process has made meanwhile.
	return info.Size(), os.Link(f.Name(), file)
}

// download writes the server's answer to a file.
func download(ctx context.Context, f *os.File, c *client, path string, query url.Values) error {
	answer, err := c.call(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if _, err := io.Copy(f, answer); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return nil
}

// backUpFolder backs up a data folder, whether a server runs on it or not.
func backUpFolder(ctx context.Context, f *os.File, data string) (err error) {
	if _, err := os.Stat(filepath.Join(data, sqlite.DatabaseName)); err != nil {
		return fmt.Errorf("there is no server's data in the folder: %w", err)
	}
	store, err := sqlite.Open(ctx, data, sqlite.Options{Beside: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	// An archive with another master key than the secrets' could not be restored.
	if _, err := iam.OpenSealer(ctx, data, store.Identities()); err != nil {
		return err
	}
	return writeBackup(ctx, f, transfer.Backup{Store: store, Database: sqlite.DatabaseName,
		Program: programVersion(), MasterKeyFile: filepath.Join(data, iam.MasterKeyFile)})
}

// backUpDatabase backs up a PostgreSQL database, whether servers run on it or not.
func backUpDatabase(ctx context.Context, f *os.File, at location) (err error) {
	store, err := postgres.Open(ctx, at.store, postgres.Options{Beside: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	source := at.masterKey()
	if source == (iam.MasterKeySource{}) {
		return fmt.Errorf("name the file that has the master key with --master-key-file, or its "+
			"folder with --data, or put the key into the environment as %s", iam.MasterKeyEnv)
	}
	if _, err := iam.OpenSharedSealer(ctx, source, store.Identities()); err != nil {
		return err
	}
	return writeBackup(ctx, f, transfer.Backup{Store: store, Database: postgres.SnapshotName,
		Program: programVersion(), MasterKey: source.Given, MasterKeyFile: source.Path()})
}

// writeBackup writes a backup to f. The snapshot is made beside that.
func writeBackup(ctx context.Context, f *os.File, backup transfer.Backup) (err error) {
	scratch, err := os.MkdirTemp(filepath.Dir(f.Name()), ".backup-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	return backup.Write(ctx, f, scratch)
}
