package iam

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func mustSealer(t testing.TB) *Sealer {
	t.Helper()
	s, err := NewSealer(bytes.Repeat([]byte{7}, masterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedSecretsOpenAsTheyWere(t *testing.T) {
	s := mustSealer(t)
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	sealed := s.Seal("AKIA1", secret)
	if bytes.Contains(sealed, []byte(secret)) || bytes.Equal(sealed, s.Seal("AKIA1", secret)) {
		t.Error("the secret can be seen, or two sealings are the same")
	}
	if got, err := s.Open("AKIA1", sealed); err != nil || got != secret {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := s.Open("AKIA2", sealed); !errors.Is(err, ErrWrongMasterKey) {
		t.Errorf("for another key: %v", err)
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		if got, err := s.Open("AKIA1", broken); err == nil || got != "" ||
			strings.Contains(err.Error(), secret) {
			t.Fatalf("byte %d altered: %q, %v", i, got, err)
		}
		if _, err := s.Open("AKIA1", sealed[:i]); err == nil {
			t.Fatalf("cut to %d bytes: accepted", i)
		}
	}
	other, err := NewSealer(bytes.Repeat([]byte{8}, masterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open("AKIA1", sealed); !errors.Is(err, ErrWrongMasterKey) {
		t.Errorf("with another master key: %v", err)
	}
}

func FuzzOpenSealed(f *testing.F) {
	s := mustSealer(f)
	f.Add([]byte{})
	f.Add([]byte{1, 2})
	f.Add(s.Seal("AKIA2", "secret"))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if secret, err := s.Open("AKIA1", sealed); err == nil {
			t.Errorf("opened to %q", secret)
		}
	})
}
