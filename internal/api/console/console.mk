# The web console. What is built lies in internal/api/console/bundle, which the program embeds.
CONSOLE_STAMP := internal/api/console/bundle/index.html

.PHONY: console
console: $(CONSOLE_STAMP)

$(CONSOLE_STAMP): internal/api/console/web/node_modules/.package-lock.json $(shell find internal/api/console/web/src -type f) $(addprefix internal/api/console/web/,index.html vite.config.mjs tsconfig.json)
	find internal/api/console/bundle -mindepth 1 ! -name README.md -delete
	cd internal/api/console/web && npm run --silent build
	touch $@

internal/api/console/web/node_modules/.package-lock.json: internal/api/console/web/package.json internal/api/console/web/package-lock.json
	cd internal/api/console/web && npm ci --no-audit --no-fund
	touch $@

# The console in a real browser, against a real server. Pictures of the pages are kept in .cache/console-screenshots. The tests that need real
# photographs are skipped, and say so, where the test data does not lie beside the project.
CHROMIUM ?= /usr/bin/chromium

.PHONY: test-console
test-console: build networks-tests skips postgres $(CHROMIUM) internal/api/console/browsertest/node_modules/.package-lock.json
	@rm -f $(RESULTS)/console.xml
	cd internal/api/console/browsertest && CHROMIUM=$(CHROMIUM) node --test --test-reporter spec --test-reporter-destination stdout \
		--test-reporter junit --test-reporter-destination $(RESULTS)/console.xml
	$(SKIPS) console=$(RESULTS)/console.xml

internal/api/console/browsertest/node_modules/.package-lock.json: internal/api/console/browsertest/package.json internal/api/console/browsertest/package-lock.json
	cd internal/api/console/browsertest && npm ci --no-audit --no-fund
	touch $@

# A browser is the system's to install: this does it where it can.
/usr/bin/chromium:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	else echo "The tests of the console need Chromium: install it, and name it where it is not /usr/bin/chromium: make test-console CHROMIUM=..."; exit 1; fi
