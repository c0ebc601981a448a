# Gridroom. `make demo` runs the street, `make test` passes the tests; both set up what they need in .venv/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs clean

PYTHON ?= $(shell scripts/find-python)
VENV := .venv
RUN := $(VENV)/.run-stamp
DEV := $(VENV)/.dev-stamp
WORKERS ?= 2

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

demo: $(RUN) ## simulate a day on the street: ARGS="--seed 7 --evs 50 ..."
	@$(VENV)/bin/gridroom demo $(ARGS)

test: check ## lint, types, import rules and all tests
	@$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(DEV) ## lint, types and import rules only
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

bench: $(DEV) ## measure speed against peers: ratios, outputs checked equal
	@for file in benchmarks/bench_*.py; do $(VENV)/bin/python $$file || exit 1; done

docs: $(DEV) ## build the documentation into docs/_build/html
	@$(VENV)/bin/python -m sphinx -W -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## remove the environment and what was built
	@rm -rf $(VENV) docs/_build report
