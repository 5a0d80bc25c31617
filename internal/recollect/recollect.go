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
