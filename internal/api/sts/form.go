package sts

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxParameters bounds the parameters of a request. The largest has some 160.
const maxParameters = 512

// form is the parameters of a request, by name.
type form url.Values

// formOf reads the parameters: of the body if there is one, and of the query string otherwise.
func formOf(r *http.Request, body []byte) (form, error) {
	if len(body) > 0 {
		if !isForm(r) {
			return nil, errMalformed
		}
		return parseForm(string(body))
	}
	return parseForm(r.URL.RawQuery)
}

// parseForm reads a form-encoded text. A parameter that is there twice is
// rejected.
func parseForm(text string) (form, error) {
	if strings.Count(text, "&") >= maxParameters {
		return nil, errMalformed
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, errMalformed
	}
	for name, all := range values {
		if len(all) > 1 || !utf8.ValidString(name) || !utf8.ValidString(all[0]) {
			return nil, errMalformed
		}
	}
	return form(values), nil
}

// text returns a parameter; empty if there is none.
func (f form) text(name string) string { return url.Values(f).Get(name) }

func (f form) has(name string) bool { return f.text(name) != "" }

// list returns the members of a list, in order of their numbers. Each is a form of the fields that
// the names have behind its number; a member that is a text has one field, with the name "".
func (f form) list(name string) ([]form, error) {
	byNumber := map[int]form{}
	for key, values := range f {
		rest, ok := strings.CutPrefix(key, name+".member.")
		if !ok {
			continue
		}
		number, field, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > maxParameters || strconv.Itoa(n) != number {
			return nil, errMalformed
		}
		if byNumber[n] == nil {
			byNumber[n] = form{}
		}
		byNumber[n][field] = values
	}
	numbers := make([]int, 0, len(byNumber))
	for n := range byNumber {
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, cmp.Compare[int])
	members := make([]form, len(numbers))
	for i, n := range numbers {
		members[i] = byNumber[n]
	}
	return members, nil
}

// checks collects the constraints that parameters do not satisfy, with the service's texts.
type checks []string

func (c *checks) violated(value, member, constraint string) {
	*c = append(*c, fmt.Sprintf("Value %.128s at '%s' failed to satisfy constraint: %s", value,
		member, constraint))
}

func quoted(text string) string { return "'" + text + "'" }

// err is the error of all that were violated.
func (c *checks) err() error {
	switch len(*c) {
	case 0:
		return nil
	case 1:
		return validation("1 validation error detected: %s", (*c)[0])
	}
	return validation("%d validation errors detected: %s", len(*c), strings.Join(*c, "; "))
}

// text checks the length, in characters, and the characters of a parameter that is there.
func (c *checks) text(value, member string, least, most int, pattern *regexp.Regexp) {
	n := utf8.RuneCountInString(value)
	shown := quoted(value)
	if member == "webIdentityToken" || member == "policy" {
		shown = "***" // secret, or long
	}
	switch {
	case n < least:
		c.violated(shown, member,
			fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		c.violated(shown, member,
			fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
	if pattern != nil && !pattern.MatchString(value) {
		c.violated(shown, member, "Member must satisfy regular expression pattern: "+
			strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^"), "$"))
	}
}

// required checks a parameter that has to be there, by its name, and returns it.
func (c *checks) required(f form, name string, least, most int, pattern *regexp.Regexp) string {
	value, member := f.text(name), strings.ToLower(name[:1])+name[1:]
	if !url.Values(f).Has(name) {
		c.violated("null", member, "Member must not be null")
		return ""
	}
	c.text(value, member, least, most, pattern)
	return value
}

// seconds returns a duration in seconds within its bounds; the default if there is none.
func (c *checks) seconds(f form, least, most, otherwise int) int {
	text := f.text("DurationSeconds")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		c.violated(quoted(text), "durationSeconds", "Member must be a whole number")
	case n < least:
		c.violated(quoted(text), "durationSeconds",
			fmt.Sprintf("Member must have value greater than or equal to %d", least))
	case n > most:
		c.violated(quoted(text), "durationSeconds",
			fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
	return n
}
