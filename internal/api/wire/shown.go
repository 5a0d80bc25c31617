package wire

import (
	"iter"
	"maps"
	"slices"
	"unicode/utf8"
)

// shown prints a text for a message, cut after maxShown bytes at the end of a character.
func shown(text string) string {
	return "'" + cut(text) + "'"
}

func cut(text string) string {
	if len(text) <= maxShown {
		return text
	}
	n := maxShown
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "..."
}

// shownList prints a list as Java does, [a, b], cut likewise.
func shownList(list iter.Seq[string]) string {
	return "'[" + joined(list) + "]'"
}

// shownMap prints a map as Java does, {a=1, b=2}, in the order of its keys, cut likewise.
func shownMap(pairs map[string]string) string {
	return "'{" + joined(func(yield func(string) bool) {
		for _, k := range slices.Sorted(maps.Keys(pairs)) {
			if !yield(cut(k) + "=" + cut(pairs[k])) {
				return
			}
		}
	}) + "}'"
}

// joined stops reading once it has enough.
func joined(list iter.Seq[string]) string {
	var b []byte
	first := true
	for text := range list {
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = append(b, text[:min(len(text), maxShown+utf8.UTFMax)]...)
		if len(b) > maxShown {
			break
		}
	}
	return cut(string(b))
}
