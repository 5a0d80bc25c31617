package rekognition

import (
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/recollect"
)

var testRealm = recollect.Realm{Account: "123456789012", Region: "us-east-1"}

// Every operation of the model has one entry, Recollect's own have one for each path, and each
// entry says all that it must.
func TestDeclarations(t *testing.T) {
	var declared, paths []string
	for _, op := range new(Server).table() {
		if op.path == "" {
			declared = append(declared, op.name)
		} else {
			paths = append(paths, op.path)
		}
		if err := op.check(); err != nil {
			t.Error(err)
		}
	}
	if slices.Sort(paths); len(paths) == 0 || len(slices.Compact(paths)) != len(paths) {
		t.Errorf("own operations have the paths %q", paths)
	}
	var model []string
	for _, op := range wire.Operations() {
		model = append(model, op.Name)
	}
	if len(model) != 75 || !slices.Equal(declared, model) {
		t.Errorf("declared are %d operations\n%q\nand the model has %d\n%q", len(declared),
			declared,
			len(model), model)
	}
}

// A declaration that leaves something out, or says other than the model, is found.
func TestDeclarationsFailClosed(t *testing.T) {
	whole := map[string]operation{}
	for _, op := range new(Server).table() {
		whole[op.name] = op
	}
	for name, test := range map[string]struct {
		operation string
		change    func(*operation)
		fault     string
	}{
		"no cost": {"ListFaces", func(op *operation) { op.cost = 0 }, "cost is not declared"},
		"no effect": {"ListFaces", func(op *operation) { op.effect = 0 },
			"effect is not declared"},
		"no handler": {"ListFaces", func(op *operation) { op.handle = nil },
			"handler is not declared"},
		"no resources": {"ListCollections", func(op *operation) { op.resources = nil },
			"resources are not declared"},
		"no objects": {"ListFaces", func(op *operation) { op.objects = 0 },
			"objects are not declared"},
		"pictures that cost nothing": {"DetectLabels", func(op *operation) { op.cost = store },
			"costs networks"},
		"a collection that policies do not decide about": {"IndexFaces",
			func(op *operation) { op.resources = anyResource }, "CollectionId names a resource"},
		"a collection within a structure": {"CreateStreamProcessor",
			func(op *operation) { op.resources = on(streamProcessor("Name"), creates(unnamed)) },
			"Settings.FaceSearch.CollectionId names a resource"},
		"an ARN within a list": {"DistributeDatasetEntries",
			func(op *operation) { op.resources = anyResource }, "Datasets.Arn names a resource"},
		"a video's object": {"StartFaceDetection", func(op *operation) { op.objects = noObjects },
			"objects are declared otherwise"},
		"a manifest's object": {"StartMediaAnalysisJob",
			func(op *operation) { op.objects = noObjects }, "objects are declared otherwise"},
		"objects that are none": {"ListFaces", func(op *operation) { op.objects = readsObjects },
			"objects are declared otherwise"},
		"tags for nothing": {"CreateCollection",
			func(op *operation) { op.resources = on(collection("CollectionId")) }, "has tags"},
		"a member that is not there": {"ListFaces",
			func(op *operation) { op.resources = on(collection("Collection")) }, "no text member"},
		"a member that is no text": {"ListFaces",
			func(op *operation) { op.resources = append(op.resources, named("MaxResults")) },
			"no text member"},
		"another name": {"ListFaces", func(op *operation) { op.name = "ListFace" },
			"not in the model"},
		"an own operation without a path": {"FindFaces", func(op *operation) { op.path = "" },
			"not in the model"},
		"a path of an operation of the API": {"ListFaces", func(op *operation) { op.path = "x" },
			"has a path"},
		"an id in the path that is not taken": {"FindFaces",
			func(op *operation) { op.takeID = nil }, "id in the path"},
		"an id that is not in the path": {"FindFaces",
			func(op *operation) { op.path = "faces/find" }, "id in the path"},
		"an own operation without a permission": {"FindFaces",
			func(op *operation) { op.countsAs = countsAs{} }, "counts as no operation"},
		"a permission that the API does not have": {"FindFaces",
			func(op *operation) { op.countsAs = as("FindFaces") }, "counts as no operation"},
		"an own operation without a cost": {"FindFaces", func(op *operation) { op.cost = 0 },
			"cost is not declared"},
		"an own operation without inputs": {"FindFaces",
			func(op *operation) { op.newInput = nil }, "inputs are not declared"},
		"an own operation on any collection": {"FindFaces",
			func(op *operation) { op.resources = anyResource }, "CollectionId names a resource"},
	} {
		op := whole[test.operation]
		test.change(&op)
		if err := op.check(); err == nil || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %v, want %q", name, err, test.fault)
		}
	}
}

