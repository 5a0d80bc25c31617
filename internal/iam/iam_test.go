package iam

import "testing"

func TestValidAccountID(t *testing.T) {
	for text, want := range map[string]bool{
		"123456789012":   true,
		"000000000000":   true,
		"":               false,
		"12345678901":    false,
		"1234567890123":  false,
		"12345678901a":   false,
		"1234a6789012":   false,
		"-12345678901":   false,
		"123456789012\n": false,
		" 23456789012":   false,
		"١٢٣٤٥٦":         false, // twelve bytes, six digits of another script
	} {
		if got := ValidAccountID(text); got != want {
			t.Errorf("ValidAccountID(%q) = %t, want %t", text, got, want)
		}
	}
}
