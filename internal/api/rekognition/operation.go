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

// operation declares one operation of the API: all that the server needs to admit, authorize and
// run it. Every field is required, and a declaration that leaves one out is rejected by check,
// so that an operation cannot be added without its permission. The table of declarations is in
// operations.go.
type operation struct {
	name      string // as in the model
	cost      cost
	resources []resource // that policies decide about; all must be allowed
	objects   objects
	handle    handler
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

// check returns what the declaration leaves out, and where it disagrees with the model.
func (op operation) check() error {
	described, ok := wire.Lookup(op.name)
	if !ok {
		return fmt.Errorf("operation %q is not in the model", op.name)
	}
	return op.checkWith(described.NewInput())
}

// checkWith is check for an operation whose inputs are like this one.
func (op operation) checkWith(newInput any) error {
	var faults []error
	fault := func(text string) {
		faults = append(faults, fmt.Errorf("operation %s: %s", op.name, text))
	}
	if op.cost == 0 {
		fault("cost is not declared")
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
