package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
)

func moveCommand() *cobra.Command {
	var from, to, account string
	cmd := &cobra.Command{
		Use:   "move",
		Short: "Move a server's data to a PostgreSQL database",
		Long: "Copy all data of a folder to a PostgreSQL database, for servers with --store: " +
			"collections with their faces, users and tags, the users\nof the API with their keys " +
			"and policies, roles, the root key and the check value of the master key. Each " +
			"collection is compared with\nthe original afterwards, face by face. The folder " +
			"stays as it is, and its server must be stopped. After an interruption run it\n" +
			"again: it goes on with the missing collections, and compares the others.\n\n" +
			"The servers need the file master-key of the folder. Answers to calls with a client " +
			"token are not moved.",
		Example: "  recollect move --from ./data --to postgres://recollect@db/faces",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !strings.HasPrefix(to, "postgres://") && !strings.HasPrefix(to, "postgresql://") {
				return valid(errors.New("--to does not begin with postgres://"))
			}
			return move(cmd.Context(), from, to, account, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "data folder to move")
	cmd.Flags().StringVar(&to, "to", "", "URL of the PostgreSQL database")
	cmd.Flags().StringVar(&account, "account", "123456789012", "account of the root key")
	cmd.MarkFlagRequired("from")
	cmd.MarkFlagRequired("to")
	return cmd
}

func move(ctx context.Context, from, to, account string, w io.Writer) (err error) {
	source, err := openData(ctx, from, sqlite.Options{})
	if errors.Is(err, sqlite.ErrInUse) {
		return fmt.Errorf("stop the server first: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := postgres.Open(ctx, to, postgres.Options{Alone: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := moveSecrets(ctx, source, target, from, account); err != nil {
		return err
	}
	var collections, faces int64
	mover := transfer.Mover{From: source, To: target, FromIdentities: source.Identities(),
		ToIdentities: target.Identities(), Account: account,
		Moved: func(c face.Collection, was bool) {
			collections, faces = collections+1, faces+c.FaceCount
			what := "moved"
			if was {
				what = "was there"
			}
			fmt.Fprintf(w, "%s/%s/%s: %s, %d faces compared\n", c.Realm.Account, c.Realm.Region,
				c.ID, what, c.FaceCount)
		}}
	if err := mover.Move(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d collections with %d faces are in the database.\n", collections,
		faces)
	return err
}

// moveSecrets gives the target the keys of the source's server.
func moveSecrets(ctx context.Context, source *sqlite.Store, target *postgres.Store, from,
	account string) error {
	if _, err := iam.OpenSealer(ctx, from, source.Identities()); err != nil {
		return err
	}
	file := func(string) string { return "" } // the folder's, and none of the environment
	sealer, err := iam.OpenSharedSealer(ctx, iam.MasterKeySource{Dir: from},
		target.Identities())
	if err != nil {
		return err
	}
	_, _, err = iam.SharedRootKey(ctx, from, account, file, sealer, target.Identities())
	return err
}
