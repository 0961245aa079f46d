# Everything that is done with this repository, by one word each.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build install run test crash bench bench-guard bench-memory bench-offload bench-disk bench-purge \
  bench-isolation simulate-eviction conformance hashed-names lint format clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
	  while IFS='|' read -r name text; do printf '%-24s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  make run UPSTREAM=http://host:port   one PoP before your own origin'
	@echo '  make run ROOT=dir                    the demo fleet over your own files'

setup: ## Install the packages that building needs
	@scripts/setup

build: setup ## Build everything in release mode
	@scripts/timed build scripts/release

install: ## Install what `make build` built: PREFIX=/usr/local, SYSCONFDIR=/etc, DESTDIR= (docs/operations.md)
	@PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" UNITDIR="$(UNITDIR)" DESTDIR="$(DESTDIR)" scripts/install

run: ## Start a demo fleet: origin, three regions, load, a purge (see docs/edge-load.md)
	@scripts/setup --run
	@scripts/demo

# Tests with sockets wait for threads and processes: a few at a time leave each of them enough of a
# small machine. Older tool chains know no such bound and do without.
few_tests := env SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4

test: ## Install what tests need, build, test, lint
	@scripts/timed setup scripts/setup --test
	@scripts/timed build swift build --build-tests
	@scripts/timed "pure tests" swift test --skip-build --filter '^EdgeCacheTests\.'
	@scripts/timed "socket tests" $(few_tests) swift test --skip-build \
	  --filter '^(EdgeFleetTests|EdgeLoadTests|EdgeNamesTests|EdgeSocketTests|EdgePoPTests)\.'
	@scripts/timed "end-to-end tests" swift test --skip-build --no-parallel \
	  --filter '^EndToEndTests\.'
	@scripts/timed lint scripts/lint

crash: ## Kill PoPs and Redis ROUNDS times (500) under fills and purges, and check every byte
	@scripts/setup --test
	@scripts/timed build swift build --build-tests
	@CRASH_ROUNDS=$(or $(ROUNDS),500) swift test --skip-build --no-parallel \
	  --filter 'EndToEndTests.*(DiskCrashTests|DiskFaultTests|DiskFullTests|DiskLossTests|PurgeCrashTests)'

bench: ## Compare with other caches: ROUNDS=, SECONDS=, CASES=, PEERS= (see Benchmarks/README.md)
	@scripts/setup --bench
	@scripts/timed build scripts/release
	@python3 Benchmarks/compare/bench.py --rounds $(or $(ROUNDS),5) --seconds $(or $(SECONDS),2) \
	  --cases "$(CASES)" --peers "$(PEERS)"
	@test -n "$(CASES)$(PEERS)" || python3 Benchmarks/disk/disk.py hits latency

bench-guard: ## Count instructions and allocations for each request, against thresholds
	@scripts/setup --guard
	@scripts/timed build scripts/release --product edge-pop
	@python3 Benchmarks/guard/guard.py

# Several sizes are written between commas: MEMORY=64MiB,1%
MEMORY ?= 0.1%,1%,10%
comma := ,

bench-disk: ## Measure the disk tier: hits, latency, recovery, hit ratio (PARTS= RECORDS=)
	@scripts/setup --bench
	@scripts/timed build scripts/release
	@python3 Benchmarks/disk/disk.py --records $(or $(RECORDS),1000000) $(PARTS)

bench-purge: ## Measure purges: a hundred PoPs, a million stored responses, under load (PARTS=)
	@scripts/setup --bench
	@scripts/timed build scripts/release
	@python3 Benchmarks/purge/purge.py $(PARTS)

bench-isolation: ## Measure a site beside others that are in trouble, against the bar (ROUNDS=5)
	@scripts/setup --test
	@scripts/timed build scripts/release
	@scripts/timed "build of the test" swift build --build-tests
	@EDGECACHE_PROGRAMS=$(CURDIR)/.build/release EDGECACHE_ISOLATION_ROUNDS=$(or $(ROUNDS),5) \
	  swift test --skip-build --filter 'EndToEndTests.*IsolationTests'

simulate-eviction: ## Hit ratios of a request log: TRACE=FILE [MEMORY=64MiB,1%]
	@test -n "$(TRACE)" || { echo "say which log: make simulate-eviction TRACE=FILE" >&2; exit 1; }
	@scripts/setup
	@scripts/timed build scripts/release --product edge-load
	@.build/release/edge-load simulate-eviction "$(TRACE)" \
	  $(patsubst %,--memory %,$(subst $(comma), ,$(MEMORY)))

bench-memory: setup ## Measure memory for each response and under churn (LONG=1 for more)
	@scripts/timed build scripts/release --product memory-bench
	@.build/release/memory-bench stored $(if $(LONG),1000000,100000)
	@.build/release/memory-bench churn $(if $(LONG),400,60)

bench-offload: ## Measure what the origin is spared at 10 000 requests per second
	@scripts/setup
	@Benchmarks/offload/offload

conformance: ## Write docs/conformance.md from the tables of behaviour
	@swift build --build-tests
	@EDGECACHE_WRITE_CONFORMANCE=1 swift test --skip-build --filter 'ConformanceTests'

# A list of real names, `yes`, `no` or `no?` in the first of four columns; without it nothing is tried.
NAMES ?= ../shared/hashed/names.tsv.gz

hashed-names: ## Try the rule about hashed URLs on a list of real names: NAMES=FILE.gz
	@test -r "$(NAMES)" || { echo "there is no list of names at $(NAMES): say NAMES=FILE.gz" >&2; exit 1; }
	@swift build --build-tests
	@gzip -dc "$(NAMES)" > .build/hashed-names.tsv
	@EDGECACHE_HASHED_NAMES=$(CURDIR)/.build/hashed-names.tsv swift test --skip-build --filter HashedNamesTests

lint: ## Check the style of all Swift sources
	@scripts/lint

format: ## Rewrite all Swift sources in the repository's style
	@swift format -i -r Sources Tests Package.swift

clean: ## Remove what was built
	@swift package clean
