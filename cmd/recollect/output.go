package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// addOutput adds the flag --output.
func addOutput(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "output", outputTable, "table, for people, or json, for programs: an object a line, with the API's names")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
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
