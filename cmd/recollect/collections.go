package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func collectionsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "collections", Short: "List, make, describe and delete collections",
		Args: cobra.NoArgs}
	var tags map[string]string
	create := apiCommand("create COLLECTION...", "Make collections", "", cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, api *rekognition.Client, _ string, args []string) error {
			for _, id := range args {
				if _,
					err := api.CreateCollection(cmd.Context(),
					&rekognition.CreateCollectionInput{CollectionId: &id, Tags: tags}); err != nil {
					return fmt.Errorf("%s: %w", id, plain(err))
				}
			}
			return nil
		})
	create.Example = "  recollect collections create people\n" +
		"  recollect collections create visitors --tag owner=reception"
	create.ValidArgsFunction = cobra.NoFileCompletions
	create.Flags().StringToStringVar(&tags, "tag", nil, "tags, as in owner=reception,floor=2")

	list := apiCommand("list", "List collections", "", cobra.NoArgs,
		func(cmd *cobra.Command, api *rekognition.Client, output string, _ []string) error {
			show := newShow(cmd, output, collectionColumn(),
				column{head: "FACE MODEL", name: "FaceModelVersion"})
			pages := rekognition.NewListCollectionsPaginator(api,
				&rekognition.ListCollectionsInput{})
			for pages.HasMorePages() {
				page, err := pages.NextPage(cmd.Context())
				if err != nil {
					return plain(err)
				}
				for i, id := range page.CollectionIds {
					show.row(id, page.FaceModelVersions[i])
					if err := show.object(struct{ CollectionId, FaceModelVersion string }{id,
						page.FaceModelVersions[i]}); err != nil {
						return err
					}
				}
			}
			return show.end(nil)
		})
	list.Example = "  recollect collections list\n" +
		"  recollect collections list --output json | jq -r .CollectionId"

	describe := apiCommand("describe COLLECTION...", "Count the faces and users of collections", "",
		cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, api *rekognition.Client, output string, args []string) error {
			show := newShow(cmd, output, collectionColumn(),
				column{head: "FACES", name: "FaceCount"}, column{head: "USERS", name: "UserCount"},
				column{head: "FACE MODEL", name: "FaceModelVersion"},
				column{head: "MADE", name: "CreationTimestamp"},
				column{head: "ARN", name: "CollectionARN"})
			for _, id := range args {
				d, err := api.DescribeCollection(cmd.Context(),
					&rekognition.DescribeCollectionInput{CollectionId: &id})
				if err != nil {
					return fmt.Errorf("%s: %w", id, plain(err))
				}
				show.row(id, aws.ToInt64(d.FaceCount), aws.ToInt64(d.UserCount),
					aws.ToString(d.FaceModelVersion),
					aws.ToTime(d.CreationTimestamp).UTC().Format("2006-01-02 15:04"),
					aws.ToString(d.CollectionARN))
				if err := show.object(struct {
					CollectionId string
					*rekognition.DescribeCollectionOutput
				}{id, d}); err != nil {
					return err
				}
			}
			return show.end(nil)
		})
	describe.Example = "  recollect collections describe people"

	var yes bool
	remove := apiCommand("delete COLLECTION", "Delete a collection with all its faces and users",
		"Delete a collection with all its faces and users. It cannot be restored.",
		cobra.ExactArgs(1),
		func(cmd *cobra.Command, api *rekognition.Client, _ string, args []string) error {
			return deleteCollection(cmd, api, args[0], yes)
		})
	remove.Example = "  recollect collections delete people\n" +
		"  recollect collections delete people --yes"
	remove.Flags().BoolVar(&yes, "yes", false, "delete without confirmation")
	cmd.AddCommand(list, create, describe, remove, migrateCommand())
	return cmd
}

func collectionColumn() column {
	return column{head: "COLLECTION", name: "CollectionId", flexible: true}
}

// deleteCollection deletes a collection once the user has typed its name on a terminal, or with
// --yes.
func deleteCollection(cmd *cobra.Command, api *rekognition.Client, id string, yes bool) error {
	if !yes {
		file, ok := cmd.InOrStdin().(*os.File)
		if !ok || !term.IsTerminal(int(file.Fd())) {
			return usageError{fmt.Errorf(
				"there is no terminal to confirm the deletion of %s: --yes deletes it", id)}
		}
		d, err := api.DescribeCollection(cmd.Context(),
			&rekognition.DescribeCollectionInput{CollectionId: &id})
		if err != nil {
			return plain(err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s has %s faces. Type its name to delete it: ", id,
			thousands(int(aws.ToInt64(d.FaceCount))))
		answer, err := bufio.NewReader(file).ReadString('\n')
		if strings.TrimSpace(answer) != id {
			return cmp.Or(err, error(noError("nothing was deleted")))
		}
	}
	_, err := api.DeleteCollection(cmd.Context(),
		&rekognition.DeleteCollectionInput{CollectionId: &id})
	return plain(err)
}

// apiCommand returns a command that is a client of a server, with the flags of all such commands.
// Its first argument, if it has any, is the id of a collection.
func apiCommand(use, short, long string, args cobra.PositionalArgs,
	run func(cmd *cobra.Command, api *rekognition.Client, output string,
		args []string) error) *cobra.Command {
	var c client
	var output string
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(validOutput(output)); err != nil {
				return err
			}
			api, err := c.api(cmd.Context())
			if err != nil {
				return err
			}
			return run(cmd, api, output, args)
		}}
	c.addFlags(cmd.Flags())
	addOutput(cmd, &output)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string,
		begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 || !strings.Contains(use, " COLLECTION") {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.completeCollection(cmd, args, begun)
	}
	return cmd
}

// completeCollection completes the id of a collection with those of the server, if it answers.
func (c *client) completeCollection(cmd *cobra.Command, _ []string,
	_ string) (ids []cobra.Completion, _ cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	api, err := c.api(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	page, err := api.ListCollections(ctx, &rekognition.ListCollectionsInput{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return page.CollectionIds, cobra.ShellCompDirectiveNoFileComp
}
