// Command go is the AWS SDK for Go v2 as a driver: it reads requests from standard input, makes the
// calls and writes the answers to standard output, one JSON object a line each. See ../README.md
// for the protocol.
//
// It knows no operation: methods are found by name through reflection. Paginators are functions,
// which reflection does not find by name, so that those stand in a table (paginators.go).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// request is a line of standard input. Which member is there says what is asked for.
type request struct {
	ID         json.RawMessage `json:"id"`
	Call       string          `json:"call"`
	Concurrent int             `json:"concurrent"`
	Paginate   string          `json:"paginate"`
	PageSize   int32           `json:"pageSize"`
	Input      any             `json:"input"`
	Configure  *overrides      `json:"configure"`
	Describe   bool            `json:"describe"`
}

// overrides of what the environment says. Empty members leave it as it is.
type overrides struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	Region          string `json:"region"`
	Endpoint        string `json:"endpoint"`
	RetryMode       string `json:"retryMode"`
	MaxAttempts     int    `json:"maxAttempts"`
	TimeoutMS       int    `json:"timeoutMs"`
}

// answer is a line of standard output.
type answer struct {
	ID        json.RawMessage `json:"id,omitempty"`
	Output    any             `json:"output,omitempty"`
	Status    int             `json:"status,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Pages     []any           `json:"pages,omitempty"`
	Answers   []answer        `json:"answers,omitempty"`
	Error     *serviceError   `json:"error,omitempty"`
	Refused   string          `json:"refused,omitempty"`
	Failed    string          `json:"failed,omitempty"`
	OK        bool            `json:"ok,omitempty"`
	Client    string          `json:"client,omitempty"`
	Version   string          `json:"version,omitempty"`
	Runtime   string          `json:"runtime,omitempty"`
}

// serviceError is an error that the service answered with.
type serviceError struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Status    int    `json:"status"`
	RequestID string `json:"requestId"`
	Modelled  bool   `json:"modelled"`
}

// refusal is what this client cannot do. Nothing was sent.
type refusal struct{ error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

func main() {
	if err := serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

// serve answers requests in order until there are no more.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	client, err := newClient(ctx, overrides{})
	if err != nil {
		return fmt.Errorf("make a client from the environment: %w", err)
	}
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	requests.UseNumber()
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		var a answer
		if r.Configure != nil {
			if configured, err := newClient(ctx, *r.Configure); err != nil {
				a = failure(err)
			} else {
				client, a = configured, answer{OK: true}
			}
		} else {
			a = handle(ctx, client, r)
		}
		a.ID = r.ID
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("write an answer: %w", err)
		}
	}
}

func handle(ctx context.Context, client *rekognition.Client, r request) answer {
	switch {
	case r.Describe:
		return describe()
	case r.Paginate != "":
		return paginate(ctx, client, r)
	case r.Call == "":
		return answer{Failed: "this is no request of the protocol"}
	case r.Concurrent == 0:
		return call(ctx, client, r)
	}
	answers := make([]answer, r.Concurrent)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = call(ctx, client, r) })
	}
	wg.Wait()
	return answer{Answers: answers}
}

func newClient(ctx context.Context, o overrides) (*rekognition.Client, error) {
	var options []func(*config.LoadOptions) error
	if o.AccessKeyID != "" || o.SecretAccessKey != "" || o.SessionToken != "" {
		keys := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     either(o.AccessKeyID, "AWS_ACCESS_KEY_ID"),
				SecretAccessKey: either(o.SecretAccessKey, "AWS_SECRET_ACCESS_KEY"),
				SessionToken:    either(o.SessionToken, "AWS_SESSION_TOKEN"),
			}, nil
		})
		options = append(options, config.WithCredentialsProvider(keys))
	}
	if o.Region != "" {
		options = append(options, config.WithRegion(o.Region))
	}
	if o.RetryMode != "" {
		mode, err := aws.ParseRetryMode(o.RetryMode)
		if err != nil {
			return nil, refusal{err}
		}
		options = append(options, config.WithRetryMode(mode))
	}
	if o.MaxAttempts != 0 {
		options = append(options, config.WithRetryMaxAttempts(o.MaxAttempts))
	}
	if o.TimeoutMS != 0 {
		timeout := time.Duration(o.TimeoutMS) * time.Millisecond
		options = append(options,
			config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(timeout)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	return rekognition.NewFromConfig(cfg, func(options *rekognition.Options) {
		if o.Endpoint != "" {
			options.BaseEndpoint = &o.Endpoint
		}
	}), nil
}

// either returns the value, or the environment's if it is empty.
func either(value, variable string) string {
	if value == "" {
		return os.Getenv(variable)
	}
	return value
}

// call makes one call: client.Operation(ctx, *OperationInput, ...options) (*OperationOutput,
// error).
func call(ctx context.Context, client *rekognition.Client, r request) answer {
	method := reflect.ValueOf(client).MethodByName(r.Call)
	if !method.IsValid() || !isOperation(method.Type()) {
		return failure(refuse("this client has no operation %s", r.Call))
	}
	input, err := decodeInput(method.Type().In(1), r.Input)
	if err != nil {
		return failure(err)
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	if err, _ := results[1].Interface().(error); err != nil {
		return failure(err)
	}
	metadata := results[0].Elem().FieldByName("ResultMetadata").Interface().(middleware.Metadata)
	a := answer{Output: encode(results[0])}
	a.RequestID, _ = awsmiddleware.GetRequestIDMetadata(metadata)
	if response, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response); ok {
		a.Status = response.StatusCode
	}
	return a
}

func isOperation(method reflect.Type) bool {
	return method.NumIn() == 3 && method.NumOut() == 2 && method.In(1).Kind() == reflect.Pointer &&
		method.Out(0).Kind() == reflect.Pointer
}

// failure is the answer to a call that brought no output.
func failure(err error) answer {
	if _, ok := errors.AsType[refusal](err); ok {
		return answer{Refused: err.Error()}
	}
	if _, ok := errors.AsType[smithy.InvalidParamsError](err); ok {
		return answer{Refused: err.Error()}
	}
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return answer{Refused: err.Error()}
	}
	fault, ok := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*awshttp.ResponseError](err)
	if !ok || !answered {
		return answer{Failed: err.Error()}
	}
	return answer{Error: &serviceError{
		Code:      fault.ErrorCode(),
		Message:   fault.ErrorMessage(),
		Status:    response.HTTPStatusCode(),
		RequestID: response.ServiceRequestID(),
		Modelled: reflect.TypeOf(
			fault).Elem().PkgPath() == reflect.TypeFor[types.AccessDeniedException]().PkgPath(),
	}}
}

func describe() answer {
	a := answer{Client: "aws-sdk-go-v2/service/rekognition",
		Runtime: strings.Replace(runtime.Version(), "go", "Go ", 1)}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if strings.HasSuffix(module.Path, a.Client) {
				a.Version = strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return a
}
