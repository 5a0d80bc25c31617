package iam

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed policies/*.json
var policyFiles embed.FS

// BuiltinPolicies returns the policies that come with the program, ready to be attached to a user,
// in order of name:
//
//   - administrator: full-access, and what is done to the server: backup, export, import, and the overview
//   - full-access: every operation of the face API on everything
//   - read-only: every operation that changes nothing; unlike AWS's policy of that purpose also DescribeCollection and those of users
//   - s3-read: reading pictures that are objects of S3, for those who call with S3Object; as on AWS the others do not allow it
func BuiltinPolicies() []PolicyDocument {
	files, err := fs.Glob(policyFiles, "policies/*.json")
	if err != nil {
		panic(err) // the pattern is constant
	}
	policies := make([]PolicyDocument, len(files))
	for i, file := range files {
		document, err := policyFiles.ReadFile(file)
		if err != nil {
			panic(err) // the file is within the program
		}
		policies[i] = PolicyDocument{Name: strings.TrimSuffix(path.Base(file), ".json"),
			Document: string(document)}
	}
	return policies
}

// BuiltinPolicy returns the policy of this name that comes with the program, and whether there is
// one.
func BuiltinPolicy(name string) (PolicyDocument, bool) {
	for _, p := range BuiltinPolicies() {
		if p.Name == name {
			return p, true
		}
	}
	return PolicyDocument{}, false
}
