package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/iam"
)

// rolesCommand manages roles in the data folder or the database. A server may run on it meanwhile.
func rolesCommand() *cobra.Command {
	var at location
	var account string
	cmd := &cobra.Command{Use: "roles", Short: "Manage roles, which have sessions instead of keys"}
	at.addFlags(cmd.PersistentFlags())
	cmd.PersistentFlags().StringVar(&account, "account", "123456789012", "account of the roles")
	configure(cmd)
	// simple returns a command that changes one role and prints nothing.
	simple := func(use, short, example string, args cobra.PositionalArgs,
		do func(context.Context, *iam.Service, []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Example: "  recollect roles " + example,
			Args: args,
			RunE: onIdentities(&at, func(ctx context.Context, _ *cobra.Command,
				identities *iam.Service, args []string) error {
				return do(ctx, identities, args)
			})}
	}
	list := &cobra.Command{
		Use:     "list",
		Example: "  recollect roles list",
		Short:   "List roles and their policies",
		Args:    cobra.NoArgs,
		RunE: onIdentities(&at, func(ctx context.Context, cmd *cobra.Command,
			identities *iam.Service, _ []string) error {
			return listRoles(ctx, cmd.OutOrStdout(), identities, account)
		}),
	}
	show := &cobra.Command{
		Use:     "show ROLE",
		Example: "  recollect roles show camera",
		Short:   "Show a role's trust policy and its policies",
		Args:    cobra.ExactArgs(1),
		RunE: onIdentities(&at, func(ctx context.Context, cmd *cobra.Command,
			identities *iam.Service, args []string) error {
			return showRole(ctx, cmd.OutOrStdout(), identities, account, args[0])
		}),
	}
	attach := simple("attach ROLE POLICY...",
		"Give a role policies, in place of those of the same names", "attach camera s3-read",
		cobra.MinimumNArgs(2),
		func(ctx context.Context, s *iam.Service, args []string) error {
			documents, err := readPolicies(args[1:])
			if err != nil {
				return err
			}
			for _, document := range documents {
				if err := s.PutRolePolicy(ctx, account, args[0], document); err != nil {
					return err
				}
			}
			return nil
		})
	attach.Long = attach.Short + ".\n\n" + aboutPolicies
	cmd.AddCommand(createRoleCommand(&at, &account), list, show, attach,
		simple("trust ROLE FILE", "Replace a role's trust policy", "trust camera trust.json",
			cobra.ExactArgs(2), func(ctx context.Context, s *iam.Service, args []string) error {
				document, err := os.ReadFile(args[1])
				if err != nil {
					return fmt.Errorf("read the trust policy: %w", err)
				}
				return s.SetTrustPolicy(ctx, account, args[0], string(document))
			}),
		simple("detach ROLE POLICY", "Take a policy from a role, by the name that list shows",
			"detach camera s3-read", cobra.ExactArgs(2),
			func(ctx context.Context, s *iam.Service, args []string) error {
				return s.DeleteRolePolicy(ctx, account, args[0], args[1])
			}),
		simple("revoke-sessions ROLE",
			"End all sessions that a role has now, within a second",
			"revoke-sessions camera", cobra.ExactArgs(1),
			func(ctx context.Context, s *iam.Service, args []string) error {
				return s.RevokeRoleSessions(ctx, account, args[0])
			}),
		simple("delete ROLE", "Delete a role, which ends its sessions", "delete camera",
			cobra.ExactArgs(1), func(ctx context.Context, s *iam.Service, args []string) error {
				return s.DeleteRole(ctx, account, args[0])
			}),
	)
	return cmd
}

func createRoleCommand(at *location, account *string) *cobra.Command {
	var trust string
	var policies []string
	var longest time.Duration
	cmd := &cobra.Command{
		Use:   "create ROLE --trust FILE",
		Short: "Make a role",
		Long: "Make a role, and print its ARN. The trust policy says who may assume it, by " +
			"Principal: users, other roles, accounts, or the\nOpenID Connect issuers of " +
			"serve --oidc-issuers. It is a file in the IAM JSON policy language.\n\n" +
			strings.Replace(aboutPolicies, "A user without one", "A role without one", 1),
		Example: "  recollect roles create camera --trust trust.json --policy read-only",
		Args:    cobra.ExactArgs(1),
		RunE: onIdentities(at, func(ctx context.Context, cmd *cobra.Command,
			identities *iam.Service, args []string) error {
			document, err := os.ReadFile(trust)
			if err != nil {
				return fmt.Errorf("read the trust policy: %w", err)
			}
			role := iam.Role{Account: *account, Name: args[0], TrustPolicy: string(document),
				MaxSession: longest}
			if role.Policies, err = readPolicies(policies); err != nil {
				return err
			}
			if role, err = identities.CreateRole(ctx, role); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), role.ARN())
			return err
		}),
	}
	cmd.Flags().StringVar(&trust, "trust", "", "file of the trust policy")
	cmd.Flags().StringArrayVar(&policies, "policy", nil,
		"policy to attach to the role; can be repeated")
	cmd.Flags().DurationVar(&longest, "max-session", iam.LeastMaxSession,
		"longest session of the role, 1h to 12h")
	cmd.MarkFlagRequired("trust")
	return cmd
}

func listRoles(ctx context.Context, out io.Writer, identities *iam.Service,
	account string) error {
	roles, err := identities.Roles(ctx, account)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROLE\tPOLICIES\tLONGEST SESSION\tCREATED")
	for _, r := range roles {
		names := make([]string, len(r.Policies))
		for i, p := range r.Policies {
			names[i] = p.Name
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, strings.Join(names, ","), r.MaxSession,
			r.CreatedAt.UTC().Format("2006-01-02 15:04"))
	}
	return w.Flush()
}

func showRole(ctx context.Context, out io.Writer, identities *iam.Service, account,
	name string) error {
	r, err := identities.Role(ctx, account, name)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\ntrust policy:\n%s\n", r.ARN(),
		strings.TrimSpace(r.TrustPolicy)); err != nil {
		return err
	}
	return printPolicies(out, r.Policies)
}
