// Package recollect is the vocabulary that every family of operations shares: realms, errors with a
// code, client tokens, and the pictures that callers send. It imports none of the project's other
// packages.
package recollect

// Realm is the account and region that a request acts in. Nothing of one realm is visible in
// another.
type Realm struct {
	Account string // twelve digits
	Region  string // for example us-east-1
}

// ARN returns the ARN of a resource of the realm, which is given as type/name, for example
// collection/people.
func (r Realm) ARN(resource string) string {
	return "arn:aws:rekognition:" + r.Region + ":" + r.Account + ":" + resource
}
