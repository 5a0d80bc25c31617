package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

const aboutPolicies = "A policy is administrator, full-access, read-only, s3-read (for pictures " +
	"that are S3 objects), or a file in the\n" +
	"IAM JSON policy language. A user without one may do nothing."

// keysCommand manages the access keys of users, in the data folder or the database, whether a
// server runs on it or not.
func keysCommand() *cobra.Command {
	var at location
	var account string
	cmd := &cobra.Command{Use: "keys", Short: "Manage users' access keys"}
	at.addFlags(cmd.PersistentFlags())
	cmd.PersistentFlags().StringVar(&account, "account", "123456789012", "account of the users")
	configure(cmd)
	with := func(run identityCommand) func(*cobra.Command, []string) error {
		return onIdentities(&at, run)
	}

	var policies []string
	var out string
	create := &cobra.Command{
		Use:   "create USER",
		Short: "Make a key for a user, and the user if it is new",
		Long: "Make a key for a user, and the user if it is new. The key is printed in the " +
			"format of the AWS SDKs'\ncredentials files, or written to a new file that only you " +
			"can read. It cannot be shown again.\n\n" +
			aboutPolicies,
		Example: "  recollect keys create anna --policy read-only --out anna.credentials\n" +
			"  recollect keys create camera --policy camera.json --policy s3-read",
		Args: cobra.ExactArgs(1),
		RunE: with(func(ctx context.Context, cmd *cobra.Command, identities *iam.Service,
			args []string) error {
			return createKey(ctx, cmd, identities, account, args[0], policies, out)
		}),
	}
	create.Flags().StringArrayVar(&policies, "policy", nil,
		"policy to attach to the user; can be repeated")
	create.Flags().StringVar(&out, "out", "", "file to write the key to, instead of printing it")

	attach := &cobra.Command{
		Use:   "attach USER POLICY...",
		Short: "Attach policies to a user, in place of those of the same names",
		Long: "Attach policies to a user, in place of those of the same names.\n\n" +
			aboutPolicies,
		Args: cobra.MinimumNArgs(2),
		RunE: with(func(ctx context.Context, _ *cobra.Command, identities *iam.Service,
			args []string) error {
			documents, err := readPolicies(args[1:])
			if err != nil {
				return err
			}
			return attachPolicies(ctx, identities, account, args[0], documents)
		}),
	}
	detach := &cobra.Command{
		Use:   "detach USER POLICY",
		Short: "Detach a policy from a user, by the name that list shows",
		Args:  cobra.ExactArgs(2),
		RunE: with(func(ctx context.Context, _ *cobra.Command, identities *iam.Service,
			args []string) error {
			return identities.DeleteUserPolicy(ctx, account, args[0], args[1])
		}),
	}
	show := &cobra.Command{
		Use:   "show USER",
		Short: "Show a user's policies",
		Args:  cobra.ExactArgs(1),
		RunE: with(func(ctx context.Context, cmd *cobra.Command, identities *iam.Service,
			args []string) error {
			return showPolicies(ctx, cmd.OutOrStdout(), identities, account, args[0])
		}),
	}
	deleteUser := &cobra.Command{
		Use:   "delete-user USER",
		Short: "Delete a user with its policies and keys",
		Args:  cobra.ExactArgs(1),
		RunE: with(func(ctx context.Context, _ *cobra.Command, identities *iam.Service,
			args []string) error {
			return identities.DeleteUser(ctx, account, args[0])
		}),
	}

	list := &cobra.Command{
		Use:   "list",
		Short: "List users, their policies and their keys",
		Args:  cobra.NoArgs,
		RunE: with(func(ctx context.Context, cmd *cobra.Command, identities *iam.Service,
			_ []string) error {
			return listKeys(ctx, cmd, identities, account)
		}),
	}
	change := func(use, short string,
		do func(context.Context, *iam.Service, string) error) *cobra.Command {
		return &cobra.Command{Use: use + " KEY-ID", Short: short, Args: cobra.ExactArgs(1),
			RunE: with(func(ctx context.Context, _ *cobra.Command, identities *iam.Service,
				args []string) error {
				return do(ctx, identities, args[0])
			})}
	}
	cmd.AddCommand(create, list, show, attach, detach, deleteUser,
		change("disable", "Reject a key's requests, within a second",
			func(ctx context.Context, s *iam.Service, id string) error {
				return s.SetAccessKeyActive(ctx, id, false)
			}),
		change("enable", "Accept a disabled key's requests again",
			func(ctx context.Context, s *iam.Service,
				id string) error {
				return s.SetAccessKeyActive(ctx, id, true)
			}),
		change("delete", "Delete a key",
			func(ctx context.Context, s *iam.Service,
				id string) error {
				return s.DeleteAccessKey(ctx, id)
			}),
		revokeSessionsCommand(&at, &account),
		rotateMasterCommand(&at), resetMasterCommand(&at),
	)
	return cmd
}

// revokeSessionsCommand ends the sessions of a user of the account *account, or of its root.
func revokeSessionsCommand(at *location, account *string) *cobra.Command {
	var root bool
	cmd := &cobra.Command{
		Use:   "revoke-sessions USER|--root",
		Short: "Reject the sessions that a user has begun up to now, within a second",
		Long: "Reject the sessions that a user, or the root, has begun up to now, those of roles " +
			"that it has assumed included. The user's keys stay.",
		Args: func(_ *cobra.Command, args []string) error {
			if (len(args) == 1) == root || len(args) > 1 {
				return usageError{errors.New("name either a user or --root")}
			}
			return nil
		},
		RunE: onIdentities(at, func(ctx context.Context, _ *cobra.Command,
			identities *iam.Service, args []string) error {
			if root {
				return identities.RevokeRootSessions(ctx, *account)
			}
			return identities.RevokeUserSessions(ctx, *account, args[0])
		}),
	}
	cmd.Flags().BoolVar(&root, "root", false, "the sessions of the root instead of a user's")
	return cmd
}

