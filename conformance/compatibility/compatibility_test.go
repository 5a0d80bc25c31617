package compatibility

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The document of the repository has a table for everything that is built, and nothing else.
func TestDocumentAgreesWithTheModel(t *testing.T) {
	f, err := os.Open("../../COMPATIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tables, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := tables.CheckModel(); err != nil {
		t.Error(err)
	}
	built, empty, not := len(tables.Operations), len(tables.Empty), len(tables.NotBuilt)
	if built+empty+not != 75 {
		t.Errorf("the document speaks of %d operations, want 75", built+empty+not)
	}
	operations := fmt.Sprintf("%d operations of faces, collections, users, tags, text and faces "+
		"in videos are built", built)
	for name, sentences := range map[string][]string{
		"COMPATIBILITY.md": {
			"\nThe " + operations + ";",
			fmt.Sprintf("\nThe %d lists of families that are not built are ", empty),
			fmt.Sprintf("\nThe other %d of the service are ", not),
		},
		"README.md": {
			" " + operations + ".",
			fmt.Sprintf(" %d lists answer that there is nothing, and %d operations that they are "+
				"not built.", empty, not),
		},
	} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, sentence := range sentences {
			if !strings.Contains(string(text), sentence) {
				t.Errorf("%s does not say %q", name, sentence)
			}
		}
	}
}

const document = `
## Operation by operation

### DescribeCollection

| | same | different or absent |
|---|---|---|
| input | ` + "`CollectionId`" + ` | |
| output | ` + "`FaceCount` `FaceModelVersion`" + ` | ` +
	"`CreationTimestamp` differs: it is late, see `CollectionARN`. `UserCount` absent: nobody " +
	"counts." + ` |
| errors | ` + "`ResourceNotFoundException` `AccessDeniedException`" + ` | |

## Structures

| structure | same | different or absent |
|---|---|---|
| ` + "`Face` | `FaceId` | `UserId` absent: there are none." + ` |

## Lists of families that are not built

| operation | answer | why |
|---|---|---|
| ` + "`DescribeProjects` | `ProjectDescriptions`" + `, empty | there are none |
| ` + "`ListProjectPolicies` | `ResourceNotFoundException`" + ` | there is no project |

## Operations that are not built

` + "`DetectText` `GetFaceSearch`" + `
`

func read(t *testing.T, text string) *Tables {
	t.Helper()
	tables, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestRead(t *testing.T) {
	tables := read(t, document)
	want := []Row{
		{In, "CollectionId", Same, ""},
		{Out, "FaceCount", Same, ""},
		{Out, "FaceModelVersion", Same, ""},
		{Out, "CreationTimestamp", Differs, "it is late, see `CollectionARN`."},
		{Out, "UserCount", Absent, "nobody counts."},
		{Errors, "ResourceNotFoundException", Same, ""},
		{Errors, "AccessDeniedException", Same, ""},
	}
	if got := tables.Operations["DescribeCollection"]; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := tables.Structures["Face"]; !slices.Equal(got,
		[]Row{{Member, "FaceId", Same, ""}, {Member, "UserId", Absent, "there are none."}}) {
		t.Errorf("Face: %v", got)
	}
	if !maps.Equal(tables.Empty, map[string]string{"DescribeProjects": "ProjectDescriptions",
		"ListProjectPolicies": "ResourceNotFoundException"}) {
		t.Errorf("empty: %v", tables.Empty)
	}
	if !slices.Equal(tables.NotBuilt, []string{"DetectText", "GetFaceSearch"}) {
		t.Errorf("not built: %v", tables.NotBuilt)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"a member twice":           {"`CollectionId` |", "`CollectionId` `CollectionId` |"},
		"no reason":                {"absent: nobody counts.", "absent: "},
		"no state":                 {"`UserCount` absent: nobody counts.", ""},
		"a cell too many":          {"`CollectionId` | |", "`CollectionId` | | |"},
		"nothing but a note":       {"`UserId` absent: there are none.", "there are none."},
		"a list twice":             {"`ListProjectPolicies`", "`DescribeProjects`"},
		"a list without an answer": {"`ProjectDescriptions`, empty", "none"},
		"a list without a reason":  {"empty | there are none", "empty | "},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(document, change[0], change[1], 1)
			if text == document {
				t.Fatal("nothing was changed")
			}
			tables, err := Read(strings.NewReader(text))
			if err == nil && tables.CheckModel() == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestCheckModelMissesNothing(t *testing.T) {
	err := read(t, document).CheckModel()
	if err == nil {
		t.Fatal("the tables of one operation were enough")
	}
	for _, part := range []string{"CompareFaces: has a table: false, listed as empty: false, " +
		"listed as not built: false",
		"DescribeCollection: the table has the rows", "Face: no built operation"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing from:\n%v", part, err)
		}
	}
}

// A list that is said to be empty is one of the model, and nothing else as well.
func TestCheckModelOfEmptyLists(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"another list": {"`ProjectDescriptions`", "`Projects`",
			"DescribeProjects: Projects is neither a list of its output nor an error of its"},
		"a member that is no list": {"`ProjectDescriptions`", "`NextToken`",
			"DescribeProjects: NextToken is neither"},
		"another error": {"Policies` | `ResourceNotFoundException`",
			"Policies` | `ConflictException`",
			"ListProjectPolicies: ConflictException is neither"},
		"also not built": {"`DetectText`", "`DescribeProjects` `DetectText`",
			"DescribeProjects: has a table: false, listed as empty: true, listed as not " +
				"built: true"},
		"no operation": {"`ListProjectPolicies`", "`ListProjects`",
			"ListProjects: there is no such operation"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(document, c.old, c.new, 1)
			if text == document {
				t.Fatal("nothing was changed")
			}
			if err := read(t, text).CheckModel(); !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q is missing from:\n%v", c.want, err)
			}
			if strings.Contains(read(t, document).CheckModel().Error(), c.want) {
				t.Errorf("%q is also said of the document as it is", c.want)
			}
		})
	}
}

