package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// modelShape and model are read here again, apart from the generator, so that its mistakes show.
type modelShape struct {
	Type               string
	Members            map[string]struct{ Shape string }
	Required           []string
	Member, Key, Value struct{ Shape string }
	Enum               []string
	Pattern            string
	Min, Max           *int
}

type model struct {
	Operations map[string]struct{ Input struct{ Shape string } }
	Shapes     map[string]modelShape
}

// sample makes texts that match a pattern: the prefix, then the filling as often as wanted. Wrong
// does not match.
type sample struct{ prefix, filling, wrong string }

var (
	plain  = sample{"", "a", "a b"}
	number = sample{"", "7", "7a"}
	uuid   = sample{"01234567-89ab-cdef-0123-456789abcdef", "",
		"01234567-89AB-cdef-0123-456789abcdef"}
)

var samples = map[string]sample{
	"":                                   {"", "a", ""},
	`[a-zA-Z0-9_.\-]+`:                   plain,
	`[a-zA-Z0-9_.\-:]+`:                  plain,
	`^[a-zA-Z0-9-_]+$`:                   {"a-_", "Z", "a.b"},
	`[a-zA-Z0-9_.\-:+=\/]+`:              {"", "/", "a,b"},
	`[0-9A-Za-z\.\-_]*`:                  {"", "-", "a/b"},
	`[0-9A-Za-z]*`:                       {"", "a", "a-b"},
	`[0-9A-Fa-f]+`:                       {"", "F", "G"},
	`^[0-9]+$`:                           number,
	`\S*`:                                {"", "é", "a b"},
	`.{1,}`:                              {"", " ", "a\nb"},
	`.*\S.*`:                             {"x", " ", " \t "},
	`[A-Za-z0-9àâèçñó'-_(). ]*`:          {"", "ñ", "{"},
	`[a-zA-Z0-9-_. ()':,;?]+`:            {"", "?", "a/b"},
	`^[a-z0-9](-*[a-z0-9])*`:             {"", "0", "a-"},
	`[\u0009\u000A\u000D\u0020-\u00FF]+`: {"\t\n\r", "ÿ", "aĀ"},
	`^[A-Za-z0-9][A-Za-z0-9:_/+=,@.-]{0,2048}$`: {"", "0", "-a"},
	`^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`:     {"", "ß", "aws:a"},
	`^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`:           {"", "ß", "a#"},
	`arn:aws:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`: {"arn:aws:iam::123456789012:role", "x",
		"arn:aws:iam::12345678901:role/x"},
	`(^arn:aws:sns:.*:\w{12}:.+$)`: {"arn:aws:sns:us-east-1:123456789012:", "t",
		"arn:aws:sqs:us-east-1:123456789012:t"},
	`(^arn:([a-z\d-]+):kinesis:([a-z\d-]+):\d{12}:.+$)`: {"arn:aws:kinesis:us-east-1:123456789012:",
		"s",
		"arn:aws:kinesis:us-east-1:123456789012:"},
	`(^arn:([a-z\d-]+):kinesisvideo:([a-z\d-]+):\d{12}:.+$)`: {
		"arn:aws:kinesisvideo:us-east-1:123456789012:", "s",
		"arn:aws:kinesisvideo:us-east-1:123456789012:"},
	`(^arn:[a-z\d-]+:rekognition:[a-z\d-]+:\d{12}:project\/[a-zA-Z0-9_.\-]{1,255}\/[0-9]+$)`: {
		"arn:aws:rekognition:us-east-1:123456789012:project/p/", "1",
		"arn:aws:rekognition:us-east-1:123456789012:project/" + strings.Repeat("p", 256) + "/1"},
	`(^arn:[a-z\d-]+:rekognition:[a-z\d-]+:\d{12}:project\/[a-zA-Z0-9_.\-]{1,255}\/dataset\/(train|test)\/[0-9]+$)`: {
		"arn:aws:rekognition:us-east-1:123456789012:project/p/dataset/test/", "1",
		"arn:aws:rekognition:us-east-1:123456789012:project/p/dataset/tests/1"},
	`(^arn:[a-z\d-]+:rekognition:[a-z\d-]+:\d{12}:project\/[a-zA-Z0-9_.\-]{1,255}\/version\/[a-zA-Z0-9_.\-]{1,255}\/[0-9]+$)`: {
		"arn:aws:rekognition:us-east-1:123456789012:project/p/version/v/", "1",
		"arn:aws:rekognition:us-east-1:123456789012:project/p/version//1"},
	`(^arn:[a-z\d-]+:rekognition:[a-z\d-]+:\d{12}:streamprocessor\/.+$)`: {
		"arn:aws:rekognition:us-east-1:123456789012:streamprocessor/", "s",
		"arn:aws:rekognition:us-east-1:123456789012:streamprocessor"},
	`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`: uuid,
	versionPattern: {"0.1.2", "0", "0.1.02"},
}

