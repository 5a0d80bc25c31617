package ocr

import "strings"

// character is a character that a network read in a line.
type character struct {
	text        string
	first, last int // steps
	confidence  float32
}

// decodeCTC reads characters from the probabilities of classes at each step, row after row. Class 0
// is the blank, and class i alphabet[i-1]. At each step the most probable class counts, and equal
// ones that follow each other are one character unless a blank is between them (Graves et al.,
// Connectionist Temporal Classification, 2006, 3.2: best path decoding). The confidence of a
// character is its highest probability.
func decodeCTC(probabilities []float32, alphabet []string) []character {
	classes := len(alphabet) + 1
	var read []character
	before := 0
	for step := range len(probabilities) / classes {
		class, probability := most(probabilities[step*classes:][:classes])
		switch {
		case class == 0:
		case class == before:
			c := &read[len(read)-1]
			c.last = step
			c.confidence = max(c.confidence, probability)
		default:
			read = append(read, character{alphabet[class-1], step, step, probability})
		}
		before = class
	}
	return read
}

// most returns the index of the highest value, the first of equal ones, and the value.
func most(values []float32) (index int, highest float32) {
	highest = values[0]
	for i, v := range values {
		if v > highest {
			index, highest = i, v
		}
	}
	return index, highest
}

// meanConfidence is the mean of the characters' confidences, without spaces; 0 if there is none.
func meanConfidence(read []character) float32 {
	var sum float32
	n := 0
	for _, c := range read {
		if !c.isSpace() {
			sum += c.confidence
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float32(n)
}

func (c character) isSpace() bool { return strings.TrimSpace(c.text) == "" }

// word is a part of a line without spaces. Its place is in pixels of the line's crop: columns and
// rows.
type word struct {
	text        string
	confidence  float32 // 0 to 1
	from, to    float64
	top, bottom float64
}

// splitWords splits a line into words at its spaces. A step of the network is stride pixels of the
// crop wide, and contrast has the difference between the lightest and the darkest pixel of each
// column of the crop.
//
// A character's step is somewhere within the character, not at its edge. So the edge of a word is
// searched between its own outer character and the next word's: it is where the widest gap begins
// that has as little contrast as the background.
func splitWords(read []character, stride float64, contrast []float32) []word {
	var words []word
	quiet := quietBelow(contrast)
	from := 0.0 // of the current word
	end := len(contrast)
	var current []character
	finish := func(to float64) {
		if to-from < stride { // no ink was found: a character is a step wide
			from, to = (from+to-stride)/2, (from+to+stride)/2
		}
		var text strings.Builder
		for _, c := range current {
			text.WriteString(c.text)
		}
		words = append(words, word{text: text.String(), confidence: meanConfidence(current),
			from: from, to: to})
		current = current[:0]
	}
	space := false
	for _, c := range read {
		if c.isSpace() {
			space = true
			continue
		}
		at := (float64(c.first) + 0.5) * stride
		switch {
		case len(current) == 0:
			left, right := 0, min(int(at), end)
			from = float64(edgeAfter(contrast, left, right, quiet))
		case space:
			last := (float64(current[len(current)-1].last) + 0.5) * stride
			left, right := gap(contrast, int(last), min(int(at), end), quiet)
			finish(left)
			from = right
		}
		space = false
		current = append(current, c)
	}
	if len(current) > 0 {
		last := min(int((float64(current[len(current)-1].last)+0.5)*stride), end)
		finish(float64(edgeBefore(contrast, last, end, quiet)))
	}
	return words
}

// quietShare is how much of a line's contrast a column of background has at most.
const quietShare = 0.3

// quietBelow is the contrast below which a column of a line, or a row of a word, is background.
func quietBelow(contrast []float32) float32 {
	if len(contrast) == 0 {
		return 0
	}
	least, highest := contrast[0], contrast[0]
	for _, c := range contrast {
		least, highest = min(least, c), max(highest, c)
	}
	return least + quietShare*(highest-least)
}

// edgeAfter is the end of the background that begins at column from, at most to.
func edgeAfter(contrast []float32, from, to int, quiet float32) int {
	for from < to && contrast[from] < quiet {
		from++
	}
	return from
}

// edgeBefore is the beginning of the background that ends before column to, at least from.
func edgeBefore(contrast []float32, from, to int, quiet float32) int {
	for to > from && contrast[to-1] < quiet {
		to--
	}
	return to
}

// gap returns the ends of the widest background between two columns, or their middle twice if there
// is none.
func gap(contrast []float32, from, to int, quiet float32) (left, right float64) {
	middle := float64(from+to) / 2
	left, right = middle, middle
	for at := from; at < to; {
		end := edgeAfter(contrast, at, to, quiet)
		if float64(end-at) > right-left {
			left, right = float64(at), float64(end)
		}
		at = end + 1
	}
	return left, right
}
