# The drivers of conformance/clients: each is installed or built again only when its lock file or its sources have changed.
# What to run then:
#
#   CONFORMANCE_CLIENT_JS       node $(CONFORMANCE_CLIENT_JS)
#   CONFORMANCE_CLIENT_GO       $(CONFORMANCE_CLIENT_GO)

CONFORMANCE_CLIENTS   := conformance/clients
CONFORMANCE_CLIENT_JS := $(CONFORMANCE_CLIENTS)/js/driver.mjs
CONFORMANCE_CLIENT_GO := .cache/conformance-client-go

.PHONY: conformance-client-js conformance-client-go

conformance-client-js: $(CONFORMANCE_CLIENTS)/js/node_modules/.package-lock.json

$(CONFORMANCE_CLIENTS)/js/node_modules/.package-lock.json: $(CONFORMANCE_CLIENTS)/js/package.json $(CONFORMANCE_CLIENTS)/js/package-lock.json
	cd $(CONFORMANCE_CLIENTS)/js && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

conformance-client-go: $(CONFORMANCE_CLIENT_GO)

$(CONFORMANCE_CLIENT_GO): go.mod go.sum $(wildcard $(CONFORMANCE_CLIENTS)/go/*.go)
	$(GO) build -o $@ ./$(CONFORMANCE_CLIENTS)/go
