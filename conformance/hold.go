package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// holdAll holds each of the servers behind the balancer, or the only one.
func (s *server) holdAll(ctx context.Context) (all []net.Conn, err error) {
	if len(s.nodes) == 0 {
		conn, err := s.hold(ctx)
		if err != nil {
			return nil, err
		}
		return []net.Conn{conn}, nil
	}
	for _, n := range s.nodes {
		conn, err := n.hold(ctx)
		if err != nil {
			return all, err
		}
		all = append(all, conn)
	}
	return all, nil
}

// hold keeps the server busy with a request whose body does not come, until the connection that it
// returns is closed. It returns once the server waits for that body, so that scenarios of overload
// do not depend on chance.
//
// The server may take a moment to notice that the requests of the scenario before are gone.
func (s *server) hold(ctx context.Context) (net.Conn, error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := s.holdNow(ctx)
		if err == nil || time.Now().After(deadline) {
			return conn, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *server) holdNow(ctx context.Context) (net.Conn, error) {
	const body = "{}"
	const digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of the body
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint()+"/",
		strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "RekognitionService.ListCollections")
	key := aws.Credentials{AccessKeyID: rootAccessKeyID, SecretAccessKey: rootSecretAccessKey}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, digest, "rekognition", s.regions[0],
		time.Now()); err != nil {
		return nil, err
	}
	var head strings.Builder
	fmt.Fprintf(&head,
		"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n", s.address,
		len(body))
	for name := range req.Header {
		fmt.Fprintf(&head, "%s: %s\r\n", name, req.Header.Get(name))
	}
	head.WriteString("\r\n")
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err = conn.Write([]byte(head.String())); err == nil {
		var status string
		if status, err = bufio.NewReader(conn).ReadString('\n'); err == nil &&
			!strings.HasPrefix(status, "HTTP/1.1 100 ") {
			err = fmt.Errorf("the server did not wait for the body: %s", strings.TrimSpace(status))
		}
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("hold a request: %w", err)
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}
