package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/client/bulk"
)

// importConfig is the configuration of import.
type importConfig struct {
	client
	sourceConfig
	Collection string
	Create     bool
	Users      bool
	Report     string // empty: import-COLLECTION.csv
	Parallel   int
	MaxFaces   int32
	Quality    string
	Output     string

	patience time.Duration // see bulk.Config
}

// Validate reports every fault at once.
func (c importConfig) Validate() error {
	var faults []error
	if c.Parallel < 1 || c.Parallel > 1024 {
		faults = append(faults, errors.New("--parallel must be 1 to 1024"))
	}
	if c.MaxFaces < 0 || c.MaxFaces > 100 {
		faults = append(faults, errors.New("--max-faces must be 0 to 100"))
	}
	faults = append(faults, validQuality(c.Quality), validSummaryOutput(c.Output),
		c.sourceConfig.Validate())
	return errors.Join(faults...)
}

func importCommand() *cobra.Command {
	var c importConfig
	cmd := &cobra.Command{
		Use:   "import DIR|s3://BUCKET/PREFIX --collection COLLECTION",
		Short: "Index the faces of thousands of pictures",
		Long: `Index the faces of all pictures of a folder and its subfolders, or of a bucket.
Files whose names end in .jpg, .jpeg or .png are sent, several at a time; pictures that a busy
server rejects are sent again. With --formats webp, of the server and here, .webp files are sent
as well. HEIC and AVIF pictures, which phones make, have to be saved as JPEG before.

The report is a CSV file with a row for each picture: indexed, skipped or failed, and why. A
later run with the same report continues from there: it sends what is new, has changed or
failed. An interrupt (Ctrl-C) lets the pictures in flight finish. If the server cannot be
reached the import ends; run it again to continue.

A face's external image id is the path of its picture within the folder or prefix: ":" for
each slash, and "_" for every character that is not one of A-Z a-z 0-9 _ . - and :. If that is
the id of another path, or longer than 255 characters, the id ends in "-" and eight hexadecimal
digits of the path's SHA-256. The report has both.

With --users each folder of the first level is one person: the largest face of each picture is
indexed, and when a folder is done its faces are associated with a user of the folder's name,
written as above. A user has 100 faces at most.

The server reads the pictures of s3://BUCKET/PREFIX and must have been started with --s3-root
or --s3-endpoint. This program lists their keys, with flags of the same names and a key in
` + s3AccessKeyIDEnv + ` and ` + s3SecretAccessKeyEnv + `.

The exit status is 0 if all pictures were indexed or skipped, 1 if some failed, 2 if the command
line is wrong, 3 if the import had to end, and 130 if it was interrupted.`,
		Example: `  recollect import photos --collection people --create
  recollect import people --collection staff --create --users
  recollect import s3://photos/2026/ --collection people --s3-endpoint https://s3.example`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Source = args[0]
			if err := valid(c.Validate()); err != nil {
				return err
			}
			return runImport(cmd.Context(), &c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	c.addFlags(flags)
	flags.StringVar(&c.Collection, "collection", "", "collection to index into")
	flags.BoolVar(&c.Create, "create", false, "make the collection if it does not exist")
	flags.BoolVar(&c.Users, "users", false, "one folder is one person, who becomes a user")
	flags.StringVar(&c.Report, "report", "",
		"report to write, and to resume from (default: import-COLLECTION.csv)")
	flags.IntVar(&c.Parallel, "parallel", 16, "pictures in flight at one moment")
	flags.Int32Var(&c.MaxFaces, "max-faces", 0,
		"faces of a picture to index, the largest first (default: all, or one with --users)")
	flags.StringVar(&c.Quality, "quality-filter", "",
		"how good a face must be: NONE, AUTO, LOW, MEDIUM or HIGH (default: AUTO)")
	c.addSourceFlags(flags)
	addSummaryOutput(cmd, &c.Output)
	completeWith(cmd, "quality-filter", "NONE", "AUTO", "LOW", "MEDIUM", "HIGH")
	cmd.RegisterFlagCompletionFunc("collection", c.completeCollection)
	cmd.MarkFlagRequired("collection")
	return cmd
}

func runImport(ctx context.Context, c *importConfig, stdout, stderr io.Writer) error {
	api, err := c.api(ctx)
	if err != nil {
		return err
	}
	collection, err := openCollection(ctx, api, c.Collection, c.Create)
	if err != nil {
		return err
	}
	source, closeSource, err := c.open(ctx, &c.client)
	if err != nil {
		return err
	}
	defer closeSource()
	report := c.Report
	if report == "" {
		report = "import-" + c.Collection + ".csv"
	}
	bar := newProgress(stderr, "pictures", 0)
	began := time.Now()
	summary, err := bulk.Run(ctx, bulk.Config{
		// The SDK does not retry: bulk does so itself, for as long as it takes.
		API: rekognition.New(api.Options(),
			func(o *rekognition.Options) { o.Retryer = aws.NopRetryer{} }),
		Source:     source,
		Collection: c.Collection,
		Identity: fmt.Sprintf("%s, made at %s", aws.ToString(collection.CollectionARN),
			aws.ToTime(collection.CreationTimestamp).UTC().Format(time.RFC3339Nano)),
		Report:        report,
		Parallel:      c.Parallel,
		Users:         c.Users,
		MaxFaces:      c.MaxFaces,
		Patience:      c.patience,
		QualityFilter: types.QualityFilter(c.Quality),
		Begin:         func(pictures int) { bar = newProgress(stderr, "pictures", pictures) },
		Step:          func() { bar.step() },
	})
	bar.end()
	if err != nil && summary.Pictures == 0 {
		return err // the import did not begin
	}
	if shown := showImport(stdout, c.Output,
		importSummary{summary, report, time.Since(began).Seconds()}); shown != nil {
		return errors.Join(err, shown)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted; run the same command again to resume: %w", err)
	case err != nil:
		return fmt.Errorf("%w\nWhat was done is in %s: run the same command again to resume", err,
			report)
	case summary.Failed > 0:
		return noError(
			fmt.Sprintf(
				"%d pictures failed: see %s, and run the same command again to try them again",
				summary.Failed, report))
	}
	return nil
}

// openCollection describes a collection. It makes the collection first if create is set and there
// is none.
func openCollection(ctx context.Context, api *rekognition.Client, id string,
	create bool) (*rekognition.DescribeCollectionOutput, error) {
	if create {
		_, err := api.CreateCollection(ctx, &rekognition.CreateCollectionInput{CollectionId: &id})
		if _, there := errors.AsType[*types.ResourceAlreadyExistsException](err); err != nil &&
			!there {
			return nil, plain(err)
		}
	}
	collection, err := api.DescribeCollection(ctx,
		&rekognition.DescribeCollectionInput{CollectionId: &id})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return nil, fmt.Errorf("there is no collection %s: --create makes it (%w)", id, plain(err))
	}
	if err != nil {
		return nil, plain(err)
	}
	return collection, nil
}

// importSummary is the result of an import.
type importSummary struct {
	bulk.Summary
	Report  string
	Seconds float64
}

func showImport(w io.Writer, output string, s importSummary) error {
	if output == outputJSON {
		return writeJSON(w, s)
	}
	var b strings.Builder
	sent := s.Indexed + s.Skipped + s.Failed
	if s.Pictures == s.Before && s.Users == 0 {
		_, err := fmt.Fprintf(w, "All %s pictures were done before: %s\n", thousands(s.Pictures),
			s.Report)
		return err
	}
	fmt.Fprintf(&b, "%s of %s pictures were indexed, with %s faces; %s were skipped, %s failed",
		thousands(s.Indexed), thousands(s.Pictures-s.Before), thousands(s.Faces),
		thousands(s.Skipped), thousands(s.Failed))
	if left := s.Pictures - s.Before - sent; left > 0 {
		fmt.Fprintf(&b, ", %s were not sent", thousands(left))
	}
	if s.Before > 0 {
		fmt.Fprintf(&b, "; %s were done before", thousands(s.Before))
	}
	fmt.Fprintf(&b, ". %.1f s, %.1f a second.\n", s.Seconds, float64(sent)/max(s.Seconds, 1e-3))
	if s.Users > 0 {
		fmt.Fprintf(&b, "%s users got %s faces; %s faces were not associated.\n",
			thousands(s.Users), thousands(s.Associated), thousands(s.Refused))
	}
	fmt.Fprintf(&b, "Picture by picture: %s\n", s.Report)
	_, err := io.WriteString(w, b.String())
	return err
}
