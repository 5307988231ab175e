# Everything here sets itself up: Go, make and git are enough.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
GO    ?= go
TOOL  := $(GO) tool -modfile=.ci/tools.mod

# The race detector needs a C compiler; without one the tests run without it.
RACE := $(shell command -v $$($(GO) env CC) >/dev/null 2>&1 && [ "$$($(GO) env CGO_ENABLED)" = 1 ] && echo -race)

.PHONY: help demo test stress check cross arm64 integration package release chaos million soak fuzz bench browser
help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## deliver sample files through the real binary to an emulated CloudBase
	@echo "compiling; the first time this takes a minute or two"
	@$(GO) run ./functions/local -demo

test: ## run every test
	@[ -n "$(RACE)" ] || echo "no C compiler: the tests run without the race detector"
	$(GO) test $(RACE) ./...

# The loops end with the tests, whatever their result is.
stress: ## run every test while twice as many busy loops as CPUs run
	@loops=; for i in $$(seq $$(($$(getconf _NPROCESSORS_ONLN) * 2))); do (while :; do :; done) & loops="$$loops $$!"; done; \
		trap "kill $$loops" EXIT; $(GO) test $(RACE) -count=1 ./...

check: cross ## formatting, vet, staticcheck, tidy, known vulnerabilities, house rules; build and vet for other systems
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags integration ./internal/test/integration
	$(TOOL) staticcheck -checks all,-ST1003 ./... # ST1003 objects to names that stand on the wire
	$(TOOL) staticcheck -tags integration ./internal/test/integration
	$(GO) mod tidy -diff
	$(GO) test ./internal/test/arch ./internal/test/docs ./internal/tools/pack
	DEPLOYTEST_INSTALL=1 $(GO) test -count=1 -v ./internal/test/deploy | grep -v '^=== '
	@.ci/vulncheck

# What make test does not compile: other systems, other processors, and no assembly.
cross:
	$(GO) vet -tags purego ./...
	$(GO) test -tags purego ./internal/meter/...
	@for p in linux/arm64 linux/riscv64 darwin/arm64 windows/amd64; do \
		echo "build and vet for $$p"; export CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/}; \
		$(GO) build ./... && $(GO) vet ./... || exit 1; \
	done

# On an arm64 machine make test runs the same.
QEMU := $(firstword $(foreach q,qemu-aarch64-static qemu-aarch64,$(shell command -v $(q))))
arm64: ## run the arm64 assembly in QEMU, where it can be had
	@[ -n "$(QEMU)" ] || echo "SKIPPED: there is no qemu-aarch64 to run arm64 code (Debian: qemu-user-static)"
	@[ -z "$(QEMU)" ] || CGO_ENABLED=0 GOARCH=arm64 $(GO) test -exec $(QEMU) -count=1 ./internal/meter/crc64 ./internal/meter

integration: ## run the built function against moto_server and versitygw, where they can be had
	$(GO) test -C internal/test/integration -tags integration -count=1 -timeout 15m

SEED     ?= 1
SOAK     ?= 10m
FUZZTIME ?= 60s
CHAOS    := $(GO) test ./internal/test/chaos -count=1 -v -document $(CURDIR)/docs/reliability.md
chaos: ## thousands of files, every kind of fault; SEED=n; writes docs/reliability.md
	$(CHAOS) -timeout 15m -run 'TestChaos|TestToxiproxy|TestLeaks|TestHostileEvents' -long -seed $(SEED)

million: ## check a million files with local -check; memory and calls (about half an hour)
	$(GO) test ./internal/test/chaos -count=1 -v -long -timeout 2h -run TestCheckOfMany

soak: ## memory of the built function over time; SOAK=10m; writes docs/reliability.md
	$(CHAOS) -timeout 0 -run TestSoak -soak $(SOAK)

fuzz: ## every fuzz target for FUZZTIME
	@for p in $$($(GO) list ./internal/...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

bench: ## measure against a bare relay; writes docs/benchmarks.md (about 6 minutes)
	$(GO) run ./internal/tools/bench

browser: ## drive the pages in headless Chromium; installs Chromium and playwright-core
	BROWSERTEST_INSTALL=1 $(GO) test $(RACE) -count=1 -v ./internal/test/browser

package: ## build reproducible zips for Lambda and SCF into dist/
	@$(GO) run ./internal/tools/pack

release: ## build everything that a release has into dist/; VERSION=v1.2.3
	@$(GO) run ./internal/tools/pack -release -version "$(VERSION)"

# sam build calls these. SAM does not say for which architecture, so it is read from where
# sam deploy takes it.
# SAM builds in a copy without .git: pass VERSION to name what is deployed. The other
# variables are fixed so that the environment does not change the binary.
GOARCH  ?= $(if $(shell grep -s '^Architecture:.*x86_64' params.yaml),amd64,arm64)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
.PHONY: build-LambdaObjects build-LambdaHttp build-LambdaCheck
build-LambdaObjects build-LambdaHttp build-LambdaCheck: build-Lambda%:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) GOAMD64=v1 GOARM64=v8.0 GOFLAGS= GOEXPERIMENT= $(GO) build -trimpath -buildvcs=false -tags lambda.norpc \
		-ldflags '-s -w -buildid= -X github.com/tcbferry/tcbferry/internal/app.Version=$(VERSION)' \
		-o $(ARTIFACTS_DIR)/bootstrap ./functions/lambda-$(shell echo $* | tr A-Z a-z)
