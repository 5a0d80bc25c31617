# Two commands on a fresh machine with Go, Node.js (npm), Python 3 (pip), a C compiler, and for the tests Java, Maven and Chromium:
#
#   make run     install the networks, build, start the server
#   make test    install what the tests need, run all of them
#
# Everything that is downloaded is pinned by version and hash.

GO ?= go
LISTEN ?= 127.0.0.1:7180
DATA ?= data
VERSION ?= $(shell tools/version.sh)

# golangci-lint lints one module at a time. tools/golangci has no code of its own.
GOLANGCI := .cache/bin/golangci-lint
MODULES  := . tools tools/release internal/engine/jpeg/asm internal/engine/vision/asm internal/index/exact/asm

.DEFAULT_GOAL := build
.PHONY: build run test test-go fuzz lint generate bench bench-users bench-calibration bench-imports bench-quality bench-recognition bench-search bench-filling bench-restart bench-pictures bench-text bench-video clean

include networks/networks.mk
include internal/api/console/console.mk
include internal/source/s3/s3.mk
include internal/store/postgres/postgres.mk
include conformance/conformance.mk
include packaging/release.mk

build: networks console bin/recollect

.PHONY: bin/recollect
bin/recollect: | console
	$(GO) build -ldflags '-X main.release=$(VERSION)' -o $@ ./cmd/recollect

run: build
	bin/recollect serve --listen $(LISTEN) --data $(DATA)

test: test-go conformance-python conformance test-console
	$(SKIPS) -events $(RESULTS)/go.json python=$(RESULTS)/python.xml scenarios=$(RESULTS)/scenarios.xml console=$(RESULTS)/console.xml

# Each runner leaves its results in RESULTS, and lists the tests that it skipped. With CI=true one that SKIPS_ALLOWED does
# not list fails the run. `make test` repeats the skips of all runners at its end.
RESULTS       := $(CURDIR)/.cache/results
SKIPS_ALLOWED ?= tools/skips.txt
SKIPS         := .cache/skips -allow $(SKIPS_ALLOWED)

.PHONY: skips
skips:
	@mkdir -p $(RESULTS)
	$(GO) build -C tools -o ../.cache/skips ./skips

# What takes minutes, and many more with the race detector on, runs after the rest without it.
SLOW := LFW|DetectCrowd|DetectHuge|CodesOfShortVectors
test-go: networks networks-tests ffmpeg console versitygw postgres skips
	@bash -o pipefail -c '{ $(GO) test -json -race -short -timeout 20m ./... && \
		$(GO) test -json -timeout 20m -run "$(SLOW)" ./internal/engine/vision ./internal/index/exact ./internal/video && \
		$(GO) test -C tools -json ./... ; } | tee $(RESULTS)/go.json | $(SKIPS) -show LFW'

# Every fuzz target for FUZZTIME, FUZZ_JOBS of them at once with a worker each.
FUZZTIME  ?= 10s
FUZZ_JOBS ?= 2
fuzz: networks
	$(GO) build -C tools -o ../.cache/fuzz ./fuzz
	.cache/fuzz -time $(FUZZTIME) -jobs $(FUZZ_JOBS)

# golangci-lint lints each module, with the linters of .golangci.yml. go vet checks the assembly as well, which
# golangci-lint does not. govulncheck reads its database over the network: without the network it reports that it did
# not run, and the target succeeds.
lint: $(GOLANGCI)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt"; exit 1; }
	$(GO) vet ./...
	@set -e; for module in $(MODULES); do echo "golangci-lint run $$module"; \
		(cd $$module && $(CURDIR)/$(GOLANGCI) run ./...); done
	sh tools/govulncheck.sh

# It is built from source, as the checksums of go.sum demand, and kept for later runs.
$(GOLANGCI): tools/golangci/go.mod tools/golangci/go.sum
	$(GO) build -C tools/golangci -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# The files that are generated from the service's model, kernels and flags. Where another version of botocore is pinned than
# the one whose model is kept, it is downloaded, and what changed in the model is listed.
generate:
	$(GO) generate ./...

bench: networks
	$(GO) run ./bench/pipeline

# Some minutes, and LFW beside the project.
bench-users: networks
	$(GO) run ./bench/users

# The same, and minutes of comparing all pairs.
bench-calibration: networks
	$(GO) run ./bench/calibration

# Some minutes, and LFW beside the project.
bench-imports: build
	$(GO) run ./bench/imports

# Some minutes each, and LFW beside the project.
bench-quality: networks
	$(GO) run ./bench/quality

# Many minutes: a thousand words upright and turned, and by size, angle and font.
bench-text: networks networks-tests
	$(GO) run ./bench/text

bench-recognition: networks
	$(GO) test -timeout 3h -run RecognitionTried -v ./internal/engine/vision -tried $(CURDIR)/bench/results/recognition.md

# Many minutes: graphs take long to build. SEARCH holds flags: make bench-search SEARCH='-sizes 10000,100000'
bench-search: networks .cache/bench-search/venv/installed .cache/bench-search/weaviate-server
	$(GO) run ./bench/search $(SEARCH)

bench-filling:
	$(GO) run ./bench/filling

# Some minutes, LFW beside the project, and minutes more to compose the video once. VIDEO holds flags:
# make bench-video VIDEO='-seconds 20'
bench-video: networks ffmpeg
	$(GO) run ./bench/video $(VIDEO)

# Minutes, and 5 GB of disk.
bench-restart: build
	$(GO) run ./bench/restart

.cache/bench-search/venv/installed: bench/search/requirements.txt
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --require-hashes --requirement $<
	touch $@

.cache/bench-search/weaviate-server:
	GOBIN=$(abspath $(@D)) $(GO) install github.com/weaviate/weaviate/cmd/weaviate-server@v1.35.2

# PICTURES names folders: make bench-pictures PICTURES='photos more-photos'. What is read differently by Pillow is listed.
bench-pictures: $(CONFORMANCE_VENV)/installed
	$(GO) run ./bench/pictures $(PICTURES)

clean:
	rm -rf bin lib .cache
	find internal/api/console/bundle -mindepth 1 ! -name README.md -delete
