package main

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/reference"
	"github.com/recollect-dev/recollect/internal/engine/registry"
	"github.com/recollect-dev/recollect/internal/server"
	"github.com/recollect-dev/recollect/packs"
)

func modelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List, check and add model packs",
		Long: "List, check and add model packs: folders with networks and a manifest that " +
			"describes them. A server loads all packs of its library folder.\n" +
			"New collections get the default pack's face model; others keep the one that they " +
			"were made with. A running server uses a change after its next start.",
		Args: cobra.NoArgs,
	}
	var library string
	cmd.PersistentFlags().StringVar(&library, "library", defaultLibrary(),
		"folder of ONNX Runtime and the model packs")
	completePacks := func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion,
		cobra.ShellCompDirective) {
		names, err := pack.OpenLibrary(library).Names()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(names,
				func(name string) bool { return slices.Contains(args, name) }),
			cobra.ShellCompDirectiveNoFileComp
	}

	var output string
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the model packs",
		Example: "  recollect models list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := validAll(validOutput(output)); err != nil {
				return err
			}
			return listModels(cmd, pack.OpenLibrary(library), output)
		},
	}
	addOutput(list, &output)

	show := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what is in a model pack",
		Example: "  recollect models show default\n" +
			"  recollect models show default --output json | jq .similarity",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completePacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validAll(validOutput(output)); err != nil {
				return err
			}
			return showModel(cmd, pack.OpenLibrary(library), args[0], output)
		},
	}
	addOutput(show, &output)

	verify := &cobra.Command{
		Use:   "verify [NAME...]",
		Short: "Compare networks with their hashes, and try them on the reference pictures",
		Long: "Compare the networks of model packs with their hashes, load them and try them on " +
			"the reference pictures, which are part of the program.\n" +
			"The exit status is 1 if a pack does not work.",
		Example:           "  recollect models verify\n  recollect models verify default",
		ValidArgsFunction: completePacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return verifyModels(cmd, library, args)
		},
	}

	var adding adding
	add := &cobra.Command{
		Use:   "add NAME|FOLDER|ARCHIVE.zip",
		Short: "Add a model pack that works",
		Long: `Add a model pack to the library folder, after a test on the reference pictures. It
is a folder or a zip archive, or the name of a pack whose networks are in packages of public
registries: ` + strings.Join(packs.OnDemand(), ", ") + `. Those are downloaded with pip, of
Python 3, unless --from names a folder that has them.
A pack is rejected if its networks are not those of the manifest, if it does not find the faces,
confuses the people or misreads the text, and if its name or version exists already.`,
		Example: "  recollect models add text\n  recollect models add ./my-pack\n" +
			"  recollect models add my-pack.zip --default",
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion,
			cobra.ShellCompDirective) {
			return packs.OnDemand(), cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return adding.run(cmd, library, args[0])
		},
	}
	add.Flags().BoolVar(&adding.Default, "default", false, "make it the model of new collections")
	add.Flags().StringVar(&adding.From, "from", "",
		"folder in which networks are looked for before they are downloaded, by their SHA-256")
	_ = add.MarkFlagDirname("from") // it exists

	choose := &cobra.Command{
		Use:               "default [NAME]",
		Short:             "Choose the model pack that new collections get, or show it",
		Example:           "  recollect models default\n  recollect models default my-pack",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completePacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			installed := pack.OpenLibrary(library)
			if len(args) == 0 {
				name, err := installed.Default()
				if err == nil {
					fmt.Fprintln(cmd.OutOrStdout(), name)
				}
				return err
			}
			if err := knownModel(installed, installed.SetDefault(args[0])); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(),
				"New collections get the model pack %s after the next start of the server.\n",
				args[0])
			return nil
		},
	}
	var from string
	fetch := &cobra.Command{
		Use:   "fetch --from FOLDER [NAME]",
		Short: "Copy the networks that a model pack misses from a folder",
		Long: `Copy the networks that a model pack misses, the default one if none is named, from a
folder. A file counts by its SHA-256, whatever its name. The exit status is 1 if networks are
missing afterwards.`,
		Example:           "  recollect models fetch --from ./saved-networks",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completePacks,
		RunE: func(cmd *cobra.Command, args []string) error {
			installed := pack.OpenLibrary(library)
			name := pack.DefaultName
			if len(args) > 0 {
				name = args[0]
			}
			return knownModel(installed, fetchModel(cmd, installed, name, from))
		},
	}
	fetch.Flags().StringVar(&from, "from", "", "folder with networks")
	fetch.MarkFlagRequired("from")
	cmd.AddCommand(list, show, verify, add, choose, fetch)
	configure(cmd)
	return cmd
}