// identityCommand is a command on the identities of a location.
type identityCommand func(ctx context.Context, cmd *cobra.Command, identities *iam.Service,
	args []string) error

// onIdentities runs a command on the identities of a location.
func onIdentities(at *location, run identityCommand) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return withIdentities(cmd.Context(), *at, func(identities *iam.Service) error {
			return run(cmd.Context(), cmd, identities, args)
		})
	}
}

// location is where a server's identities are.
type location struct {
	store string // URL of a PostgreSQL database; empty: the database is in data
	data  string // folder, which has the master key

	masterKeyFile string // with store: the file that has the master key instead; or empty
}

// masterKeyFlag names the file of the master key.
const masterKeyFlag = "master-key-file"

// addFlags adds the flags of a location.
func (l *location) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&l.store, "store", "",
		"URL of the servers' PostgreSQL database (default: the database in --data)")
	flags.StringVar(&l.data, "data", "data", "folder of the database, and of the master key")
	flags.StringVar(&l.masterKeyFile, masterKeyFlag, "",
		"with --store, the file that has the master key (default: master-key in --data)")
}

// check rejects a location that names a master key which its store does not have.
func (l *location) check() error {
	if l.masterKeyFile != "" && l.store == "" {
		return usageError{errors.New("--master-key-file needs --store")}
	}
	return nil
}

// masterKey says where the master key of the database's servers is.
func (l *location) masterKey() iam.MasterKeySource {
	return iam.MasterKeySource{Given: os.Getenv(iam.MasterKeyEnv), File: l.masterKeyFile,
		Dir: l.data}
}

// withIdentities opens the identities of a location that is there.
func withIdentities(ctx context.Context, at location, do func(*iam.Service) error) (err error) {
	if err := at.check(); err != nil {
		return err
	}
	if at.store != "" {
		store, err := postgres.Open(ctx, at.store, postgres.Options{Beside: true})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		sealer, err := iam.OpenSharedSealer(ctx, at.masterKey(), store.Identities())
		if err != nil {
			return err
		}
		return do(iam.NewService(store.Identities(), sealer, iam.AccessKey{}))
	}
	store, err := openData(ctx, at.data, sqlite.Options{Beside: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sealer, err := iam.OpenSealer(ctx, at.data, store.Identities())
	if err != nil {
		return err
	}
	return do(iam.NewService(store.Identities(), sealer, iam.AccessKey{}))
}

// openData opens the store of an existing data folder.
func openData(ctx context.Context, data string, o sqlite.Options) (*sqlite.Store, error) {
	if _, err := os.Stat(filepath.Join(data, sqlite.DatabaseName)); err != nil {
		return nil, fmt.Errorf(
			"there is no server's data in the folder (name another with --data): %w", err)
	}
	return sqlite.Open(ctx, data, o)
}

func createKey(ctx context.Context, cmd *cobra.Command, identities *iam.Service, account,
	user string, policies []string, out string) (err error) {
	w := cmd.OutOrStdout()
	if out != "" {
		// The file is made before anything is changed, since the key cannot be shown again. An
		// existing file may contain another key.
		file, openErr := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if openErr != nil {
			return openErr
		}
		defer func() {
			if err = errors.Join(err, file.Close()); err != nil {
				os.Remove(out)
			}
		}()
		w = file
	}
	documents, err := readPolicies(policies)
	if err != nil {
		return err
	}
	if _, err := identities.CreateUser(ctx, account, user); err != nil &&
		!errors.Is(err, iam.ErrExists) {
		return err
	}
	if err := attachPolicies(ctx, identities, account, user, documents); err != nil {
		return err
	}
	key, err := identities.CreateAccessKey(ctx, account, user)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		key.ID, key.Secret)
	return err
}

func attachPolicies(ctx context.Context, identities *iam.Service, account, user string,
	documents []iam.PolicyDocument) error {
	for _, document := range documents {
		if err := identities.PutUserPolicy(ctx, account, user, document); err != nil {
			return err
		}
	}
	return nil
}

// readPolicies returns the named policies, built-in ones or files. It fails if one of them cannot
// be read.
func readPolicies(names []string) (documents []iam.PolicyDocument, err error) {
	for _, name := range names {
		document, ok := iam.BuiltinPolicy(name)
		if !ok {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("policy %q is neither built in nor a file: %w", name, err)
			}
			document = iam.PolicyDocument{Name: strings.TrimSuffix(filepath.Base(name),
				filepath.Ext(name)), Document: string(text)}
		}
		if err := document.Validate(); err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return documents, nil
}

func showPolicies(ctx context.Context, w io.Writer, identities *iam.Service, account,
	user string) error {
	policies, err := identities.UserPolicies(ctx, account, user)
	if err != nil {
		return err
	}
	return printPolicies(w, policies)
}

func printPolicies(w io.Writer, policies []iam.PolicyDocument) error {
	for _, p := range policies {
		if _, err := fmt.Fprintf(w, "%s:\n%s\n", p.Name,
			strings.TrimSpace(p.Document)); err != nil {
			return err
		}
	}
	return nil
}

func listKeys(ctx context.Context, cmd *cobra.Command, identities *iam.Service,
	account string) error {
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
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Name, strings.Join(names, ","), k.ID, state,
				k.CreatedAt.UTC().Format("2006-01-02 15:04"))
		}
	}
	return w.Flush()
}
