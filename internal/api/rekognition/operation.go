package rekognition

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// declaration has what the server needs to admit, authorize and run an operation. Every field is
// required.
type declaration struct {
	name      string // of the model; of an own operation, that in the log and metrics
	cost      cost
	effect    effect
	resources []resource // that policies decide about; all must be allowed
	objects   objects
	handle    handler
}

// operation is an entry of the table in operations.go: a declaration, and how requests name the
// operation and what they count as. An entry that leaves something out is rejected by check, so
// that an operation cannot be added without its permission.
type operation struct {
	declaration
	newInput func() any
	countsAs countsAs

	// path is that of an operation which the service does not have, behind [OwnPrefix]. It may have
	// {id} for one segment, the id of a collection. An operation of the API has none: the header of
	// a request names it.
	path string
	// takeID puts the id in the path into an input; nil if the path has none.
	takeID func(input any, id string)
}

// countsAs says which operation of the API a request counts as: its permission is needed, and its
// rate is counted against. For an operation of the API that is the operation itself. Policies and
// limits that were written for the API so hold for Recollect's own operations.
type countsAs struct {
	name string // empty if the input decides
	// of names the operation for a valid input.
	of func(input any) string
}

// as counts requests as one operation of the API, whatever the input.
func as(name string) countsAs {
	return countsAs{name: name, of: func(any) string { return name }}
}

// asSearch counts a search with a picture as a search of what it searches for.
var asSearch = countsAs{of: func(input any) string {
	in, ok := input.(*wire.SearchPictureRequest)
	if ok && deref(in.SearchFor) == wire.SearchForUsers {
		return "SearchUsersByImage"
	}
	return "SearchFacesByImage"
}}

// asSearchOfPairs counts a search for duplicates as searches of what it compares.
var asSearchOfPairs = countsAs{of: func(input any) string {
	in, ok := input.(*wire.FindDuplicatesRequest)
	if ok && deref(in.SearchFor) == wire.SearchForUsers {
		return "SearchUsers"
	}
	return "SearchFaces"
}}

// ofTheModel makes entries of the declarations of the API's operations.
func ofTheModel(declarations []declaration) []operation {
	operations := make([]operation, len(declarations))
	for i, d := range declarations {
		operations[i] = operation{declaration: d, countsAs: as(d.name)}
		if described, ok := wire.Lookup(d.name); ok {
			operations[i].newInput = described.NewInput
		}
	}
	return operations
}

// own makes the entry of an operation that the service does not have. takeID puts the id in the
// path into an input; nil if the path has none.
func own[In any](path string, counts countsAs, takeID func(in *In, id string),
	d declaration) operation {
	op := operation{declaration: d, newInput: func() any { return new(In) }, countsAs: counts,
		path: path}
	if takeID != nil {
		op.takeID = func(input any, id string) {
			if in, ok := input.(*In); ok {
				takeID(in, id)
			}
		}
	}
	return op
}

// handler runs an operation. The input is of the type that the model's operation makes, it is
// valid, and its caller may make the request.
type handler func(ctx context.Context, realm recollect.Realm, input any) (output any, err error)

// cost is the class of what a request costs, by which it is admitted. The zero value is invalid.
type cost int

const (
	_        cost = iota
	store         // reads or writes the store
	networks      // runs networks on pictures: a thousand times as much
)

// effect declares whether an operation changes anything: the audit log has it, and one that is
// required has a record before each change. The zero value is invalid.
type effect int

const (
	_     effect = iota
	reads        // nothing is different afterwards
	changes
)

// objects declares whether an operation reads objects of S3 that its input names. Its caller must
// be allowed to read each of them. The zero value is invalid.
type objects int

const (
	_            objects = iota
	noObjects            // the input has no place for one
	readsObjects         // those of the input, wherever they are in it
)

// resource is a thing that an operation acts on, by the service authorization reference.
type resource struct {
	// member is the path of a member of the input, with dots between the names. It may lead through
	// lists. A member that is absent names nothing.
	member string
	// arn returns the ARN of what a value of the member names.
	arn func(realm recollect.Realm, value string) string
	// created says that the operation makes the resource, so that it is not there yet. Policies
	// decide about * then, and about tagging the resource if the request has tags for it.
	created bool
}

// unnamed is a resource without an ARN: policies decide about *.
var unnamed = resource{arn: func(recollect.Realm, string) string { return "*" }}

