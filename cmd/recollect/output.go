package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// addOutput adds the flag --output.
func addOutput(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "output", outputTable,
		"table, for people, or json, for programs: an object a line, with the API's names")
	completeWith(cmd, "output", outputTable, outputJSON)
}

func validOutput(value string) error {
	if value != outputTable && value != outputJSON {
		return fmt.Errorf("--output %q is neither %s nor %s", value, outputTable, outputJSON)
	}
	return nil
}

// writeJSON writes an object in a line, without what is nil and what the SDK adds.
func writeJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var tree any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber() // as they are written
	if err := numbers.Decode(&tree); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(pruned(tree))
}

func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil || name == "ResultMetadata" {
				delete(v, name)
				continue
			}
			v[name] = pruned(member)
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

// validAll reports the faults of a command's settings, all at once.
func validAll(faults ...error) error { return valid(errors.Join(faults...)) }

// completionTimeout is how long a shell waits for what a server has.
const completionTimeout = 2 * time.Second

// completeWith completes a flag with one of some values.
func completeWith(cmd *cobra.Command, flag string, values ...string) {
	cmd.RegisterFlagCompletionFunc(flag,
		cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// show shows what a command found: as a table once it ends, or as objects of JSON at once.
type show struct {
	out, log io.Writer
	json     bool
	table    table
}

func newShow(cmd *cobra.Command, output string, head ...string) *show {
	return &show{out: cmd.OutOrStdout(), log: cmd.ErrOrStderr(), json: output == outputJSON,
		table: table{head: head}}
}

// row adds a row of the table.
func (s *show) row(cells ...any) {
	if !s.json {
		s.table.add(cells...)
	}
}

// object writes an object of JSON.
func (s *show) object(v any) error {
	if !s.json {
		return nil
	}
	return writeJSON(s.out, v)
}

// note tells people something beside the table.
func (s *show) note(text string) {
	if !s.json {
		fmt.Fprintln(s.log, text)
	}
}

// end writes the table, if it has rows, and returns err, which a failure to write comes before.
func (s *show) end(err error) error {
	if s.json || len(s.table.rows) == 0 {
		return err
	}
	return cmp.Or(s.table.write(s.out), err)
}
