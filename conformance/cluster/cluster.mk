# Servers that share a PostgreSQL database: what make test runs for seconds, for many minutes. CLUSTER holds further flags of go test:
# make test-cluster CLUSTER='-run NodesAreKilled'
LINEARITY ?= 3m

.PHONY: test-cluster
test-cluster: build postgres conformance-client-python
	$(GO) test -timeout 3h -v $(CLUSTER) ./conformance/cluster -long
	$(GO) test -timeout 1h -v -run 'Linearity|LostCommits' ./internal/store/postgres -linearity $(LINEARITY)
