package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// rotateMasterCommand replaces the master key of a location.
func rotateMasterCommand(at *location) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-master",
		Short: "Encrypt all secrets with a new master key",
		Long: "Make a new master key and encrypt the secrets of all access keys with it. The " +
			"keys stay valid, and all sessions end. The server must\nbe stopped. If the command " +
			"is interrupted, the next start finds which master key is the right one.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := changeMasterKey(cmd.Context(), *at, iam.RotateMasterKey)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Encrypted %s with a new master key.\n",
				countAccessKeys(n))
			return err
		},
	}
}

// resetMasterCommand replaces the lost master key of a location.
func resetMasterCommand(at *location) *cobra.Command {
	return &cobra.Command{
		Use:   "reset-master",
		Short: "Make a new master key in place of one that is lost, and delete all users' keys",
		Long: "Make a new master key in place of one that is lost. The access keys that were " +
			"encrypted with it are deleted, since their\nsecrets cannot be decrypted; users and " +
			"their policies stay. The server must be stopped.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := changeMasterKey(cmd.Context(), *at, iam.ResetMasterKey)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Made a new master key and deleted %s. Make "+
				"new ones with: recollect keys create\n", countAccessKeys(n))
			return err
		},
	}
}

// changeMasterKey changes the master key of a location that no server runs on.
func changeMasterKey(ctx context.Context, at location,
	change func(context.Context, string, iam.SecretStore) (int, error)) (n int, err error) {
	secrets, closeStore, err := openAlone(ctx, at)
	if errors.Is(err, sqlite.ErrInUse) || errors.Is(err, postgres.ErrInUse) {
		return 0, fmt.Errorf("stop the server first, which has the master key in memory: %w", err)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	return change(ctx, iam.MasterKeySource{File: at.masterKeyFile, Dir: at.data}.Path(), secrets)
}

// openAlone opens the secrets of a location that no server runs on.
func openAlone(ctx context.Context, at location) (iam.SecretStore, func() error, error) {
	if err := at.check(); err != nil {
		return nil, nil, err
	}
	if at.store == "" {
		store, err := openData(ctx, at.data, sqlite.Options{})
		if err != nil {
			return nil, nil, err
		}
		return store.Identities(), store.Close, nil
	}
	if os.Getenv(iam.MasterKeyEnv) != "" {
		return nil, nil, fmt.Errorf("the master key is that of the environment (%s): put it into "+
			"a file that --master-key-file names, which is changed, and give the servers the new "+
			"one afterwards", iam.MasterKeyEnv)
	}
	if _, err := os.Stat(cmp.Or(at.masterKeyFile, at.data)); err != nil {
		return nil, nil, fmt.Errorf("there is no master key (name another folder with --data, or "+
			"the file with --master-key-file): %w", err)
	}
	store, err := postgres.Open(ctx, at.store, postgres.Options{Alone: true})
	if err != nil {
		return nil, nil, err
	}
	return store.Identities(), store.Close, nil
}

func countAccessKeys(n int) string {
	if n == 1 {
		return "1 access key"
	}
	return fmt.Sprintf("%d access keys", n)
}