const versionPattern = `^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$`

// longest has the longest text of a pattern whose matches no filling makes longer.
var longest = map[string]string{versionPattern: "100.200.300"}

// text returns a matching text of n characters, or the nearest to it.
func (s sample) text(n int) string {
	return s.prefix + strings.Repeat(s.filling, max(n-len([]rune(s.prefix)), 0))
}

// variant is a value for a member: right if constraint is empty, otherwise wrong for that reason.
type variant struct {
	value      any
	constraint string
}

// valid returns a value of the shape with which nothing is wrong.
func (m *model) valid(t *testing.T, shape string) any {
	s := m.Shapes[shape]
	switch s.Type {
	case "structure":
		v := map[string]any{}
		for _, name := range s.Required {
			v[name] = m.valid(t, s.Members[name].Shape)
		}
		return v
	case "list":
		return slices.Repeat([]any{m.valid(t, s.Member.Shape)}, max(least(s), 1))
	case "map":
		return map[string]any{"k": "v"}
	case "string":
		if s.Enum != nil {
			return s.Enum[0]
		}
		filler, ok := samples[s.Pattern]
		if !ok {
			t.Fatalf("no sample for pattern %s", s.Pattern)
		}
		return filler.text(max(least(s), len(filler.prefix)+1))
	case "blob":
		return blob(1)
	case "boolean":
		return true
	}
	return least(s)
}

func least(s modelShape) int {
	if s.Min == nil {
		return 0
	}
	return *s.Min
}

