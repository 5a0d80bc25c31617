# Real clients against the real server. Each suite starts servers of its own from bin/recollect.
# What a suite needs is installed again only when its lock file has changed.

CONFORMANCE_VENV := .cache/conformance-python
CONFORMANCE_JS   := conformance/js/node_modules/.package-lock.json

.PHONY: conformance-python conformance-js

conformance-python: build $(CONFORMANCE_VENV)/installed
	PYTHONDONTWRITEBYTECODE=1 $(CONFORMANCE_VENV)/bin/python -m pytest -p no:cacheprovider conformance/python

conformance-js: build $(CONFORMANCE_JS)
	node --test conformance/js/*.test.mjs

$(CONFORMANCE_VENV)/installed: conformance/clients/python/requirements.txt
	rm -rf $(CONFORMANCE_VENV)
	python3 -m venv $(CONFORMANCE_VENV)
	$(CONFORMANCE_VENV)/bin/python -m pip install --quiet --require-hashes --only-binary :all: --requirement $<
	touch $@

$(CONFORMANCE_JS): conformance/js/package.json conformance/js/package-lock.json
	cd conformance/js && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
