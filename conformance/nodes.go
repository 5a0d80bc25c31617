package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
)

// stores are empty PostgreSQL databases. Each group of servers takes the next.
type stores struct {
	pattern string // URL with %d, which stands for 1, 2, ...
	nodes   int    // servers that share a database, 1 or more
	taken   atomic.Int64
}

func (s *stores) next() string { return fmt.Sprintf(s.pattern, s.taken.Add(1)) }

// startNodes starts the servers that share a database, and the balancer before them.
func (s *server) startNodes(n needs, values *values, stores *stores) error {
	key := make([]byte, 32)
	rand.Read(key)
	file := filepath.Join(s.folder, "master-key")
	if err := os.WriteFile(file, []byte("recollect-master-key-1:"+
		base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		return err
	}
	s.shared = []string{"--store", stores.next(), "--master-key-file", file}
	var addresses []string
	for i := range stores.nodes {
		folder := filepath.Join(s.folder, fmt.Sprint("node", i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		node := newServer(s.root, folder, n)
		node.shared = s.shared
		if err := node.start(n, values); err != nil {
			return err
		}
		s.nodes = append(s.nodes, node)
		addresses = append(addresses, node.address)
	}
	var err error
	if s.balancer, err = startBalancer(addresses); err != nil {
		return err
	}
	s.address = s.balancer.listener.Addr().String()
	return nil
}

// balancer is an HTTP proxy that sends each request to the next server, whatever connection it came
// on.
type balancer struct {
	listener net.Listener
	server   *http.Server
	served   atomic.Int64
}

func startBalancer(addresses []string) (*balancer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &balancer{listener: l}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		n := b.served.Add(1)
		r.SetURL(&url.URL{Scheme: "http", Host: addresses[int(n)%len(addresses)]})
		r.Out.Host = r.In.Host // which was signed
	}}
	b.server = &http.Server{Handler: proxy}
	go b.server.Serve(l) // until close
	return b, nil
}

func (b *balancer) close() error { return b.server.Close() }
