# Real clients against the real server. Each suite starts servers of its own from bin/recollect.
# What a suite needs is installed again only when its lock file has changed.

CONFORMANCE_VENV := .cache/conformance-python

include conformance/clients/clients.mk

.PHONY: conformance conformance-python

# One list of scenarios through five unmodified clients. CONFORMANCE holds further flags: make conformance CONFORMANCE='--clients boto3 --run users'
# Without the test data beside the project the scenarios that need real photographs are left out, which the run says.
CONFORMANCE ?= $(if $(wildcard ../shared/data/lfw),,--without-pictures)
conformance: build conformance-client-python conformance-client-js conformance-client-go conformance-client-java
	$(GO) run ./conformance $(CONFORMANCE)

# What no client sends: raw requests, and servers that are killed.
conformance-python: build $(CONFORMANCE_VENV)/installed conformance-client-js
	PYTHONDONTWRITEBYTECODE=1 $(CONFORMANCE_VENV)/bin/python -m pytest -p no:cacheprovider conformance/python conformance/clients/python

$(CONFORMANCE_VENV)/installed: conformance/clients/python/requirements.txt
	rm -rf $(CONFORMANCE_VENV)
	python3 -m venv $(CONFORMANCE_VENV)
	$(CONFORMANCE_VENV)/bin/python -m pip install --quiet --require-hashes --only-binary :all: --requirement $<
	touch $@
