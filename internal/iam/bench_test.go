package iam_test

import (
	"testing"

	"github.com/recollect-dev/recollect/internal/iam"
)

// BenchmarkSessionKey opens a token that was opened a moment ago, and one that was not.
func BenchmarkSessionKey(b *testing.B) {
	s := stillService(b, 'a')
	key := beginRole(b, s, iam.RoleSession{Role: stillRole, Provider: "id.example.com",
		Policy: allowAll, Tags: map[string]string{"team": "doors"}})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			opened(b, s, key)
		}
	})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			opened(b, stillService(b, 'a'), key)
		}
	})
}
