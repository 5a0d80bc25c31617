package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// parsed reads JSON, which scenarios and answers come down to.
func parsed(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func TestMatch(t *testing.T) {
	for _, c := range []struct{ wanted, came, differs string }{
		{`{"a": 1}`, `{"a": 1, "b": 2}`, ""},
		{`{"a": 1}`, `{"b": 2}`, "a: wanted 1, came nothing"},
		{`{"a": {"b": null}}`, `{"a": {"b": null}}`, ""},
		{`{"a": {"b": null}}`, `{"a": {}}`, "a.b: wanted null, came nothing"},
		{`{"a": "1"}`, `{"a": 1}`, `a: wanted "1", came 1`},
		{`{"a": true}`, `{"a": false}`, "a: wanted true, came false"},
		{`{"a": {}}`, `{"a": []}`, "a: wanted an object, came []"},
		{`[1, 2]`, `[1, 2]`, ""},
		{`[1, 2]`, `[2, 1]`, "[0]: wanted 1, came 2"},
		{`[1, 2]`, `[1, 2, 3]`, "all of it: wanted a list of 2"},
		{`[]`, `[]`, ""},
		{`[]`, `{}`, "all of it: wanted a list"},
		// A float of 32 bits is the same however many digits are printed of it.
		{`0.24770643`, `0.24770642817020416`, ""},
		{`0.2477064`, `0.24770642817020416`, "wanted"},
		{`16777217`, `16777216`, "wanted"},
		{`100`, `100.0`, ""},

		{`{"$any": true}`, `null`, ""},
		{`{"a": {"$any": true}}`, `{"a": 0}`, ""},
		{`{"a": {"$any": true}}`, `{}`, "a: wanted something, came nothing"},
		{`{"a": {"$absent": true}}`, `{}`, ""},
		{`{"a": {"$absent": true}}`, `{"a": null}`, "a: wanted nothing, came null"},
		{`{"$re": "a.c"}`, `"abc"`, ""},
		{`{"$re": "a.c"}`, `"abcd"`, "wanted a text like a.c"},
		{`{"$re": "a|b"}`, `"bc"`, "wanted a text like"},
		{`{"$re": "1"}`, `1`, "wanted a text like"},
		{`{"$near": [1, 0.5]}`, `1.5`, ""},
		{`{"$near": [1, 0.5]}`, `1.6`, "give or take"},
		{`{"$near": [1, 0.5]}`, `"1"`, "give or take"},
		{`{"$between": [1, 2]}`, `2`, ""},
		{`{"$between": [1, 2]}`, `0.9`, "from 1 to 2"},
		{`{"a": {"$between": [0, 2]}}`, `{}`, "came nothing"},
		{`{"$length": 2}`, `"éé"`, ""},
		{`{"$length": 2}`, `[1]`, "wanted 2, came 1"},
		{`{"$length": {"$between": [1, 3]}}`, `{"a": 1}`, ""},
		{`{"$length": 0}`, `0`, "something with a length"},
		{`{"$each": {"a": 1}}`, `[{"a": 1, "b": 2}, {"a": 1}]`, ""},
		{`{"$each": {"a": 1}}`, `[{"a": 1}, {"a": 2}]`, "[1].a: wanted 1, came 2"},
		{`{"$each": 1}`, `[]`, ""},
		{`{"$each": 1}`, `1`, "wanted a list"},
		{`{"$unordered": [1, {"a": 2}]}`, `[{"a": 2, "b": 3}, 1]`, ""},
		{`{"$unordered": [1, 1]}`, `[1, 2]`, "an element 1"},
		{`{"$unordered": [1]}`, `[1, 1]`, "a list of 1"},
		{`{"$contains": {"a": 1}}`, `[0, {"a": 1}]`, ""},
		{`{"$contains": 1}`, `[]`, "a list with an element 1"},
		{`{"$contains": 1}`, `1`, "a list with an element 1"},
		{`{"$ascending": "@"}`, `[1, 1, 2]`, ""},
		{`{"$ascending": "@"}`, `[2, 1]`, "sorted by @"},
		{`{"$descending": "a"}`, `[{"a": "b"}, {"a": "a"}]`, ""},
		{`{"$descending": "a"}`, `[{"a": "a"}, {"a": "b"}]`, "sorted by a"},
		{`{"$descending": "a"}`, `[{"a": "a"}, {}]`, "sorted by a"},
		{`{"$descending": "a"}`, `[{"a": 1}]`, "at least two"},
		{`{"$distinct": "a"}`, `[{"a": 1}, {"a": 2}]`, ""},
		{`{"$distinct": "a"}`, `[{"a": 1}, {"a": 2}, {"a": 1}]`, "different a"},
		{`{"$not": {"$contains": 1}}`, `[2]`, ""},
		{`{"$not": 1}`, `1`, "anything but 1"},
		{`{"$all": [{"$length": 2}, {"$contains": 3}]}`, `[2, 3]`, ""},
		{`{"$all": [{"$length": 2}, {"$contains": 3}]}`, `[2, 4]`, "an element 3"},
		{`{"a": {"$exact": {"b": 1}}}`, `{"a": {"b": 1}, "c": 2}`, ""},
		{`{"a": {"$exact": {"b": 1}}}`, `{"a": {"b": 1, "c": 2}}`, "c: wanted nothing, came 2"},
		{`{"$blob": "YQ=="}`, `{"$blob": "YQ=="}`, ""},
		{`{"$blob": "YQ=="}`, `{"$blob": "Yg=="}`, "wanted"},
	} {
		differences, err := match(parsed(t, c.wanted), parsed(t, c.came), false)
		if err != nil {
			t.Errorf("%s and %s: %v", c.wanted, c.came, err)
			continue
		}
		text := ""
		for _, d := range differences {
			text += d.String() + "\n"
		}
		if (text == "") != (c.differs == "") || !strings.Contains(text, c.differs) {
			t.Errorf("%s and %s differ by %q, want %q", c.wanted, c.came, text, c.differs)
		}
	}
}

func TestMatchExactly(t *testing.T) {
	wanted := parsed(t, `{"a": [{"b": 1}], "d": {"$absent": true}}`)
	for came, differs := range map[string]bool{
		`{"a": [{"b": 1}]}`:           false,
		`{"a": [{"b": 1, "c": 2}]}`:   true,
		`{"a": [{"b": 1}], "c": 2}`:   true,
		`{"a": [{"b": 1}], "d": 2}`:   true,
		`{"a": [{"b": 1}, {"b": 1}]}`: true,
	} {
		differences, err := match(wanted, parsed(t, came), true)
		if err != nil || (len(differences) > 0) != differs {
			t.Errorf("%s: %v, %v; want differences: %v", came, differences, err, differs)
		}
	}
}

// What is wrong in a scenario is an error, and no difference: a test that cannot pass must not look
// like one that failed.
func TestMatchFaults(t *testing.T) {
	for _, wanted := range []string{
		`{"$unknown": 1}`, `{"$re": "("}`, `{"$re": 1}`, `{"$near": 1}`, `{"$between": [1]}`,
		`{"$between": ["a", "b"]}`, `{"$unordered": 1}`, `{"$all": 1}`,
		`{"$ascending": 1}`, `{"$ascending": "("}`, `{"$each": {"$unknown": 1}}`,
		`{"$not": {"$unknown": 1}}`, `{"$contains": {"$unknown": 1}}`,
	} {
		if differences, err := match(parsed(t, wanted), []any{"a", "b"}, false); err == nil {
			t.Errorf("%s is taken for a difference: %v", wanted, differences)
		}
	}
}

func TestShortened(t *testing.T) {
	for _, c := range []struct {
		value any
		most  int
	}{
		{strings.Repeat("é", 1000), shownAtMost + 10},
		{map[string]any{"Bytes": map[string]any{"$blob": strings.Repeat("A", 1<<20)}}, 250},
		{[]any{strings.Repeat("a", 1000), absent{}}, 250},
	} {
		if text := shortened(c.value); len(text) > c.most {
			t.Errorf("%d bytes are shown: %s", len(text), text)
		}
	}
}
