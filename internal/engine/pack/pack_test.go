package pack_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

func manifest(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "packs", "default", pack.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// install makes a folder with a pack like the default one, with small files instead of networks and
// their hashes.
func install(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	p, err := pack.Parse(manifest(t))
	if err != nil {
		t.Fatal(err)
	}
	for role, n := range p.Networks() {
		content := []byte("the network " + role)
		sum := sha256.Sum256(content)
		n.SHA256 = hex.EncodeToString(sum[:])
		write(t, filepath.Join(dir, n.File), content)
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, pack.ManifestName), data)
	return dir
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	p, err := pack.Load(install(t))
	if err != nil {
		t.Fatal(err)
	}
	for role, n := range p.Networks() {
		if string(n.Model) != "the network "+role {
			t.Errorf("%s holds %q", role, n.Model)
		}
	}
	if p.Version != "2.0" || p.Embed.Input.Color != pack.BGR ||
		p.Similarity[len(p.Similarity)-1].Similarity != 100 {
		t.Errorf("loaded %+v", p)
	}
}

// One error names every missing and altered file.
func TestLoadNamesFaultyFiles(t *testing.T) {
	dir := install(t)
	write(t, filepath.Join(dir, "fr_feature.onnx"), []byte("something else"))
	write(t, filepath.Join(dir, "fr_pose.onnx"), nil)
	if err := os.Remove(filepath.Join(dir, "fr_detect.onnx")); err != nil {
		t.Fatal(err)
	}
	_, err := pack.Load(dir)
	if !errors.Is(err, pack.ErrAltered) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an altered and a missing file", err)
	}
	for _, file := range []string{"fr_feature.onnx", "fr_pose.onnx", "fr_detect.onnx"} {
		if !strings.Contains(err.Error(), filepath.Join(dir, file)) {
			t.Errorf("got %v, want %s named", err, file)
		}
	}
	if strings.Contains(err.Error(), "fr_landmark.onnx") {
		t.Errorf("got %v, and fr_landmark.onnx is well", err)
	}
}

func TestLoadWithoutManifest(t *testing.T) {
	_, err := pack.Load(t.TempDir())
	if fault, ok := errors.AsType[*pack.FileError](err); !ok ||
		filepath.Base(fault.File) != pack.ManifestName {
		t.Errorf("got %v, want that the manifest is missing", err)
	}
}

// replace replaces the only occurrence of the old text in the default manifest.
func replace(t *testing.T, from, to string) []byte {
	t.Helper()
	data := string(manifest(t))
	if !strings.Contains(data, from) {
		t.Fatalf("the manifest has no %q", from)
	}
	return []byte(strings.Replace(data, from, to, 1))
}