func TestCheckEvidence(t *testing.T) {
	good := func() map[string]Evidence {
		return map[string]Evidence{
			"DescribeCollection": {
				Inputs:  []string{"CollectionId"},
				Outputs: []string{"FaceCount", "FaceModelVersion", "CreationTimestamp"},
				Errors:  []string{"ResourceNotFoundException"},
			},
			"ListFaces": {Outputs: []string{"Faces", "Faces.FaceId"},
				Errors: []string{"AccessDeniedException"}},
			"DetectText": {Errors: []string{"NotImplementedException"}},
			"DescribeProjects": {Inputs: []string{"MaxResults"},
				Outputs: []string{"ProjectDescriptions"},
				Errors:  []string{"InvalidPaginationTokenException"}},
			"ListProjectPolicies": {Errors: []string{"ResourceNotFoundException"}},
		}
	}
	if err := read(t, document).CheckEvidence(good()); err != nil {
		t.Errorf("it does not hold:\n%v", err)
	}
	for name, c := range map[string]struct {
		change func(map[string]Evidence)
		want   string
	}{
		"an output that never came": {func(e map[string]Evidence) {
			d := e["DescribeCollection"]
			d.Outputs = d.Outputs[:2]
			e["DescribeCollection"] = d
		}, "output CreationTimestamp is said to be differs, and was seen: false"},
		"an absent output that came": {func(e map[string]Evidence) {
			d := e["DescribeCollection"]
			d.Outputs = append(d.Outputs, "UserCount")
			e["DescribeCollection"] = d
		}, "output UserCount is said to be absent, and was seen: true"},
		"an absent member of a structure that came": {func(e map[string]Evidence) {
			e["SearchFaces"] = Evidence{Outputs: []string{"FaceMatches.Face.UserId"}}
		}, "member UserId is said to be absent, and was seen: true"},
		"an error that never came": {func(e map[string]Evidence) {
			e["ListFaces"] = Evidence{Outputs: e["ListFaces"].Outputs}
		}, "errors AccessDeniedException is said to be same, and was seen: false"},
		"an operation that works all the same": {func(e map[string]Evidence) {
			e["DetectText"] = Evidence{}
		}, "DetectText is listed as not built"},
		"a list that nobody called": {func(e map[string]Evidence) {
			delete(e, "DescribeProjects")
		}, "DescribeProjects is said to answer ProjectDescriptions alone"},
		"a list with an element": {func(e map[string]Evidence) {
			e["DescribeProjects"] = Evidence{Outputs: []string{"ProjectDescriptions",
				"ProjectDescriptions.ProjectArn"}}
		}, "DescribeProjects is said to answer ProjectDescriptions alone"},
		"a list with another page": {func(e map[string]Evidence) {
			e["DescribeProjects"] = Evidence{Outputs: []string{"NextToken", "ProjectDescriptions"}}
		}, "DescribeProjects is said to answer ProjectDescriptions alone"},
		"a list that is not built": {func(e map[string]Evidence) {
			e["ListProjectPolicies"] = Evidence{Errors: []string{"NotImplementedException",
				"ResourceNotFoundException"}}
		}, "ListProjectPolicies is said to answer ResourceNotFoundException alone"},
		"a list of what does not exist": {func(e map[string]Evidence) {
			e["ListProjectPolicies"] = Evidence{Outputs: []string{"ProjectPolicies"},
				Errors: []string{"ResourceNotFoundException"}}
		}, "ListProjectPolicies is said to answer ResourceNotFoundException alone"},
		"a member of no structure": {func(e map[string]Evidence) {
			e["ListFaces"] = Evidence{Outputs: []string{"Faces.FaceId", "Faces.Name"},
				Errors: e["ListFaces"].Errors}
		}, "Face has no member Name"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			c.change(e)
			if err := read(t, document).CheckEvidence(e); err == nil ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
