# Real clients against the real server. Each suite starts servers of its own from bin/recollect.
# What a suite needs is installed again only when its lock file has changed.

CONFORMANCE_VENV := .cache/conformance-python
MOTO_VENV        := .cache/moto

include conformance/clients/clients.mk
include conformance/cluster/cluster.mk

.PHONY: conformance conformance-python

# One list of scenarios through five unmodified clients. CONFORMANCE holds further flags: make conformance CONFORMANCE='--clients boto3 --run users'
# Without the test data beside the project the scenarios that need real photographs are left out, which the run says.
CONFORMANCE ?= $(if $(wildcard ../shared/data/lfw),,--without-pictures)
conformance: build networks-tests ffmpeg skips conformance-client-python conformance-client-js conformance-client-go conformance-client-java
	@rm -f $(RESULTS)/scenarios.xml
	$(GO) run ./conformance -junit $(RESULTS)/scenarios.xml $(CONFORMANCE)
	$(SKIPS) scenarios=$(RESULTS)/scenarios.xml

# What no client sends: raw requests, and servers that are killed.
conformance-python: build networks-tests ffmpeg skips $(CONFORMANCE_VENV)/installed $(MOTO_VENV)/installed conformance-client-js
	@rm -f $(RESULTS)/python.xml
	PYTHONDONTWRITEBYTECODE=1 $(CONFORMANCE_VENV)/bin/python -m pytest -p no:cacheprovider --junit-xml=$(RESULTS)/python.xml conformance/python conformance/clients/python
	$(SKIPS) python=$(RESULTS)/python.xml

$(CONFORMANCE_VENV)/installed: conformance/clients/python/requirements.txt
	rm -rf $(CONFORMANCE_VENV)
	python3 -m venv $(CONFORMANCE_VENV)
	$(CONFORMANCE_VENV)/bin/python -m pip install --quiet --require-hashes --only-binary :all: --requirement $<
	touch $@

# The server of SNS and SQS, apart from the clients: it needs other packages.
$(MOTO_VENV)/installed: conformance/python/moto.txt
	rm -rf $(MOTO_VENV)
	python3 -m venv $(MOTO_VENV)
	$(MOTO_VENV)/bin/python -m pip install --quiet --require-hashes --only-binary :all: --requirement $<
	touch $@
