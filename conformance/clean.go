package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

// deleteCollection deletes a collection of a scenario, unless the scenario did so, as the one who
// made it. Scenarios about throttling leave it little room, so it is patient.
func (s *server) deleteCollection(ctx context.Context, identity map[string]any, id string) error {
	setting := func(name, standard string) string {
		if value, ok := identity[name].(string); ok {
			return value
		}
		return standard
	}
	client := rekognition.New(rekognition.Options{
		BaseEndpoint: aws.String(s.endpoint()),
		Region:       setting("region", s.regions[0]),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     setting("accessKeyId", rootAccessKeyID),
				SecretAccessKey: setting("secretAccessKey", rootSecretAccessKey),
			}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 20
			o.RateLimiter = noRateLimit{}
		}),
	})
	_, err := client.DeleteCollection(ctx,
		&rekognition.DeleteCollectionInput{CollectionId: aws.String(id)})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete collection %s: %w", shortened(id), err)
	}
	return nil
}

// noRateLimit lets every retry happen.
type noRateLimit struct{}

func (noRateLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noRateLimit) AddTokens(uint) error { return nil }
