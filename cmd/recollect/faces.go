package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

func facesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "faces",
		Short: "List, delete and compare the faces of a collection", Args: cobra.NoArgs}
	cmd.AddCommand(listFacesCommand(), deleteFacesCommand(), reconcileCommand())
	return cmd
}

func listFacesCommand() *cobra.Command {
	var user string
	var ids callersIDs
	list := serverCommand("list COLLECTION", "List the faces of a collection",
		"List the faces of a collection: all of them, or those of a user, or those of pictures by "+
			"what your records call them.", cobra.ExactArgs(1),
		func(cmd *cobra.Command, c *client, api *rekognition.Client, output string,
			args []string) error {
			show := newShow(cmd, output, faceColumn(), externalColumn(), userColumn(),
				confidenceColumn(), placeColumn(),
				column{head: "IMAGE", name: "ImageId", csvOnly: true})
			each := func(f types.Face) error {
				show.row(aws.ToString(f.FaceId), aws.ToString(f.ExternalImageId),
					aws.ToString(f.UserId), aws.ToFloat32(f.Confidence), f.BoundingBox,
					aws.ToString(f.ImageId))
				return show.object(f)
			}
			if ids.given() {
				return show.end(findFaces(cmd.Context(), c, args[0], ids, each))
			}
			input := &rekognition.ListFacesInput{CollectionId: &args[0]}
			if user != "" {
				input.UserId = &user
			}
			pages := rekognition.NewListFacesPaginator(api, input)
			for pages.HasMorePages() {
				page, err := pages.NextPage(cmd.Context())
				if err != nil {
					return plain(err)
				}
				for _, f := range page.Faces {
					if err := each(f); err != nil {
						return err
					}
				}
			}
			return show.end(nil)
		})
	list.Example = "  recollect faces list people\n" +
		"  recollect faces list people --external-image-id anna:1.jpg\n" +
		"  recollect faces list people --user anna --output json | jq -r .FaceId"
	list.Flags().StringVar(&user, "user", "", "only the faces of a user")
	ids.addFlags(list, "only the faces")
	list.MarkFlagsMutuallyExclusive("user", "image-id", "external-image-id")
	return list
}

func deleteFacesCommand() *cobra.Command {
	var ids callersIDs
	remove := serverCommand("delete COLLECTION [FACE...]", "Delete faces of a collection",
		"Delete faces of a collection, by their ids, or all of pictures by what your records call "+
			"them. A face of a user is kept: take it away from the user first. The exit status "+
			"is 1 if a face was not deleted.",
		cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, c *client, api *rekognition.Client, output string,
			args []string) error {
			if ids.given() == (len(args) > 1) {
				return usageError{errors.New(
					"faces to delete are named by their ids, by --image-id or by " +
						"--external-image-id")}
			}
			d := deletion{show: newShow(cmd, output, faceColumn(), externalColumn(),
				column{head: "DELETED", name: "Deleted"}, reasonsColumn())}
			var err error
			if ids.given() {
				err = d.byCallersIDs(cmd.Context(), c, args[0], ids)
			} else {
				err = d.byFaceIDs(cmd.Context(), api, args[0], args[1:])
			}
			if err == nil && d.kept > 0 {
				err = noError(fmt.Sprintf("%d faces were not deleted", d.kept))
			}
			if err == nil && d.deleted == 0 {
				err = noError("there are no such faces")
			}
			return d.show.end(err)
		})
	remove.Example = "  recollect faces delete people 125a746b-46ec-43d4-a7f1-8f14061a180b\n" +
		"  recollect faces delete people --external-image-id anna:1.jpg"
	ids.addFlags(remove, "delete the faces")
	remove.MarkFlagsMutuallyExclusive("image-id", "external-image-id")
	return remove
}

// deletion deletes faces, and counts them.
type deletion struct {
	show          *show
	deleted, kept int
}

func (d *deletion) byFaceIDs(ctx context.Context, api *rekognition.Client, collection string,
	faces []string) error {
	for ids := range slices.Chunk(faces, pageOfIDs) {
		done, err := api.DeleteFaces(ctx, &rekognition.DeleteFacesInput{CollectionId: &collection,
			FaceIds: ids})
		if err != nil {
			return plain(err)
		}
		for _, id := range done.DeletedFaces {
			d.show.row(id, "", "yes", "")
		}
		for _, u := range done.UnsuccessfulFaceDeletions {
			d.show.row(aws.ToString(u.FaceId), "", "no", words(u.Reasons))
		}
		d.deleted += len(done.DeletedFaces)
		d.kept += len(done.UnsuccessfulFaceDeletions)
		if err := d.show.object(done); err != nil {
			return err
		}
	}
	return nil
}

func (d *deletion) byCallersIDs(ctx context.Context, c *client, collection string,
	ids callersIDs) error {
	return ids.eachPage(ctx, c, collection, "delete", func(text json.RawMessage) error {
		var done struct {
			DeletedFaces              []types.Face
			UnsuccessfulFaceDeletions []types.UnsuccessfulFaceDeletion
		}
		if err := json.Unmarshal(text, &done); err != nil {
			return err
		}
		for _, f := range done.DeletedFaces {
			d.show.row(aws.ToString(f.FaceId), aws.ToString(f.ExternalImageId), "yes", "")
		}
		for _, u := range done.UnsuccessfulFaceDeletions {
			d.show.row(aws.ToString(u.FaceId), "", "no", words(u.Reasons))
		}
		d.deleted += len(done.DeletedFaces)
		d.kept += len(done.UnsuccessfulFaceDeletions)
		return d.show.object(done)
	})
}

// The columns that several commands have.

func faceColumn() column { return column{head: "FACE", name: "FaceId"} }

func externalColumn() column {
	return column{head: "EXTERNAL ID", name: "ExternalImageId", flexible: true}
}

func userColumn() column { return column{head: "USER", name: "UserId", flexible: true} }

func confidenceColumn() column { return column{head: "CONFIDENCE", name: "Confidence"} }

func placeColumn() column { return column{head: "PLACE", box: true} }

func similarityColumn() column { return column{head: "SIMILARITY", name: "Similarity"} }

func pictureColumn() column {
	return column{head: "PICTURE", name: "Picture", flexible: true, once: true}
}

func reasonsColumn() column { return column{head: "WHY NOT", name: "Reasons", flexible: true} }

// words writes the reasons of the API one after the other.
func words[T ~string](reasons []T) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = string(r)
	}
	return strings.Join(texts, " ")
}
