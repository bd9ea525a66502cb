# limsbridge. `make` or `make help` lists what there is to make.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The product is pure Go: one static binary for every lab's server.
export CGO_ENABLED ?= 0

# Pinned, so that a finding today is a finding tomorrow. It lands in .tools, not in your GOBIN.
GOLANGCI_VERSION := v2.15.0
GOLANGCI := .tools/golangci-lint-$(GOLANGCI_VERSION)

# The packagers that the module proxy has, pinned likewise.
export NFPM_VERSION := v2.45.2
export WINRES_VERSION := v0.3.3
PACKAGERS := .tools/nfpm-$(NFPM_VERSION) .tools/go-winres-$(WINRES_VERSION)

# What .ci/run and `make fuzz` give each fuzz test.
FUZZTIME ?= 10s
BENCHTIME ?= 1x
SEED ?= 1
MONTHS ?= 100
KILLS ?= 10000
LATE ?= 60s
ROWS ?= 1000000

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## the program, for this machine, as ./limsbridge
	go build -trimpath -o limsbridge$(shell go env GOEXE) ./cmd/limsbridge

.PHONY: demo
demo: ## a synthetic lab, the bridge and a simulated API for some seconds (SEED=…)
	go run ./cmd/limsbridge demo --seed $(SEED)

.PHONY: test
test: ## all tests; databases that are not running are skipped, with CI=true they must run
	go test ./...

.PHONY: race
# The tests that start the real program build it without the detector, so that they would tell no more here
# than the plain tests do.
race: ## all tests with the race detector (needs a C compiler)
	LIMSBRIDGE_MONTHS=1 CGO_ENABLED=1 go test -race -short -skip '^(TestTorture|TestAdversity|TestService)' -timeout 20m ./...

.PHONY: torture
torture: ## kill the program 10,000 times and compare what became of it (KILLS=10000)
	LIMSBRIDGE_KILLS=$(KILLS) go test -count=1 -timeout 0 -v -run '^TestTorture' ./cmd/limsbridge

.PHONY: months
months: ## live through new months in virtual time (MONTHS=100)
	LIMSBRIDGE_MONTHS=$(MONTHS) LIMSBRIDGE_SEED=$$RANDOM go test -count=1 -timeout 0 -run '^TestVirtualMonths$$' ./bridge

.PHONY: late-commits
late-commits: ## transactions of up to 30 s commit out of order for a minute; none of 50,000 rows may be missed (LATE=60s)
	LIMSBRIDGE_LATE=$(LATE) go test -count=1 -timeout 0 -v -run '^TestTransactionsCommitOutOfOrder$$' ./lims/limstest/conform

.PHONY: million
million: ## read a table of a million rows on every database (ROWS=1000000)
	LIMSBRIDGE_ROWS=$(ROWS) go test -count=1 -timeout 0 -v -run '^TestLargeTable$$' ./lims/limstest/conform

.PHONY: cover
cover: ## what the tests reach, per function
	@mkdir -p .tools
	go test -coverpkg=./... -coverprofile=.tools/cover.out ./...
	go tool cover -func=.tools/cover.out

.PHONY: lint
lint: $(GOLANGCI) ## formatting, go vet, golangci-lint, sleeping tests
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt these: $$unformatted"; exit 1; }
	go vet ./...
	$(GOLANGCI) run ./...
	@# Virtual time is the only time that a test may sleep through.
	@awake=$$(git ls-files '*_test.go' | xargs grep -l 'time\.Sleep(' | xargs -r grep -L '"testing/synctest"' || true); \
	[ -z "$$awake" ] || { echo "these tests sleep without testing/synctest: $$awake"; exit 1; }

$(GOLANGCI):
	GOBIN=$(CURDIR)/.tools CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv .tools/golangci-lint $@

.PHONY: tools
tools: $(GOLANGCI) ## install the linter into .tools (some minutes, once per version)

.PHONY: cross
cross: ## build for Windows and macOS, and vet for Windows, which has files of its own everywhere
	GOOS=windows GOARCH=amd64 go build ./...
	GOOS=windows GOARCH=amd64 go vet ./...
	GOOS=darwin GOARCH=arm64 go build ./...

.PHONY: fuzz
fuzz: ## every fuzz test for a moment (FUZZTIME=10s)
	@go list -f '{{$$d := .Dir}}{{$$p := .ImportPath}}{{range .TestGoFiles}}{{$$p}} {{$$d}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$$p}} {{$$d}}/{{.}}{{"\n"}}{{end}}' ./... | \
	while read -r package file; do \
	  [ -n "$$file" ] || continue; \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$$file"); do \
	    echo "go test $$package -run '^$$' -fuzz '^$$name\$$' -fuzztime $(FUZZTIME)"; \
	    go test "$$package" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) </dev/null; \
	  done; \
	done

.PHONY: bench
bench: ## the benchmarks (BENCHTIME=1x): calls a second, memory, a pass with nothing new
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -timeout 30m ./...

.PHONY: packages
packages: $(PACKAGERS) ## .deb, .rpm, .msi and archives into dist (Linux; VERSION=…, OUT=…)
	installer/build.sh

.PHONY: reproducible
reproducible: $(PACKAGERS) ## build the commit's packages twice and compare every byte (FRESH=1: compile twice, too)
	installer/reproducible.sh

.PHONY: sign-test
sign-test: $(PACKAGERS) ## sign the MSI and its program with a certificate made on the spot
	installer/windows/sign-test.sh

# An older version of this very program, to be upgraded from.
.PHONY: install-test
install-test: $(PACKAGERS) ## .deb and .rpm in a clean Debian under systemd: start, kill, reboot, upgrade, purge (Linux, root)
	ONLY=linux VERSION=0.0.1 OUT=dist/test/old installer/build.sh
	ONLY=linux OUT=dist/test/new installer/build.sh
	go build -o dist/test/rehearsal ./installer/rehearsal
	installer/linux/install-test.sh dist/test/old dist/test/new dist/test/rehearsal

.PHONY: wine-test
wine-test: $(PACKAGERS) ## the MSI in Wine: install, start, stop, upgrade, uninstall (Linux, root, minutes)
	ONLY=msi TAGS=wine VERSION=0.0.1 OUT=dist/test/wine-old installer/build.sh
	ONLY=msi TAGS=wine OUT=dist/test/wine-new installer/build.sh
	go build -o dist/test/rehearsal ./installer/rehearsal
	installer/windows/wine-test.sh dist/test/wine-old/*.msi dist/test/wine-new/*.msi dist/test/rehearsal

.tools/nfpm-$(NFPM_VERSION):
	GOBIN=$(CURDIR)/.tools CGO_ENABLED=0 go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
	mv .tools/nfpm $@

.tools/go-winres-$(WINRES_VERSION):
	GOBIN=$(CURDIR)/.tools CGO_ENABLED=0 go install github.com/tc-hib/go-winres@$(WINRES_VERSION)
	mv .tools/go-winres $@

.PHONY: tidy
tidy: ## check that go.mod and go.sum are what the code needs, and unchanged downloads
	go mod tidy -diff
	go mod verify

.PHONY: ci
ci: ## everything that must hold before a change goes in; needs PostgreSQL and MariaDB, see CONTRIBUTING.md
	.ci/run

.PHONY: clean
clean: ## remove what was built here; the linter in .tools stays
	rm -rf limsbridge limsbridge.exe dist .tools/cover.out