// anyResource are the resources of operations that act on none in particular.
var anyResource = []resource{unnamed}

func collection(member string) resource {
	return resource{member: member, arn: face.CollectionARN}
}

func streamProcessor(member string) resource {
	return resource{member: member, arn: func(realm recollect.Realm, name string) string {
		return realm.ARN("streamprocessor/" + name)
	}}
}

// named is a resource that the input names by its ARN.
func named(member string) resource {
	return resource{member: member, arn: func(_ recollect.Realm, arn string) string {
		return fullARN(arn)
	}}
}

// creates is a resource that the operation makes.
func creates(r resource) resource {
	r.created = true
	return r
}

func on(resources ...resource) []resource { return resources }

// bind makes a handler of a typed function.
func bind[In, Out any](
	f func(context.Context, recollect.Realm, *In) (*Out, error),
) handler {
	return func(ctx context.Context, realm recollect.Realm, input any) (any, error) {
		in, ok := input.(*In)
		if !ok {
			return nil, fmt.Errorf("the operation takes %T, not %T", in, input)
		}
		return f(ctx, realm, in)
	}
}

// notBuilt is the handler of an operation that is declared and not built. It answers after
// authorization.
func notBuilt(name string) handler {
	return func(context.Context, recollect.Realm, any) (any, error) {
		return nil, recollect.Errorf(recollect.CodeNotImplemented,
			"Recollect does not implement %s.", name)
	}
}

// check returns what the entry leaves out, and where it disagrees with the model.
func (op operation) check() error {
	var faults []error
	fault := func(text string) {
		faults = append(faults, fmt.Errorf("operation %q: %s", op.name, text))
	}
	switch inModel := IsOperation(op.name); {
	case op.path == "" && !inModel:
		fault("it is not in the model, and has no path")
	case op.path != "" && inModel:
		fault("it has a path, and is in the model")
	}
	if op.newInput == nil {
		fault("inputs are not declared")
		return errors.Join(faults...)
	}
	newInput := op.newInput()
	if (op.takeID != nil) != strings.Contains(op.path, "{id}") {
		fault("the id in the path is not taken, or is not there")
	}
	if op.countsAs.of == nil || !IsOperation(op.countsAs.of(newInput)) {
		fault("it counts as no operation of the API")
	}
	if op.cost == 0 {
		fault("cost is not declared")
	}
	if op.effect == 0 {
		fault("effect is not declared")
	}
	if op.handle == nil {
		fault("handler is not declared")
	}
	input := reflect.TypeOf(newInput).Elem()
	declared := map[string]bool{}
	for _, r := range op.resources {
		declared[r.member] = true
		if r.arn == nil || r.member != "" && !hasText(input, strings.Split(r.member, ".")) {
			fault("resource " + r.member + " is no text member of its input")
		}
	}
	if len(op.resources) == 0 {
		fault("resources are not declared")
	}
	creates := slices.ContainsFunc(op.resources, func(r resource) bool { return r.created })
	if _, ok := requestTags(newInput); ok && !creates && op.name != "TagResource" {
		fault("the input has tags for a resource that is not declared as created")
	}
	for _, member := range resourceMembers(input) {
		if !declared[member] {
			fault("the member " + member + " names a resource that is not declared")
		}
	}
	switch has := holdsObjects(input); {
	case op.objects == 0:
		fault("objects are not declared")
	case has != (op.objects == readsObjects):
		fault(fmt.Sprintf("objects are declared otherwise than in the model, where %v", has))
	}
	if holds(input, reflect.TypeFor[wire.Image]()) && op.cost != networks {
		fault("an operation on pictures costs networks")
	}
	return errors.Join(faults...)
}

// arns returns what the operation acts on in a request: * if that is nothing that is there already.
func (op operation) arns(realm recollect.Realm, input any) (existing, created []string) {
	for _, r := range op.resources {
		values := []string{""}
		if r.member != "" {
			values = texts(reflect.ValueOf(input), strings.Split(r.member, "."))
		}
		for _, value := range values {
			if r.created {
				created = append(created, r.arn(realm, value))
			} else {
				existing = append(existing, r.arn(realm, value))
			}
		}
	}
	if len(existing) == 0 {
		existing = []string{"*"}
	}
	return existing, created
}
