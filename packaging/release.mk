# Archives with checksums and a bill of materials, in build/release; see .goreleaser.yaml.

RELEASE_TOOLS := .cache/release
# Times in the archive are the commit's, so that the same commit gives the same archive.
GORELEASER = VERSION=$(VERSION) COMMIT_DATE=$$(git log -1 --format=%cI) COMMIT_TIMESTAMP=$$(git log -1 --format=%ct) \
	$(RELEASE_TOOLS)/goreleaser release --clean

.PHONY: release-snapshot release test-release release-tools release-licences

# What git has now, tagged or not, and nothing is published.
release-snapshot: networks console release-tools release-licences
	$(GORELEASER) --snapshot

# The tag of the commit. It makes a draft on GitHub, with the token in GITHUB_TOKEN.
release: networks console release-tools release-licences
	$(GORELEASER)

# The archive is unpacked in a temporary folder, and its program serves clients from there.
test-release: release-snapshot
	$(GO) test -count 1 ./packaging -release $(CURDIR)/build/release -version $(VERSION)

# Pinned in a module of their own. The first build takes minutes.
release-tools:
	$(GO) build -C tools/release -o $(CURDIR)/$(RELEASE_TOOLS)/ github.com/goreleaser/goreleaser/v2 ./sbom ./licences

release-licences: release-tools console
	rm -rf build/licences
	$(RELEASE_TOOLS)/licences build/licences/go-modules.txt
	cp internal/api/console/web/node_modules/preact/LICENSE build/licences/preact.txt

# The wheel of pytest-recollect and the npm package recollect-test, from the archive of a release.
RELEASE_ARCHIVE = $(wildcard build/release/recollect_*_linux_amd64.tar.gz)
.PHONY: release-packages test-packages
release-packages:
	$(GO) run -C tools/release ./packages -version $(VERSION) -archive $(CURDIR)/$(RELEASE_ARCHIVE) -source $(CURDIR)/packaging -out $(CURDIR)/build/release

# The same from what make build has built, and tests of a user of each.
PACKAGES := build/packages
test-packages: build $(CONFORMANCE_VENV)/installed packaging/npm/test/node_modules/.package-lock.json
	rm -rf $(PACKAGES) && mkdir -p $(PACKAGES)
	tar --transform 's,^,recollect/,' --exclude build -czf $(PACKAGES)/archive.tar.gz bin/recollect lib/recollect LICENSE THIRD_PARTY.md
	$(GO) run -C tools/release ./packages -version $(VERSION) -archive $(CURDIR)/$(PACKAGES)/archive.tar.gz -source $(CURDIR)/packaging -out $(CURDIR)/$(PACKAGES)
	$(GO) test -C tools/release ./packages
	$(GO) test -count 1 ./packaging -run 'Wheel|NpmPackage' -packages $(CURDIR)/$(PACKAGES) -python $(CURDIR)/$(CONFORMANCE_VENV)/bin/python

packaging/npm/test/node_modules/.package-lock.json: packaging/npm/test/package.json packaging/npm/test/package-lock.json
	cd packaging/npm/test && npm ci --no-audit --no-fund
	touch $@
