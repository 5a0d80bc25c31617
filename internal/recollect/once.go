package recollect

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// TokenLife is how long a client's token stands for the call that it was first used with.
const TokenLife = 24 * time.Hour

// Once makes a call that a client repeats happen once. The client marks a call with a token; the store records the token with the
// call's answer, in the transaction of its changes. While the record lives, the same call gets the same answer again
// and changes nothing, and another call with the same token is refused with CodeIdempotentMismatch. A call that
// fails is not recorded, so that it can be tried again.
type Once struct {
	Realm     Realm
	Operation string
	Token     string   // empty: the call is none that is repeated, and nothing is recorded
	Digest    [32]byte // of everything that makes the call what it is
	Now       time.Time
	Expires   time.Time
}

// once describes a call. Its input goes into the digest, each part with its length, so that no two inputs run together.
func (s *Service) once(c Collection, operation, token string, input ...string) Once {
	h := sha256.New()
	part := func(text string) {
		h.Write(binary.AppendUvarint(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	part(operation)
	h.Write(binary.AppendVarint(nil, int64(c.Key)))
	for _, text := range input {
		part(text)
	}
	now := s.now()
	o := Once{Realm: c.Realm, Operation: operation, Token: token, Now: now, Expires: now.Add(TokenLife)}
	h.Sum(o.Digest[:0])
	return o
}

// MismatchError is what a token's second use with another call is answered with.
func (o Once) MismatchError() error {
	return Errorf(CodeIdempotentMismatch, "The ClientRequestToken: %s you have supplied is already in use.", o.Token)
}
