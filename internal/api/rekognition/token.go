package rekognition

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/ascii85"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"strings"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// tokens makes and reads the NextTokens of listings. A token is the last id of a page, so that the
// next page starts behind it whatever was created or deleted meanwhile, with a MAC that binds it to
// the operation, the realm and whatever else the listing depends on. It needs no memory and no time
// on the server.
//
// The API allows a token 255 characters, and an id has up to 255 itself. Short ids are written as
// they are, in base64. Long ones are packed as a number in base 65, the size of their alphabet: 255
// characters become at most 192 bytes, which with a MAC of 12 bytes are 255 characters of Ascii85.
type tokens struct {
	key []byte
}

const (
	macSize      = 16
	denseMACSize = 12
	idSize       = 192 // bytes of the largest packed id
	maxToken     = 255
	idAlphabet   = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)

func (t tokens) mac(lastID string, binding []string) []byte {
	h := hmac.New(sha256.New, t.key)
	for _, s := range append(binding[:len(binding):len(binding)], lastID) {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return h.Sum(nil)
}

// seal returns the token of a page that ends with lastID, which is made of idAlphabet.
func (t tokens) seal(lastID string, binding ...string) string {
	mac := t.mac(lastID, binding)
	if token := base64.RawURLEncoding.EncodeToString(append(mac[:macSize:macSize],
		lastID...)); len(token) <= maxToken {
		return token
	}
	packed := packID(lastID)
	dense := append(mac[:denseMACSize:denseMACSize], packed[:]...)
	token := make([]byte, ascii85.MaxEncodedLen(len(dense)))
	return string(token[:ascii85.Encode(token, dense)])
}

// open returns the last id of the page before. CodeInvalidPaginationToken unless seal made the
// token with the same binding.
func (t tokens) open(token string, binding ...string) (string, error) {
	if len(token) > maxToken {
		return "", invalidToken()
	}
	// The token is valid if sealing the id again gives the same text: then the MAC is right, and
	// the encoding is the one that seal makes.
	if raw, err := base64.RawURLEncoding.DecodeString(token); err == nil && len(raw) > macSize {
		lastID := string(raw[macSize:])
		if hmac.Equal([]byte(token), []byte(t.seal(lastID, binding...))) {
			return lastID, nil
		}
	}
	var dense [maxToken]byte
	if n, _, err := ascii85.Decode(dense[:], []byte(token), true); err == nil && n == denseMACSize+
		idSize {
		lastID := unpackID(dense[denseMACSize:n])
		if hmac.Equal([]byte(token), []byte(t.seal(lastID, binding...))) {
			return lastID, nil
		}
	}
	return "", invalidToken()
}

// invalidToken is the error for a token that no page of the listing had.
func invalidToken() error {
	return recollect.Errorf(recollect.CodeInvalidPaginationToken, "Invalid Pagination Token")
}

// packID writes an id as a number whose digits are 1 to 65, so that no two ids share a number.
func packID(id string) (packed [idSize]byte) {
	n, base := new(big.Int), big.NewInt(int64(len(idAlphabet)))
	for i := range len(id) {
		n.Mul(n, base).Add(n, big.NewInt(int64(strings.IndexByte(idAlphabet, id[i])+1)))
	}
	n.FillBytes(packed[:])
	return packed
}

func unpackID(packed []byte) string {
	n, base, digit := new(big.Int).SetBytes(packed), big.NewInt(int64(len(idAlphabet))),
		new(big.Int)
	var id []byte
	for n.Sign() > 0 {
		n.Sub(n, big.NewInt(1)).DivMod(n, base, digit)
		id = append(id, idAlphabet[digit.Int64()])
	}
	for i, j := 0, len(id)-1; i < j; i, j = i+1, j-1 {
		id[i], id[j] = id[j], id[i]
	}
	return string(id)
}
