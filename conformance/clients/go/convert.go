package main

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"time"
)

// decodeInput makes an input of type t, a pointer to a struct, from the protocol's JSON as
// encoding/json decodes it, numbers as json.Number. What does not fit the type is a refusal.
func decodeInput(t reflect.Type, from any) (reflect.Value, error) {
	input := reflect.New(t.Elem())
	if from == nil {
		return input, nil
	}
	return input, decode(input.Elem(), from, "input")
}

// decode sets a value; at is where it stands in the input, for the error's text.
func decode(to reflect.Value, from any, at string) error {
	misfit := refuse("%s: %T does not fit %s", at, from, to.Type())
	switch to.Interface().(type) {
	case []byte:
		members, _ := from.(map[string]any)
		text, ok := members["$blob"].(string)
		if !ok {
			return misfit
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return refuse("%s: %w", at, err)
		}
		to.SetBytes(data)
		return nil
	case time.Time:
		number, ok := from.(json.Number)
		if !ok {
			return misfit
		}
		seconds, err := number.Float64()
		if err != nil {
			return refuse("%s: %w", at, err)
		}
		to.Set(reflect.ValueOf(time.UnixMilli(int64(seconds * 1000)).UTC()))
		return nil
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return decode(to.Elem(), from, at)
	case reflect.Struct, reflect.Map:
		members, ok := from.(map[string]any)
		if !ok {
			return misfit
		}
		return decodeMembers(to, members, at)
	case reflect.Slice:
		items, ok := from.([]any)
		if !ok {
			return misfit
		}
		to.Set(reflect.MakeSlice(to.Type(), len(items), len(items)))
		for i, item := range items {
			if err := decode(to.Index(i), item, at+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	}
	switch value := from.(type) {
	case map[string]any:
		text, ok := value["$float"].(string)
		if ok && len(value) == 1 && to.CanFloat() {
			x, err := strconv.ParseFloat(text, to.Type().Bits())
			if err != nil {
				return refuse("%s: %w", at, err)
			}
			to.SetFloat(x)
			return nil
		}
	case string:
		if to.Kind() == reflect.String {
			to.SetString(value)
			return nil
		}
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(value)
			return nil
		}
	case json.Number:
		if to.CanInt() {
			n, err := strconv.ParseInt(value.String(), 10, to.Type().Bits())
			if err != nil {
				return refuse("%s: %w", at, err)
			}
			to.SetInt(n)
			return nil
		}
		if to.CanFloat() {
			x, err := strconv.ParseFloat(value.String(), to.Type().Bits())
			if err != nil {
				return refuse("%s: %w", at, err)
			}
			to.SetFloat(x)
			return nil
		}
	}
	return misfit
}

func decodeMembers(to reflect.Value, members map[string]any, at string) error {
	if to.Kind() == reflect.Map {
		to.Set(reflect.MakeMap(to.Type()))
	}
	for name, member := range members {
		if to.Kind() == reflect.Map {
			value := reflect.New(to.Type().Elem()).Elem()
			if err := decode(value, member, at+"."+name); err != nil {
				return err
			}
			to.SetMapIndex(reflect.ValueOf(name).Convert(to.Type().Key()), value)
			continue
		}
		field, ok := to.Type().FieldByName(name)
		if !ok || !field.IsExported() {
			return refuse("%s: %s has no member %s", at, to.Type(), name)
		}
		if member == nil {
			continue
		}
		if err := decode(to.FieldByIndex(field.Index), member, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// encode turns what the SDK returns into the protocol's JSON, for encoding/json: members that were
// not received are left out, a float32 keeps its value rather than its shortest text.
func encode(from reflect.Value) any {
	switch value := from.Interface().(type) {
	case time.Time:
		return float64(value.UnixMilli()) / 1000
	case []byte:
		return map[string]string{"$blob": base64.StdEncoding.EncodeToString(value)}
	}
	switch from.Kind() {
	case reflect.Pointer:
		return encode(from.Elem())
	case reflect.Struct:
		members := map[string]any{}
		for i := range from.NumField() {
			field := from.Type().Field(i)
			if field.IsExported() && field.Name != "ResultMetadata" && received(from.Field(i)) {
				members[field.Name] = encode(from.Field(i))
			}
		}
		return members
	case reflect.Map:
		members := map[string]any{}
		for key, value := range from.Seq2() {
			members[key.String()] = encode(value)
		}
		return members
	case reflect.Slice:
		items := make([]any, from.Len())
		for i := range items {
			items[i] = encode(from.Index(i))
		}
		return items
	case reflect.Float32, reflect.Float64:
		return from.Float()
	}
	return from.Interface()
}

// received says whether a member stood in the answer, as far as the SDK shows it: an enumeration
// that did not is empty. Numbers and truth values that are no pointers are there always, as for any
// caller of the SDK.
func received(member reflect.Value) bool {
	switch member.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return !member.IsNil()
	case reflect.String:
		return member.Len() > 0
	}
	return true
}
