package main

import (
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestResultsAsJUnit(t *testing.T) {
	var r results
	c := client{title: "boto3"}
	r.add(c, scenario{file: "users.yaml", Name: "a user"}, nil)
	r.add(c, scenario{file: "users.yaml", Name: "two"}, errors.New("got <1> & want 2"))
	path := filepath.Join(t.TempDir(), "results.xml")
	if err := r.write(path, []scenario{{file: "faces.yaml", Name: "a face"}}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got results
	if err := xml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := []scenarioCase{
		{File: "users.yaml", Name: "a user (boto3)"},
		{File: "users.yaml", Name: "two (boto3)", Failure: &caseMessage{"got <1> & want 2"}},
		{File: "faces.yaml", Name: "a face",
			Skipped: &caseMessage{"the pictures of the test data are not there"}},
	}
	if !reflect.DeepEqual(got.Cases, want) {
		t.Errorf("got %+v, want %+v", got.Cases, want)
	}
}
