package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const modelBefore = `{
	"metadata": {"apiVersion": "1", "jsonVersion": "1.1", "targetPrefix": "Zoo",
		"endpointPrefix": "zoo"},
	"operations": {
		"Feed": {"input": {"shape": "FeedRequest"}, "output": {"shape": "FeedResponse"},
			"errors": [{"shape": "Bitten"}, {"shape": "Asleep"}]},
		"Pet": {"input": {"shape": "PetRequest"}, "output": {"shape": "PetResponse"}}
	},
	"shapes": {
		"FeedRequest": {"type": "structure", "required": ["Animal"], "members": {
			"Animal": {"shape": "Name"}, "Food": {"shape": "Food"}, "Weight": {"shape": "Weight"},
			"Kinds": {"shape": "Kinds"}, "Tags": {"shape": "Tags"}}},
		"FeedResponse": {"type": "structure", "members": {"A": {"shape": "Name"},
			"B": {"shape": "Name"}}},
		"PetRequest": {"type": "structure", "members": {}},
		"PetResponse": {"type": "structure", "members": {}},
		"Name": {"type": "string", "min": 1, "max": 10, "pattern": "[a-z]+"},
		"Food": {"type": "string", "enum": ["HAY", "FISH"]},
		"Kinds": {"type": "list", "member": {"shape": "Name"}},
		"Tags": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Name"}},
		"Weight": {"type": "integer"},
		"Asleep": {"type": "structure", "members": {}, "exception": true},
		"Bitten": {"type": "structure", "members": {}, "exception": true}
	}
}`

// TestChanges edits a model and wants the line that says so.
func TestChanges(t *testing.T) {
	for _, test := range []struct {
		name     string
		old, new string // a part of the model, and what takes its place
		want     []string
	}{
		{"nothing", ``, ``, nil},
		{"version", `"apiVersion": "1"`, `"apiVersion": "2"`, []string{"API version: 2, before 1"}},
		{"signing name", `"endpointPrefix": "zoo"`,
			`"endpointPrefix": "zoo", "signingName": "animals"`,
			[]string{"signing name: animals, before zoo"}},
		{"operation", `"Pet": {`, `"Stroke": {`,
			[]string{"operation Pet: removed", "operation Stroke: added"}},
		{"input", `"input": {"shape": "PetRequest"}`, `"input": {"shape": "PetResponse"}`,
			[]string{"operation Pet: input: PetResponse, before PetRequest"}},
		{"error", `{"shape": "Asleep"}]`, `{"shape": "Away"}]`,
			[]string{"operation Feed: error Away: added", "operation Feed: error Asleep: removed"}},
		{"order of errors", `[{"shape": "Bitten"}, {"shape": "Asleep"}]`,
			`[{"shape": "Asleep"}, {"shape": "Bitten"}]`, nil},
		{"member", `"Weight": {"shape": "Weight"},`, `"Mass": {"shape": "Weight"},`,
			[]string{"structure FeedRequest: member Mass: added",
				"structure FeedRequest: member Weight: removed"}},
		{"type of a member", `"Food": {"shape": "Food"}`, `"Food": {"shape": "Name"}`,
			[]string{"structure FeedRequest: member Food: Name, before Food"}},
		{"order of members", `"A": {"shape": "Name"},
			"B": {"shape": "Name"}`, `"B": {"shape": "Name"}, "A": {"shape": "Name"}`,
			[]string{"structure FeedResponse: member: in another order"}},
		{"required member", `["Animal"]`, `["Animal", "Food"]`,
			[]string{"structure FeedRequest: required member Food: added"}},
		{"optional member", `["Animal"]`, `[]`,
			[]string{"structure FeedRequest: required member Animal: removed"}},
		{"value of an enumeration", `"FISH"`, `"MEAT"`,
			[]string{"enumeration Food: value MEAT: added",
				"enumeration Food: value FISH: removed"}},
		{"order of an enumeration", `"HAY", "FISH"`, `"FISH", "HAY"`,
			[]string{"enumeration Food: value: in another order"}},
		{"constraints", `"min": 1, "max": 10, "pattern": "[a-z]+"`,
			`"max": 20, "pattern": "[a-z]*"`,
			[]string{"string Name: pattern: [a-z]*, before [a-z]+",
				"string Name: least: none, before 1", "string Name: most: 20, before 10"}},
		{"constraint of nothing", `{"type": "integer"}`, `{"type": "integer", "min": 0}`,
			[]string{"integer Weight: least: 0, before none"}},
		{"type", `{"type": "integer"}`, `{"type": "float"}`,
			[]string{"integer Weight: type: float, before integer"}},
		{"sensitive", `{"type": "integer"}`, `{"type": "integer", "sensitive": true}`,
			[]string{"integer Weight: sensitive: yes, before none"}},
		{"element", `"member": {"shape": "Name"}`, `"member": {"shape": "Food"}`,
			[]string{"list Kinds: element: Food, before Name"}},
		{"key and value", `"key": {"shape": "Name"}, "value": {"shape": "Name"}`,
			`"key": {"shape": "Food"}, "value": {"shape": "Food"}`,
			[]string{"map Tags: key: Food, before Name", "map Tags: value: Food, before Name"}},
		{"exception", `"Asleep": {"type": "structure", "members": {}, "exception": true}`,
			`"Asleep": {"type": "structure", "members": {}}`,
			[]string{"exception Asleep: exception: none, before yes"}},
		{"shapes", `"Weight": {"type": "integer"},`, `"Age": {"type": "integer", "min": 0, "max": 99},
			"Cage": {"type": "structure", "required": ["No"], "members": {"No": {"shape": "Age"}}},
			"Size": {"type": "string", "enum": ["BIG", "SMALL"]},`,
			[]string{"integer Age: added, least 0, most 99",
				"structure Cage: added, members No, required No",
				"enumeration Size: added, values BIG SMALL", "integer Weight: removed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(modelBefore, test.old) {
				t.Fatalf("the model has no %s", test.old)
			}
			before := parse(t, modelBefore)
			now := parse(t, strings.Replace(modelBefore, test.old, test.new, 1))
			if got := changes(before, now); !slices.Equal(got, test.want) {
				t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func parse(t *testing.T, text string) *model {
	t.Helper()
	var m model
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &m
}
