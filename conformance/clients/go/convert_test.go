package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/rekognition"
)

// Whatever kinds the SDK's structs are made of come back as they were given: pointers,
// enumerations, lists (also empty ones), maps, binary data, float32s that no decimal of few digits
// names, timestamps.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		input any
		text  string
	}{
		{rekognition.CreateCollectionInput{}, `{"CollectionId":"c","Tags":{"a":"b","empty":""}}`},
		{rekognition.IndexFacesInput{},
			`{"CollectionId":"c","DetectionAttributes":["ALL"],` +
				`"Image":{"Bytes":{"$blob":"AP8Q"}},"MaxFaces":3,"QualityFilter":"NONE"}`},
		{rekognition.SearchFacesInput{},
			`{"CollectionId":"c","FaceId":"f","FaceMatchThreshold":99.993408203125}`},
		{rekognition.ListFacesInput{}, `{"CollectionId":"c","FaceIds":[],"MaxResults":0}`},
		{rekognition.DescribeCollectionOutput{},
			`{"CreationTimestamp":1569444828.274,"FaceCount":0}`},
		{rekognition.DetectFacesOutput{},
			`{"FaceDetails":[{"Emotions":[{"Confidence":7.5,"Type":"CALM"}],` +
				`"EyesOpen":{"Confidence":0.5,"Value":false}}]}`},
		{rekognition.SearchFacesOutput{},
			`{"FaceMatches":[{"Face":{"BoundingBox":{"Height":0.24770642817020416}},` +
				`"Similarity":100}]}`},
	} {
		value, err := decodeInput(reflect.PointerTo(reflect.TypeOf(c.input)), parse(t, c.text))
		if err != nil {
			t.Errorf("%T: %v", c.input, err)
			continue
		}
		text, err := json.Marshal(encode(value))
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != c.text {
			t.Errorf("%T:\ngot  %s\nwant %s", c.input, text, c.text)
		}
	}
}

func TestFloatsThatJSONHasNoNumberFor(t *testing.T) {
	for text, want := range map[string]string{
		"NaN": "NaN", "Infinity": "+Inf", "-Infinity": "-Inf",
	} {
		value, err := decodeInput(reflect.TypeFor[*rekognition.SearchFacesInput](),
			parse(t, `{"FaceMatchThreshold":{"$float":"`+text+`"}}`))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := *value.Interface().(*rekognition.SearchFacesInput).FaceMatchThreshold
		if fmt.Sprint(got) != want {
			t.Errorf("%s becomes %v", text, got)
		}
	}
}

func TestDecodeRefusesWhatDoesNotFit(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                                  "input: []interface {} does not fit",
		`{"collectionId":"c"}`:                "has no member collectionId",
		`{"noSmithyDocumentSerde":{}}`:        "has no member noSmithyDocumentSerde",
		`{"CollectionId":7}`:                  "input.CollectionId: json.Number does not fit",
		`{"MaxFaces":1.5}`:                    "input.MaxFaces: ",
		`{"MaxFaces":4294967296}`:             "out of range",
		`{"DetectionAttributes":"ALL"}`:       "input.DetectionAttributes: string does not fit",
		`{"DetectionAttributes":[true]}`:      "input.DetectionAttributes[0]: bool does not fit",
		`{"Image":{"Bytes":"AP8Q"}}`:          "input.Image.Bytes: string does not fit",
		`{"Image":{"Bytes":{"$blob":"AP8"}}}`: "illegal base64 data",
		`{"MaxFaces":{"$float":"NaN"}}`: "input.MaxFaces: map[string]interface {} " +
			"does not fit",
	} {
		_, err := decodeInput(reflect.TypeFor[*rekognition.IndexFacesInput](), parse(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if failure(err).Refused == "" {
			t.Errorf("%s: %+v is no refusal", text, failure(err))
		}
	}
}

// Every operation whose input and output have a NextToken has a paginator in the table, but for
// those that the SDK has none for.
func TestTableOfPaginatorsIsWhole(t *testing.T) {
	table := paginators()
	client := reflect.TypeFor[*rekognition.Client]()
	for i := range client.NumMethod() {
		method := client.Method(i)
		if !isOperation(reflect.ValueOf(&rekognition.Client{}).Method(i).Type()) {
			continue
		}
		_, pages := method.Type.In(2).Elem().FieldByName("NextToken")
		if _, ok := table[method.Name]; ok != pages {
			t.Errorf("%s: has pages: %v, is in the table: %v", method.Name, pages, ok)
		}
	}
}

func parse(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}
