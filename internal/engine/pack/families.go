package pack

import (
	"fmt"
	"slices"
)

// Family is a family of operations that has networks of its own.
type Family string

// The families.
const (
	FamilyFaces Family = "" // the one that every server has
	FamilyText  Family = "text"
)

// Text has the networks of a pack that reads text.
type Text struct {
	// Detect finds lines of text. The sides of its input are open: 0.
	Detect Network `json:"detect"`
	// Recognize reads a line. The width of its input is open: 0.
	Recognize Network `json:"recognize"`

	Detection   TextDetection   `json:"detection"`
	Recognition TextRecognition `json:"recognition"`
}

// TextDetection has the thresholds of a detector of text whose output is a map of probabilities.
type TextDetection struct {
	Pixel  float32 `json:"pixel"`  // least probability of a pixel of a line, 0 to 1
	Region float32 `json:"region"` // least mean probability of a line, 0 to 1
	// how far a line reaches over its region in the map, as a multiple of the region's area over
	// its perimeter; 0 to 8
	Unclip float32 `json:"unclip"`
}

// TextRecognition has the thresholds of a network that reads lines.
type TextRecognition struct {
	Line float32 `json:"line"` // least mean confidence of a line's characters, 0 to 1
}

func (t *Text) networks() map[string]*Network {
	return map[string]*Network{"detect": &t.Detect, "recognize": &t.Recognize}
}

// open are the dimensions of the inputs that each run chooses, by role.
func (t *Text) open(role string) []int {
	if role == "detect" {
		return []int{2, 3}
	}
	return []int{3}
}

func (t *Text) faults() []error {
	var faults []error
	for role, n := range t.networks() {
		for _, err := range n.faults(t.open(role)...) {
			faults = append(faults, fmt.Errorf("text: %s: %w", role, err))
		}
	}
	for name, value := range map[string]float32{"detection: pixel": t.Detection.Pixel,
		"detection: region": t.Detection.Region, "recognition: line": t.Recognition.Line} {
		if !(value > 0 && value < 1) {
			faults = append(faults,
				fmt.Errorf("text: %s is %v, not between 0 and 1", name, value))
		}
	}
	if u := t.Detection.Unclip; !(u >= 0 && u <= 8) {
		faults = append(faults, fmt.Errorf("text: detection: unclip is %v, not 0 to 8", u))
	}
	return faults
}

// openFaults are those of the dimensions of an input of which some are open.
func (in *Input) openFaults(open []int) []error {
	var faults []error
	for i, side := range in.Shape[2:] {
		switch {
		case slices.Contains(open, i+2):
			if side != 0 {
				faults = append(faults, fmt.Errorf("input: shape %v has a side that is not 0, and "+
					"each run chooses it", in.Shape))
			}
		case side < 1 || side > maxSide:
			faults = append(faults, fmt.Errorf("input: shape %v has a side that is not 1 to %d",
				in.Shape, maxSide))
		}
	}
	return faults
}
