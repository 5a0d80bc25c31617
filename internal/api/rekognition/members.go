package rekognition

import (
	"reflect"
	"slices"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// The functions of this file find members of inputs by their types and names, which are generated
// from the model. So no list of members is kept by hand that a new operation could be missing from.

// objectsOf returns the objects of S3 that an input names, at any depth. An image that is given as
// bytes too is left out: the handler rejects it.
func objectsOf(input any) []*wire.S3Object {
	var found []*wire.S3Object
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if object, ok := v.Interface().(*wire.S3Object); ok {
				if object != nil {
					found = append(found, object)
				}
			} else if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() != reflect.Uint8 {
				for i := range v.Len() {
					walk(v.Index(i))
				}
			}
		case reflect.Map:
			for pairs := v.MapRange(); pairs.Next(); {
				walk(pairs.Value())
			}
		case reflect.Struct:
			if image, ok := v.Interface().(wire.Image); ok && image.Bytes != nil {
				return
			}
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		}
	}
	walk(reflect.ValueOf(input))
	return found
}

// holdsObjects reports whether inputs of the type can name objects of S3.
func holdsObjects(input reflect.Type) bool { return holds(input, reflect.TypeFor[wire.S3Object]()) }

// holds reports whether values of one type can have a value of another within them.
func holds(t, wanted reflect.Type) bool {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type) bool
	walk = func(t reflect.Type) bool {
		if t == wanted {
			return true
		}
		if seen[t] {
			return false
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			return walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				if t.Field(i).IsExported() && walk(t.Field(i).Type) {
					return true
				}
			}
		}
		return false
	}
	return walk(t)
}

// resourceMembers returns the paths of an input's members that name resources of the service, by
// the model's naming: CollectionId, and what ends in Arn. Roles, topics, keys and streams are not
// the service's.
func resourceMembers(input reflect.Type) []string {
	foreign := []string{"RoleArn", "SNSTopicArn", "KmsKeyArn", "FlowDefinitionArn"}
	var found []string
	var walk func(t reflect.Type, path []string)
	walk = func(t reflect.Type, path []string) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(t.Elem(), path)
		case reflect.Struct:
			for i := range t.NumField() {
				field := t.Field(i)
				inner := append(slices.Clone(path), field.Name)
				// The Arn of a stream of Kinesis is the one that stands alone within another
				// member.
				stream := strings.HasPrefix(t.Name(), "Kinesis")
				if field.Type == reflect.TypeFor[*string]() && !stream &&
					!slices.Contains(foreign, field.Name) &&
					(field.Name == "CollectionId" || strings.HasSuffix(field.Name, "Arn")) {
					found = append(found, strings.Join(inner, "."))
				}
				if field.IsExported() {
					walk(field.Type, inner)
				}
			}
		}
	}
	walk(input, nil)
	return found
}

// requestTags returns the tags that an input brings, and whether it has a member for them.
func requestTags(input any) (tags map[string]string, ok bool) {
	field := reflect.ValueOf(input).Elem().FieldByName("Tags")
	if !field.IsValid() {
		return nil, false
	}
	tags, ok = field.Interface().(map[string]string)
	return tags, ok
}

// hasText reports whether a path leads to a text member of a type, through structures and lists.
func hasText(t reflect.Type, path []string) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if len(path) == 0 {
		return t.Kind() == reflect.String
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	field, ok := t.FieldByName(path[0])
	return ok && hasText(field.Type, path[1:])
}

// texts returns the values at a path, through structures and lists. What is absent has none.
func texts(v reflect.Value, path []string) []string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return texts(v.Elem(), path)
	case reflect.Slice:
		var all []string
		for i := range v.Len() {
			all = append(all, texts(v.Index(i), path)...)
		}
		return all
	case reflect.Struct:
		if len(path) > 0 {
			return texts(v.FieldByName(path[0]), path[1:])
		}
	case reflect.String:
		if len(path) == 0 {
			return []string{v.String()}
		}
	}
	return nil
}
