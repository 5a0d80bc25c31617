package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/iam"
	"github.com/recollect-dev/recollect/sqlite"
)

// keysCommand manages the access keys of users, in the data folder, whether a server runs on it or not.
func keysCommand() *cobra.Command {
	var data, account string
	cmd := &cobra.Command{Use: "keys", Short: "Manage users' access keys"}
	cmd.PersistentFlags().StringVar(&data, "data", "data", "folder of the database")
	cmd.PersistentFlags().StringVar(&account, "account", "123456789012", "account of the users")
	with := func(run func(ctx context.Context, cmd *cobra.Command, identities *iam.Service, args []string) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, args []string) error {
			return withIdentities(cmd.Context(), data, func(identities *iam.Service) error {
				return run(cmd.Context(), cmd, identities, args)
			})
		}
	}

	var policies []string
	create := &cobra.Command{
		Use:   "create USER",
		Short: "Make a key for a user, and the user if it is new",
		Long: "Make a key for a user, and the user if it is new. The key is printed in the format of the AWS SDKs' credentials\n" +
			"files, and cannot be printed again.\n\nA policy is full-access, read-only, or a file in the IAM JSON policy language. " +
			"A user without one may do nothing.",
		Example: "  recollect keys create anna --policy read-only > anna.credentials\n  recollect keys create camera --policy camera.json",
		Args:    cobra.ExactArgs(1),
		RunE: with(func(ctx context.Context, cmd *cobra.Command, identities *iam.Service, args []string) error {
			return createKey(ctx, cmd, identities, account, args[0], policies)
		}),
	}
	create.Flags().StringArrayVar(&policies, "policy", nil, "policy to attach to the user: full-access, read-only or a file; can be repeated")

	list := &cobra.Command{
		Use:   "list",
		Short: "List users, their policies and their keys",
		Args:  cobra.NoArgs,
		RunE: with(func(ctx context.Context, cmd *cobra.Command, identities *iam.Service, _ []string) error {
			return listKeys(ctx, cmd, identities, account)
		}),
	}
	change := func(use, short string, do func(context.Context, *iam.Service, string) error) *cobra.Command {
		return &cobra.Command{Use: use + " KEY-ID", Short: short, Args: cobra.ExactArgs(1),
			RunE: with(func(ctx context.Context, _ *cobra.Command, identities *iam.Service, args []string) error {
				return do(ctx, identities, args[0])
			})}
	}
	cmd.AddCommand(create, list,
		change("disable", "Refuse a key's requests, within a second", func(ctx context.Context, s *iam.Service, id string) error {
			return s.SetAccessKeyActive(ctx, id, false)
		}),
		change("enable", "Accept a disabled key's requests again", func(ctx context.Context, s *iam.Service, id string) error { return s.SetAccessKeyActive(ctx, id, true) }),
		change("delete", "Delete a key", func(ctx context.Context, s *iam.Service, id string) error { return s.DeleteAccessKey(ctx, id) }),
	)
	return cmd
}

// withIdentities opens the identities of a data folder that is there.
func withIdentities(ctx context.Context, data string, do func(*iam.Service) error) (err error) {
	if _, err := os.Stat(filepath.Join(data, sqlite.DatabaseName)); err != nil {
		return fmt.Errorf("there is no server's data in the folder (name another with --data): %w", err)
	}
	store, err := sqlite.Open(ctx, data, sqlite.Options{Beside: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sealer, err := iam.OpenSealer(data)
	if err != nil {
		return err
	}
	return do(iam.NewService(store.Identities(), sealer, iam.AccessKey{}))
}

func createKey(ctx context.Context, cmd *cobra.Command, identities *iam.Service, account, user string, policies []string) error {
	var documents []iam.PolicyDocument
	for _, name := range policies {
		document, ok := iam.BuiltinPolicy(name)
		if !ok {
			text, err := os.ReadFile(name)
			if err != nil {
				return fmt.Errorf("policy %q is neither full-access nor read-only nor a file: %w", name, err)
			}
			document = iam.PolicyDocument{Name: strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), Document: string(text)}
		}
		if _, err := iam.ParsePolicy([]byte(document.Document)); err != nil {
			return fmt.Errorf("policy %q: %w", name, err)
		}
		documents = append(documents, document)
	}
	if _, err := identities.CreateUser(ctx, account, user); err != nil && !errors.Is(err, iam.ErrExists) {
		return err
	}
	for _, document := range documents {
		if err := identities.PutUserPolicy(ctx, account, user, document); err != nil {
			return err
		}
	}
	key, err := identities.CreateAccessKey(ctx, account, user)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key.ID, key.Secret)
	return err
}

func listKeys(ctx context.Context, cmd *cobra.Command, identities *iam.Service, account string) error {
	users, err := identities.Users(ctx, account)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tPOLICIES\tKEY\tSTATE\tCREATED")
	for _, u := range users {
		policies, err := identities.UserPolicies(ctx, account, u.Name)
		if err != nil {
			return err
		}
		names := make([]string, len(policies))
		for i, p := range policies {
			names[i] = p.Name
		}
		keys, err := identities.AccessKeys(ctx, account, u.Name)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			fmt.Fprintf(w, "%s\t%s\t\t\t\n", u.Name, strings.Join(names, ","))
		}
		for _, k := range keys {
			state := "active"
			if !k.Active {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Name, strings.Join(names, ","), k.ID, state, k.CreatedAt.UTC().Format("2006-01-02 15:04"))
		}
	}
	return w.Flush()
}
