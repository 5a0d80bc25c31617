package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jmespath/go-jmespath"
)

// Values of scenarios are JSON values, and two things besides.
//
// ${name} in a text stands for a variable; where it is the whole text, for the variable's value
// with its type. Variables are saved by steps or come with the scenario: unique (a text that no
// other scenario of the run has), region (of the server), account and root (of the root key, with
// id and secret), keys (of the users that the scenario needs: keys.NAME.id, keys.NAME.secret), case
// (the name of the case), each (of a step that is repeated), now (seconds since 1970). A dot
// reaches into a value.
//
// An object whose one member begins with $ stands for a value that is made:
//
//	{$fill: [text, n]}       the text, and after it so many x that there are n characters
//	{$ids: n}                n face ids that no face has, none twice
//	{$names: [prefix, n]}    n texts that begin so and sort in their order
//	{$list: [value, n]}      n times the value
//	{$tags: n}               a map with n tags
//	{$merge: [map, ...]}     one map; later ones win
//	{$concat: [list, ...]}   one list
//	{$join: [text, list]}    the texts of the list with the text between
//	{$get: [expression, value]}   what a JMESPath expression finds in the value
//	{$tamper: text}          the text with another last character
//	{$lfw: [person, number]}, {$group: name}, {$bad: name}   pictures of the test data
//	{$png: [width, height]}  a grey picture
//	{$lines: [text, ...]}    a picture of 800 x 600 with a text a line, black on white
//	{$pad: [picture, n]}     the picture, and after it so many zeros that there are n bytes
//	{$random: n}             n bytes that are no picture
//	{$bytes: text}           the bytes of the text
//
// Bytes are objects with the one member $blob, in base64, as drivers get them. {$float: text} is a
// float that JSON has no number for: NaN, Infinity or -Infinity.

// later is a variable whose value is made where it is used, with what is known there.
type later struct{ value any }

// values makes values.
type values struct {
	pictures pictures
	vars     map[string]any
}

func (v *values) with(more map[string]any) *values {
	vars := maps.Clone(v.vars)
	maps.Copy(vars, more)
	return &values{pictures: v.pictures, vars: vars}
}

// makers are the values that are made, by name. Nothing changes them.
var makers = map[string]func(*values, any) (any, error){
	"$fill":   (*values).fill,
	"$ids":    (*values).ids,
	"$names":  (*values).names,
	"$list":   (*values).list,
	"$tags":   (*values).tags,
	"$merge":  (*values).merge,
	"$concat": (*values).concat,
	"$join":   (*values).join,
	"$get":    (*values).get,
	"$tamper": (*values).tamper,
	"$lfw":    (*values).lfw,
	"$group":  (*values).group,
	"$bad":    (*values).bad,
	"$png":    (*values).png,
	"$lines":  (*values).lines,
	"$pad":    (*values).pad,
	"$video":  (*values).video,
	"$random": (*values).random,
	"$bytes":  (*values).textBytes,
}

// directive returns the name and the argument of an object that stands for something else.
func directive(value any) (name string, argument any, ok bool) {
	object, isObject := value.(map[string]any)
	if !isObject || len(object) != 1 {
		return "", nil, false
	}
	for name, argument := range object {
		return name, argument, strings.HasPrefix(name, "$")
	}
	panic("unreachable")
}

