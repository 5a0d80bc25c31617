package pack

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
)

var (
	sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// As the API's model defines a FaceModelVersion, with a limit on its length.
	versionPattern = regexp.MustCompile(`^[0-9A-Za-z._-]{1,32}$`)
)

// maxSide limits the sides of an input, and so the memory that a manifest can require.
const maxSide = 4096

// Validate reports every fault of the manifest, joined into one error.
func (p *Pack) Validate() error {
	var faults []error
	fault := func(format string,
		args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}

	if p.Format != Format {
		fault("format is %d, not %d", p.Format, Format)
	}
	if !versionPattern.MatchString(p.Version) {
		fault("version %q does not match %s", p.Version, versionPattern)
	}
	for name, value := range map[string]string{"name": p.Name, "licence": p.Licence,
		"source": p.Source} {
		if value == "" {
			fault("%s is missing", name)
		}
	}
	switch p.Family {
	case FamilyFaces:
		faults = append(faults, p.faceFaults()...)
	case FamilyText:
		faults = append(faults, p.familyFaults()...)
	default:
		fault("family %q is not known, %q is", p.Family, FamilyText)
	}
	// The order of a map's entries varies; sorting keeps the message the same.
	slices.SortFunc(faults, func(a, b error) int {
		if a.Error() < b.Error() {
			return -1
		}
		return 1
	})
	return errors.Join(faults...)
}

// familyFaults are those of a pack of another family than faces.
func (p *Pack) familyFaults() []error {
	if p.Text == nil {
		return []error{fmt.Errorf("it is of the family %s, and has no %s", p.Family, p.Family)}
	}
	others := *p
	others.Format, others.Version, others.Name, others.Licence, others.Source = 0, "", "", "", ""
	others.Family, others.Text = "", nil
	if !reflect.ValueOf(others).IsZero() {
		return []error{fmt.Errorf("it is of the family %s, and has members of another", p.Family)}
	}
	return p.Text.faults()
}

// faceFaults are those of a pack of faces.
func (p *Pack) faceFaults() []error {
	var faults []error
	fault := func(format string,
		args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}
	if p.Text != nil {
		fault("it has text, and no family")
		return faults
	}
	for role, n := range p.Networks() {
		for _, err := range n.faults() {
			fault("%s: %w", role, err)
		}
	}
	if w := p.EmbedSecondWeight; p.EmbedSecond != nil && !(w > 0 && w < 1) {
		fault("embedSecondWeight is %v, not between 0 and 1", w)
	} else if p.EmbedSecond == nil && w != 0 {
		fault("embedSecondWeight is %v, and there is no second network", w)
	}
	if a := p.Attributes; a.Age != nil {
		if !(a.AgeSpan > 0 && a.AgeSpan <= 200) {
			fault("attributes: ageSpan is %v, not above 0 and at most 200", a.AgeSpan)
		}
		if !(a.AgeMargin >= 0 && a.AgeMargin <= 100) {
			fault("attributes: ageMargin is %v, not 0 to 100", a.AgeMargin)
		}
	}
	for name, value := range map[string]float32{"score": p.Detection.Score,
		"overlap": p.Detection.Overlap} {
		if !(value > 0 && value < 1) {
			fault("detection: %s is %v, not between 0 and 1", name, value)
		}
	}
	if c := p.Detection.Confirm; p.Confirm != nil && !(c > 0 && c < 1) {
		fault("detection: confirm is %v, not between 0 and 1", c)
	} else if p.Confirm == nil && c != 0 {
		fault("detection: confirm is %v, and there is no network that confirms", c)
	}
	for _, err := range confidenceFaults(p.Detection.Confidence) {
		fault("detection: confidence: %w", err)
	}
	for _, err := range curveFaults(p.Similarity) {
		fault("similarity: %w", err)
	}
	for _, err := range calibrationFaults(p.Calibration) {
		fault("calibration: %w", err)
	}
	return faults
}

