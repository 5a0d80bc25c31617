package rekognition

import (
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/recollect"
)

var testRealm = recollect.Realm{Account: "123456789012", Region: "us-east-1"}

// Every operation of the model has one declaration, and each declaration says all that it must.
func TestDeclarations(t *testing.T) {
	var declared []string
	for _, op := range new(Server).declarations() {
		declared = append(declared, op.name)
		if err := op.check(); err != nil {
			t.Error(err)
		}
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
	for _, op := range new(Server).declarations() {
		whole[op.name] = op
	}
	for name, test := range map[string]struct {
		operation string
		change    func(*operation)
		fault     string
	}{
		"no cost": {"ListFaces", func(op *operation) { op.cost = 0 }, "cost is not declared"},
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
	for _, op := range new(Server).declarations() {
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
		"manifest": {&wire.StartMediaAnalysisJobRequest{Input: &wire.MediaAnalysisInput{S3Object: b}},
			[]*wire.S3Object{b}},
		"deep": {&wire.CreateDatasetRequest{DatasetSource: &wire.DatasetSource{
			GroundTruthManifest: &wire.GroundTruthManifest{S3Object: a}}}, []*wire.S3Object{a}},
	} {
		if got := objectsOf(test.input); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Every own operation is declared completely, and stands for operations of the model.
func TestOwnDeclarations(t *testing.T) {
	for _, op := range new(Server).ownOperations() {
		if err := op.check(); err != nil {
			t.Error(err)
		}
		if as := op.countsAs(op.newInput()); as == op.name || !IsOperation(as) {
			t.Errorf("%s stands for %q", op.name, as)
		}
		broken := op
		broken.cost = 0
		if broken.check() == nil {
			t.Errorf("%s without a cost is not found", op.name)
		}
		broken = op
		broken.countsAs = nil
		if broken.check() == nil {
			t.Errorf("%s without a permission is not found", op.name)
		}
	}
}
