package workload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/iam"
)

// Sign returns the bytes of a signed request to the server at an address. They can be sent
// repeatedly for five minutes, so that the client takes little processor time; the server verifies
// each.
func Sign(address string, key iam.AccessKey, operation, body string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+address+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Amz-Target", wire.TargetPrefix+"."+operation)
	req.Header.Set("Content-Type", wire.MediaType)
	sum := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, req,
		hex.EncodeToString(sum[:]), wire.SigningName, "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = req.Write(&b)
	return b.Bytes(), err
}
