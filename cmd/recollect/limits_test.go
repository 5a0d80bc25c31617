package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/face"
)

// TestLimitsOfTheReadme reads the example that operators copy.
func TestLimitsOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)--limits limits.json.*?```json\n(.*?)```").FindSubmatch(
		readme)
	if example == nil {
		t.Fatal("README.md has no example of a limits file")
	}
	l, err := parseLimits(example[1])
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]rekognition.Rate{"*": {PerSecond: 50, Burst: 100},
		"IndexFaces": {PerSecond: 10, Burst: 10}}
	if !maps.Equal(l.Rates.Operations, operations) {
		t.Errorf("rates %v, want %v", l.Rates.Operations, operations)
	}
	account := map[string]rekognition.Rate{"IndexFaces": {PerSecond: 0.5, Burst: 1}}
	if got := l.Rates.Accounts["210987654321"]; len(l.Rates.Accounts) != 1 ||
		!maps.Equal(got, account) {
		t.Errorf("rates of accounts %v, want %v", l.Rates.Accounts, account)
	}
	quotas := face.Limits{CollectionsPerRealm: 1000, FacesPerCollection: 1_000_000,
		UsersPerCollection: 100_000, FacesPerUser: 50, TagsPerResource: 20}
	if l.Quotas != quotas || quotas.Validate() != nil {
		t.Errorf("quotas %+v, want %+v", l.Quotas, quotas)
	}
	if l.Jobs != 5 {
		t.Errorf("%d concurrent jobs, want 5", l.Jobs)
	}
}

func TestLimitsDefaults(t *testing.T) {
	for _, text := range []string{`{}`, `{"rates":{},"accounts":{"123456789012":{}},"quotas":{}}`} {
		l, err := parseLimits([]byte(text))
		if err != nil || l.Quotas != face.DefaultLimits() || len(l.Rates.Operations)+
			len(l.Rates.Accounts) != 0 {
			t.Errorf("%s is %+v, %v", text, l, err)
		}
	}
	if l, err := readLimits(""); err != nil || l.Quotas != face.DefaultLimits() {
		t.Errorf("no file is %+v, %v", l, err)
	}
	if _, err := readLimits(filepath.Join(t.TempDir(), "absent.json")); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestLimitsReportsEveryFault(t *testing.T) {
	_, err := parseLimits([]byte(`{
		"rates": {
			"*": {"perSecond": "50"},
			"DetectFaces": {"perSecond": 0},
			"IndexFace": {"perSecond": 1},
			"IndexFaces": {"perSecond": 1, "burst": 0},
			"ListFaces": {"burst": 1.5},
			"SearchFaces": {"perSecond": 2e6, "per_second": 1},
			"listFaces": 5
		},
		"accounts": {"anna": {"rates": []}, "123456789012": {"quotas": {},
			"rates": {"Nothing": {"perSecond": 1}}}},
		"quotas": {"collectionsPerRealm": 0, "facesPerCollection": -1, "facesPerUser": 101,
			"concurrentJobs": 0, "tagsPerResource": 201, "usersPerCollection": null, "faces": 1},
		"rate": {}
	}`))
	if err == nil {
		t.Fatal("accepted")
	}
	want := []string{
		"accounts.123456789012.quotas: unknown field",
		"accounts.123456789012.rates.Nothing: no such operation",
		"accounts.anna: an account is twelve digits",
		"accounts.anna.rates: must be an object",
		"quotas.collectionsPerRealm: must be a whole number from 1 to 9007199254740991",
		"quotas.concurrentJobs: must be a whole number from 1 to 1000000",
		"quotas.faces: unknown field",
		"quotas.facesPerCollection: must be a whole number from 1 to 9007199254740991",
		"quotas.facesPerUser: must be a whole number from 1 to 100",
		"quotas.tagsPerResource: must be a whole number from 1 to 200",
		"quotas.usersPerCollection: must be a whole number from 1 to 9007199254740991",
		"rate: unknown field",
		"rates.*.perSecond: must be a number from 0.001 to 1000000",
		"rates.DetectFaces.perSecond: must be a number from 0.001 to 1000000",
		"rates.IndexFace: no such operation",
		"rates.IndexFaces.burst: must be a whole number from 1 to 1000000",
		"rates.ListFaces.burst: must be a whole number from 1 to 1000000",
		"rates.ListFaces.perSecond: missing",
		"rates.SearchFaces.perSecond: must be a number from 0.001 to 1000000",
		"rates.SearchFaces.per_second: unknown field",
		"rates.listFaces: no such operation",
		"rates.listFaces: must be an object",
	}
	if got := strings.Split(err.Error(), "\n"); strings.Join(got, "\n") != strings.Join(want,
		"\n") {
		t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, text := range map[string]string{
		"empty": ``, "no JSON": `{`, "a list": `[]`, "null": `null`,
		"a name twice": `{"rates":{},"rates":{}}`, "more after it": `{} {}`, "a comment": "{} // x",
	} {
		if _, err := parseLimits([]byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func FuzzLimits(f *testing.F) {
	f.Add(`{"rates":{"*":{"perSecond":50,"burst":100}},` +
		`"accounts":{"123456789012":{"rates":{"IndexFaces":{"perSecond":1}}}},` +
		`"quotas":{"facesPerUser":5}}`)
	f.Add(`{"rates":{"*":{"perSecond":1e999}},"quotas":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLimits([]byte(text))
		if err != nil {
			return
		}
		if err := l.Quotas.Validate(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		all := []map[string]rekognition.Rate{l.Rates.Operations}
		for _, rates := range l.Rates.Accounts {
			all = append(all, rates)
		}
		for _, rates := range all {
			for name, r := range rates {
				if !(r.PerSecond > 0) || r.Burst < 1 {
					t.Errorf("%s: %s has the rate %v", text, name, r)
				}
			}
		}
	})
}
