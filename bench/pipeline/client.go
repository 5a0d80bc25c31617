package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/recollect-dev/recollect/iam"
	"github.com/recollect-dev/recollect/wire"
)

// client makes signed requests. To leave the cores to the server, it signs a request once and sends the same bytes again and
// again; the server verifies each.
type client struct {
	address string
	key     iam.AccessKey
}

// request returns the bytes of a signed request.
func (c *client) request(operation, body string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+c.address+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Amz-Target", wire.TargetPrefix+"."+operation)
	req.Header.Set("Content-Type", wire.MediaType)
	sum := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: c.key.ID, SecretAccessKey: c.key.Secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, req, hex.EncodeToString(sum[:]), wire.SigningName, "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = req.Write(&b)
	return b.Bytes(), err
}

// call makes one request.
func (c *client) call(operation, body string) error {
	calls, err := c.prepare(1, operation, body)
	if err != nil {
		return err
	}
	defer calls.close()
	return calls.do(0)
}

// calls is one request on a number of connections.
type calls struct {
	request     []byte
	connections []net.Conn
	readers     []*bufio.Reader
}

func (c *client) prepare(clients int, operation, body string) (*calls, error) {
	request, err := c.request(operation, body)
	if err != nil {
		return nil, err
	}
	cs := &calls{request: request}
	for range clients {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return nil, errors.Join(err, cs.close())
		}
		cs.connections = append(cs.connections, conn)
		cs.readers = append(cs.readers, bufio.NewReader(conn))
	}
	return cs, nil
}

// do makes the request on connection i and reads the answer.
func (cs *calls) do(i int) error {
	if _, err := cs.connections[i].Write(cs.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(cs.readers[i], nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(resp.Body)
		return errors.Join(fmt.Errorf("status %d: %s", resp.StatusCode, answer), err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (cs *calls) close() error {
	var faults []error
	for _, c := range cs.connections {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}
