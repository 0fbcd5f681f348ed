# Caskade: every target sets up what it needs, silently when nothing is to do.
# `make` alone lists the targets. Paths under data/ are only ever deleted by clean-data.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := node_modules/.bin
SETUP_STAMP := node_modules/.setup-stamp
ARGS ?=
SEED ?= 1
RUNS ?= 200
NODES ?= 3
CHROOT ?=

.PHONY: help setup setup-system build standalone cluster cli load test simulate explore coverage demo soak bench check docs proto clean clean-data

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(SETUP_STAMP) ## install the npm packages of package-lock.json (needs Node 20.19 or newer)

# The stamp lies inside node_modules, so that deleting node_modules also asks for a new set-up.
$(SETUP_STAMP): package.json package-lock.json .npmrc scripts/setup.sh
	@scripts/setup.sh
	@touch $@

setup-system: ## install the Debian packages that the tests need (make bench adds its own)
	@scripts/setup-system.sh

build: $(SETUP_STAMP) ## compile to dist/ (incremental)
	@$(BIN)/tsc -p tsconfig.json

standalone: build ## run one durable node in the foreground: 127.0.0.1:6379, data in ./data/standalone
	@exec node bin/caskade.cjs server --config conf/standalone/server.yaml $(ARGS)

cluster: build ## run ZooKeeper, unless one answers, and NODES=3 nodes: 127.0.0.1:7001.., data in ./data (CHROOT=/caskade)
	@exec node dist/scripts/cluster/main.js --nodes "$(NODES)" $(if $(CHROOT),--chroot "$(CHROOT)") $(ARGS)

cli: build ## talk to the standalone node or the cluster, whichever runs (ARGS="--addr HOST:PORT" for another one)
	@exec node bin/caskade.cjs cli $(ARGS)

load: build ## load FILE=... (RESP commands or key<TAB>value lines) into a running node
	@test -n "$(FILE)" || { echo "make load: say which file: make load FILE=path" >&2; exit 2; }
	@exec node bin/caskade.cjs load $(ARGS) -- "$(FILE)"

test: setup-system build ## run all tests; ends in 'N passed, N failed' (ARGS="test/config --grep alias" for some)
	@exec node dist/scripts/run-tests.js $(ARGS)

simulate: build ## run seeds of the simulated cluster: SEED=1 RUNS=200 (ARGS="--keep-going", "--mutations", "--list")
	@exec node dist/scripts/simulate.js --seed "$(SEED)" --runs "$(RUNS)" $(ARGS)

explore: build ## every order of a bounded number of events, by the rules of ISR, ELR, leases and elections (ARGS="large", "walk", "mutations")
	@exec node dist/scripts/explore.js $(ARGS)

coverage: build ## which branches RUNS=200 seeds of the simulated cluster reach; fails below 90 %
	@RUNS="$(RUNS)" SEED="$(SEED)" scripts/simulation-coverage.sh

demo: build ## kill, pause and cut off what a cluster is made of while clients write: what is lost? (ARGS="--seconds 40")
	@scripts/setup-system.sh zookeeper
	@exec node dist/scripts/demo.js $(ARGS)

soak: setup-system build ## the same tests with the long versions of the crash tests, then MINUTES=60 of new seeds
	@CASKADE_SOAK=1 node dist/scripts/run-tests.js $(ARGS)
	@exec node dist/scripts/simulate.js --seed random --minutes "$(or $(MINUTES),60)"

bench: build ## run the benchmarks
	@scripts/setup-system.sh bench
	@exec node dist/bench/main.js $(ARGS)

check: $(SETUP_STAMP) ## format, lint, types, import law, floating promises, tracked files, generated docs
	@scripts/check.sh

docs: build ## regenerate docs/CONFIG.md
	@node dist/scripts/generate-config-docs.js

proto: $(SETUP_STAMP) ## regenerate src/rpc/generated/ from proto/
	@scripts/generate-proto.sh

clean: ## delete what was built and installed (never data)
	@rm -rf dist dist-* node_modules coverage profiles

clean-data: ## delete ./data, and with it every stored key of the nodes started from here
	@rm -rf data
