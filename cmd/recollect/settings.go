package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go test -run TestConfigurationDocument -update .

// configEnv names the configuration file, as --config does.
const configEnv = "RECOLLECT_CONFIG"

// settingEnv returns the environment variable of a flag of the server.
func settingEnv(flag string) string {
	return "RECOLLECT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configure makes a command read the server's settings that its flags do not set from the
// environment and a file. A file may have all settings of serve, including those without a flag of
// the command.
func configure(cmd *cobra.Command) {
	var path string
	cmd.PersistentFlags().StringVar(&path, "config", "",
		"YAML file of the server's settings, by the names of serve's flags ("+configEnv+")")
	cmd.MarkPersistentFlagFilename("config", "yaml", "yml", "json")
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return applySettings(cmd.Flags(), cmp.Or(path, os.Getenv(configEnv)))
	}
}

// applySettings sets the flags that the command line does not set from the environment, or else
// from a file. It reports every fault at once.
func applySettings(flags *pflag.FlagSet, path string) error {
	settings := map[string]string{} // by flag
	sources := map[string]string{}
	if path != "" {
		file, err := readSettings(path)
		if err != nil {
			return err
		}
		for flag, value := range file {
			settings[flag], sources[flag] = value, path
		}
	}
	known := serverFlags()
	flags.VisitAll(func(f *pflag.Flag) {
		if value := os.Getenv(settingEnv(f.Name)); value != "" && known.Lookup(f.Name) != nil {
			settings[f.Name], sources[f.Name] = value, settingEnv(f.Name)
		}
	})
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		switch f := flags.Lookup(name); {
		case known.Lookup(name) == nil:
			faults = append(faults, fmt.Errorf("%s: there is no setting %s", path, name))
		case f == nil || f.Changed:
		default:
			if err := flags.Set(name, settings[name]); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", sources[name], err))
			}
		}
	}
	return errors.Join(faults...)
}

// serverFlags returns the flags of serve.
func serverFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(serveConfig).addFlags(flags)
	return flags
}

// setting is a value in a file, in the form of a flag's value.
type setting string

// UnmarshalYAML reads a scalar as its text, and a list as its texts with commas between.
func (s *setting) UnmarshalYAML(text []byte) error {
	var list []string
	if err := yaml.Unmarshal(text, &list); err == nil && list != nil {
		*s = setting(strings.Join(list, ","))
		return nil
	}
	var scalar string
	if err := yaml.Unmarshal(text, &scalar); err != nil {
		return errors.New("a setting is a text, a number, true, false or a list of them")
	}
	*s = setting(scalar)
	return nil
}

// readSettings reads a file of settings. Repeated names are rejected.
func readSettings(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	var file map[string]setting
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read the settings of %s: %s", path,
			yaml.FormatError(err, false, false))
	}
	settings := map[string]string{}
	for name, value := range file {
		settings[name] = string(value)
	}
	return settings, nil
}
