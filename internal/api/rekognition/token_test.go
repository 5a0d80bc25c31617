package rekognition

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/recollect"
)

func randomID(r *rand.Rand, n int) string {
	id := make([]byte, n)
	for i := range id {
		id[i] = idAlphabet[r.IntN(len(idAlphabet))]
	}
	return string(id)
}

func TestTokensOfEveryLengthFitAndOpen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tok := tokens{key: []byte("a key")}
	for n := 1; n <= 255; n++ {
		for _, id := range []string{randomID(r, n), strings.Repeat("z", n),
			strings.Repeat("-", n)} {
			token := tok.seal(id, "ListCollections", "1", "r")
			if len(token) > maxToken {
				t.Fatalf("the token of an id of %d characters has %d", n, len(token))
			}
			got, err := tok.open(token, "ListCollections", "1", "r")
			if err != nil || got != id {
				t.Fatalf("open(seal(%q)) = %q, %v", id, got, err)
			}
		}
	}
}

func TestTokensRefuseWhatTheyDidNotMake(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	tok := tokens{key: []byte("a key")}
	for _, n := range []int{1, 36, 174, 175, 176, 255} {
		token := tok.seal(randomID(r, n), "ListCollections", "1", "r")
		refused := map[string]string{
			"empty": "", "garbage": "abc", "cut": token[:len(token)-1], "longer": token + "A",
			"spaces": "   ",
		}
		for i := range token {
			b := []byte(token)
			b[i] ^= 1
			refused["altered "+string(b)] = string(b)
		}
		for name, bad := range refused {
			if id, err := tok.open(bad, "ListCollections", "1",
				"r"); recollect.CodeOf(err) != recollect.CodeInvalidPaginationToken {
				t.Errorf("%d characters, %s: %q opened as %q, %v", n, name, bad, id, err)
			}
		}
		if _, err := tok.open(token, "ListCollections", "2", "r"); err == nil {
			t.Error("a token of another account opened")
		}
		if _, err := tok.open(token, "ListCollections", "1r", ""); err == nil {
			t.Error("a token with a shifted binding opened")
		}
		if _, err := (tokens{key: []byte("another")}).open(token, "ListCollections", "1",
			"r"); err == nil {
			t.Error("a token of another server opened")
		}
	}
}

func FuzzTokenOpen(f *testing.F) {
	tok := tokens{key: []byte("a key")}
	f.Add(tok.seal("faces", "op"))
	f.Add(tok.seal(strings.Repeat("q", 255), "op"))
	f.Add("zzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := tok.open(token, "op")
		if err == nil && tok.seal(id, "op") == "" {
			t.Fatal("opened without a seal")
		}
	})
}
