package main

import (
	"bytes"
	"image/png"
	"reflect"
	"strings"
	"testing"
)

func testValues() *values {
	return &values{pictures: pictures{folder: "nowhere"}, vars: map[string]any{
		"text": "abc", "n": 3.0, "list": []any{"a", "b"},
		"keys": map[string]any{"anna": map[string]any{"id": "AKIA"}},
		"lazy": later{map[string]any{"of": "${text}"}}, "broken": later{"${missing}"},
	}}
}

func TestExpand(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{`"${text}"`, `"abc"`},
		{`"<${text}-${n}>"`, `"<abc-3>"`},
		{`"${n}"`, `3`},
		{`"${list}"`, `["a", "b"]`},
		{`"${keys.anna.id}"`, `"AKIA"`},
		{`"${lazy}"`, `{"of": "abc"}`},
		{`"${lazy.of}"`, `"abc"`},
		{`{"${text}": ["${n}", null, true]}`, `{"abc": [3, null, true]}`},
		{`"$ {text} $text {text}"`, `"$ {text} $text {text}"`},
		{`{"$re": "a${text}"}`, `{"$re": "aabc"}`},
		{`{"$fill": ["é-", 5]}`, `"é-xxx"`},
		{`{"$ids": 2}`,
			`["00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001"]`},
		{`{"$names": ["${text}-", 2]}`, `["abc-0000", "abc-0001"]`},
		{`{"$list": [1, 3]}`, `[1, 1, 1]`},
		{`{"$tags": 1}`, `{"key-000": "value-0"}`},
		{`{"$merge": [{"a": 1, "b": 1}, {"b": 2}]}`, `{"a": 1, "b": 2}`},
		{`{"$concat": ["${list}", ["c"]]}`, `["a", "b", "c"]`},
		{`{"$join": [", ", "${list}"]}`, `"a, b"`},
		{`{"$get": ["[1:]", "${list}"]}`, `["b"]`},
		{`{"$tamper": "abA"}`, `"abB"`},
		{`{"$tamper": "abB"}`, `"abA"`},
		{`{"$bytes": "abc"}`, `{"$blob": "YWJj"}`},
		{`{"$pad": [{"$bytes": "abc"}, 6]}`, `{"$blob": "YWJjAAAA"}`},
	} {
		got, err := testValues().expand(parsed(t, c.value))
		if want := parsed(t, c.want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v (%v), want %v", c.value, got, err, want)
		}
	}
}

func TestExpandFaults(t *testing.T) {
	for _, value := range []string{
		`"${missing}"`, `"a ${missing}"`, `"${text.more}"`, `"a ${list}"`, `"${broken}"`,
		`{"${n}": 1}`, `[{"a": "${missing}"}]`,
		`{"$fill": ["abc", 2]}`, `{"$fill": "abc"}`, `{"$ids": -1}`, `{"$ids": 1.5}`,
		`{"$ids": "1"}`, `{"$names": [1, 1]}`, `{"$list": [1]}`, `{"$tags": "a"}`,
		`{"$merge": [1]}`, `{"$merge": 1}`, `{"$concat": [1]}`, `{"$join": [1, ["a"]]}`,
		`{"$join": ["a", [1]]}`, `{"$get": ["(", 1]}`, `{"$get": [1, 1]}`,
		`{"$tamper": ""}`, `{"$bytes": 1}`, `{"$pad": [{"$bytes": "abc"}, 2]}`,
		`{"$pad": ["abc", 2]}`, `{"$png": [1]}`, `{"$lfw": ["Nobody", 1]}`, `{"$group": 1}`,
		`{"$bad": "missing.png"}`, `{"$random": -1}`,
	} {
		if got, err := testValues().expand(parsed(t, value)); err == nil {
			t.Errorf("%s is taken for %v", value, got)
		}
	}
}

func TestGeneratedPictures(t *testing.T) {
	content, err := testValues().bytes(parsed(t, `{"$png": [81, 80]}`))
	if err != nil {
		t.Fatal(err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil || config.Width != 81 || config.Height != 80 {
		t.Errorf("a picture of %d x %d (%v)", config.Width, config.Height, err)
	}
	noise, err := testValues().bytes(parsed(t, `{"$random": 5000}`))
	if err != nil || len(noise) != 5000 || strings.Count(string(noise), "\x00") > 100 {
		t.Errorf("%d bytes of noise (%v)", len(noise), err)
	}
	if _, err := testValues().bytes("text"); err == nil {
		t.Error("a text is taken for bytes")
	}
}
