# A thin skin over .venv/bin/tradewind and the checkers. `make help` lists what there is.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
SAM_VENV := .venv-sam
PEERS_VENV := .venv-peers
RESEARCH_VENV := .venv-research
BIN := $(VENV)/bin

# The stamp's name carries the requirements' checksum: changed requirements install anew.
RUN_FILES := requirements/run.txt layers/tradewind/requirements.txt layers/quant/requirements.txt
RUN_SUM := $(shell cat $(RUN_FILES) | cksum | cut -d' ' -f1)
TEST_SUM := $(shell cat $(RUN_FILES) requirements/backtest.txt requirements/test.txt | cksum | cut -d' ' -f1)
SAM_SUM := $(shell cat requirements/sam.txt | cksum | cut -d' ' -f1)
RUN_STAMP := $(VENV)/.installed-run-$(RUN_SUM)
TEST_STAMP := $(VENV)/.installed-test-$(TEST_SUM)
SAM_STAMP := $(SAM_VENV)/.installed-$(SAM_SUM)
RESEARCH_SUM := $(shell cat requirements/research.txt | cksum | cut -d' ' -f1)
RESEARCH_STAMP := $(RESEARCH_VENV)/.installed-$(RESEARCH_SUM)
PEERS_SUM := $(shell cat requirements/peers.txt | cksum | cut -d' ' -f1)
PEERS_STAMP := $(PEERS_VENV)/.installed-$(PEERS_SUM)
NODE_STAMP := node_modules/.installed
PIP_OPTIONS := --quiet --disable-pip-version-check
PIP_INSTALL := $(BIN)/python -m pip install $(PIP_OPTIONS)

# The first of these that is 3.11, 3.12 or 3.13 and can make environments; PYTHON=... overrides.
PYTHONS := python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for candidate in $(PYTHONS); do \
	if "$$candidate" -c 'import ensurepip, ssl, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		>/dev/null 2>&1; then echo "$$candidate"; break; fi; done)

# make run: BARS="AAPL=a.csv MSFT=b.csv" DATE=2020-11-12 MINUTES=390 LABEL=end TIMEZONE=...
#           STATE=dir KEEP=1 JSON=out.json SEED=7 SYMBOLS="AAPL MSFT"
RUN_OPTIONS = $(foreach bars,$(BARS),--bars '$(bars)') \
	$(foreach symbol,$(SYMBOLS),--symbols '$(symbol)') \
	$(if $(DATE),--date '$(DATE)') \
	$(if $(MINUTES),--minutes '$(MINUTES)') \
	$(if $(LABEL),--label '$(LABEL)') \
	$(if $(TIMEZONE),--timezone '$(TIMEZONE)') \
	$(if $(STATE),--state '$(STATE)') \
	$(if $(JSON),--json '$(JSON)') \
	$(if $(SEED),--seed '$(SEED)') \
	$(if $(filter-out 0 no false,$(KEEP)),--keep)

# Two files of tests at a time; a module's twin or server is shared by its tests.
AT_ONCE := --numprocesses 2 --dist loadfile

.PHONY: help run test test-all crash-points soak lint types imports bench sessions starter-model clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

run: $(RUN_STAMP) ## the whole stack on this machine, fed with a session (BARS=... DATE=... STATE=...)
	@$(BIN)/tradewind run $(RUN_OPTIONS)

test: lint types imports $(SAM_STAMP) $(NODE_STAMP) ## everything that is checked on each change
	$(BIN)/python -m pytest -m "not slow" $(AT_ONCE)

test-all: lint types imports $(SAM_STAMP) $(PEERS_STAMP) $(NODE_STAMP) ## make test, and the tests that take minutes
	$(BIN)/python -m pytest

crash-points: $(TEST_STAMP) ## kill the order path at every boundary under every fault, and run it again
	$(BIN)/python -m pytest -m crash_points tests/crash_points

soak: $(TEST_STAMP) ## 1,000 trades over four sessions with a broker that keeps failing
	$(BIN)/python -m pytest tests/soak

lint: $(TEST_STAMP) ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TEST_STAMP) ## types, strictly
	$(BIN)/mypy layers/tradewind/tradewind local/tradewind_local $(wildcard functions/*/app.py)

imports: $(TEST_STAMP) ## which package may import which
	$(BIN)/lint-imports

bench: $(TEST_STAMP) $(PEERS_STAMP) ## time per cycle, cold imports, memory, backtests beside other tools
	$(BIN)/python -m benchmarks

sessions: $(TEST_STAMP) ## write the table of the exchange's sessions anew
	$(BIN)/python -m tradewind_local.build_sessions

starter-model: $(RESEARCH_STAMP) ## train the starter model anew on simulated bars (TensorFlow, minutes)
	PYTHONPATH=layers/tradewind:local:. $(RESEARCH_VENV)/bin/python -m research.train_starter_model

clean: ## remove environments, caches and builds (never a STATE folder)
	rm -rf $(VENV) $(SAM_VENV) $(PEERS_VENV) $(RESEARCH_VENV) node_modules .aws-sam .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- environments -------------------------------------------------------------------------------

$(RUN_STAMP):
	@if [ -z "$(PYTHON)" ]; then \
		echo "Tradewind needs Python 3.11, 3.12 or 3.13 with its venv module and found none: tried" \
			"$(PYTHONS). Install one, or name it: make run PYTHON=/path/to/python3.13" >&2; \
		exit 2; fi
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making an environment in $(VENV) with $$("$(PYTHON)" --version)"; \
		"$(PYTHON)" -m venv --clear $(VENV); fi
	@echo "Installing what make run needs (requirements/run.txt)"
	@$(PIP_INSTALL) -r requirements/run.txt
	@$(BIN)/python local/link_sources.py
	@touch $@

$(TEST_STAMP): $(RUN_STAMP)
	@echo "Installing what make test needs beyond that (requirements/test.txt)"
	@$(PIP_INSTALL) -r requirements/test.txt
	@touch $@

# sam needs other versions of what the run environment pins, so it lives apart.
$(SAM_STAMP): $(TEST_STAMP) requirements/sam.txt
	@echo "Installing sam for the build test (requirements/sam.txt)"
	@$(BIN)/python -m venv --clear $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip install $(PIP_OPTIONS) -r requirements/sam.txt
	@touch $@

# Other backtesting tools, which nothing of ours imports.
$(PEERS_STAMP): $(RUN_STAMP) requirements/peers.txt
	@echo "Installing the tools that backtests are compared with (requirements/peers.txt, about 1 GB)"
	@$(BIN)/python -m venv --clear $(PEERS_VENV)
	@$(PEERS_VENV)/bin/python -m pip install $(PIP_OPTIONS) -r requirements/peers.txt
	@touch $@

$(NODE_STAMP): package.json
	@echo "Installing the state machine checker (package.json)"
	@npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@

# TensorFlow weighs 1.5 GB and is needed for training alone.
$(RESEARCH_STAMP): $(RUN_STAMP) requirements/research.txt
	@echo "Installing what training needs (requirements/research.txt, about 2 GB)"
	@$(BIN)/python -m venv --clear $(RESEARCH_VENV)
	@$(RESEARCH_VENV)/bin/python -m pip install $(PIP_OPTIONS) -r requirements/research.txt
	@touch $@
