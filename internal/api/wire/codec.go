package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SerializationError says why a body is not an operation's input. Message is safe to show to the
// client: it holds nothing of the body.
type SerializationError struct {
	Message string
}

func (e *SerializationError) Error() string { return e.Message }

// Decode reads a request's body, which must be one JSON object or empty, into input, a structure
// that [Operation].NewInput made. An empty body stands for an object without members. Every error
// is a [*SerializationError], and leaves input half filled.
//
// Names are case-sensitive, unknown members are passed over, null is the same as absent, and of
// members with the same name the last one counts. An element of a list or map cannot be null.
// Integers may be written with a fraction or an exponent if they are whole (5.0, 5e0). Blobs are
// standard base64 with padding; line breaks in it are passed over, because the usual tools make
// them. Values nest at most 10,000 deep. Data is not kept, and a blob costs no more memory than its
// decoded size, plus a copy of its text if that has escapes (as PHP writes the slash).
func Decode(data []byte, input any) error {
	if _, ok := input.(structure); !ok {
		return &SerializationError{"Unknown operation input"}
	}
	if len(data) == 0 {
		return nil
	}
	err := json.Unmarshal(data, input, decoding)
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*SerializationError](err); ok {
		return own
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &SerializationError{fmt.Sprintf("The request body is not valid JSON, at byte %d",
			syntax.ByteOffset)}
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok && semantic.GoType != nil {
		return mismatch(semantic.JSONKind, typeName(semantic.GoType))
	}
	return &SerializationError{"The request body is not valid JSON"}
}

// Encode writes a response's body: compact JSON of output, a structure that [Operation].NewOutput
// made. It fails if a float is not finite, a timestamp out of range or a string not UTF-8.
func Encode(output any) ([]byte, error) {
	if s, ok := output.(structure); !ok || reflect.ValueOf(s).IsNil() {
		return nil, fmt.Errorf("encoding %T: not an operation's output", output)
	}
	data, err := json.Marshal(output, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", output, err)
	}
	return data, nil
}

// decoding holds what differs from the package's own rules. A function that returns ErrUnsupported
// leaves the value to them.
var decoding = json.JoinOptions(
	jsontext.AllowDuplicateNames(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v structure) error {
			if kind := dec.PeekKind(); kind != '{' {
				return unexpected(dec, kind, "Structure")
			}
			v.reset() // else a second member of the same name would be merged with the first
			return errors.ErrUnsupported
		}),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *map[string]string) error {
			*v = nil // as above
			return errors.ErrUnsupported
		}),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, _ *string) error {
			// A null that stands for an absent member never comes here: its pointer is set to nil.
			if kind := dec.PeekKind(); kind != '"' {
				return unexpected(dec, kind, "String")
			}
			return errors.ErrUnsupported
		}),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *int32) error {
			n, err := readInteger(dec, 32, "Integer")
			*v = int32(n)
			return err
		}),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *int64) error {
			n, err := readInteger(dec, 64, "Long")
			*v = n
			return err
		}),
		json.UnmarshalFromFunc(readBlob),
	)),
)

// readBlob reads base64 text.
func readBlob(dec *jsontext.Decoder, v *[]byte) error {
	switch kind := dec.PeekKind(); kind {
	case '"':
	case 'n':
		*v = nil
		return dec.SkipValue()
	default:
		return unexpected(dec, kind, "Blob")
	}
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	quoted := text[1 : len(text)-1]
	if bytes.IndexByte(quoted, '\\') >= 0 {
		if quoted, err = jsontext.AppendUnquote(nil, text); err != nil {
			return err
		}
	}
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(quoted)))
	n, err := base64.StdEncoding.Decode(blob, quoted)
	if err != nil {
		return &SerializationError{"STRING_VALUE cannot be converted to Blob: it is not base64"}
	}
	*v = blob[:n]
	return nil
}

// unexpected is the error for a value of the wrong kind. Where there is no value the decoder knows
// better.
func unexpected(dec *jsontext.Decoder, kind jsontext.Kind, target string) error {
	if kind == jsontext.KindInvalid {
		_, err := dec.ReadToken()
		return err
	}
	return mismatch(kind, target)
}

// mismatch is worded as the service's framework does it.
func mismatch(kind jsontext.Kind, target string) *SerializationError {
	switch kind {
	case 'n':
		return &SerializationError{"NULL_VALUE cannot be converted to " + target}
	case 't':
		return &SerializationError{"TRUE_VALUE cannot be converted to " + target}
	case 'f':
		return &SerializationError{"FALSE_VALUE cannot be converted to " + target}
	case '0':
		return &SerializationError{"NUMBER_VALUE cannot be converted to " + target}
	case '"':
		return &SerializationError{"STRING_VALUE cannot be converted to " + target}
	case '[':
		return &SerializationError{"Start of list found where not expected"}
	case '{':
		return &SerializationError{"Start of structure or map found where not expected"}
	}
	return &SerializationError{"Unexpected value for " + target}
}

func outOfRange(target string) *SerializationError {
	return &SerializationError{"NUMBER_VALUE is out of range for " + target}
}

// typeName is the framework's word for the type.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "Boolean"
	case reflect.String:
		return "String"
	case reflect.Slice:
		return "List"
	case reflect.Map:
		return "Map"
	case reflect.Pointer:
		return typeName(t.Elem())
	}
	return "Structure"
}
