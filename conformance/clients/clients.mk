# The drivers of conformance/clients: each is installed or built again only when its lock file or its sources have changed.
# Include it where GO and CONFORMANCE_VENV, the environment of the Python clients, are known. To run them:
#
#   $(CONFORMANCE_VENV)/bin/python $(CONFORMANCE_CLIENTS)/python/cli_driver.py
#   node $(CONFORMANCE_CLIENT_JS)
#   $(CONFORMANCE_CLIENT_GO)
#   java -XX:TieredStopAtLevel=1 -jar $(CONFORMANCE_CLIENT_JAVA)

CONFORMANCE_CLIENTS     := conformance/clients
CONFORMANCE_CLIENT_JS   := $(CONFORMANCE_CLIENTS)/js/driver.mjs
CONFORMANCE_CLIENT_GO   := .cache/conformance-client-go
CONFORMANCE_CLIENT_JAVA := .cache/conformance-client-java/driver.jar

.PHONY: conformance-client-python conformance-client-js conformance-client-go conformance-client-java conformance-clients-test

# What the drivers do without a server. The Go driver's tests are part of go test ./...
conformance-clients-test: conformance-client-python
	PYTHONDONTWRITEBYTECODE=1 $(CONFORMANCE_VENV)/bin/python -m pytest -p no:cacheprovider $(CONFORMANCE_CLIENTS)/python

conformance-client-python: $(CONFORMANCE_VENV)/installed

conformance-client-js: $(CONFORMANCE_CLIENTS)/js/node_modules/.package-lock.json

$(CONFORMANCE_CLIENTS)/js/node_modules/.package-lock.json: $(CONFORMANCE_CLIENTS)/js/package.json $(CONFORMANCE_CLIENTS)/js/package-lock.json
	cd $(CONFORMANCE_CLIENTS)/js && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

conformance-client-go: $(CONFORMANCE_CLIENT_GO)

$(CONFORMANCE_CLIENT_GO): go.mod go.sum $(wildcard $(CONFORMANCE_CLIENTS)/go/*.go)
	$(GO) build -o $@ ./$(CONFORMANCE_CLIENTS)/go

conformance-client-java: $(CONFORMANCE_CLIENT_JAVA)

# Maven pins by version; the jars that are run are checked by hash too, and that there are no others.
$(CONFORMANCE_CLIENT_JAVA): $(addprefix $(CONFORMANCE_CLIENTS)/java/,pom.xml dependencies.sha256) $(shell find $(CONFORMANCE_CLIENTS)/java/src -name '*.java')
	rm -rf $(@D)
	mvn --quiet --batch-mode --file $(CONFORMANCE_CLIENTS)/java package
	cd $(@D)/lib && LC_ALL=C sh -c "sha256sum *.jar" | diff $(CURDIR)/$(CONFORMANCE_CLIENTS)/java/dependencies.sha256 - || { rm -f ../driver.jar; exit 1; }
	touch $@
