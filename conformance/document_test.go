package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDocumentIsHeldToARun(t *testing.T) {
	r := newReport(t.Output(), clients())
	for _, c := range r.clients {
		r.describe(c, "1.2.3", "a runtime")
		for i, operation := range []string{"ListFaces", "DetectLabels"} {
			for range i + 2 {
				r.called(c, operation, true)
			}
		}
	}
	section := r.section(400)
	if !strings.Contains(section, "AWS CLI 1.2.3, JavaScript 1.2.3") ||
		!strings.Contains(section, "ListFaces") || strings.Contains(section, "DetectLabels") {
		t.Errorf("the section shows other versions or operations:%s", section)
	}

	document := filepath.Join(t.TempDir(), "COMPATIBILITY.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("# Title\n\n## Clients\n\nold\n\n## Other\n\ntext\n")
	if checkDocument(document, section) == nil {
		t.Error("an old section passes")
	}
	if err := updateDocument(document, section); err != nil {
		t.Fatal(err)
	}
	if err := checkDocument(document, section); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(document)
	if err != nil || !strings.HasPrefix(string(text), "# Title\n\n## Clients\n") ||
		!strings.HasSuffix(string(text), "\n## Other\n\ntext\n") {
		t.Errorf("the rest has changed (%v):\n%s", err, text)
	}
	for name, c := range map[string]struct {
		old, new string
		passes   bool
	}{
		"another number of calls":     {"| 2 ", "| 17 ", true},
		"another number of scenarios": {"400 scenarios", "399 scenarios", false},
		"another version":             {"Java 1.2.3", "Java 1.2.4", false},
		"an operation less":           {"ListFaces", "", false},
	} {
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if changed == string(text) {
			t.Fatalf("%s: nothing changed", name)
		}
		write(changed)
		if err := checkDocument(document, section); (err == nil) != c.passes {
			t.Errorf("%s: %v", name, err)
		}
	}
	write("# Title\n")
	if updateDocument(document, section) == nil || checkDocument(document, section) == nil {
		t.Error("a document without the section passes")
	}
}
