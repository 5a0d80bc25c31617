package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

func duplicatesCommand() *cobra.Command {
	var d duplicates
	cmd := serverCommand("duplicates COLLECTION",
		"Find the pairs of faces, or of users, of a collection that are similar",
		"Find the pairs of faces of a collection, or with --users of its users, that are similar: "+
			"who is in it twice. Every face is compared with every other one. Pairs are in the "+
			"order in which the later face of each was added.\n\n"+
			"When the command ends or is interrupted it says a token; with --after it goes on "+
			"from there, and after the end it compares what was added since. With csv and json "+
			"pairs are written as they are found.\n\n"+
			"The exit status is 0 if there is a pair, and 1 if there is none.",
		cobra.ExactArgs(1),
		func(cmd *cobra.Command, c *client, _ *rekognition.Client, output string,
			args []string) error {
			if err := validAll(d.Validate()); err != nil {
				return err
			}
			d.show = newShow(cmd, output, d.columns()...)
			return d.show.end(d.find(cmd, c, args[0]))
		})
	cmd.Example = "  recollect duplicates people\n" +
		"  recollect duplicates people --other-users --threshold 99.5\n" +
		"  recollect duplicates people --users\n" +
		"  recollect duplicates people --output csv > pairs.csv"
	flags := cmd.Flags()
	flags.BoolVar(&d.Users, "users", false, "pairs of users instead of faces")
	flags.Float32Var(&d.Threshold, "threshold", 99, "least similarity of a pair, 0 to 100")
	flags.IntVar(&d.Max, "max", 0, "end after so many pairs; 0: none")
	flags.StringVar(&d.After, "after", "",
		"go on after this token of an earlier call with the same options")
	flags.BoolVar(&d.OtherUsers, "other-users", false,
		"leave out the pairs of faces that belong to one user")
	flags.BoolVar(&d.OtherImages, "other-images", false,
		"leave out the pairs of faces that are in one picture")
	flags.BoolVar(&d.OtherExternals, "other-external-ids", false,
		"leave out the pairs of faces that have one external id")
	for _, other := range []string{"other-users", "other-images", "other-external-ids"} {
		cmd.MarkFlagsMutuallyExclusive("users", other)
	}
	return cmd
}

// duplicates finds pairs.
type duplicates struct {
	Users                                   bool
	Threshold                               float32
	Max                                     int
	After                                   string
	OtherUsers, OtherImages, OtherExternals bool

	show *show
}

// Validate reports every fault at once.
func (d *duplicates) Validate() error {
	var faults []error
	if !(d.Threshold >= 0 && d.Threshold <= 100) {
		faults = append(faults, errors.New("--threshold must be 0 to 100"))
	}
	if d.Max < 0 {
		faults = append(faults, errors.New("--max must be 0 or more"))
	}
	return errors.Join(faults...)
}

func (d *duplicates) columns() []column {
	if d.Users {
		return []column{similarityColumn(), userColumn(),
			{head: "OTHER USER", name: "OtherUserId", flexible: true}}
	}
	external, user := externalColumn(), userColumn()
	external.optional, user.optional = true, true
	return []column{similarityColumn(), faceColumn(), external, user,
		{head: "OTHER FACE", name: "OtherFaceId"},
		{head: "OTHER EXTERNAL ID", name: "OtherExternalImageId", flexible: true, optional: true},
		{head: "OTHER USER", name: "OtherUserId", flexible: true, optional: true}}
}

// duplicatesRequest is the input of FindDuplicates.
type duplicatesRequest struct {
	SearchFor           string `json:",omitempty"`
	SimilarityThreshold float32
	LeaveOut            []string `json:",omitempty"`
	MaxResults          int      `json:",omitempty"`
	NextToken           string   `json:",omitempty"`
}

// duplicatesPage is the output of FindDuplicates.
type duplicatesPage struct {
	FacePairs              []facePair
	UserPairs              []userPair
	PercentComplete        float64
	NextToken, ResumeToken string
}

type facePair struct {
	Similarity      float32
	Face, OtherFace types.Face
}

type userPair struct {
	Similarity      float32
	User, OtherUser types.MatchedUser
}

func (d *duplicates) request() duplicatesRequest {
	r := duplicatesRequest{SimilarityThreshold: d.Threshold, NextToken: d.After}
	if d.Users {
		r.SearchFor = "USERS"
	}
	for name, leave := range map[string]bool{"SAME_USER": d.OtherUsers,
		"SAME_IMAGE": d.OtherImages, "SAME_EXTERNAL_IMAGE_ID": d.OtherExternals} {
		if leave {
			r.LeaveOut = append(r.LeaveOut, name)
		}
	}
	return r
}

// find reads all pages. It says where to go on in any case.
func (d *duplicates) find(cmd *cobra.Command, c *client, collection string) error {
	const whole = 1000
	bar := newProgress(cmd.ErrOrStderr(), "comparing", whole)
	defer bar.end()
	request, found := d.request(), 0
	for {
		if left := d.Max - found; d.Max > 0 && left < pageOfIDs {
			request.MaxResults = left
		}
		page, err := d.page(cmd, c, collection, request)
		if err != nil {
			if request.NextToken != "" {
				err = fmt.Errorf("%w; --after %s goes on from the last page", err,
					request.NextToken)
			}
			return err
		}
		found += len(page.FacePairs) + len(page.UserPairs)
		bar.to(int(page.PercentComplete / 100 * whole))
		request.NextToken = page.NextToken
		if page.NextToken == "" || d.Max > 0 && found >= d.Max {
			bar.end()
			d.goOn(cmd, page)
			if found == 0 {
				return noError("no pair")
			}
			return nil
		}
	}
}

// goOn says how to go on after the last page that was read.
func (d *duplicates) goOn(cmd *cobra.Command, page duplicatesPage) {
	if page.NextToken != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "there may be more: --after %s\n", page.NextToken)
	} else if page.ResumeToken != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "for what is added from now on: --after %s\n",
			page.ResumeToken)
	}
}

// page reads a page and shows its pairs.
func (d *duplicates) page(cmd *cobra.Command, c *client, collection string,
	request duplicatesRequest) (page duplicatesPage, err error) {
	text, err := c.post(cmd.Context(), "collections/"+collection+"/duplicates", request)
	if err == nil {
		err = json.Unmarshal(text, &page)
	}
	if err != nil {
		return page, err
	}
	for _, p := range page.FacePairs {
		a, b := p.Face, p.OtherFace
		d.show.row(p.Similarity, aws.ToString(a.FaceId), aws.ToString(a.ExternalImageId),
			aws.ToString(a.UserId), aws.ToString(b.FaceId), aws.ToString(b.ExternalImageId),
			aws.ToString(b.UserId))
		if err := d.show.object(p); err != nil {
			return page, err
		}
	}
	for _, p := range page.UserPairs {
		d.show.row(p.Similarity, aws.ToString(p.User.UserId), aws.ToString(p.OtherUser.UserId))
		if err := d.show.object(p); err != nil {
			return page, err
		}
	}
	return page, d.show.flush()
}
