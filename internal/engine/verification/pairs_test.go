package verification_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/verification"
)

func TestReadPairs(t *testing.T) {
	want := []verification.Pair{
		{A: verification.Picture{Person: "Anna", Number: 1},
			B: verification.Picture{Person: "Anna", Number: 3}},
		{A: verification.Picture{Person: "Anna", Number: 2},
			B: verification.Picture{Person: "Bert", Number: 14}},
	}
	for name, text := range map[string]string{
		"count":           "1\nAnna\t1\t3\nAnna\t2\tBert\t14\n",
		"sets and count":  "1\t1\nAnna\t1\t3\nAnna\t2\tBert\t14\n",
		"no count":        "Anna\t1\t3\nAnna\t2\tBert\t14",
		"spaces, returns": "1\r\n\r\n Anna 1  3\r\nAnna 2 Bert 14\r\n\r\n",
	} {
		pairs, err := verification.ReadPairs(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range pairs {
			if got := strings.Fields(strings.Split(text, "\n")[pairs[i].Line-1])[0]; got != "Anna" {
				t.Errorf("%s: pair %d is said to be in line %d", name, i, pairs[i].Line)
			}
			pairs[i].Line = 0
		}
		if !reflect.DeepEqual(pairs, want) {
			t.Errorf("%s: got %v", name, pairs)
		}
	}
	if !want[0].Same() || want[1].Same() {
		t.Error("Same is wrong")
	}
}

// The pairs of a view in ten sets, as LFW's View 2 has them.
func TestReadPairsInSets(t *testing.T) {
	set := "Anna 1 2\nAnna 1 3\nAnna 1 Bert 1\nAnna 2 Bert 1\n"
	pairs, err := verification.ReadPairs(strings.NewReader("3 2\n" + set + set + set))
	if err != nil || len(pairs) != 12 {
		t.Fatalf("%d pairs, %v", len(pairs), err)
	}
	if got := verification.Pictures(pairs); len(got) != 4 ||
		got[3] != (verification.Picture{Person: "Bert", Number: 1}) {
		t.Errorf("the pictures are %v", got)
	}
}

func TestBrokenPairs(t *testing.T) {
	const good = "Anna 1 2\nAnna 1 Bert 1\n"
	for text, want := range map[string]string{
		"":    "0 and 0",
		"1\n": "promises 1",
		"2\n" + good: "promises 2 pairs of the same person and as many " +
			"of different ones, and there are 1 and 1",
		"1 2\n" + good:                         "promises 2",
		"0\n" + good:                           "line 1: \"0\" is neither",
		"-1\n" + good:                          "line 1",
		"many\n" + good:                        "line 1: \"many\" is neither",
		"1000000 1000000\n" + good:             "line 1",
		"1\n1\n" + good:                        "line 2: a pair has three fields",
		good + "Anna 1\n":                      "line 3: a pair has three fields",
		good + "\nAnna 1 Bert 2 5\n":           "line 4: a pair has three fields",
		good + "Anna one 2\n":                  "line 3: \"one\" is not the number",
		good + "Anna 1 Bert 0\n":               "line 3: \"0\" is not the number",
		good + "Anna 1 99999999999999999999\n": "line 3",
		good + "Anna 2 2\n": "line 3: picture 2 of Anna is compared with " +
			"itself",
		good + "Anna 2 Anna 3\n":          "line 3: a pair of two people names Anna twice",
		good + "../x 1 2\n":               "line 3: \"../x\" is not the name",
		good + "a/b 1 2\n":                "line 3: \"a/b\" is not the name",
		"Anna 1 2\n":                      "1 and 0",
		"Anna 1 Bert 2\n":                 "0 and 1",
		good + strings.Repeat("x", 1<<17): "line 3",
	} {
		pairs, err := verification.ReadPairs(strings.NewReader(text))
		if err == nil {
			t.Errorf("%.60q was read as %v", text, pairs)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzReadPairs(f *testing.F) {
	f.Add("1\nAnna\t1\t3\nAnna\t2\tBert\t14\n")
	f.Add("1 1\nAnna 1 3\nAnna 2 Bert 14")
	f.Add("..\n../a 1 2")
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := verification.ReadPairs(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, p := range pairs {
			for _, picture := range []verification.Picture{p.A, p.B} {
				if name := picture.Name(); !filepath.IsLocal(name) ||
					filepath.Dir(filepath.Dir(name)) != "." {
					t.Errorf("%q is outside of the folder", name)
				}
			}
			if p.A == p.B || p.Line < 1 {
				t.Errorf("read %v", p)
			}
		}
	})
}

func TestFind(t *testing.T) {
	folder := t.TempDir()
	for _, file := range []string{"Anna/Anna_0001.jpg", "Anna/Anna_0002.png",
		"Anna/Anna_12345.jpeg"} {
		path := filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for number, want := range map[int]string{1: "Anna_0001.jpg", 2: "Anna_0002.png",
		12345: "Anna_12345.jpeg"} {
		got, err := verification.Picture{Person: "Anna", Number: number}.Find(folder)
		if err != nil || filepath.Base(got) != want {
			t.Errorf("picture %d: %s, %v", number, got, err)
		}
	}
	_, err := verification.Picture{Person: "Anna", Number: 3}.Find(folder)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "Anna_0003.jpg") {
		t.Errorf("a picture that is not there: %v", err)
	}
}
