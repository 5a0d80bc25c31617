package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

// pageOfIDs is how many ids a request has at most.
const pageOfIDs = 4096

// callersIDs are ids of faces' pictures, as a caller knows them: of one kind.
type callersIDs struct {
	Image, External []string
}

func (ids *callersIDs) addFlags(cmd *cobra.Command, what string) {
	cmd.Flags().StringArrayVar(&ids.External, "external-image-id", nil,
		what+" that were indexed with this external id; can be given again")
	cmd.Flags().StringArrayVar(&ids.Image, "image-id", nil,
		what+" of the picture with this id; can be given again")
}

func (ids *callersIDs) given() bool { return len(ids.Image)+len(ids.External) > 0 }

// kind returns the ids and the name of the member that has them in a request.
func (ids *callersIDs) kind() (member string, values []string) {
	if len(ids.Image) > 0 {
		return "ImageIds", ids.Image
	}
	return "ExternalImageIds", ids.External
}

// eachPage runs an operation on a collection's faces with these ids, page by page.
func (ids *callersIDs) eachPage(ctx context.Context, c *client, collection, operation string,
	do func(answer json.RawMessage) error) error {
	member, values := ids.kind()
	for some := range slices.Chunk(values, pageOfIDs) {
		if err := eachPageOf(ctx, c, collection, operation, member, some, do); err != nil {
			return err
		}
	}
	return nil
}

// eachPageOf runs an operation on a collection's faces with ids of a member, page by page.
func eachPageOf(ctx context.Context, c *client, collection, operation, member string,
	values []string, do func(answer json.RawMessage) error) error {
	request := map[string]any{member: values}
	for {
		text, err := c.post(ctx, "collections/"+collection+"/faces/"+operation, request)
		if err != nil {
			return err
		}
		if err := do(text); err != nil {
			return err
		}
		var page struct{ NextToken string }
		if err := json.Unmarshal(text, &page); err != nil {
			return err
		}
		if page.NextToken == "" {
			return nil
		}
		request["NextToken"] = page.NextToken
	}
}

// findFaces finds the faces of a collection with these ids.
func findFaces(ctx context.Context, c *client, collection string, ids callersIDs,
	each func(types.Face) error) error {
	return ids.eachPage(ctx, c, collection, "find", func(text json.RawMessage) error {
		var page struct{ Faces []types.Face }
		if err := json.Unmarshal(text, &page); err != nil {
			return err
		}
		for _, f := range page.Faces {
			if err := each(f); err != nil {
				return err
			}
		}
		return nil
	})
}

func reconcileCommand() *cobra.Command {
	var by string
	var remove bool
	cmd := serverCommand("reconcile COLLECTION FILE",
		"Compare the faces of a collection with a list of ids",
		"Compare the faces of a collection with a list of ids, one a line, in a file or - for "+
			"standard input: which ids no face has (missing), and which faces have none of them "+
			"(unlisted). The list has external ids, or with --by image ids or face ids; 500,000 "+
			"at most.\n\nWith --delete-unlisted the unlisted faces are deleted, but for those of "+
			"users. The exit status is 0 if there is no difference, or none is left, and 1 if "+
			"there is one.",
		cobra.ExactArgs(2),
		func(cmd *cobra.Command, c *client, api *rekognition.Client, output string,
			args []string) error {
			member, ok := map[string]string{"external-image-id": "ExternalImageIds",
				"image-id": "ImageIds", "face-id": "FaceIds"}[by]
			if !ok {
				return usageError{fmt.Errorf(
					"--by %q is none of external-image-id, image-id and face-id", by)}
			}
			ids, err := readIDs(cmd, args[1])
			if err != nil {
				return err
			}
			r := reconciliation{show: newShow(cmd, output, column{head: "STATE", name: "State"},
				column{head: "ID", name: "Id", flexible: true}, faceColumn(), userColumn(),
				column{head: "IMAGE", name: "ImageId", csvOnly: true})}
			err = eachPageOf(cmd.Context(), c, args[0], "reconcile", member, ids, r.page)
			if err == nil && remove {
				err = r.delete(cmd.Context(), api, args[0])
			}
			if err == nil && r.differences > 0 {
				err = noError(fmt.Sprintf("%d ids are missing, %d faces are unlisted, %d of them "+
					"were deleted", r.missing, r.unlisted, r.deleted))
			}
			return r.show.end(err)
		})
	cmd.Example = "  recollect faces reconcile people ids.txt\n" +
		"  recollect faces reconcile people ids.txt --delete-unlisted\n" +
		"  sqlite3 staff.db 'SELECT face FROM badges' | " +
		"recollect faces reconcile staff - --by face-id"
	cmd.Flags().StringVar(&by, "by", "external-image-id",
		"what the ids are of: external-image-id, image-id or face-id")
	cmd.Flags().BoolVar(&remove, "delete-unlisted", false,
		"delete the faces that have none of the ids and belong to no user")
	completeWith(cmd, "by", "external-image-id", "image-id", "face-id")
	return cmd
}

// readIDs reads a list of ids, one a line. An empty list is an error: nearly always it is the wrong
// file, and with it every face is unlisted.
func readIDs(cmd *cobra.Command, name string) ([]string, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	var ids []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if id := strings.TrimSpace(lines.Text()); id != "" {
			ids = append(ids, id)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(ids) == 0 {
		return nil, errors.New("the list has no ids")
	}
	return ids, nil
}

// reconciliation is what is different between a collection and a list.
type reconciliation struct {
	show                                    *show
	missing, unlisted, deleted, differences int
	free                                    []string // unlisted faces that belong to no user
}

func (r *reconciliation) page(text json.RawMessage) error {
	var page struct {
		MissingIds    []string
		UnlistedFaces []types.Face
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return err
	}
	for _, id := range page.MissingIds {
		r.show.row("missing", id, "", "", "")
	}
	for _, f := range page.UnlistedFaces {
		r.show.row("unlisted", aws.ToString(f.ExternalImageId), aws.ToString(f.FaceId),
			aws.ToString(f.UserId), aws.ToString(f.ImageId))
		if f.UserId == nil {
			r.free = append(r.free, *f.FaceId)
		}
	}
	r.missing += len(page.MissingIds)
	r.unlisted += len(page.UnlistedFaces)
	r.differences = r.missing + r.unlisted
	return r.show.object(page)
}

// delete deletes the unlisted faces that belong to no user.
func (r *reconciliation) delete(ctx context.Context, api *rekognition.Client,
	collection string) error {
	for ids := range slices.Chunk(r.free, pageOfIDs) {
		done, err := api.DeleteFaces(ctx, &rekognition.DeleteFacesInput{CollectionId: &collection,
			FaceIds: ids})
		if err != nil {
			return plain(err)
		}
		r.deleted += len(done.DeletedFaces)
	}
	r.differences -= r.deleted
	return nil
}
