package rekognition_test

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/iam"
)

// After too many wrong signatures a client is told to slow down, and those who have the secret are
// served.
func TestTooManyWrongSignatures(t *testing.T) {
	guard := authn.NewGuard(slog.New(slog.DiscardHandler))
	d := openWith(t, enginetest.Engine("1.0"),
		func(cfg *rekognition.Config) { cfg.Guard = guard }, func(*httptest.Server) {})
	owner := d.client()
	if _, err := owner.ListCollections(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	guesses := d.clientOf(iam.AccessKey{ID: "AKIDEXAMPLE00001", Secret: "a guess"})
	var last smithy.APIError
	for range 250 {
		_, err := guesses.ListCollections(t.Context(), nil)
		if e, ok := errors.AsType[smithy.APIError](err); ok {
			last = e
		}
		if guard.Refused(authn.ByNetwork) > 0 {
			break
		}
	}
	if last == nil || last.ErrorCode() != "ThrottlingException" ||
		last.ErrorMessage() != "Slow down; sudden increase in rate of requests." {
		t.Errorf("%v", last)
	}
	if _, err := owner.ListCollections(t.Context(), nil); err != nil {
		t.Errorf("the owner of another key: %v", err)
	}
}