func blob(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

// variants returns values on both sides of every limit of the shape itself.
func (m *model) variants(t *testing.T, shape string) []variant {
	s := m.Shapes[shape]
	var vs []variant
	length := func(of func(n int) any) {
		if s.Max != nil {
			vs = append(vs, variant{of(*s.Max), ""},
				variant{of(*s.Max + 1),
					fmt.Sprintf("Member must have length less than or equal to %d", *s.Max)})
		}
		if s.Min != nil && *s.Min > 0 {
			vs = append(vs, variant{of(*s.Min), ""},
				variant{of(*s.Min - 1),
					fmt.Sprintf("Member must have length greater than or equal to %d", *s.Min)})
		}
	}
	switch s.Type {
	case "string":
		for _, value := range s.Enum {
			vs = append(vs, variant{value, ""})
		}
		if s.Enum != nil {
			return append(vs,
				variant{"bogus", "Member must satisfy enum value set: [" +
					strings.Join(s.Enum, ", ") + "]"})
		}
		filler := samples[s.Pattern]
		length(func(n int) any {
			if text := longest[s.Pattern]; text != "" && len(text) == n {
				return text
			}
			text := filler.text(n)
			if got := len([]rune(text)); got > n {
				return text[:n]
			} else if got < n {
				return text + strings.Repeat("0", n-got)
			}
			return text
		})
		// No ARN is as short as the least length.
		vs = slices.DeleteFunc(vs, func(v variant) bool {
			return v.constraint == "" && len(v.value.(string)) < len(filler.prefix)
		})
		if s.Pattern != "" {
			vs = append(vs,
				variant{filler.wrong, "Member must satisfy regular expression pattern: " +
					s.Pattern})
		}
	case "blob":
		length(func(n int) any { return blob(n) })
	case "integer", "long", "float":
		if s.Max != nil {
			vs = append(vs, variant{*s.Max, ""},
				variant{beyond(s.Type, *s.Max, 1),
					fmt.Sprintf("Member must have value less than or equal to %d", *s.Max)})
		}
		if s.Min != nil {
			vs = append(vs, variant{*s.Min, ""},
				variant{beyond(s.Type, *s.Min, -1),
					fmt.Sprintf("Member must have value greater than or equal to %d", *s.Min)})
		}
		if s.Type == "float" {
			vs = append(vs, notFinite(s)...)
		}
	case "list":
		element := m.valid(t, s.Member.Shape)
		length(func(n int) any { return slices.Repeat([]any{element}, n) })
		if m.Shapes[s.Member.Shape].Type == "string" {
			for _, v := range m.variants(t, s.Member.Shape) {
				list := slices.Repeat([]any{element}, max(least(s), 1))
				list[len(list)-1] = v.value
				vs = append(vs, variant{list, within("Member", v.constraint)})
			}
		}
	case "map":
		length(func(n int) any {
			pairs := map[string]any{}
			for i := range n {
				pairs[fmt.Sprint("k", i)] = "v"
			}
			return pairs
		})
		for _, v := range m.variants(t, s.Key.Shape) {
			vs = append(vs,
				variant{map[string]any{v.value.(string): "v"}, within("Map keys", v.constraint)})
		}
		for _, v := range m.variants(t, s.Value.Shape) {
			vs = append(vs,
				variant{map[string]any{"k": v.value}, within("Map value", v.constraint)})
		}
	}
	return vs
}

// notFinite returns the values of a float that are beyond every limit. NaN is on no side of any.
func notFinite(s modelShape) []variant {
	const finite = "Member must be a finite number"
	if s.Max == nil && s.Min == nil {
		return []variant{{"NaN", finite}, {"Infinity", finite}, {"-Infinity", finite}}
	}
	most := fmt.Sprintf("Member must have value less than or equal to %d", *s.Max)
	least := fmt.Sprintf("Member must have value greater than or equal to %d", *s.Min)
	return []variant{{"NaN", most}, {"NaN", least}, {"Infinity", most}, {"-Infinity", least}}
}

// within words a violation of an element; what stands in the brackets is compared in part alone.
func within(subject, constraint string) string {
	if constraint == "" {
		return ""
	}
	return subject + " must satisfy constraint: [...]" + constraint
}

func beyond(kind string, limit, direction int) any {
	if kind == "float" {
		return math.Nextafter32(float32(limit), float32(limit+direction))
	}
	return limit + direction
}

// TestLimits walks every member of every input and holds it against both sides of each of its
// limits.
func TestLimits(t *testing.T) {
	var m model
	if err := json.Unmarshal(modelFile(t), &m); err != nil {
		t.Fatal(err)
	}
	right, wrong := 0, 0
	for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
		input := m.Operations[name].Input.Shape
		// build puts a value of the structure that is being walked into a whole input.
		var walk func(shape, path string, build func(any) any)
		walk = func(shape, path string, build func(any) any) {
			s := m.Shapes[shape]
			try := func(member string, v variant) {
				body := m.valid(t, shape).(map[string]any)
				body[member] = v.value
				if v.value == nil {
					delete(body, member)
				}
				if v.constraint == "" {
					right++
				} else {
					wrong++
				}
				attempt(t, name, path+strings.ToLower(member[:1])+member[1:], build(body),
					v.constraint)
			}
			for member, ref := range s.Members {
				if slices.Contains(s.Required, member) {
					try(member, variant{nil, "Member must not be null"})
				} else {
					try(member, variant{nil, ""})
				}
				for _, v := range m.variants(t, ref.Shape) {
					try(member, v)
				}
				deeper := func(path string, wrap func(any) any) func(any) any {
					return func(inner any) any {
						body := m.valid(t, shape).(map[string]any)
						body[member] = wrap(inner)
						return build(body)
					}
				}
				below := path + strings.ToLower(member[:1]) + member[1:]
				switch target := m.Shapes[ref.Shape]; target.Type {
				case "structure":
					walk(ref.Shape, below+".", deeper(below, func(inner any) any { return inner }))
				case "list":
					if m.Shapes[target.Member.Shape].Type == "structure" {
						n := max(least(target), 1)
						walk(target.Member.Shape, fmt.Sprintf("%s.%d.member.", below, n),
							deeper(below, func(inner any) any {
								list := slices.Repeat([]any{m.valid(t, target.Member.Shape)}, n)
								list[n-1] = inner
								return list
							}))
					}
				}
			}
		}
		attempt(t, name, "", m.valid(t, input), "")
		walk(input, "", func(body any) any { return body })
	}
	t.Logf("%d right and %d wrong inputs", right, wrong)
	if right < 900 || wrong < 900 {
		t.Error("too few")
	}
}

// attempt sends a body through Decode and Validate.
func attempt(t *testing.T, name, path string, body any, constraint string) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	op, _ := wire.Lookup(name)
	in := op.NewInput()
	if err := wire.Decode(data, in); err != nil {
		t.Errorf("%s %s: %v", name, path, err)
		return
	}
	err = wire.Validate(in)
	if constraint == "" {
		if err != nil {
			t.Errorf("%s %s: %.300v, want none", name, path, err)
		}
		return
	}
	if err == nil {
		t.Errorf("%s %s: no error, want %s", name, path, constraint)
		return
	}
	head, inner, _ := strings.Cut(constraint, "...]")
	prefix := "at '" + path + "' failed to satisfy constraint: " + head
	i := strings.Index(err.Error(), prefix)
	if i < 0 || !strings.Contains(err.Error()[i:], inner) {
		t.Errorf("%s %s: %.300v, want %s", name, path, err, constraint)
	}
	if strings.Count(err.Error(), " at '") != strings.Count(err.Error(), " at '"+path+"'") {
		t.Errorf("%s %s: something else is wrong too: %.300v", name, path, err)
	}
}
