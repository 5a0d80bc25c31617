package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/server"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
	"github.com/recollect-dev/recollect/internal/transfer/migration"
)

// migrateConfig is the configuration of migrate.
type migrateConfig struct {
	client
	sourceConfig
	Collection string
	To         string // collection to make; empty: COLLECTION-VERSION
	Model      string // name of a pack; empty: the default
	LeaveOut   bool
	Work       string // folder; empty: TO.migration
	Library    string
	Device     string
	Output     string
}

// Validate reports every fault at once.
func (c migrateConfig) Validate() error {
	faults := []error{validSummaryOutput(c.Output), c.sourceConfig.Validate()}
	if c.To == c.Collection {
		faults = append(faults,
			errors.New(
				"--to must be another collection: the existing one serves requests meanwhile"))
	}
	if c.Device != server.DeviceCPU && c.Device != server.DeviceCUDA {
		faults = append(faults,
			fmt.Errorf("--device %q is neither %s nor %s", c.Device, server.DeviceCPU,
				server.DeviceCUDA))
	}
	return errors.Join(faults...)
}

func migrateCommand() *cobra.Command {
	var c migrateConfig
	cmd := &cobra.Command{
		Use:   "migrate COLLECTION --images DIR|s3://BUCKET/PREFIX",
		Short: "Make a collection anew for another face model",
		Long: `Make a new collection from an existing one, with the vectors of another face
model, from the pictures that its faces came from. Faces and users keep their ids, and the new
collection appears with all of them at once; the old one is not changed.

A picture is identified by its bytes and the external image id that it was indexed with. If the
bytes have changed, it is identified by the external image id that import gives to its path. The
networks run here, with the model packs of the library folder, and the server must have the same
pack.

An interrupt (Ctrl-C) keeps what was done in the working folder, and the same command continues
from there. The folder contains vectors, which are biometric data; it is readable by its owner
alone, and removed once the collection is complete.

The key must be the root key, or of a user who may recollect:ExportCollection and
recollect:ImportCollection, as the policy administrator allows.

The exit status is 1, and nothing is made, if some faces are found in none of the pictures:
--leave-out makes the collection without them.`,
		Example: `  recollect models add ./my-pack --default
  recollect collections migrate people --images photos --to people-2
  recollect collections migrate people --images s3://photos/ --model my-pack --leave-out`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeCollection,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Collection = args[0]
			if err := valid(c.Validate()); err != nil {
				return err
			}
			return migrate(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	c.addFlags(flags)
	flags.StringVar(&c.Source, "images", "", "folder, or s3://BUCKET/PREFIX, of the pictures")
	flags.StringVar(&c.To, "to", "",
		"collection to make (default: COLLECTION-VERSION, by the face model's version)")
	flags.StringVar(&c.Model, "model", "",
		"name of the model pack to move to (default: that of new collections)")
	flags.BoolVar(&c.LeaveOut, "leave-out", false,
		"make the collection without the faces that no picture has")
	flags.StringVar(&c.Work, "work", "",
		"folder of the progress and its data (default: TO.migration)")
	flags.StringVar(&c.Library, "library",
		cmp.Or(os.Getenv(settingEnv("library")), defaultLibrary()),
		"folder of ONNX Runtime and the model packs")
	flags.StringVar(&c.Device, "device", server.DeviceCPU,
		"what the networks run on: cpu, or cuda if ONNX Runtime's CUDA provider is there")
	c.addSourceFlags(flags)
	addSummaryOutput(cmd, &c.Output)
	cmd.MarkFlagRequired("images")
	return cmd
}

func migrate(ctx context.Context, c migrateConfig, stdout, stderr io.Writer) (err error) {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	engine, err := server.OpenEngine(c.Library, c.Device, c.Model,
		vision.Options{WebP: slices.Contains(c.Formats, webP)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	c.To = cmp.Or(c.To, c.Collection+"-"+engine.Version())
	c.Work = cmp.Or(c.Work, c.To+".migration")
	if err := c.check(ctx, api, engine.Version()); err != nil {
		return err
	}
	source, closeSource, err := c.open(ctx, &c.client)
	if err != nil {
		return err
	}
	defer closeSource()

	// Each run exports the collection again, so that faces added since the last run are migrated.
	if err := os.MkdirAll(c.Work, 0o700); err != nil {
		return err
	}
	old, closeOld, err := c.export(ctx)
	if err != nil {
		return err
	}
	defer closeOld()
	described := old.Manifest.Collection
	if described.FaceModelVersion == engine.Version() {
		return usageError{fmt.Errorf("%s has the face model version %s already", c.Collection,
			engine.Version())}
	}
	faces, err := migration.ReadFaces(old)
	if err != nil {
		return err
	}
	journal, err := migration.OpenJournal(c.Work, described.CollectionId+", made at "+
		described.CreatedAt.Format(time.RFC3339Nano), engine.Version(), engine.Dimension())
	if errors.Is(err, migration.ErrOther) {
		return fmt.Errorf("%w: remove it, or name another with --work", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()

	var bar *progress
	faults, err := migration.Run(ctx,
		migration.Config{Engine: engine, Source: source, Faces: faces, Journal: journal,
			Begin: func(pictures int) { bar = newProgress(stderr, "pictures", pictures) },
			Step:  func() { bar.step() },
		})
	if bar != nil {
		bar.end()
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted; run the same command again to resume: %w", err)
	}
	if err != nil {
		return fmt.Errorf("%w\nWhat was done is in %s: run the same command again to resume", err,
			c.Work)
	}
	var missing []archive.Face
	for _, f := range faces {
		if !journal.Has(f.FaceId) {
			missing = append(missing, f)
		}
	}
	if err := c.showMissing(stdout, stderr, missing, faults); err != nil {
		return err
	}
	file := filepath.Join(c.Work, "migrated.zip")
	if err := os.RemoveAll(file); err != nil {
		return err
	}
	if _, err := writeArchive(ctx, file, archive.KindCollection, func(f *os.File) error {
		return migration.Write(f, old, faces, journal, engine.Version(), programVersion())
	}); err != nil {
		return err
	}
	if err := importArchive(ctx, stderr, &c.client, file, c.To); err != nil {
		return fmt.Errorf("%w\nWhat was done is in %s: run the same command again to resume", err,
			c.Work)
	}
	if err := os.RemoveAll(c.Work); err != nil {
		return fmt.Errorf("%s is made; remove %s, which contains biometric data: %w", c.To,
			c.Work, err)
	}
	if c.Output == outputJSON {
		return writeJSON(stdout, struct {
			CollectionId, FaceModelVersion string
			Faces, LeftOut                 int
		}{c.To, engine.Version(), len(faces) - len(missing), len(missing)})
	}
	return nil
}

// check returns an error before the work if its result could not be used.
func (c *migrateConfig) check(ctx context.Context, api *rekognition.Client,
	faceModelVersion string) error {
	_, err := api.DescribeCollection(ctx, &rekognition.DescribeCollectionInput{CollectionId: &c.To})
	if err == nil {
		return fmt.Errorf("there is a collection %s already: name another with --to", c.To)
	}
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); !missing {
		return plain(err)
	}
	answer, err := c.call(ctx, http.MethodGet, "models", nil, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	var loaded struct{ Models []struct{ Version string } }
	if err := json.NewDecoder(answer).Decode(&loaded); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	var versions []string
	for _, m := range loaded.Models {
		if m.Version == faceModelVersion {
			return nil
		}
		versions = append(versions, m.Version)
	}
	return fmt.Errorf(
		"the server has the face models %q and not %q: add the model pack to its library and "+
			"start it again", versions, faceModelVersion)
}

// export writes the collection's current state to a temporary archive.
func (c *migrateConfig) export(ctx context.Context) (_ *archive.Reader, closeArchive func() error,
	err error) {
	f, err := os.CreateTemp(c.Work, "export-*.zip") // mode 0600
	if err != nil {
		return nil, nil, err
	}
	closeArchive = func() error { return errors.Join(f.Close(), os.RemoveAll(f.Name())) }
	err = download(ctx, f, &c.client, "export", url.Values{"collection": {c.Collection}})
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil {
			var a *archive.Reader
			if a, err = archive.NewReader(ctx, f, info.Size(), archive.KindCollection); err == nil {
				return a, closeArchive, nil
			}
		}
	}
	return nil, nil, errors.Join(err, closeArchive())
}

// showMissing prints the faces that no picture has. If there are any, it returns an error, unless
// they are left out.
func (c *migrateConfig) showMissing(stdout, stderr io.Writer, missing []archive.Face,
	faults []migration.Fault) error {
	for _, f := range faults {
		fmt.Fprintf(stderr, "%s: %v\n", f.Picture, plain(f.Err))
	}
	if len(missing) == 0 {
		return nil
	}
	if c.Output == outputJSON {
		for _, f := range missing {
			if err := writeJSON(stdout, struct {
				FaceId          string
				ExternalImageId *string
				Missing         bool
			}{f.FaceId, aws.String(f.ExternalImageId), true}); err != nil {
				return err
			}
		}
	} else {
		const shown = 20
		t := table{head: []string{"FACE WITHOUT PICTURE", "EXTERNAL ID"}}
		for _, f := range missing[:min(len(missing), shown)] {
			t.add(f.FaceId, f.ExternalImageId)
		}
		if err := t.write(stdout); err != nil {
			return err
		}
		if more := len(missing) - shown; more > 0 {
			fmt.Fprintf(stdout, "and %s more: --output json shows all\n", thousands(more))
		}
	}
	if c.LeaveOut {
		return nil
	}
	return noError(fmt.Sprintf(
		"no picture has %s of the faces: name another folder, with which the work is resumed, or "+
			"leave them out with --leave-out", thousands(len(missing))))
}
