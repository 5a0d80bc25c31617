package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/spf13/cobra"
)

func usersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "users",
		Short: "List, make, delete and search the users of a collection, and associate faces " +
			"with them",
		Args: cobra.NoArgs}
	list := apiCommand("list COLLECTION", "List the users of a collection", "", cobra.ExactArgs(1),
		func(cmd *cobra.Command, api *rekognition.Client, output string, args []string) error {
			show := newShow(cmd, output, userColumn(),
				column{head: "STATUS", name: "UserStatus"})
			pages := rekognition.NewListUsersPaginator(api,
				&rekognition.ListUsersInput{CollectionId: &args[0]})
			for pages.HasMorePages() {
				page, err := pages.NextPage(cmd.Context())
				if err != nil {
					return plain(err)
				}
				for _, u := range page.Users {
					show.row(aws.ToString(u.UserId), u.UserStatus)
					if err := show.object(u); err != nil {
						return err
					}
				}
			}
			return show.end(nil)
		})
	list.Example = "  recollect users list people"

	each := func(do func(cmd *cobra.Command, api *rekognition.Client, collection,
		user *string) error) func(*cobra.Command, *rekognition.Client, string, []string) error {
		return func(cmd *cobra.Command, api *rekognition.Client, _ string, args []string) error {
			for _, user := range args[1:] {
				if err := do(cmd, api, &args[0], &user); err != nil {
					return fmt.Errorf("%s: %w", user, plain(err))
				}
			}
			return nil
		}
	}
	create := apiCommand("create COLLECTION USER...", "Make users", "", cobra.MinimumNArgs(2),
		each(func(cmd *cobra.Command, api *rekognition.Client, collection, user *string) error {
			_, err := api.CreateUser(cmd.Context(),
				&rekognition.CreateUserInput{CollectionId: collection, UserId: user})
			return err
		}))
	create.Example = "  recollect users create people anna bert"
	remove := apiCommand("delete COLLECTION USER...",
		"Delete users; their faces stay in the collection", "", cobra.MinimumNArgs(2),
		each(func(cmd *cobra.Command, api *rekognition.Client, collection, user *string) error {
			_, err := api.DeleteUser(cmd.Context(),
				&rekognition.DeleteUserInput{CollectionId: collection, UserId: user})
			return err
		}))
	remove.Example = "  recollect users delete people anna"
	cmd.AddCommand(list, create, remove, associateCommand(), disassociateCommand(),
		searchUsersCommand())
	return cmd
}

func associateCommand() *cobra.Command {
	var threshold float32
	cmd := apiCommand("associate COLLECTION USER FACE...", "Associate faces with a user",
		"Associate faces of a collection with a user, 100 at most. If the user has faces, only "+
			"those that are similar enough are associated. The exit status is 1 if a face was "+
			"rejected.",
		cobra.RangeArgs(3, 102),
		func(cmd *cobra.Command, api *rekognition.Client, output string, args []string) error {
			if !(threshold >= 0 && threshold <= 100) {
				return usageError{errors.New("--threshold must be 0 to 100")}
			}
			done, err := api.AssociateFaces(cmd.Context(), &rekognition.AssociateFacesInput{
				CollectionId: &args[0], UserId: &args[1], FaceIds: args[2:],
				UserMatchThreshold: &threshold,
			})
			if err != nil {
				return plain(err)
			}
			show := newShow(cmd, output, faceColumn(),
				column{head: "ASSOCIATED", name: "Associated"}, reasonsColumn())
			for _, f := range done.AssociatedFaces {
				show.row(aws.ToString(f.FaceId), "yes", "")
			}
			for _, f := range done.UnsuccessfulFaceAssociations {
				show.row(aws.ToString(f.FaceId), "no", words(f.Reasons))
			}
			return show.end(cmp.Or(show.object(done),
				rejected(len(done.UnsuccessfulFaceAssociations), "were not associated")))
		})
	cmd.Example = "  recollect users associate people anna 125a746b-46ec-43d4-a7f1-8f14061a180b"
	cmd.Flags().Float32Var(&threshold, "threshold", 75,
		"least similarity of a face to the user's, 0 to 100")
	return cmd
}

