package record

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// numbers are rows of one number, which end with an error if there is one.
type numbers struct {
	left []int
	last int
	err  error
}

func (n *numbers) Next() bool {
	if len(n.left) == 0 {
		return false
	}
	n.last, n.left = n.left[0], n.left[1:]
	return true
}

func (n *numbers) Scan(dest ...any) error {
	*dest[0].(*int) = n.last
	return nil
}

func (n *numbers) Err() error { return n.err }

var errScan = errors.New("it is 3")

// scanNumber reads a number other than 3.
func scanNumber(row Row) (n int, err error) {
	if err = row.Scan(&n); err == nil && n == 3 {
		err = errScan
	}
	return n, err
}

// An error of a row, or of the query, leaves no rows that could be taken for all of them.
func TestAll(t *testing.T) {
	broken := errors.New("the connection is lost")
	for _, test := range []struct {
		rows numbers
		want []int
		err  error
	}{
		{numbers{left: []int{1, 2}}, []int{1, 2}, nil},
		{numbers{}, nil, nil},
		{numbers{left: []int{1, 3, 2}}, nil, errScan},
		{numbers{left: []int{1, 2}, err: broken}, nil, broken},
	} {
		rows := test.rows
		got, err := All(&rows, scanNumber)
		if !slices.Equal(got, test.want) || !errors.Is(err, test.err) {
			t.Errorf("%+v: %v, %v", test.rows, got, err)
		}
	}
}

func TestInOrder(t *testing.T) {
	got := InOrder([]face.Face{{ID: "a"}, {ID: "b"}, {ID: "c"}},
		[]string{"c", "x", "a", "c", "b"})
	if !reflect.DeepEqual(got, []face.Face{{ID: "c"}, {ID: "a"}, {ID: "b"}}) {
		t.Errorf("%+v", got)
	}
}

// Older stores of both kinds have the text of no policies, and of policies with characters that
// one of Go's encoders escapes.
func TestPolicies(t *testing.T) {
	for _, policies := range [][]iam.PolicyDocument{nil, {}, {{Name: "a", Document: `{"<&>":1}`}}} {
		text, err := EncodePolicies(policies)
		if err != nil {
			t.Fatal(err)
		}
		if len(policies) == 0 && text != "[]" {
			t.Errorf("no policies are %s", text)
		}
		got, err := ScanRole(roleRow(text))
		if err != nil || !slices.Equal(got.Policies, policies) {
			t.Errorf("%s: %+v, %v", text, got.Policies, err)
		}
	}
	got, err := ScanRole(roleRow(`[{"Name":"a","Document":"{\"\u003c\u0026\u003e\":1}"}]`))
	if err != nil || got.Policies[0].Document != `{"<&>":1}` {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ScanRole(roleRow(`[{`)); err == nil {
		t.Error("broken policies are read")
	}
}

// roleRow is a row of a role with these policies.
type roleRow string

func (r roleRow) Scan(dest ...any) error {
	*dest[4].(*string) = string(r)
	return nil
}

// What is imported is checked as a whole, and against what was imported before.
func TestImported(t *testing.T) {
	id := uuid.NewString()
	user := func(system string, vector ...float32) face.User {
		return face.User{SystemID: system, Vector: vector}
	}
	one := func(vector ...float32) face.Face {
		return face.Face{ID: id, ImageID: id, Vector: vector}
	}
	for name, test := range map[string]struct {
		users     []face.User
		faces     []face.Face
		before    int
		dimension int // 0: an error
	}{
		"first faces":             {nil, []face.Face{one(1, 2), one(3, 4)}, 0, 2},
		"more faces":              {nil, []face.Face{one(1, 2)}, 2, 2},
		"faces of two dimensions": {nil, []face.Face{one(1, 2), one(3)}, 0, 0},
		"faces of another one":    {nil, []face.Face{one(1, 2)}, 3, 0},
		"a face without a vector": {nil, []face.Face{one()}, 2, 0},
		"a face without an id":    {nil, []face.Face{{ImageID: id, Vector: []float32{1}}}, 1, 0},
		"users":                   {[]face.User{user(id), user(id, 1, 2)}, nil, 0, 2},
		"users of another one":    {[]face.User{user(id), user(id, 1, 2)}, nil, 3, 0},
		"a user without an id":    {[]face.User{user("x", 1)}, nil, 1, 0},
	} {
		records, dimension, err := ImportedFaces(test.faces, test.before)
		if test.users != nil {
			_, dimension, err = ImportedUsers(test.users, test.before)
		}
		if dimension != test.dimension ||
			(dimension == 0) != (recollect.CodeOf(err) == recollect.CodeInvalidParameter) {
			t.Errorf("%s: dimension %d, %v", name, dimension, err)
		}
		if err == nil && len(records) != len(test.faces) {
			t.Errorf("%s: %d of %d faces", name, len(records), len(test.faces))
		}
	}
	users, _, err := ImportedUsers([]face.User{user(id), user(id, 1)}, 0)
	if err != nil || users[0].Vector != nil || len(users[1].Vector) != 4 ||
		users[1].SystemID.String() != id {
		t.Errorf("%+v, %v", users, err)
	}
}