// knownModel adds the names of the existing packs to the error about one that does not exist.
func knownModel(installed pack.Library, err error) error {
	if !errors.Is(err, pack.ErrUnknown) {
		return err
	}
	names, namesErr := installed.Names()
	if namesErr != nil {
		return err
	}
	return usageError{fmt.Errorf("%w; there are: %s", err, strings.Join(names, ", "))}
}

// fetchModel copies the networks that a pack misses from a folder, and says which.
func fetchModel(cmd *cobra.Command, installed pack.Library, name, from string) error {
	fetched, err := installed.Fetch(name, os.DirFS(from))
	if err != nil {
		return err
	}
	for _, file := range fetched {
		fmt.Fprintf(cmd.OutOrStdout(), "%s was fetched\n", file)
	}
	missing, err := installed.Missing(name)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%s has all of its networks\n", name)
		return nil
	}
	for _, n := range missing {
		fmt.Fprintf(cmd.OutOrStdout(), "%s (SHA-256 %s) is missing\n", n.File, n.SHA256)
	}
	return noError(fmt.Sprintf("%d networks are missing", len(missing)))
}

func listModels(cmd *cobra.Command, installed pack.Library, output string) error {
	names, err := installed.Names()
	if err != nil {
		return err
	}
	show := newShow(cmd, output, column{head: "MODEL PACK", name: "Name"},
		column{head: "VERSION", name: "FaceModelVersion"},
		column{head: "DEFAULT", name: "Default"}, column{head: "LICENCE", name: "Licence"},
		column{head: "FOR", name: "Family"}, column{head: "FROM", name: "Source", flexible: true})
	for i, name := range names {
		p, err := installed.Manifest(name)
		if err != nil {
			return err
		}
		mark := ""
		if i == 0 {
			mark = "yes"
		}
		show.row(name, p.Version, mark, p.Licence, familyOf(p), p.Source)
		if err := show.object(struct {
			Name, FaceModelVersion  string
			Default                 bool
			Licence, Family, Source string
		}{name, p.Version, i == 0, p.Licence, familyOf(p), p.Source}); err != nil {
			return err
		}
	}
	return show.end(nil)
}

// familyOf names the family of operations that a pack is for.
func familyOf(p *pack.Pack) string {
	return cmp.Or(string(p.Family), "faces")
}

func showModel(cmd *cobra.Command, installed pack.Library, name, output string) error {
	p, err := installed.Manifest(name)
	if err != nil {
		return knownModel(installed, err)
	}
	show := newShow(cmd, output, column{head: "NETWORK", name: "Role"},
		column{head: "FILE", name: "File", flexible: true},
		column{head: "DECODER", name: "Decoder"}, column{head: "INPUT", name: "Input"},
		column{head: "BYTES", name: "Bytes"}, column{head: "SHA-256", name: "SHA256"})
	if err := show.object(p); err != nil {
		return err
	}
	show.note(fmt.Sprintf("%s, %s, %s, from %s", p.Name, versionOf(p), p.Licence, p.Source))
	networks := p.Networks()
	for _, role := range slices.Sorted(maps.Keys(networks)) {
		n := networks[role]
		size := "missing"
		if info, err := os.Stat(filepath.Join(installed.Folder(name), n.File)); err == nil {
			size = thousands(int(info.Size()))
		}
		shape := n.Input.Shape
		show.row(role, n.File, n.Decoder,
			fmt.Sprintf("%sx%s %s", sideOf(shape[3]), sideOf(shape[2]), n.Input.Color), size,
			n.SHA256[:12]+"…")
	}
	if err := show.end(nil); err != nil || output != outputTable ||
		p.Family != pack.FamilyFaces {
		return err
	}
	var rates table
	rates.head = []string{"SIMILARITY", "FALSE MATCH RATE", "TRUE ACCEPT RATE"}
	for _, c := range p.Calibration {
		rates.add(fmt.Sprint(c.Similarity), fmt.Sprintf("%.1e", c.FalseMatchRate),
			fmt.Sprintf("%.3f", c.TrueAcceptRate))
	}
	fmt.Fprintln(cmd.OutOrStdout())
	if len(rates.rows) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(),
			"The rates of its similarities were not measured.")
		return err
	}
	return rates.write(cmd.OutOrStdout())
}