func disassociateCommand() *cobra.Command {
	cmd := apiCommand("disassociate COLLECTION USER FACE...",
		"Disassociate faces from a user; they stay in the collection",
		"Disassociate faces from a user, 100 at most; they stay in the collection. The exit "+
			"status is 1 if a face was not the user's.",
		cobra.RangeArgs(3, 102),
		func(cmd *cobra.Command, api *rekognition.Client, output string, args []string) error {
			done, err := api.DisassociateFaces(cmd.Context(),
				&rekognition.DisassociateFacesInput{CollectionId: &args[0], UserId: &args[1],
					FaceIds: args[2:]})
			if err != nil {
				return plain(err)
			}
			show := newShow(cmd, output, faceColumn(),
				column{head: "DISASSOCIATED", name: "Disassociated"}, reasonsColumn())
			for _, f := range done.DisassociatedFaces {
				show.row(aws.ToString(f.FaceId), "yes", "")
			}
			for _, f := range done.UnsuccessfulFaceDisassociations {
				show.row(aws.ToString(f.FaceId), "no", words(f.Reasons))
			}
			return show.end(cmp.Or(show.object(done),
				rejected(len(done.UnsuccessfulFaceDisassociations), "were not disassociated")))
		})
	cmd.Example = "  recollect users disassociate people anna " +
		"125a746b-46ec-43d4-a7f1-8f14061a180b"
	return cmd
}

// rejected returns noError if faces were rejected.
func rejected(faces int, what string) error {
	if faces == 0 {
		return nil
	}
	return noError(fmt.Sprintf("%d faces %s", faces, what))
}

func searchUsersCommand() *cobra.Command {
	var f, user string
	var m matching
	cmd := apiCommand("search COLLECTION --face FACE|--user USER",
		"Search for users that are similar to a face or a user of the collection",
		"Search for users that are similar to a face or a user of the collection. `recollect "+
			"search --users` searches for the face of a picture.\n\n"+
			"The exit status is 0 if there is a match, and 1 if there is none.",
		cobra.ExactArgs(1),
		func(cmd *cobra.Command, api *rekognition.Client, output string, args []string) error {
			if err := validAll(m.Validate()); err != nil {
				return err
			}
			input := &rekognition.SearchUsersInput{CollectionId: &args[0],
				UserMatchThreshold: &m.Threshold, MaxUsers: m.most()}
			if f != "" {
				input.FaceId = &f
			} else {
				input.UserId = &user
			}
			found, err := api.SearchUsers(cmd.Context(), input)
			if err != nil {
				return plain(err)
			}
			show := newShow(cmd, output, similarityColumn(), userColumn())
			for _, match := range found.UserMatches {
				show.row(*match.Similarity, aws.ToString(match.User.UserId))
			}
			err = show.object(found)
			if err == nil && len(found.UserMatches) == 0 {
				err = noError("no match")
			}
			return show.end(err)
		})
	cmd.Example = "  recollect users search people --face 125a746b-46ec-43d4-a7f1-8f14061a180b\n" +
		"  recollect users search people --user anna --threshold 95"
	cmd.Flags().StringVar(&f, "face", "", "id of a face")
	cmd.Flags().StringVar(&user, "user", "", "a user, who is not among the matches")
	cmd.Flags().Float32Var(&m.Threshold, "threshold", 80, "least similarity of a match, 0 to 100")
	cmd.Flags().Int32Var(&m.Max, "max", 10, "most matches; 0: all that the server gives")
	cmd.MarkFlagsOneRequired("face", "user")
	cmd.MarkFlagsMutuallyExclusive("face", "user")
	return cmd
}
