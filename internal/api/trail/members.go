package trail

import (
	"math"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxText  = 2048 // bytes of a text in a record
	maxItems = 4096 // items of a list
)

// Parameters returns what a record says of an operation's input, a structure of package wire or a
// pointer to one: all members that are there, by the names that CloudTrail has for them, but blobs,
// which are the pictures. The members are found by their types, which are made from the service's
// model, so that a picture in a new operation is left out too. The model marks no input as secret,
// and none may be: the generator of the types refuses one.
func Parameters(input any) map[string]any {
	members, _ := walker{}.value(reflect.ValueOf(input)).(map[string]any)
	return members
}

// Response returns what a record says of an operation's output: the ids, ARNs, states and versions
// of what it made, changed or deleted, and nothing of what was seen in pictures.
func Response(output any) map[string]any {
	members, _ := walker{named: isReference}.value(reflect.ValueOf(output)).(map[string]any)
	return members
}

// isReference reports whether a member names or describes a thing, by its name.
func isReference(name string) bool {
	for _, ending := range []string{"Id", "Ids", "Arn", "Arns", "Status", "StatusCode", "Version",
		"Reasons", "Faces"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

// walker turns structures into what a record says of them.
type walker struct {
	// named reports whether a member that is a text, a number or a list of them is in the record;
	// nil: all are.
	named func(name string) bool
}

// value returns what a record says of a value; nil: nothing.
func (w walker) value(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return w.value(v.Elem())
	case reflect.Struct:
		if v.Type().ConvertibleTo(reflect.TypeFor[time.Time]()) {
			at, _ := v.Convert(reflect.TypeFor[time.Time]()).Interface().(time.Time)
			return at.UTC().Format(time.RFC3339Nano)
		}
		members := map[string]any{}
		w.members(v, members)
		if len(members) == 0 {
			return nil
		}
		return members
	case reflect.Slice:
		return w.list(v)
	case reflect.Map:
		members := map[string]any{}
		for pairs := v.MapRange(); pairs.Next(); {
			if item := w.value(pairs.Value()); item != nil {
				members[cut(pairs.Key().String(), maxText)] = item
			}
		}
		return members
	case reflect.String:
		return cut(v.String(), maxText)
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		return "not a finite number"
	}
	return nil
}

// members adds the members of a structure.
func (w walker) members(v reflect.Value, to map[string]any) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		if field.Anonymous && v.Field(i).Kind() == reflect.Struct {
			w.members(v.Field(i), to)
			continue
		}
		if w.named != nil && isLeaf(field.Type) && !w.named(field.Name) {
			continue
		}
		if item := w.value(v.Field(i)); item != nil {
			to[lowerCamel(field.Name)] = item
		}
	}
}

// isLeaf reports whether values of a type have no members.
func isLeaf(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Kind() != reflect.Struct
}

func (w walker) list(v reflect.Value) any {
	if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
		return nil
	}
	items := []any{}
	for i := range min(v.Len(), maxItems) {
		if item := w.value(v.Index(i)); item != nil {
			items = append(items, item)
		}
	}
	if v.Len() > maxItems {
		items = append(items, "...")
	}
	if w.named != nil && len(items) == 0 {
		return nil
	}
	return items
}

// lowerCamel is CloudTrail's form of a member's name: collectionId for CollectionId, kmsKeyId for
// KmsKeyId, sNSTopicArn for SNSTopicArn.
func lowerCamel(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}
