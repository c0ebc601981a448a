# Gridroom. `make demo` runs the street, `make test` passes the tests; both set up what they need in .venv/. `make test`
# also needs php, php-soap, node, npm, postgresql and mosquitto; it installs them from Debian where it may (scripts/foreign-tools).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test coverage foreign check bench results fuzz docs clean

PYTHON ?= $(shell scripts/find-python)
VENV := .venv
RUN := $(VENV)/.run-stamp
DEV := $(VENV)/.dev-stamp
FUZZ := $(VENV)/.fuzz-stamp
TOOLS := $(VENV)/.tools-stamp
NODE := tests/foreign/node_modules/.stamp
WORKERS ?= 2
SECONDS ?= 300
PROTOCOLS := tests/oscp tests/ocpp16 tests/ocpp201 tests/ocpp_draft20 tests/safety src/gridroom/oscp src/gridroom/ocpp

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Gridroom needs Python 3.11 or newer with venv: apt-get install python3 python3-venv"; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(RUN): requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what the street needs (once)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/run.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(RUN)

$(DEV): requirements/dev.txt $(RUN)
	@echo "installing what the tests need (once)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $(DEV)

$(TOOLS): scripts/foreign-tools | $(VENV)/bin/python
	@scripts/foreign-tools
	@touch $(TOOLS)

$(NODE): tests/foreign/package.json tests/foreign/package-lock.json | $(TOOLS)
	@echo "fetching the npm packages that the tests talk with (once)"
	@cd tests/foreign && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $(NODE)

$(FUZZ): requirements/fuzz.txt $(DEV)
	@echo "installing what the fuzzer needs (once)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/fuzz.txt \
		|| echo "no atheris for this machine: fuzzing goes on without the guidance of coverage"
	@touch $(FUZZ)

demo: $(RUN) ## simulate a day on the street: ARGS="--seed 7 --evs 50 ..."
	@$(VENV)/bin/gridroom demo $(ARGS)

test: check $(NODE) $(if $(ARGS),,coverage) ## lint, types, import rules and all tests: ARGS="-k row_14" picks some
	@$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal $(or $(ARGS),$(PROTOCOLS:%=--ignore=%))

coverage: $(DEV) ## the protocols' own tests; lines and branches of oscp/ and ocpp/ reached, at least 98 %
	@$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal $(PROTOCOLS) --cov=gridroom.oscp --cov=gridroom.ocpp \
		--cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=98

foreign: $(DEV) $(NODE) ## talk with six foreign SOAP toolkits, gSOAP and JAX-WS among them
	@scripts/foreign-tools all
	@$(VENV)/bin/python -m pytest -m '' $(ARGS) tests/foreign

check: $(DEV) ## lint, types and import rules only
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

bench: $(DEV) ## measure speed against peers: ratios, outputs checked equal
	@for file in benchmarks/bench_*.py; do $(VENV)/bin/python $$file || exit 1; done

results: $(DEV) ## test forecast and margin on made sets, rewrite docs/results.md: ARGS='"street, day ahead"'
	@$(VENV)/bin/python scripts/results.py $(ARGS)

fuzz: $(FUZZ) ## break the readers at length: SECONDS=3600, ARGS="--target soap"
	@PYTHONPATH=tests $(VENV)/bin/python -m fuzz --seconds $(SECONDS) $(ARGS)

docs: $(DEV) ## build the documentation into docs/_build/html
	@$(VENV)/bin/python -m sphinx -W -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## remove the environment and what was built
	@rm -rf $(VENV) docs/_build report .fuzz tests/foreign/node_modules
