package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/spf13/cobra"
)

func facesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "faces", Short: "List and delete the faces of a collection",
		Args: cobra.NoArgs}
	var user string
	list := apiCommand("list COLLECTION", "List the faces of a collection", "", cobra.ExactArgs(1),
		func(cmd *cobra.Command, api *rekognition.Client, output string, args []string) error {
			show := newShow(cmd, output, faceColumn(), externalColumn(), userColumn(),
				confidenceColumn(), placeColumn())
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
					show.row(aws.ToString(f.FaceId), aws.ToString(f.ExternalImageId),
						aws.ToString(f.UserId), aws.ToFloat32(f.Confidence), f.BoundingBox)
					if err := show.object(f); err != nil {
						return err
					}
				}
			}
			return show.end(nil)
		})
	list.Example = "  recollect faces list people\n" +
		"  recollect faces list people --user anna --output json | jq -r .FaceId"
	list.Flags().StringVar(&user, "user", "", "only the faces of a user")

	remove := apiCommand("delete COLLECTION FACE...", "Delete faces of a collection",
		"Delete faces of a collection, by their ids. A face of a user is not deleted: "+
			"disassociate it first. The exit status is 1 if a face was not deleted.",
		cobra.MinimumNArgs(2),
		func(cmd *cobra.Command, api *rekognition.Client, output string, args []string) error {
			show := newShow(cmd, output, faceColumn(),
				column{head: "DELETED", name: "Deleted"}, reasonsColumn())
			kept := 0
			for ids := range slices.Chunk(args[1:], 4096) {
				done,
					err := api.DeleteFaces(cmd.Context(),
					&rekognition.DeleteFacesInput{CollectionId: &args[0], FaceIds: ids})
				if err != nil {
					return plain(err)
				}
				for _, id := range done.DeletedFaces {
					show.row(id, "yes", "")
				}
				for _, u := range done.UnsuccessfulFaceDeletions {
					show.row(aws.ToString(u.FaceId), "no", words(u.Reasons))
				}
				kept += len(done.UnsuccessfulFaceDeletions)
				if err := show.object(done); err != nil {
					return err
				}
			}
			if kept > 0 {
				return show.end(noError(fmt.Sprintf("%d faces were not deleted", kept)))
			}
			return show.end(nil)
		})
	remove.Example = "  recollect faces delete people 125a746b-46ec-43d4-a7f1-8f14061a180b"
	cmd.AddCommand(list, remove)
	return cmd
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

// words joins the reasons of the API.
func words[T ~string](reasons []T) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = string(r)
	}
	return strings.Join(texts, " ")
}
