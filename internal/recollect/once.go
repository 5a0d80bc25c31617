package recollect

import "time"

// TokenLife is how long a client's token stands for the call that it was first used with.
const TokenLife = 24 * time.Hour

// Once makes a call that a client repeats happen once. The client marks a call with a token; the
// store records the token with the call's answer, in the transaction of its changes. While the
// record lives, the same call gets the same answer again and changes nothing, and another call with
// the same token is refused with CodeIdempotentMismatch. A call that fails is not recorded, so that
// it can be tried again.
type Once struct {
	Realm     Realm
	Operation string
	Token     string   // empty: the call is none that is repeated, and nothing is recorded
	Digest    [32]byte // of everything that makes the call what it is
	Now       time.Time
	Expires   time.Time
}

// MismatchError is what a token's second use with another call is answered with.
func (o Once) MismatchError() error {
	return Errorf(CodeIdempotentMismatch,
		"The ClientRequestToken: %s you have supplied is already in use.", o.Token)
}
