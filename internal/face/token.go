package face

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// once describes a call. The digest is of its input, each part preceded by its length, so that
// different inputs have different digests.
func (s *Service) once(c Collection, operation, token string, input ...string) recollect.Once {
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
	o := recollect.Once{Realm: c.Realm, Operation: operation, Token: token, Now: now,
		Expires: now.Add(recollect.TokenLife)}
	h.Sum(o.Digest[:0])
	return o
}
