package rekognition_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"net/http/httptest"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// A new operation is one declaration: authentication, admission, validation, its permission, and
// the right to each object of S3 are there without another line.
func TestNewOperationIsOneDeclaration(t *testing.T) {
	calls := 0
	d := openWith(t, enginetest.Engine("1.0"),
		func(cfg *rekognition.Config) { cfg.MaxPictures = 4 },
		func(server *httptest.Server) {
			api := server.Config.Handler.(*rekognition.Server)
			api.DetectLabels(func(_ context.Context, realm recollect.Realm,
				in *wire.DetectLabelsRequest) (*wire.DetectLabelsResponse, error) {
				calls++
				return &wire.DetectLabelsResponse{
					Labels: []wire.Label{{Name: new("seen in " + realm.Account)}}}, nil
			})
		})
	ctx := t.Context()
	bytes := &sdk.DetectLabelsInput{Image: &types.Image{Bytes: []byte("[]")}}
	object := &sdk.DetectLabelsInput{Image: &types.Image{S3Object: &types.S3Object{
		Bucket: aws.String("pictures"), Name: aws.String("two.json")}}}

	for _, in := range []*sdk.DetectLabelsInput{bytes, object} {
		out, err := d.client().DetectLabels(ctx, in)
		if err != nil || len(out.Labels) != 1 || *out.Labels[0].Name != "seen in 123456789012" {
			t.Fatalf("%+v, %v", out, err)
		}
	}

	nobody := d.user(t, "anna",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
			`"Action":"rekognition:DetectFaces","Resource":"*"}}`)
	_, err := nobody.DetectLabels(ctx, bytes)
	wantCode(t, err, "AccessDeniedException")

	// Who may call it and may not read the object learns that the object cannot be read, and no
	// more.
	reader := d.user(t, "bob",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
			`"Action":"rekognition:DetectLabels","Resource":"*"}}`)
	if _, err := reader.DetectLabels(ctx, bytes); err != nil {
		t.Error(err)
	}
	_, err = reader.DetectLabels(ctx, object)
	wantCode(t, err, "InvalidS3ObjectException")

	if calls != 3 {
		t.Errorf("the handler ran %d times, want 3: rejected requests must not reach it", calls)
	}
	if resp, body := d.post(t, "DetectLabels",
		[]byte(`{"Image":{},"MinConfidence":101}`)); resp.StatusCode !=
		http.StatusBadRequest || !strings.Contains(body, "minConfidence") {
		t.Errorf("an invalid input gets %d %s", resp.StatusCode, body)
	}
}