// What policies are asked about is found wherever it is in the input.
func TestResourcesOfRequests(t *testing.T) {
	operations := map[string]operation{}
	for _, op := range new(Server).table() {
		operations[op.name] = op
	}
	dataset := "arn:aws:rekognition:us-east-1:123456789012:project/p/dataset/train/"
	for name, test := range map[string]struct {
		input             any
		existing, created []string
	}{
		"ListCollections": {&wire.ListCollectionsRequest{}, []string{"*"}, nil},
		"CreateCollection": {&wire.CreateCollectionRequest{CollectionId: new("a")}, []string{"*"},
			[]string{"arn:aws:rekognition:us-east-1:123456789012:collection/a"}},
		"TagResource": {&wire.TagResourceRequest{
			ResourceArn: new("aws:rekognition:us-east-1:123456789012:collection/a")},
			[]string{"arn:aws:rekognition:us-east-1:123456789012:collection/a"}, nil},
		"StopStreamProcessor": {&wire.StopStreamProcessorRequest{Name: new("door")},
			[]string{"arn:aws:rekognition:us-east-1:123456789012:streamprocessor/door"}, nil},
		"CreateStreamProcessor": {&wire.CreateStreamProcessorRequest{Name: new("door"),
			Settings: &wire.StreamProcessorSettings{
				FaceSearch: &wire.FaceSearchSettings{CollectionId: new("a")}}},
			[]string{"arn:aws:rekognition:us-east-1:123456789012:streamprocessor/door",
				"arn:aws:rekognition:us-east-1:123456789012:collection/a"},
			[]string{"arn:aws:rekognition:us-east-1:123456789012:streamprocessor/door"}},
		"DistributeDatasetEntries": {&wire.DistributeDatasetEntriesRequest{
			Datasets: []wire.DistributeDataset{{Arn: new(dataset + "1")},
				{Arn: new(dataset + "2")}}},
			[]string{dataset + "1", dataset + "2"}, nil},
	} {
		existing, created := operations[name].arns(testRealm, test.input)
		if !slices.Equal(existing, test.existing) || !slices.Equal(created, test.created) {
			t.Errorf("%s: %q and %q", name, existing, created)
		}
	}
}

func TestObjectsOfInputs(t *testing.T) {
	a, b := &wire.S3Object{Bucket: new("a")}, &wire.S3Object{Bucket: new("b")}
	for name, test := range map[string]struct {
		input any
		want  []*wire.S3Object
	}{
		"none": {&wire.ListFacesRequest{}, nil},
		"bytes": {&wire.DetectFacesRequest{Image: &wire.Image{Bytes: []byte("x"), S3Object: a}},
			nil},
		"two": {&wire.CompareFacesRequest{SourceImage: &wire.Image{S3Object: a},
			TargetImage: &wire.Image{S3Object: b}}, []*wire.S3Object{a, b}},
		"video": {&wire.StartFaceSearchRequest{Video: &wire.Video{S3Object: a}},
			[]*wire.S3Object{a}},
		"manifest": {&wire.StartMediaAnalysisJobRequest{
			Input: &wire.MediaAnalysisInput{S3Object: b}},
			[]*wire.S3Object{b}},
		"deep": {&wire.CreateDatasetRequest{DatasetSource: &wire.DatasetSource{
			GroundTruthManifest: &wire.GroundTruthManifest{S3Object: a}}}, []*wire.S3Object{a}},
	} {
		if got := objectsOf(test.input); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
