package wire_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// FuzzDecode decodes any bytes as any operation's input and output. What is taken must encode,
// unless it has a float that is not finite, and must come back the same from what it encodes to. A
// float that is not finite is never valid.
func FuzzDecode(f *testing.F) {
	for i, body := range []string{
		`{}`, `null`, `[]`, `"x"`, `{"CollectionId":"c","FaceIds":["a"],"MaxResults":5.0}`,
		`{"Image":{"Bytes":"AAAA"},"Image":{"S3Object":{"Bucket":"b","Name":"n"}},` +
			`"Attributes":["ALL"]}`,
		`{"Tags":{"a":"1","b":null}}`, `{"Tags":{"a":"1","a":"\u00e9"}}`,
		`{"FaceMatchThreshold":1e-4,"MaxFaces":-0.5e1}`,
		`{"CreationTimestamp":1.533422155042E9,"FaceCount":9223372036854775807}`,
		`{"Datasets":[{"Arn":"arn"},{}]}`, `{"DataSharingPreference":{"OptIn":true},"X":[[[{}]]]}`,
		`{"Filters":{"WordFilter":{"MinConfidence":50},` +
			`"RegionsOfInterest":[{"Polygon":[{"X":0.1,"Y":1e-9}]}]}}`,
		`{"FaceMatches":[{"Similarity":100.0,"Face":{"BoundingBox":{"Left":-0.0}}}]}`,
		`{"FaceMatchThreshold":"NaN"}`, `{"SimilarityThreshold":"-Infinity"}`,
		`{"Image":{"Bytes":"\/\/8=\n"}}`, `{"CollectionId":"\ud83d"}`, `{"MaxResults":1e99999}`,
		"{\"CollectionId\":\"\xff\"}",
	} {
		f.Add(i*4, []byte(body))
	}
	operations := wire.Operations()
	f.Fuzz(func(t *testing.T, n int, body []byte) {
		op := operations[uint(n)%uint(len(operations))]
		for _, newMessage := range []func() any{op.NewInput, op.NewOutput} {
			first := newMessage()
			if err := wire.Decode(body, first); err != nil {
				own, ok := errors.AsType[*wire.SerializationError](err)
				if !ok || len(own.Message) > 100 || !utf8.ValidString(own.Message) {
					t.Fatalf("%s: error %v of type %T", op.Name, err, err)
				}
				continue
			}
			text, err := wire.Encode(first)
			if hasNotFinite(reflect.ValueOf(first)) {
				if err == nil {
					t.Fatalf("%s: a float that is not finite is encoded: %s", op.Name, text)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", op.Name, err)
			}
			second := newMessage()
			if err := wire.Decode(text, second); err != nil {
				t.Fatalf("%s: %s: %v", op.Name, text, err)
			}
			if !reflect.DeepEqual(first, second) {
				t.Fatalf("%s: %s comes back different", op.Name, text)
			}
			again, err := wire.Encode(second)
			if err != nil || !bytes.Equal(text, again) {
				t.Fatalf("%s: %s is %s the second time, %v", op.Name, text, again, err)
			}
		}
		in := op.NewInput()
		if wire.Decode(body, in) != nil {
			return
		}
		err := wire.Validate(in)
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Fatalf("%s: message is not UTF-8: %q", op.Name, err)
		}
		if err == nil && hasNotFinite(reflect.ValueOf(in)) {
			t.Fatalf("%s: %s is valid", op.Name, body)
		}
	})
}

// hasNotFinite reports whether there is a float in the value that is NaN or infinite.
func hasNotFinite(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && hasNotFinite(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && hasNotFinite(v.Field(i)) {
				return true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if hasNotFinite(v.Index(i)) {
				return true
			}
		}
	case reflect.Float32:
		return math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)
	}
	return false
}