// expand returns the value with variables replaced and with what is to be made. Matchers stay.
func (v *values) expand(value any) (any, error) {
	switch value := value.(type) {
	case string:
		return v.text(value)
	case []any:
		out := make([]any, len(value))
		for i, element := range value {
			var err error
			if out[i], err = v.expand(element); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, member := range value {
			expanded, err := v.text(name)
			if err != nil {
				return nil, err
			}
			key, ok := expanded.(string)
			if !ok {
				return nil, fmt.Errorf("%s is no name", name)
			}
			if out[key], err = v.expand(member); err != nil {
				return nil, err
			}
		}
		if name, argument, ok := directive(out); ok && makers[name] != nil {
			made, err := makers[name](v, argument)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return made, nil
		}
		return out, nil
	default:
		return value, nil
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_.]+)\}`)

func (v *values) text(text string) (any, error) {
	if m := variable.FindString(text); m != "" && m == text {
		return v.variable(text[2 : len(text)-1])
	}
	var failed error
	out := variable.ReplaceAllStringFunc(text, func(m string) string {
		value, err := v.variable(m[2 : len(m)-1])
		switch value := value.(type) {
		case string:
			return value
		case float64:
			return strconv.FormatFloat(value, 'f', -1, 64)
		}
		if err == nil {
			err = fmt.Errorf("%s is neither text nor number", m)
		}
		failed = err
		return ""
	})
	return out, failed
}

func (v *values) variable(name string) (any, error) {
	var value any = v.vars
	for part := range strings.SplitSeq(name, ".") {
		object, ok := value.(map[string]any)
		if ok {
			value, ok = object[part]
		}
		if !ok {
			return nil, fmt.Errorf("there is no variable ${%s}", name)
		}
		if l, ok := value.(later); ok {
			var err error
			if value, err = v.expand(l.value); err != nil {
				return nil, fmt.Errorf("variable %s: %w", name, err)
			}
		}
	}
	return value, nil
}

// find is what a JMESPath expression finds.
func find(expression string, value any) (any, error) {
	found, err := jmespath.Search(expression, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	return found, nil
}

// bytes expands a value that stands for bytes.
func (v *values) bytes(value any) ([]byte, error) {
	value, err := v.expand(value)
	if err != nil {
		return nil, err
	}
	return unblob(value)
}

// number expands a count. Absent, it is 0.
func (v *values) number(value any) (int, error) {
	if value == nil {
		return 0, nil
	}
	expanded, err := v.expand(value)
	if err != nil {
		return 0, err
	}
	return number(expanded)
}

// numbers expands a list of counts.
func (v *values) numbers(value any) ([]int, error) {
	expanded, err := v.expand(value)
	if err != nil {
		return nil, err
	}
	elements, err := list(expanded, -1)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(elements))
	for i, e := range elements {
		if out[i], err = number(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func blob(content []byte) any {
	return map[string]any{"$blob": base64.StdEncoding.EncodeToString(content)}
}

func unblob(value any) ([]byte, error) {
	if name, argument, ok := directive(value); ok && name == "$blob" {
		if text, ok := argument.(string); ok {
			return base64.StdEncoding.DecodeString(text)
		}
	}
	return nil, fmt.Errorf("%s are no bytes", shortened(value))
}

func (v *values) fill(argument any) (any, error) {
	text, n, err := textAndNumber(argument)
	if err != nil {
		return nil, err
	}
	missing := n - len([]rune(text))
	if missing < 0 {
		return nil, fmt.Errorf("%q is longer than %d", text, n)
	}
	return text + strings.Repeat("x", missing), nil
}

func (v *values) ids(argument any) (any, error) {
	n, err := number(argument)
	if err != nil {
		return nil, err
	}
	ids := make([]any, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("00000000-0000-4000-8000-%012x", i)
	}
	return ids, nil
}

func (v *values) names(argument any) (any, error) {
	prefix, n, err := textAndNumber(argument)
	if err != nil {
		return nil, err
	}
	names := make([]any, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return names, nil
}

func (v *values) list(argument any) (any, error) {
	pair, err := list(argument, 2)
	if err != nil {
		return nil, err
	}
	n, err := number(pair[1])
	if err != nil {
		return nil, err
	}
	return slices.Repeat([]any{pair[0]}, n), nil
}

func (v *values) tags(argument any) (any, error) {
	n, err := number(argument)
	if err != nil {
		return nil, err
	}
	tags := make(map[string]any, n)
	for i := range n {
		tags[fmt.Sprintf("key-%03d", i)] = fmt.Sprintf("value-%d", i)
	}
	return tags, nil
}

func (v *values) merge(argument any) (any, error) {
	parts, err := list(argument, -1)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, part := range parts {
		object, ok := part.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is no map", shortened(part))
		}
		maps.Copy(out, object)
	}
	return out, nil
}

func (v *values) concat(argument any) (any, error) {
	parts, err := list(argument, -1)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, part := range parts {
		elements, err := list(part, -1)
		if err != nil {
			return nil, err
		}
		out = append(out, elements...)
	}
	return out, nil
}

func (v *values) join(argument any) (any, error) {
	pair, err := list(argument, 2)
	if err != nil {
		return nil, err
	}
	elements, err := list(pair[1], -1)
	if err != nil {
		return nil, err
	}
	separator, ok := pair[0].(string)
	texts := make([]string, len(elements))
	for i, e := range elements {
		if ok {
			texts[i], ok = e.(string)
		}
	}
	if !ok {
		return nil, fmt.Errorf("%s are not texts", shortened(argument))
	}
	return strings.Join(texts, separator), nil
}

func (v *values) get(argument any) (any, error) {
	pair, err := list(argument, 2)
	if err != nil {
		return nil, err
	}
	expression, ok := pair[0].(string)
	if !ok {
		return nil, fmt.Errorf("%s is no expression", shortened(pair[0]))
	}
	return find(expression, pair[1])
}

func (v *values) tamper(argument any) (any, error) {
	text, ok := argument.(string)
	if !ok || text == "" {
		return nil, fmt.Errorf("%s is no text with a last character", shortened(argument))
	}
	last := "A"
	if strings.HasSuffix(text, last) {
		last = "B"
	}
	return text[:len(text)-1] + last, nil
}

func (v *values) lfw(argument any) (any, error) {
	person, n, err := textAndNumber(argument)
	if err != nil {
		return nil, err
	}
	return v.pictures.read("lfw", "images", person, fmt.Sprintf("%s_%04d.jpg", person, n))
}

func (v *values) group(argument any) (any, error) { return v.sharedPicture("group", argument) }
func (v *values) bad(argument any) (any, error)   { return v.sharedPicture("bad", argument) }

func (v *values) sharedPicture(folder string, argument any) (any, error) {
	name, ok := argument.(string)
	if !ok {
		return nil, fmt.Errorf("%s is no name of a picture", shortened(argument))
	}
	return v.pictures.read(folder, name)
}

func (v *values) png(argument any) (any, error) {
	sides, err := list(argument, 2)
	if err != nil {
		return nil, err
	}
	width, err := number(sides[0])
	if err != nil {
		return nil, err
	}
	height, err := number(sides[1])
	if err != nil {
		return nil, err
	}
	content, err := greyPNG(width, height)
	return blob(content), err
}

func (v *values) lines(argument any) (any, error) {
	elements, err := list(argument, -1)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(elements))
	for i, e := range elements {
		var ok bool
		if lines[i], ok = e.(string); !ok {
			return nil, fmt.Errorf("%s are not texts", shortened(argument))
		}
	}
	content, err := linesPNG(lines)
	return blob(content), err
}

func (v *values) pad(argument any) (any, error) {
	pair, err := list(argument, 2)
	if err != nil {
		return nil, err
	}
	content, err := unblob(pair[0])
	if err != nil {
		return nil, err
	}
	n, err := number(pair[1])
	if err != nil {
		return nil, err
	}
	if n < len(content) {
		return nil, fmt.Errorf("the picture has %d bytes already", len(content))
	}
	return blob(append(content, make([]byte, n-len(content))...)), nil
}

// video makes a video of scenes, each a number of frames and a JPEG.
func (v *values) video(argument any) (any, error) {
	elements, err := list(argument, -1)
	if err != nil {
		return nil, err
	}
	scenes := make([]scene, len(elements))
	for i, e := range elements {
		pair, err := list(e, 2)
		if err != nil {
			return nil, err
		}
		if scenes[i].frames, err = number(pair[0]); err != nil {
			return nil, err
		}
		if scenes[i].jpeg, err = unblob(pair[1]); err != nil {
			return nil, err
		}
	}
	content, err := motionJPEG(scenes)
	return blob(content), err
}

func (v *values) random(argument any) (any, error) {
	n, err := number(argument)
	return blob(noise(n)), err
}

func (v *values) textBytes(argument any) (any, error) {
	text, ok := argument.(string)
	if !ok {
		return nil, fmt.Errorf("%s is no text", shortened(argument))
	}
	return blob([]byte(text)), nil
}

// number is a count.
func number(value any) (int, error) {
	n, ok := value.(float64)
	if !ok || n != float64(int(n)) || n < 0 {
		return 0, fmt.Errorf("%s is no count", shortened(value))
	}
	return int(n), nil
}

// list is a list, of n elements unless n is negative.
func list(value any, n int) ([]any, error) {
	elements, ok := value.([]any)
	if !ok || n >= 0 && len(elements) != n {
		return nil, fmt.Errorf("%s is not the list that is needed here", shortened(value))
	}
	return elements, nil
}

func textAndNumber(value any) (string, int, error) {
	pair, err := list(value, 2)
	if err != nil {
		return "", 0, err
	}
	text, ok := pair[0].(string)
	if !ok {
		return "", 0, fmt.Errorf("%s is no text", shortened(pair[0]))
	}
	n, err := number(pair[1])
	return text, n, err
}
