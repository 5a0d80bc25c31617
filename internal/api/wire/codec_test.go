package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

func TestDecodeAccepts(t *testing.T) {
	for _, test := range []struct {
		name, operation, body, want string
	}{
		{"no body", "ListCollections", ``, `{}`},
		{"nothing", "ListCollections", ` {} `, `{}`},
		{"unknown members", "ListCollections",
			`{"x":{"y":[1,{"z":null}]},"MaxResults":1,"maxresults":2}`, `{"MaxResults":1}`},
		{"null is absent", "ListFaces", `{"CollectionId":null,"FaceIds":null,"MaxResults":null}`,
			`{}`},
		{"null in the place of a structure, blob and map", "CreateCollection",
			`{"CollectionId":"c","Tags":null}`, `{"CollectionId":"c"}`},
		{"null blob", "DetectFaces", `{"Image":{"Bytes":null}}`, `{"Image":{}}`},
		{"empty list", "ListFaces", `{"FaceIds":[]}`, `{"FaceIds":[]}`},
		{"empty text", "ListFaces", `{"CollectionId":""}`, `{"CollectionId":""}`},
		{"empty blob", "DetectFaces", `{"Image":{"Bytes":""}}`, `{"Image":{"Bytes":""}}`},
		{"last of equal names", "ListFaces",
			`{"MaxResults":1,"FaceIds":["a","b"],"MaxResults":2,"FaceIds":["c"]}`,
			`{"MaxResults":2,"FaceIds":["c"]}`},
		{"last of equal names is null", "ListFaces", `{"MaxResults":1,"MaxResults":null}`, `{}`},
		{"last of equal structures", "DetectFaces",
			`{"Image":{"Bytes":"AAAA"},"Image":{"S3Object":{"Name":"n"}}}`,
			`{"Image":{"S3Object":{"Name":"n"}}}`},
		{"last of equal maps", "TagResource", `{"Tags":{"a":"1"},"Tags":{"b":"2","b":"3"}}`,
			`{"Tags":{"b":"3"}}`},
		{"last of equal lists of structures", "DistributeDatasetEntries",
			`{"Datasets":[{"Arn":"a"},{}],"Datasets":[{},{"Arn":"b"}]}`,
			`{"Datasets":[{},{"Arn":"b"}]}`},
		{"whole numbers", "ListFaces", `{"MaxResults":5.0}`, `{"MaxResults":5}`},
		{"exponents", "ListFaces", `{"MaxResults":0.50e+1}`, `{"MaxResults":5}`},
		{"negative exponent", "ListFaces", `{"MaxResults":-500E-2}`, `{"MaxResults":-5}`},
		{"negative zero", "ListFaces", `{"MaxResults":-0.0e99999999999999999999}`,
			`{"MaxResults":0}`},
		{"largest integer", "ListFaces", `{"MaxResults":2147483647}`, `{"MaxResults":2147483647}`},
		{"least integer", "ListFaces", `{"MaxResults":-2.147483648e9}`,
			`{"MaxResults":-2147483648}`},
		{"largest long", "StartStreamProcessor",
			`{"StopSelector":{"MaxDurationInSeconds":9223372036854775807}}`,
			`{"StopSelector":{"MaxDurationInSeconds":9223372036854775807}}`},
		{"whole floats", "SearchFaces", `{"FaceMatchThreshold":80}`, `{"FaceMatchThreshold":80.0}`},
		{"floats", "SearchFaces", `{"FaceMatchThreshold":99.99}`,
			`{"FaceMatchThreshold":99.98999786376953}`},
		{"base64 with escapes", "DetectFaces", `{"Image":{"Bytes":"\/\/\/\/\u0041A=="}}`,
			`{"Image":{"Bytes":"////AA=="}}`},
		{"base64 with line breaks", "DetectFaces", `{"Image":{"Bytes":"AAAA\r\nAA\n==\n"}}`,
			`{"Image":{"Bytes":"AAAAAA=="}}`},
		{"text beyond ASCII", "ListFaces", `{"CollectionId":"\u00e9\ud83d\ude00<&>"}`,
			`{"CollectionId":"é😀<&>"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			op, _ := wire.Lookup(test.operation)
			in := op.NewInput()
			if err := wire.Decode([]byte(test.body), in); err != nil {
				t.Fatal(err)
			}
			got, err := wire.Encode(in)
			if err != nil {
				t.Fatal(err)
			}
			var w, g any
			if json.Unmarshal([]byte(test.want), &w) != nil || json.Unmarshal(got, &g) != nil {
				t.Fatalf("bad JSON: %s", got)
			}
			difference(t, "", w, g)
			if len(got) != len(test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const notJSON = "The request body is not valid JSON"
	for _, test := range []struct {
		name, operation, body, want string
	}{
		{"white space", "ListFaces", ` `, notJSON},
		{"not JSON", "ListFaces", `CollectionId=a`, notJSON},
		{"cut off", "ListFaces", `{"CollectionId":"a"`, notJSON},
		{"cut off before a value", "ListFaces", `{"CollectionId":`, notJSON},
		{"cut off in a blob", "DetectFaces", `{"Image":{"Bytes":"AAAA`, notJSON},
		{"trailing comma", "ListFaces", `{"MaxResults":1,}`, notJSON},
		{"trailing data", "ListFaces", `{}{}`, notJSON},
		{"trailing text", "ListFaces", `{} x`, notJSON},
		{"byte order mark", "ListFaces", "\ufeff{}", notJSON},
		{"not UTF-8", "ListFaces", "{\"CollectionId\":\"\xff\"}", notJSON},
		{"not UTF-8 in an unknown member", "ListFaces", "{\"X\":\"\xc3\x28\"}", notJSON},
		{"half a surrogate pair", "ListFaces", `{"CollectionId":"\ud83d"}`, notJSON},
		{"NaN", "SearchFaces", `{"FaceMatchThreshold":NaN}`, notJSON},
		{"hexadecimal", "ListFaces", `{"MaxResults":0x10}`, notJSON},
		{"too deep", "ListFaces", `{"X":` + strings.Repeat("[", 100_000) +
			strings.Repeat("]", 100_000) + `}`, notJSON},
		{"null", "ListFaces", `null`, "NULL_VALUE cannot be converted to Structure"},
		{"list", "ListFaces", `[]`, "Start of list found where not expected"},
		{"text", "ListFaces", `"x"`, "STRING_VALUE cannot be converted to Structure"},
		{"number for text", "ListFaces", `{"CollectionId":5}`,
			"NUMBER_VALUE cannot be converted to String"},
		{"boolean for text", "ListFaces", `{"CollectionId":true}`,
			"TRUE_VALUE cannot be converted to String"},
		{"structure for text", "ListFaces", `{"CollectionId":{}}`,
			"Start of structure or map found where not expected"},
		{"text for integer", "ListFaces", `{"MaxResults":"5"}`,
			"STRING_VALUE cannot be converted to Integer"},
		{"fraction for integer", "ListFaces", `{"MaxResults":5.5}`,
			"NUMBER_VALUE with a fraction cannot be converted to Integer"},
		{"small exponent for integer", "ListFaces", `{"MaxResults":5e-1}`,
			"NUMBER_VALUE with a fraction cannot be converted to Integer"},
		{"too small exponent", "ListFaces", `{"MaxResults":5e-99999999999999999999}`,
			"NUMBER_VALUE with a fraction cannot be converted to Integer"},
		{"too large an integer", "ListFaces", `{"MaxResults":2147483648}`,
			"NUMBER_VALUE is out of range for Integer"},
		{"too large an exponent", "ListFaces", `{"MaxResults":1e99999999999999999999}`,
			"NUMBER_VALUE is out of range for Integer"},
		{"too large a long", "StartStreamProcessor",
			`{"StopSelector":{"MaxDurationInSeconds":9223372036854775808}}`,
			"NUMBER_VALUE is out of range for Long"},
		{"too many digits", "ListFaces", `{"MaxResults":` + strings.Repeat("1", 100_000) + `}`,
			"NUMBER_VALUE is out of range for Integer"},
		{"too large a float", "SearchFaces", `{"FaceMatchThreshold":1e39}`,
			"NUMBER_VALUE is out of range for Float"},
		{"text for float", "SearchFaces", `{"FaceMatchThreshold":"80"}`,
			"STRING_VALUE cannot be converted to Float"},
		{"no text for float", "SearchFaces", `{"FaceMatchThreshold":""}`,
			"STRING_VALUE cannot be converted to Float"},
		{"NaN in another case", "SearchFaces", `{"FaceMatchThreshold":"nan"}`,
			"STRING_VALUE cannot be converted to Float"},
		{"shortened infinity", "SearchFaces", `{"FaceMatchThreshold":"Inf"}`,
			"STRING_VALUE cannot be converted to Float"},
		{"infinity with a plus", "SearchFaces", `{"FaceMatchThreshold":"+Infinity"}`,
			"STRING_VALUE cannot be converted to Float"},
		{"NaN with a space", "SearchFaces", `{"FaceMatchThreshold":"NaN "}`,
			"STRING_VALUE cannot be converted to Float"},
		{"NaN for integer", "ListFaces", `{"MaxResults":"NaN"}`,
			"STRING_VALUE cannot be converted to Integer"},
		{"NaN for timestamp", "DescribeCollection output", `{"CreationTimestamp":"NaN"}`,
			"STRING_VALUE cannot be converted to Timestamp"},
		{"number for boolean", "CreateStreamProcessor", `{"DataSharingPreference":{"OptIn":1}}`,
			"NUMBER_VALUE cannot be converted to Boolean"},
		{"text for list", "ListFaces", `{"FaceIds":"a"}`,
			"STRING_VALUE cannot be converted to List"},
		{"null in list", "ListFaces", `{"FaceIds":["a",null]}`,
			"NULL_VALUE cannot be converted to String"},
		{"null structure in list", "DistributeDatasetEntries", `{"Datasets":[null]}`,
			"NULL_VALUE cannot be converted to Structure"},
		{"list for map", "TagResource", `{"Tags":[{"Key":"a","Value":"b"}]}`,
			"Start of list found where not expected"},
		{"text for map", "TagResource", `{"Tags":"a"}`, "STRING_VALUE cannot be converted to Map"},
		{"null in map", "TagResource", `{"Tags":{"a":null}}`,
			"NULL_VALUE cannot be converted to String"},
		{"number for blob", "DetectFaces", `{"Image":{"Bytes":1}}`,
			"NUMBER_VALUE cannot be converted to Blob"},
		{"list for blob", "DetectFaces", `{"Image":{"Bytes":[1,2]}}`,
			"Start of list found where not expected"},
		{"text for structure", "DetectFaces", `{"Image":"AAAA"}`,
			"STRING_VALUE cannot be converted to Structure"},
		{"base64 without padding", "DetectFaces", `{"Image":{"Bytes":"AA"}}`,
			"STRING_VALUE cannot be converted to Blob: it is not base64"},
		{"base64 for addresses", "DetectFaces", `{"Image":{"Bytes":"__--"}}`,
			"STRING_VALUE cannot be converted to Blob: it is not base64"},
		{"base64 with a space", "DetectFaces", `{"Image":{"Bytes":"AA AA"}}`,
			"STRING_VALUE cannot be converted to Blob: it is not base64"},
		{"data address", "DetectFaces", `{"Image":{"Bytes":"data:image/jpeg;base64,AAAA"}}`,
			"STRING_VALUE cannot be converted to Blob: it is not base64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name, output := strings.CutSuffix(test.operation, " output")
			op, _ := wire.Lookup(name)
			into := op.NewInput()
			if output {
				into = op.NewOutput()
			}
			err := wire.Decode([]byte(test.body), into)
			own, ok := errors.AsType[*wire.SerializationError](err)
			if !ok {
				t.Fatalf("error %v of type %T", err, err)
			}
			if test.want == notJSON {
				if !strings.HasPrefix(own.Message, notJSON+", at byte ") {
					t.Errorf("message %q", own.Message)
				}
			} else if own.Message != test.want {
				t.Errorf("message %q, want %q", own.Message, test.want)
			}
			if len(own.Message) > 100 {
				t.Errorf("message of %d bytes", len(own.Message))
			}
		})
	}
}

// TestDecodeNotFinite reads the texts of floats that no JSON number stands for.
func TestDecodeNotFinite(t *testing.T) {
	for body, want := range map[string]float64{
		`"NaN"`:                math.NaN(),
		`"\u004eaN"`:           math.NaN(),
		`"Infinity"`:           math.Inf(1),
		`"-Infinity"`:          math.Inf(-1),
		`5,"Similarity":"NaN"`: math.NaN(),
	} {
		var in wire.FaceMatch
		if err := wire.Decode([]byte(`{"Similarity":`+body+`}`), &in); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		got := float64(*in.Similarity)
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, test := range []struct {
		name   string
		output any
		want   string
	}{
		{"empty structure", &wire.TagResourceResponse{}, `{}`},
		{"absent and empty list",
			&wire.DeleteFacesResponse{UnsuccessfulFaceDeletions: []wire.UnsuccessfulFaceDeletion{}},
			`{"UnsuccessfulFaceDeletions":[]}`},
		{"zero values",
			&wire.DescribeCollectionResponse{FaceCount: new(int64(0)), CollectionARN: new("")},
			`{"FaceCount":0,"CollectionARN":""}`},
		{"floats", &wire.SearchFacesResponse{FaceMatches: []wire.FaceMatch{{
			Similarity: new(wire.Float(100)),
			Face: &wire.Face{BoundingBox: &wire.BoundingBox{Left: new(
				wire.Float(0.24770642817020416))}, Confidence: new(wire.Float(99.993408203125))},
		}}}, `{"FaceMatches":[{"Similarity":100.0,` +
			`"Face":{"BoundingBox":{"Left":0.24770642817020416},"Confidence":99.993408203125}}]}`},
		{"integer and timestamp", &wire.DescribeCollectionResponse{
			FaceCount:         new(int64(3)),
			CreationTimestamp: new(wire.Timestamp(time.UnixMilli(1569444828274))),
		}, `{"FaceCount":3,"CreationTimestamp":1569444828.274}`},
		{"status", &wire.CreateCollectionResponse{StatusCode: new(int32(200)),
			FaceModelVersion: new("7.0")},
			`{"StatusCode":200,"FaceModelVersion":"7.0"}`},
		{"no escapes for HTML",
			&wire.ListCollectionsResponse{CollectionIds: []string{"<a>&\u2028'\"\\\n"}},
			`{"CollectionIds":["<a>&` + "\u2028" + `'\"\\\n"]}`},
		{"map in the order of its keys",
			&wire.ListTagsForResourceResponse{Tags: map[string]string{"b": "2", "a": "1", "c": ""}},
			`{"Tags":{"a":"1","b":"2","c":""}}`},
		{"blob", &wire.AuditImage{Bytes: []byte{0xff, 0xfe}}, `{"Bytes":"//4="}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := wire.Encode(test.output)
			if err != nil || string(got) != test.want {
				t.Errorf("%s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, output := range []any{
		nil,
		(*wire.TagResourceResponse)(nil),
		wire.TagResourceResponse{},
		map[string]string{},
		&wire.BoundingBox{Left: new(wire.Float(math.NaN()))},
		&wire.BoundingBox{Left: new(wire.Float(math.Inf(-1)))},
		&wire.DescribeCollectionResponse{CreationTimestamp: new(wire.Timestamp(time.Date(10000, 1,
			1, 0, 0, 0, 0, time.UTC)))},
		&wire.ListCollectionsResponse{CollectionIds: []string{"\xff"}},
	} {
		if got, err := wire.Encode(output); err == nil {
			t.Errorf("%#v is encoded as %s", output, got)
		}
	}
	if err := wire.Decode([]byte(`{}`), &struct{}{}); err == nil {
		t.Error("Decode takes any type")
	}
	if err := wire.Validate(&struct{}{}); err == nil {
		t.Error("Validate takes any type")
	}
}

// TestFloatNotation has the values of Java's Double.toString for widened 32-bit floats.
func TestFloatNotation(t *testing.T) {
	for _, test := range []struct {
		value wire.Float
		want  string
	}{
		{0, "0.0"}, {wire.Float(math.Copysign(0, -1)), "-0.0"}, {1, "1.0"}, {-12.5, "-12.5"},
		{0.5, "0.5"}, {0.1, "0.10000000149011612"}, {0.001, "0.0010000000474974513"},
		{0.0009765625, "9.765625E-4"}, {-0.0001220703125, "-1.220703125E-4"}, {0.0625, "0.0625"},
		{9999999, "9999999.0"}, {1e7, "1.0E7"}, {123456792, "1.23456792E8"},
		{math.MaxFloat32, "3.4028234663852886E38"},
		{math.SmallestNonzeroFloat32, "1.401298464324817E-45"},
	} {
		got, err := wire.Encode(&wire.Point{X: &test.value})
		if err != nil || string(got) != `{"X":`+test.want+`}` {
			t.Errorf("%s, %v, want %s", got, err, test.want)
		}
	}
}

func TestFloatsComeBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := math.Float32frombits(random.Uint32())
		if v != v || math.IsInf(float64(v), 0) {
			continue
		}
		data, err := wire.Encode(&wire.Point{X: new(wire.Float(v))})
		if err != nil {
			t.Fatal(err)
		}
		text := string(data[len(`{"X":`) : len(data)-1])
		if wide, err := strconv.ParseFloat(text, 64); err != nil || wide != float64(v) ||
			!strings.Contains(text, ".") {
			t.Fatalf("%v is written as %s", float64(v), text)
		}
		var back wire.Point
		if err := wire.Decode(data, &back); err != nil ||
			math.Float32bits(float32(*back.X)) != math.Float32bits(v) {
			t.Fatalf("%s comes back as %v, %v", text, back.X, err)
		}
	}
}

func TestTimestamps(t *testing.T) {
	for _, test := range []struct {
		millis int64
		want   string
	}{
		{0, "0.0"}, {1, "0.001"}, {-1, "-0.001"}, {1500, "1.5"}, {1533422155042, "1533422155.042"},
		{1569444828270, "1569444828.27"}, {1569444828000, "1569444828.0"},
		{1569444830000, "1569444830.0"},
		{-62135596800000, "-62135596800.0"}, {253402300799999, "253402300799.999"},
	} {
		moment := time.UnixMilli(test.millis)
		got, err := wire.Encode(
			&wire.DescribeCollectionResponse{CreationTimestamp: new(
				wire.Timestamp(moment.Add(999 * time.Microsecond)))})
		if err != nil || string(got) != `{"CreationTimestamp":`+test.want+`}` {
			t.Errorf("%s, %v, want %s", got, err, test.want)
		}
		var back wire.DescribeCollectionResponse
		if err := wire.Decode(got, &back); err != nil ||
			!time.Time(*back.CreationTimestamp).Equal(moment) {
			t.Errorf("%s comes back as %v, %v", got, back.CreationTimestamp, err)
		}
	}
	for body, want := range map[string]int64{"1.533422155042E9": 1533422155042, "5": 5000} {
		var in wire.DescribeCollectionResponse
		if err := wire.Decode([]byte(`{"CreationTimestamp":`+body+`}`), &in); err != nil ||
			time.Time(*in.CreationTimestamp).UnixMilli() != want {
			t.Errorf("%s: %v, %v", body, in.CreationTimestamp, err)
		}
	}
	for _, body := range []string{`"2020-01-01T00:00:00Z"`, "1e300", "1e12", "-1e11", "true"} {
		if err := wire.Decode([]byte(`{"CreationTimestamp":`+body+`}`),
			&wire.DescribeCollectionResponse{}); err == nil {
			t.Errorf("%s is taken", body)
		}
	}
}

// TestDecodeCopies holds the memory that a picture costs to its decoded size.
func TestDecodeCopies(t *testing.T) {
	picture := bytes.Repeat([]byte{0xff, 0xd8, 0x00}, 5<<20/3)
	body := []byte(`{"Image":{"Bytes":"` + base64.StdEncoding.EncodeToString(picture) + `"}}`)
	var in wire.DetectFacesRequest
	// what is made once for a type does not count
	if err := wire.Decode([]byte(`{}`), &in); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := wire.Decode(body, &in); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if !bytes.Equal(in.Image.Bytes, picture) {
		t.Error("the picture is changed")
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(len(picture))+64<<10 {
		t.Errorf("%d bytes for a picture of %d", got, len(picture))
	}
}
