# The one door for upkeep: `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo build package test prepare format lint lean unit doc web advisories openapi bench table gaps real stalled soak

# Arguments for the demo, e.g. make demo ARGS="--rate 100 --listen 127.0.0.1:9000"
ARGS ?=
CARGO ?= cargo

# Where .ci/prepare puts a Node, if the machine has none that is new enough.
export PATH := $(CURDIR)/target/venv/bin:$(PATH)

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## Build and serve Wikipedia's edits on http://127.0.0.1:8080
	@echo "Building; then open http://127.0.0.1:8080 (Ctrl-C ends it)"
	$(CARGO) run --locked --profile demo -- demo $(ARGS)

build: ## Build the release: target/release/viewcast
	VIEWCAST_COMMIT=$$(git rev-parse --short=12 HEAD) $(CARGO) build --locked --release

# What the packages are made with.
export CARGO_DEB ?= 3.8.0
export MUSL ?= $(shell uname -m)-unknown-linux-musl

package: build ## Make a .deb, and a static binary for any Linux, in target/package
	@.ci/package

test: prepare format lint lean doc web unit ## Check everything, as CI does; installs what is missing

prepare: ## Install what the tests need and this machine lacks
	@.ci/prepare

format: ## Check the formatting
	$(CARGO) fmt --check

lint: ## Run clippy; a warning is an error
	$(CARGO) clippy --locked --all-targets -- -D warnings

lean: ## Check what is built without the demo
	$(CARGO) clippy --locked --no-default-features -- -D warnings

unit: ## Run the Rust tests; they drive the browser and the Python clients, too
	$(CARGO) test --locked

doc: ## Build the documentation; a warning is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

web: ## Test the client module and the page's parts in Node
	node --test web/*.test.js

advisories: ## Ask the advisory database about our dependencies (needs the network)
	@command -v cargo-deny > /dev/null || { echo "make advisories: installing cargo-deny, some minutes"; $(CARGO) install --locked cargo-deny; }
	$(CARGO) deny --locked check

openapi: ## Have schemathesis ask a demo all that /openapi.json describes (needs the network)
	$(CARGO) build --locked
	@tests/py/schemathesis.sh

# Where results are kept, e.g. benches/runs/2026-11-25-2-cores.
RUN ?= benches/runs/$(shell date +%F)-$(shell nproc)-cores
BENCHES ?= core snapshot fanout others windows

bench: ## Measure, some fifteen minutes; benches/README.md says what
	@mkdir -p $(RUN)
	@$(CARGO) bench --locked --no-run $(BENCHES:%=--bench %)
	@for bench in $(BENCHES); do \
		{ echo "commit $$(git describe --always --dirty --exclude '*'), $$(nproc) cores, $$(uname -srm), load $$(cut -d' ' -f1-3 /proc/loadavg) before"; \
		  $(CARGO) bench --locked --bench $$bench; } | tee $(RUN)/$$bench.txt; \
	done
	@benches/table.sh $(RUN)

table: ## Show the kept figures of RUN in docs/PERFORMANCE.md
	@benches/table.sh $(RUN)

gaps: ## Measure how long a subscriber sees no change while operators do things to the demo's stand-in, some four minutes
	@mkdir -p $(RUN)
	@{ echo "commit $$(git describe --always --dirty --exclude '*'), $$(nproc) cores, $$(uname -srm), load $$(cut -d' ' -f1-3 /proc/loadavg) before"; \
	  env -u MATERIALIZE_URL $(CARGO) bench --locked --bench gaps; } | tee $(RUN)/gaps.txt

real: ## The same with the server at MATERIALIZE_URL; MATERIALIZE_STOP and MATERIALIZE_START are commands that do so
	@test -n "$$MATERIALIZE_URL" || { echo "make real: set MATERIALIZE_URL, e.g. postgres://materialize@localhost:6875/materialize"; exit 1; }
	$(CARGO) bench --locked --bench gaps

stalled: ## Hold 1,000 stalled subscribers for five minutes
	VIEWCAST_STALLED_SECONDS=300 $(CARGO) test --locked --test it stalled_thousand -- --nocapture

# How long the soak takes, in seconds, and where its summary goes.
SOAK_SECONDS ?= 600
SOAK_REPORT ?= $(RUN)/soak.txt

soak: ## Run the oracle, the kill loops, the fuzzing, then the simulation, each for SOAK_SECONDS
	@mkdir -p $(dir $(SOAK_REPORT))
	@printf '# Soak of %s s, %s, %s cores, commit %s\n\n' $(SOAK_SECONDS) "$$(date -u +%FT%TZ)" "$$(nproc)" "$$(git rev-parse --short HEAD)" > $(SOAK_REPORT)
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_REPORT=$(CURDIR)/$(SOAK_REPORT) $(CARGO) test --locked --test it -- oracle_random oracle_gateways processes_ fuzz_ --nocapture --test-threads 2
	SIM_SECONDS=$(SOAK_SECONDS) $(CARGO) test --locked --release --test sim -- sim_soak --nocapture | tee -a $(CURDIR)/$(SOAK_REPORT)
	@echo "The summary is in $(SOAK_REPORT)"
