package sts_test

import (
	"testing"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/iam"
)

// After too many wrong signatures a client is told to slow down, and those who have the secret are
// served.
func TestTooManyWrongSignatures(t *testing.T) {
	d := open(t)
	if _, err := d.client(d.anna).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	guesses := d.client(iam.AccessKey{ID: d.root.ID, Secret: "a guess"})
	var last error
	for i := 0; i < 250 && d.guard.Refused(authn.ByNetwork) == 0; i++ {
		_, last = guesses.GetCallerIdentity(t.Context(), nil)
	}
	wantError(t, "a guess too many", last, "Throttling", "Rate exceeded")
	if _, err := d.client(d.anna).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Errorf("the owner of another key: %v", err)
	}
}
