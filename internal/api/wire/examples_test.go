package wire_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// TestExamples decodes every example of the service's documentation and encodes it back. The
// examples are those of aws-sdk-go 1.55.8, which has them of 41 operations, and botocore of 11.
func TestExamples(t *testing.T) {
	var file struct {
		Examples map[string][]struct {
			ID            string
			Input, Output json.RawMessage
		}
	}
	data, err := os.ReadFile("testdata/examples-1.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	bodies := 0
	for name, examples := range file.Examples {
		op, ok := wire.Lookup(name)
		if !ok {
			t.Errorf("unknown operation %s", name)
			continue
		}
		for _, example := range examples {
			if example.Input != nil {
				bodies++
				in := op.NewInput()
				comparison(t, example.ID+" input", example.Input, in)
				if err := wire.Validate(in); err != nil && notOnTheWire[example.ID+" input"] == "" {
					t.Errorf("%s: %v", example.ID, err)
				}
			}
			if example.Output != nil {
				bodies++
				comparison(t, example.ID+" output", example.Output, op.NewOutput())
			}
		}
	}
	if bodies != 80 || len(file.Examples) != 41 {
		t.Errorf("%d bodies of %d operations, want 80 of 41", bodies, len(file.Examples))
	}
}

// notOnTheWire are the examples that show a value as the CLI takes or prints it, not as it is in a
// body, and the error that they rightly get.
var notOnTheWire = map[string]string{
	"getmediaanalysisjob-1697650068124 output":                                    timestampAsText,
	"listmediaanalysisjobs-1697650653077 output":                                  timestampAsText,
	"listprojectpolicies-1658202290173 output":                                    timestampAsText,
	customLabels + "dataset-1690827075604 output":                                 timestampAsText,
	customLabels + "project-1690400952376 output":                                 timestampAsText,
	"to-describes-an-amazon-rekognition-custom-labels-model-1690558265950 output": timestampAsText,
	"to-add-dataset-entries-to-an-amazon-rekognition-custom-labels-dataset-1690816977073 " +
		"input": "STRING_VALUE cannot be converted to Blob: it is not base64",
}

const (
	customLabels    = "to-describe-an-amazon-rekognition-custom-labels-"
	timestampAsText = "STRING_VALUE cannot be converted to Timestamp"
)

func comparison(t *testing.T, what string, body []byte, into any) {
	t.Helper()
	if want, ok := notOnTheWire[what]; ok {
		if err := wire.Decode(body, into); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", what, err, want)
		}
		return
	}
	if err := wire.Decode(body, into); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	out, err := wire.Encode(into)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	var want, got any
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Errorf("%s: encoded to bad JSON: %v", what, err)
		return
	}
	difference(t, what, want, got)
}

// difference reports where two JSON values differ. Numbers may differ by the rounding to 32 bits
// that the service does itself; the examples were in part written by hand with more digits.
func difference(t *testing.T, path string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(w)) {
			difference(t, path+"."+name, w[name], g[name])
		}
		for name := range g {
			if _, ok := w[name]; !ok {
				t.Errorf("%s: unexpected %s", path, name)
			}
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			t.Errorf("%s: %d elements, want %d", path, len(g), len(w))
			return
		}
		for i := range w {
			difference(t, fmt.Sprintf("%s[%d]", path, i), w[i], g[i])
		}
	case float64:
		if g, ok := got.(float64); !ok || g != w &&
			math.Float32bits(float32(g)) != math.Float32bits(float32(w)) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
