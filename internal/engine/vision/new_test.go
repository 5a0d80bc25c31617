package vision_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// A pack whose networks differ from its manifest is rejected by New.
func TestNewRefuses(t *testing.T) {
	newEngine(t, vision.Options{}) // skips if something is not installed
	r, err := onnx.Open(filepath.Join(installed, "onnxruntime", onnx.LibraryName()), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(*pack.Pack)
		want  string
	}{
		"unknown decoder": {func(p *pack.Pack) { p.Detect.Decoder = "yolo" }, "yolo"},
		"too few outputs": {func(p *pack.Pack) { p.Pose.Outputs = p.Pose.Outputs[:2] },
			"outputs"},
		"outputs exchanged": {func(p *pack.Pack) {
			p.Detect.Outputs = []string{"boxes",
				"scores"}
		}, "shape of output"},
		"unknown output": {func(p *pack.Pack) { p.Embed.Outputs = []string{"vector"} },
			"vector"},
		"another input size": {func(p *pack.Pack) { p.Landmark.Input.Shape[2] = 65 },
			"input's shape"},
		"another second crop": {func(p *pack.Pack) {
			second := p.Embed
			second.Input.Shape[2] = 96
			p.EmbedSecond = &second
		}, "112"},
		"another crop": {func(p *pack.Pack) { p.Embed.Input.Shape[2] = 96 }, "112"},
		"another network": {func(p *pack.Pack) { p.Landmark.Model = p.Embed.Model },
			"input's shape"},
		"attribute's bins": {func(
			p *pack.Pack) {
			p.Attributes.Age.Outputs = p.Attributes.Age.Outputs[1:]
		}, "outputs"},
		"genders": {func(p *pack.Pack) {
			p.Attributes.Gender.Classes = []string{"Female",
				"Female"}
		}, "Female and Male"},
		"nothing happy": {func(p *pack.Pack) { p.Attributes.Expression.Classes[3] = "CONFUSED" },
			"HAPPY"},
		"unknown emotion": {func(p *pack.Pack) { p.Attributes.Expression.Classes[0] = "BORED" },
			"BORED"},
		"too few emotions": {func(
			p *pack.Pack) {
			p.Attributes.Expression.Classes = []string{"HAPPY", "SAD"}
		}, "shape of output"},
		"no open eyes": {func(p *pack.Pack) {
			p.Attributes.Eyes.Classes = []string{"CLOSED",
				"SHUT"}
		}, "OPEN"},
		"no network": {func(p *pack.Pack) { p.Landmark.Model = nil }, "reading the network"},
		"broken network": {func(p *pack.Pack) { p.Embed.Model = p.Embed.Model[:1000] },
			"reading the network"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := pack.Load(filepath.Join(installed, "packs", "default"))
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(p)
			e, err := vision.New(p, r, vision.Options{})
			if err == nil {
				e.Close()
				t.Fatal("it was loaded")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