// verifyModels verifies the named packs, or all without a name.
func verifyModels(cmd *cobra.Command, library string, names []string) error {
	models, err := server.OpenModels(library, server.DeviceCPU)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if names, err = models.Packs.Names(); err != nil {
			return err
		}
	}
	broken := 0
	for _, name := range names {
		p, err := models.Packs.Load(name)
		if errors.Is(err, pack.ErrUnknown) {
			return knownModel(models.Packs, err)
		}
		var result string
		if err == nil {
			result, err = tryModel(cmd.Context(), models, p)
		}
		if errors.Is(err, context.Canceled) {
			return err
		}
		if err != nil {
			broken++
			fmt.Fprintf(cmd.ErrOrStderr(), "%s does not work: %v\n", name, err)
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s works: %s, %s\n", name, versionOf(p), result)
	}
	if broken > 0 {
		return noError(fmt.Sprintf("%d of %d model packs do not work", broken, len(names)))
	}
	return nil
}

func works(r reference.Result) string {
	return fmt.Sprintf(
		"vectors of %d numbers; on the reference pictures one person has a similarity of %.1f or "+
			"more, two people of %.1f or less", r.Dimension, r.Same, r.Other)
}

// versionOf says which version a pack has, of what.
func versionOf(p *pack.Pack) string {
	if p.Family == pack.FamilyFaces {
		return "face model version " + p.Version
	}
	return fmt.Sprintf("%s model version %s", p.Family, p.Version)
}

// sideOf is a side of a network's input. Those that each run chooses are 0.
func sideOf(side int64) string {
	if side == 0 {
		return "any"
	}
	return fmt.Sprint(side)
}

// tryModel runs a pack on the reference pictures of its family, and says what came of it.
func tryModel(ctx context.Context, models *server.Models, p *pack.Pack) (string, error) {
	if p.Family == pack.FamilyText {
		read, err := models.TryText(ctx, p)
		return fmt.Sprintf("it reads %q in its reference picture", read), err
	}
	result, err := models.Try(ctx, p)
	return works(result), err
}

// adding is how a pack is added.
type adding struct {
	Default bool
	From    string // folder with networks; empty: none
}

func (a adding) run(cmd *cobra.Command, library, name string) error {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if source, ok := packs.Folder(name); ok {
			return registry.Add(cmd.Context(), source, pack.OpenLibrary(library), a.From,
				cmd.ErrOrStderr(), func(made fs.FS) error { return a.add(cmd, library, made) })
		}
	}
	if a.From != "" {
		return usageError{errors.New("--from is for the packs " +
			strings.Join(packs.OnDemand(), ", "))}
	}
	files, closeFiles, err := openPack(name)
	if err != nil {
		return err
	}
	defer closeFiles()
	return a.add(cmd, library, files)
}

func (a adding) add(cmd *cobra.Command, library string, files fs.FS) error {
	models, err := server.OpenModels(library, server.DeviceCPU)
	if err != nil {
		return err
	}
	var result string
	added, err := models.Packs.Add(files, func(p *pack.Pack) (err error) {
		if a.Default && p.Family != pack.FamilyFaces {
			return usageError{fmt.Errorf("--default is for models of faces, and %s is for %s",
				p.Name, p.Family)}
		}
		result, err = tryModel(cmd.Context(), models, p)
		return err
	})
	if err != nil {
		return err
	}
	if a.Default {
		if err := models.Packs.SetDefault(added.Name); err != nil {
			return err
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(),
		"%s was added: %s, %s.\n"+
			"A running server has it after its next start.\n", added.Name, versionOf(added), result)
	return nil
}

// openPack opens a folder or a zip archive.
func openPack(source string) (files fs.FS, closeFiles func() error, err error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		// Nothing outside the folder is read, not through a link either.
		root, err := os.OpenRoot(source)
		if err != nil {
			return nil, nil, err
		}
		return root.FS(), root.Close, nil
	}
	archive, err := zip.OpenReader(source)
	if errors.Is(err, zip.ErrFormat) {
		return nil, nil, fmt.Errorf("%s is neither a folder nor a zip archive", source)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", source, err)
	}
	return archive, archive.Close, nil
}