// without is the default manifest without one of its members.
func without(t *testing.T, member string) []byte {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(manifest(t), &members); err != nil {
		t.Fatal(err)
	}
	delete(members, member)
	data, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// withConfidence is the default manifest with another curve of confidence.
func withConfidence(t *testing.T, curve string) []byte {
	t.Helper()
	from := regexp.MustCompile(`(?s)"confidence": \[.*?\]`)
	return from.ReplaceAll(manifest(t), []byte(`"confidence": `+curve))
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		manifest []byte
		want     []string
	}{
		"nothing":            {nil, []string{"parsing the manifest"}},
		"no object":          {[]byte("[]"), []string{"parsing the manifest"}},
		"something after it": {append(manifest(t), "{}"...), []string{"after"}},
		"unknown member": {replace(t, `"licence"`, `"colour": 1, "licence"`),
			[]string{"colour"}},
		"unknown format": {replace(t, `"format": 1`, `"format": 2, "colour": 1`),
			[]string{"format 2", "format 1"}},
		"path": {replace(t, `"fr_pose.onnx"`, `"../fr_pose.onnx"`),
			[]string{"pose: file"}},
		"no file": {replace(t, `"fr_pose.onnx"`, `".."`), []string{"pose: file"}},
		"hash": {replace(t, `"sha256": "72`, `"sha256": "7Z`),
			[]string{"pose: sha256"}},
		"channels": {replace(t, `[1, 1, 64, 64]`, `[1, 2, 64, 64]`),
			[]string{"landmark: input: shape"}},
		"huge input": {replace(t, `[1, 1, 64, 64]`, `[1, 1, 64, 1000000]`),
			[]string{"landmark: input: shape"}},
		"color": {replace(t, `"BGR"`, `"YUV"`), []string{"confirm: input: color"}},
		"std": {replace(t, `"std": [256]`, `"std": [0]`),
			[]string{"landmark: input: std"}},
		"score": {replace(t, `"score": 0.25`, `"score": 60`),
			[]string{"detection: score"}},
		"least confirmed": {replace(t, `"confirm": 0.93`, `"confirm": 1`),
			[]string{"detection: confirm"}},
		"nothing confirms": {without(t, "confirm"), []string{"no network that confirms"}},
		"one confidence": {withConfidence(t, `[{"score": 0.5, "confidence": 50}]`),
			[]string{"detection: confidence: it needs"}},
		"falling confidence": {withConfidence(t,
			`[{"score": 0.5, "confidence": 50}, {"score": 0.6, "confidence": 40}]`),
			[]string{"detection: confidence: knot 1"}},
		"confidence of 101": {withConfidence(t,
			`[{"score": 0.5, "confidence": 50}, {"score": 0.6, "confidence": 101}]`),
			[]string{"detection: confidence: knot 1"}},
		"crop": {replace(t, `"scale": 1.1`, `"scale": -1`), []string{"pose: crop"}},
		"shifted box": {replace(t, `"scale": 1.1`, `"shift": 0.1, "scale": 1.1`),
			[]string{"pose: crop"}},
		"shift": {replace(t, `"shift": -0.04`, `"shift": -2`),
			[]string{"age: crop: shift"}},
		"margin": {replace(t, `"ageMargin": 12`, `"ageMargin": -12`),
			[]string{"attributes: ageMargin"}},
		"span": {replace(t, `"ageSpan": 115`, `"ageSpan": 0`),
			[]string{"attributes: ageSpan"}},
		"attribute's file": {replace(t, `"fr_eye.onnx"`, `"/fr_eye.onnx"`), []string{"eyes: file"}},
		"weight without a network": {replace(t, `"attributes": {`,
			`"embedSecondWeight": 0.5, "attributes": {`), []string{"embedSecondWeight"}},
		"network without a weight": {replace(t, `"attributes": {`,
			`"embedSecond": {"decoder": "arcface"}, "attributes": {`),
			[]string{"embedSecondWeight is 0", "embedSecond: file"}},
		"falling curve": {replace(t, `"similarity": 92`, `"similarity": 72`),
			[]string{"similarity: knot 5"}},
		"no rate": {replace(t, `"falseMatchRate": 1e-3`, `"falseMatchRate": 0`),
			[]string{"calibration: "}},
		"rising rate": {replace(t, `"falseMatchRate": 1e-3`, `"falseMatchRate": 0.5`),
			[]string{"calibration: similarities must rise and rates fall"}},
		"curve's end": {replace(t, `"similarity": 100`, `"similarity": 99.5`),
			[]string{"from 0 to 100"}},
		"all at once": {
			[]byte(strings.NewReplacer(`"version": "2.0"`, `"version": ""`, `"MIT"`, `""`, `"BGR"`,
				`"YUV"`).Replace(string(manifest(t)))),
			[]string{"version", "licence", "confirm: input: color"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pack.Parse(c.manifest)
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}
		})
	}
}

// A pack need not have networks for attributes.
func TestParseWithoutAttributes(t *testing.T) {
	p, err := pack.Parse(without(t, "attributes"))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(p.Networks()); got != 5 {
		t.Errorf("it has %d networks, want 5", got)
	}
}

// An accepted manifest can be used, and is the same after it is written and read again.
func FuzzParse(f *testing.F) {
	f.Add(manifest(f))
	f.Add([]byte(`{"format": 1}`))
	f.Add([]byte(`{"format": 2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := pack.Parse(data)
		if err != nil {
			return
		}
		for role, n := range p.Networks() {
			if filepath.Base(n.File) != n.File || n.Input.Shape[1] != int64(len(n.Input.Std)) {
				t.Errorf("%s: accepted %+v", role, n)
			}
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pack.Parse(again); err != nil {
			t.Errorf("written and read again: %v", err)
		}
	})
}
