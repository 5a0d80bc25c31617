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
//   - administrator: full-access, and the administration of the server: backup, export, import, the
//     overview and the cluster
//   - full-access: every operation of the face API on everything
//   - read-only: every operation that changes nothing; unlike AWS's policy of that purpose it
//     allows DescribeCollection and the operations on users
//   - s3-read: reading S3 objects, which a request with an S3Object needs; as on AWS no other
//     policy allows it
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