func calibrationFaults(rates []Calibrated) []error {
	var faults []error
	for i, r := range rates {
		if !(r.Similarity >= 0 && r.Similarity <= 100) ||
			!(r.FalseMatchRate > 0 && r.FalseMatchRate <= 1) ||
			!(r.TrueAcceptRate >= 0 && r.TrueAcceptRate <= 1) {
			faults = append(faults,
				fmt.Errorf("%v has a similarity that is not 0 to 100 or a rate that is none", r))
		}
		if i > 0 && !(r.Similarity > rates[i-1].Similarity &&
			r.FalseMatchRate < rates[i-1].FalseMatchRate &&
			r.TrueAcceptRate <= rates[i-1].TrueAcceptRate) {
			faults = append(faults,
				fmt.Errorf("similarities must rise and rates fall: %v comes after %v", r,
					rates[i-1]))
		}
	}
	return faults
}

// faults are those of a network of whose input some dimensions are open.
func (n *Network) faults(open ...int) []error {
	var faults []error
	fault := func(format string,
		args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}

	if n.Decoder == "" {
		fault("decoder is missing")
	}
	// Only a base name is valid: a pack must not read files outside its folder.
	if n.File == "" || n.File == "." || n.File == ".." || filepath.Base(n.File) != n.File {
		fault("file %q is not the name of a file in the pack's folder", n.File)
	}
	if !sha256Pattern.MatchString(n.SHA256) {
		fault("sha256 %q is not 64 lower-case hexadecimal digits", n.SHA256)
	}
	if len(n.Outputs) == 0 || slices.Contains(n.Outputs, "") {
		fault("outputs must be names, at least one")
	}
	if n.Crop != nil {
		if !(n.Crop.Scale > 0 && n.Crop.Scale <= 8) {
			fault("crop: scale is %v, not above 0 and at most 8", n.Crop.Scale)
		}
		if !(n.Crop.Shift >= -1 && n.Crop.Shift <= 1) {
			fault("crop: shift is %v, not -1 to 1", n.Crop.Shift)
		}
		if n.Crop.Square && n.Crop.Aligned || n.Crop.Shift != 0 && !n.Crop.Aligned {
			fault("crop: square is of the box, and shift of an aligned crop")
		}
	}

	in := n.Input
	if in.Name == "" {
		fault("input: name is missing")
	}
	channels := 3
	switch in.Color {
	case RGB, BGR:
	case Grey:
		if in.Shape[1] != 3 {
			channels = 1
		}
	default:
		fault("input: color is %q, not RGB, BGR or GREY", in.Color)
	}
	if in.Shape[0] != 1 || in.Shape[1] != int64(channels) {
		fault("input: shape %v does not begin with 1 x %d", in.Shape, channels)
	}
	faults = append(faults, in.openFaults(open)...)
	if len(in.Mean) != channels || len(in.Std) != channels {
		fault("input: mean and std must have %d values each", channels)
	}
	for _, v := range slices.Concat(in.Mean, in.Std) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			fault("input: mean and std must be finite")
		}
	}
	if slices.ContainsFunc(in.Std, func(v float32) bool { return v <= 0 }) {
		fault("input: std must be above 0")
	}
	return faults
}

func confidenceFaults(knots []ScoreKnot) []error {
	if len(knots) == 0 {
		return nil
	}
	if len(knots) == 1 {
		return []error{errors.New("it needs at least two knots")}
	}
	var faults []error
	for i, k := range knots {
		if !(k.Score >= 0 && k.Score <= 1 && k.Confidence >= 0 && k.Confidence <= 100) {
			faults = append(faults,
				fmt.Errorf(
					"knot %d has a score that is not 0 to 1 or a confidence that is not 0 to 100",
					i))
		}
		if i > 0 && !(k.Score > knots[i-1].Score && k.Confidence > knots[i-1].Confidence) {
			faults = append(faults, fmt.Errorf("knot %d does not rise in both values", i))
		}
	}
	return faults
}

func curveFaults(knots []Knot) []error {
	if len(knots) < 2 {
		return []error{errors.New("it needs at least two knots")}
	}
	var faults []error
	first, last := knots[0], knots[len(knots)-1]
	if first.Similarity != 0 || last.Similarity != 100 {
		faults = append(faults, errors.New("it must go from 0 to 100"))
	}
	if first.Cosine < -1 || last.Cosine > 1 {
		faults = append(faults, errors.New("a cosine is not between -1 and 1"))
	}
	for i := 1; i < len(knots); i++ {
		if !(knots[i].Cosine > knots[i-1].Cosine && knots[i].Similarity > knots[i-1].Similarity) {
			faults = append(faults, fmt.Errorf("knot %d does not rise in both values", i))
		}
	}
	return faults
}
